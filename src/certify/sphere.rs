//! The maximum of |V(θ)| = |Σ_i q_i σ(θ·x_i)| over the unit sphere, on which every bound rests.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::arrangement::Arrangement;
use super::climb::{Climb, CpuClimb, Peak, Probes, peaks};
use super::engine_climb::EngineClimb;
use super::inputs::Inputs;
use crate::data::Dataset;
use crate::engine::cpu::{self, Cpu};
use crate::engine::{Batch, Engine};
use crate::error::{Error, Result};

/// Random directions at most, where the search is only for other local maxima.
const OTHERS: usize = 64;
/// Numbers in X beyond which 10 000 probes climb on an engine: in f64 they would take minutes.
const LARGE: usize = 1 << 15;

/// Samples from which making the arrangement for d = 3 is told of: it takes seconds then.
const TOLD: usize = 2000;

/// How the maximum over the sphere is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// Exactly, up to rounding errors that the bound allows for (d ≤ 3).
    Certified,
    /// As the best of a search: the true maximum may be higher.
    Searched {
        /// Directions from which the search climbed.
        probes: usize,
    },
}

impl Proof {
    pub fn is_certified(self) -> bool {
        self == Proof::Certified
    }

    /// Directions tried; 0 where none were needed.
    pub fn probes(self) -> usize {
        match self {
            Proof::Certified => 0,
            Proof::Searched { probes } => probes,
        }
    }
}

/// The maximum of |V| over the unit sphere.
#[derive(Debug, Clone, PartialEq)]
pub struct Maximum {
    /// |V(θ)| at the best direction found.
    pub value: f64,
    /// `value` and what rounding may have hidden. If [`Proof::Certified`], no direction has more.
    pub bound: f64,
    /// The best direction θ (d).
    pub theta: Vec<f64>,
    pub proof: Proof,
    /// Distinct local maxima of |V|, the best first.
    pub peaks: Vec<Peak>,
}

impl Maximum {
    /// Whether it is no larger than what rounding may have hidden: V may be 0 everywhere.
    pub fn is_rounding(&self) -> bool {
        self.value <= self.bound - self.value
    }
}

/// The unit sphere, prepared for one data set: X is cut into cells once, for any number of q.
pub struct Sphere {
    inputs: Inputs,
    /// Where d ≤ 3, made when first asked for.
    cells: OnceLock<Arrangement>,
    climb: Box<dyn Climb>,
}

impl Sphere {
    /// With the search on the CPU: in f64, for large data on the cpu engine.
    pub fn new(data: &Dataset) -> Self {
        Sphere::searched_on(data, |batch| {
            Ok(Box::new(Cpu::new(batch, &cpu::Options::default())?))
        })
    }

    /// With the search for large data on an engine of this making.
    pub fn searched_on(
        data: &Dataset,
        make: impl Fn(Batch) -> Result<Box<dyn Engine>> + Send + Sync + 'static,
    ) -> Self {
        match data.x.len() > LARGE && data.d > 3 {
            true => Sphere::with_climb(data, Box::new(EngineClimb::new(make))),
            false => Sphere::with_climb(data, Box::new(CpuClimb)),
        }
    }

    /// With a search of one's own.
    pub fn with_climb(data: &Dataset, climb: Box<dyn Climb>) -> Self {
        Sphere {
            inputs: Inputs::new(data),
            cells: OnceLock::new(),
            climb,
        }
    }

    /// The inputs X.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// Whether the maximum is exact (d ≤ 3).
    pub fn is_exact(&self) -> bool {
        self.inputs.d() <= 3
    }

    /// The cells, where d ≤ 3. For d = 3 and many samples their making takes a while, and is told.
    fn cells(&self) -> Option<&Arrangement> {
        let make = || {
            let (n, d) = (self.inputs.n(), self.inputs.d());
            if d == 3 && n >= TOLD {
                tracing::info!("cutting the sphere along the circles of {n} samples");
            }
            Arrangement::new(&self.inputs)
        };
        self.is_exact().then(|| self.cells.get_or_init(make))
    }

    /// The maximum of |V| for q (n). Where it is exact, a search from some of the probes finds
    /// other local maxima.
    ///
    /// # Errors
    /// q of another length than n, or not finite; those of the search.
    pub fn maximum(&self, q: &[f64], probes: Probes) -> Result<Maximum> {
        let inputs = &self.inputs;
        check_weights("weights q", q, inputs.n())?;
        let most = if self.is_exact() { OTHERS } else { usize::MAX };
        let theta = probes.directions(inputs.d(), most);
        let count = theta.len() / inputs.d();
        let mut found = peaks(inputs, q, theta, self.climb.as_ref())?;
        let known = found.first().map(|(_, theta)| &theta[..]);
        let (value, bound, proof) = match self.cells() {
            Some(cells) => {
                let top = cells.maximum(q, known);
                if let Some(theta) = top.theta.filter(|theta| Some(&theta[..]) != known) {
                    found.insert(0, (top.value, theta));
                }
                (top.value, top.bound, Proof::Certified)
            }
            None => {
                let value = found.first().map_or(0.0, |p| p.0);
                let proof = Proof::Searched { probes: count };
                (value, value + inputs.slack(q), proof)
            }
        };
        let mut first = vec![0.0; inputs.d()];
        first[0] = 1.0;
        let theta = found.first().map_or(first, |(_, theta)| theta.clone());
        Ok(Maximum {
            value,
            bound,
            theta,
            proof,
            peaks: found,
        })
    }
}

/// Refuses weights of another number than n, and those that are not finite.
pub(super) fn check_weights(name: &str, q: &[f64], n: usize) -> Result<()> {
    if q.len() != n {
        return Err(Error::input(
            name,
            format!("there are {}", q.len()),
            format!("the data set has {n} samples: give one weight each"),
        ));
    }
    match q.iter().position(|q| !q.is_finite()) {
        Some(i) => Err(Error::input(
            name,
            format!("number {i} is {}", q[i]),
            "give finite weights",
        )),
        None => Ok(()),
    }
}
