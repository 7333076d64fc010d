//! The maximum of |V(θ)| = |Σ_i q_i σ(θ·x_i)| over the unit sphere, on which every bound rests.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::arrangement::{Arrangement, SphereMaximum};
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
    /// In its place for more than [`LARGE`] numbers in the rows that have weight.
    ascent_of_many: Option<Box<dyn LocalAscent>>,
}

impl Sphere {
    /// With the search on the CPU: in f64, for large data on the cpu engine.
    pub fn new(data: &Dataset) -> Self {
        Sphere::searched_on(data, |batch| {
            Ok(Box::new(Cpu::new(batch, &cpu::Options::default())?))
        })
    }

    /// With the search for many samples on an engine that `make` builds.
    pub fn searched_on(
        data: &Dataset,
        make: impl Fn(Batch) -> Result<Box<dyn Engine>> + Send + Sync + 'static,
    ) -> Self {
        Sphere {
            ascent_of_many: Some(Box::new(EngineAscent::new(make))),
            ..Sphere::with_ascent(data, Box::new(CpuAscent))
        }
    }

    /// With one search, whatever the number of samples.
    pub fn with_ascent(data: &Dataset, ascent: Box<dyn LocalAscent>) -> Self {
        Sphere {
            inputs: InputMatrix::new(data),
            cells: OnceLock::new(),
            ascent,
            ascent_of_many: None,
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

    /// The maximum of |V| for q (n). Where it is exact, ascents from some of the probes add other local maxima.
    /// Samples of weight 0 cost nothing.
    ///
    /// # Errors
    /// q of another length than n, or not finite; those of the search.
    pub fn maximum(&self, q: &[f64], probes: Probes) -> Result<Maximum> {
        let all = &self.inputs;
        check_weights("weights q", q, all.n())?;
        let weighted: Vec<usize> = (0..q.len()).filter(|&i| q[i] != 0.0).collect();
        if weighted.len() == all.n() {
            let cells = |inputs: &InputMatrix| self.cells.get_or_init(|| cells_of(inputs));
            return self.maximum_over(all, q, probes, |inputs, q, known| {
                cells(inputs).maximum(q, known)
            });
        }
        let q: Vec<f64> = weighted.iter().map(|&i| q[i]).collect();
        let inputs = all.select(&weighted);
        self.maximum_over(&inputs, &q, probes, |inputs, q, known| {
            cells_of(inputs).maximum(q, known)
        })
    }

    /// The maximum for samples that all have weight; `exact` finds it for d ≤ 3.
    fn maximum_over(
        &self,
        inputs: &InputMatrix,
        q: &[f64],
        probes: Probes,
        exact: impl Fn(&InputMatrix, &[f64], Option<&[f64]>) -> SphereMaximum,
    ) -> Result<Maximum> {
        let most = if self.is_exact() {
            PROBES_BESIDE_EXACT
        } else {
            usize::MAX
        };
        let theta = probes.directions(inputs.d(), most);
        let count = theta.len() / inputs.d();
        let ascent = match &self.ascent_of_many {
            Some(ascent) if inputs.n() * inputs.d() > LARGE => ascent,
            _ => &self.ascent,
        };
        let mut found = local_maxima(inputs, q, theta, ascent.as_ref())?;
        let known = found.first().map(|best| &best.theta[..]);
        let (value, bound, proof) = if self.is_exact() {
            let top = exact(inputs, q, known);
            if let Some(theta) = top.theta.filter(|theta| Some(&theta[..]) != known) {
                let value = top.value;
                found.insert(0, LocalMaximum { value, theta });
            }
            (top.value, top.bound, Proof::Certified)
        } else {
            let value = found.first().map_or(0.0, |best| best.value);
            let proof = Proof::Searched { probes: count };
            (value, value + inputs.slack(q), proof)
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

/// The cells of the sphere for these samples, d ≤ 3.
fn cells_of(inputs: &InputMatrix) -> Arrangement {
    if inputs.d() == 3 && inputs.n() >= ANNOUNCED {
        tracing::info!(
            "cutting the sphere along the circles of {} samples",
            inputs.n()
        );
    }
    Arrangement::new(inputs)
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
