//! The maximum of |V(θ)| = |Σ_i q_i σ(θ·x_i)| over the unit sphere, on which every bound rests.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::arrangement::Arrangement;
use super::engine_ascent::EngineAscent;
use super::input_matrix::InputMatrix;
use super::local_ascent::{CpuAscent, LocalAscent, LocalMaximum, Probes, local_maxima};
use crate::data::Dataset;
use crate::engine::cpu::{self, Cpu};
use crate::engine::{Batch, Engine};
use crate::error::{Error, Result};

/// Random directions, at most, where the maximum is exact and the search is for other local maxima only.
const PROBES_BESIDE_EXACT: usize = 64;
/// Numbers in X beyond which searches run on an engine: 10 000 ascents in f64 would take minutes.
const LARGE: usize = 1 << 15;

/// Number of samples from which the making of the arrangement for d = 3, which then takes seconds, is logged.
const ANNOUNCED: usize = 2000;

/// How the maximum over the sphere is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Proof {
    /// For every direction, up to rounding errors that the bound allows for: exactly (d ≤ 3), or by a proved bound.
    Certified,
    /// As the best of a search: the true maximum may be higher.
    Searched {
        /// Directions from which the search started.
        probes: usize,
    },
    /// As the best of a search, with wider bounds of a proof that ended before its gap.
    PartlyProved { probes: usize, proved: PartialProof },
}

/// What a proof that ended before its gap has shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PartialProof {
    /// Proved bounds of the optimum.
    pub lower: f64,
    pub upper: f64,
    /// Gap that was reached between the proved and the largest known |V|, as a share of the former.
    pub gap: f64,
    /// Time taken.
    pub seconds: f64,
    /// Cones bounded.
    pub cones: usize,
}

impl Proof {
    pub fn is_certified(self) -> bool {
        self == Proof::Certified
    }

    /// Directions from which a search started; 0 without one.
    pub fn probes(self) -> usize {
        match self {
            Proof::Certified => 0,
            Proof::Searched { probes } | Proof::PartlyProved { probes, .. } => probes,
        }
    }

    /// What a proof that ended before its gap has shown.
    pub fn partial(self) -> Option<PartialProof> {
        match self {
            Proof::PartlyProved { proved, .. } => Some(proved),
            Proof::Certified | Proof::Searched { .. } => None,
        }
    }
}

/// The maximum of |V| over the unit sphere.
#[derive(Debug, Clone, PartialEq)]
pub struct Maximum {
    /// |V(θ)| at the best direction found.
    pub value: f64,
    /// `value` plus a bound of the rounding errors. If [`Proof::Certified`], |V| is at most this everywhere.
    pub bound: f64,
    /// The best direction θ (d).
    pub theta: Vec<f64>,
    pub proof: Proof,
    /// Distinct local maxima of |V|, the best first.
    pub local_maxima: Vec<LocalMaximum>,
}

impl Maximum {
    /// Whether it is within its rounding error, so that V may be 0 everywhere.
    pub fn is_rounding(&self) -> bool {
        self.value <= self.bound - self.value
    }
}

/// The unit sphere, prepared for one data set: its cells are made once, for any number of q.
pub struct Sphere {
    inputs: InputMatrix,
    /// For d ≤ 3; made on first use.
    cells: OnceLock<Arrangement>,
    ascent: Box<dyn LocalAscent>,
}

impl Sphere {
    /// With the search on the CPU: in f64, for large data on the cpu engine.
    pub fn new(data: &Dataset) -> Self {
        Sphere::searched_on(data, |batch| {
            Ok(Box::new(Cpu::new(batch, &cpu::Options::default())?))
        })
    }

    /// With the search for large data on an engine that `make` builds.
    pub fn searched_on(
        data: &Dataset,
        make: impl Fn(Batch) -> Result<Box<dyn Engine>> + Send + Sync + 'static,
    ) -> Self {
        match data.x.len() > LARGE && data.d > 3 {
            true => Sphere::with_ascent(data, Box::new(EngineAscent::new(make))),
            false => Sphere::with_ascent(data, Box::new(CpuAscent)),
        }
    }

    /// With another search.
    pub fn with_ascent(data: &Dataset, ascent: Box<dyn LocalAscent>) -> Self {
        Sphere {
            inputs: InputMatrix::new(data),
            cells: OnceLock::new(),
            ascent,
        }
    }

    /// The inputs X.
    pub fn inputs(&self) -> &InputMatrix {
        &self.inputs
    }

    /// Whether the maximum is exact (d ≤ 3).
    pub fn is_exact(&self) -> bool {
        self.inputs.d() <= 3
    }

    /// The cells, for d ≤ 3.
    fn cells(&self) -> Option<&Arrangement> {
        let make = || {
            let (n, d) = (self.inputs.n(), self.inputs.d());
            if d == 3 && n >= ANNOUNCED {
                tracing::info!("cutting the sphere along the circles of {n} samples");
            }
            Arrangement::new(&self.inputs)
        };
        self.is_exact().then(|| self.cells.get_or_init(make))
    }

    /// The maximum of |V| for q (n). Where it is exact, ascents from some of the probes add other local maxima.
    ///
    /// # Errors
    /// q of another length than n, or not finite; those of the search.
    pub fn maximum(&self, q: &[f64], probes: Probes) -> Result<Maximum> {
        let inputs = &self.inputs;
        check_weights("weights q", q, inputs.n())?;
        let most = if self.is_exact() {
            PROBES_BESIDE_EXACT
        } else {
            usize::MAX
        };
        let theta = probes.directions(inputs.d(), most);
        let count = theta.len() / inputs.d();
        let mut found = local_maxima(inputs, q, theta, self.ascent.as_ref())?;
        let known = found.first().map(|best| &best.theta[..]);
        let (value, bound, proof) = match self.cells() {
            Some(cells) => {
                let top = cells.maximum(q, known);
                if let Some(theta) = top.theta.filter(|theta| Some(&theta[..]) != known) {
                    let value = top.value;
                    found.insert(0, LocalMaximum { value, theta });
                }
                (top.value, top.bound, Proof::Certified)
            }
            None => {
                let value = found.first().map_or(0.0, |best| best.value);
                let proof = Proof::Searched { probes: count };
                (value, value + inputs.slack(q), proof)
            }
        };
        let mut first = vec![0.0; inputs.d()];
        first[0] = 1.0;
        let theta = found.first().map_or(first, |best| best.theta.clone());
        Ok(Maximum {
            value,
            bound,
            theta,
            proof,
            local_maxima: found,
        })
    }
}

/// Refuses weights that are not n finite numbers.
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
