//! The geometry of a cloud of particles: properties that predictions do not show.

use std::ops::Range;

use crate::model::{Run, ldexp};

/// Properties of the particles of one run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Geometry {
    /// Share of the neurons that no training sample activates: w_j·x_i ≤ 0 for all i. Such a
    /// neuron has G_j = 0 and moves by its decay alone.
    pub dead: f64,
    /// max_j max(|a_j|, |w_j|), in true units.
    pub largest_weight: f64,
    /// max_j |(a_j² − |w_j|²) − (a_j² − |w_j|²) at the start|, in true units: 0 for the flow of both
    /// layers without decay, which conserves it (docs/model.md, law 3). `None` where the start is not known.
    pub balance_drift: Option<f64>,
    /// Σ_j |a_j||w_j| · (|w_j restricted to the first k coordinates|/|w_j|)² over Σ_j |a_j||w_j|, with k
    /// from [`Run::informative`]: the share of the features' mass in the informative subspace.
    /// `None` without a k, or without mass.
    pub informative: Option<f64>,
}

/// The initial balance of the particles of a batch. It is requested block by block, so that a large run
/// need not store a value per particle: drawn particles can be drawn again.
pub trait Origins: Sync {
    /// a_j² − |w_j|² of these particles of a run at its start, in true units; `None` where it is not
    /// known.
    fn balance(&self, run: usize, range: Range<usize>) -> Option<Vec<f64>>;
}

/// For particles whose initial balance is not known.
pub struct Unknown;

impl Origins for Unknown {
    fn balance(&self, _run: usize, _range: Range<usize>) -> Option<Vec<f64>> {
        None
    }
}

/// Units in which the balance of the layers is compared with that at the start: true values are
/// 2^power times what these factors make of a², |w|² and the start, and no factor overflows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BalanceUnits {
    pub a: f64,
    pub w: f64,
    pub start: f64,
    pub power: i32,
}

impl BalanceUnits {
    /// Of a run at this exponent.
    pub fn new(run: &Run, exponent: i32) -> Self {
        let (a, w) = run.layer_exponents(exponent);
        let largest = a.max(w);
        BalanceUnits {
            a: ldexp(1.0, 2 * (a - largest)),
            w: ldexp(1.0, 2 * (w - largest)),
            start: ldexp(1.0, -2 * largest),
            power: 2 * largest,
        }
    }
}

/// What some particles of a run contribute to its [`Geometry`], in stored units.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PartialGeometry {
    /// Number of dead neurons.
    pub dead: f64,
    /// max |â_j|, max |ŵ_j|
    pub largest_a: f64,
    pub largest_w: f64,
    /// The largest change of the balance, in units of the stored layers.
    pub drift: f64,
    /// Σ |â_j||ŵ_j|, and the part of it in the informative subspace.
    pub mass: f64,
    pub informative: f64,
}

impl PartialGeometry {
    pub fn add(&mut self, part: &PartialGeometry) {
        self.dead += part.dead;
        self.largest_a = self.largest_a.max(part.largest_a);
        self.largest_w = self.largest_w.max(part.largest_w);
        self.drift = self.drift.max(part.drift);
        self.mass += part.mass;
        self.informative += part.informative;
    }

    /// The geometry of a run with this exponent, after the contributions of all its particles were added.
    pub fn finish(&self, run: &Run, exponent: i32, started: bool) -> Geometry {
        let (a, w) = run.layer_exponents(exponent);
        let known = run.informative.is_some() && self.mass > 0.0;
        let power = BalanceUnits::new(run, exponent).power;
        Geometry {
            dead: self.dead / run.m as f64,
            largest_weight: ldexp(self.largest_a, a).max(ldexp(self.largest_w, w)),
            balance_drift: started.then(|| ldexp(self.drift, power)),
            informative: known.then(|| self.informative / self.mass),
        }
    }
}
