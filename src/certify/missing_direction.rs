//! A direction of the optimum near which a run has no particle.

use serde::{Deserialize, Serialize};

use super::input_matrix::{dot, norm};
use super::{Certificate, Measure};
use crate::error::Result;
use crate::particles::Particles;

/// Share of the heaviest particle's mass above which a particle counts.
const MASS_SHARE: f64 = 1e-6;
/// Cosine below which an atom of the optimum has no particle near it: 10°.
const NEAR_COSINE: f64 = 0.985;
/// A direction matters from this share of the run's gap on, or of the optimum where the gap is larger.
const GAP_SHARE: f64 = 0.01;

/// A direction of the optimum near which the run has no particle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MissingDirection {
    /// θ (d), of unit length.
    pub direction: Vec<f64>,
    /// Sign of the output weight that it needs.
    pub sign: f64,
    /// Its share of the optimum's mass.
    pub share: f64,
    /// Degrees to the nearest particle of that sign; 180 where there is none.
    pub degrees: f64,
}

/// The heaviest atom of the optimum with no particle of its sign near it, if it matters: if the value of the
/// optimum without it changes by more than the gap of its own bounds and by at least a share of the run's gap.
///
/// # Errors
/// Those of `value`, which gives what a measure reaches.
pub fn missing(
    particles: &Particles,
    optimum: &Certificate,
    gap: f64,
    value: impl Fn(&Measure) -> Result<f64>,
) -> Result<Option<MissingDirection>> {
    let Some((k, missing)) = heaviest(particles, &optimum.measure) else {
        return Ok(None);
    };
    let change = value(&optimum.measure.without(k))? - value(&optimum.measure)?;
    let least = GAP_SHARE * gap.min(optimum.bounds.upper.abs());
    let matters = change.abs() >= least && change.abs() > optimum.bounds.gap();
    Ok(matters.then_some(missing))
}

/// The heaviest atom with no particle of its sign near it, and its number.
fn heaviest(p: &Particles, optimum: &Measure) -> Option<(usize, MissingDirection)> {
    let norms: Vec<f64> = (0..p.m()).map(|j| norm(p.w(j))).collect();
    let masses: Vec<f64> = (p.a.iter().zip(&norms)).map(|(a, w)| a.abs() * w).collect();
    let least = MASS_SHARE * masses.iter().copied().fold(0.0, f64::max);
    let massive: Vec<usize> = (0..p.m()).filter(|&j| masses[j] > least).collect();
    let nearest = |theta: &[f64], sign: f64| {
        let same = massive.iter().filter(|&&j| p.a[j] * sign > 0.0);
        let cosines = same.map(|&j| dot(p.w(j), theta) / norms[j]);
        cosines.fold(-1.0, f64::max)
    };
    let total: f64 = optimum.c.iter().map(|c| c.abs()).sum();
    let candidates = optimum.atoms().enumerate().filter_map(|(k, (theta, c))| {
        let cosine = nearest(theta, c);
        let missing = || MissingDirection {
            direction: theta.to_vec(),
            sign: c.signum(),
            share: c.abs() / total,
            degrees: cosine.clamp(-1.0, 1.0).acos().to_degrees(),
        };
        (cosine < NEAR_COSINE).then(|| (k, missing()))
    });
    candidates.max_by(|(_, u), (_, v)| u.share.total_cmp(&v.share))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Bounds, Optimum, Proof, SolverCache, Sphere};
    use super::*;
    use crate::data::Dataset;
    use crate::model::Loss;

    /// XOR in the plane, whose largest margin takes a quarter of the mass along each sample.
    fn xor() -> SolverCache {
        let data = Dataset {
            x: vec![1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -1.0, 1.0],
            y: vec![1.0, 1.0, -1.0, -1.0],
            d: 2,
        };
        let sphere = Sphere::new(&data);
        SolverCache::new(Arc::new(data), sphere)
    }

    /// Atoms along each sample, and one between two of them.
    fn measure(along: f64, between: f64) -> Measure {
        let s = 0.5_f64.sqrt();
        let mut nu = Measure::zero(2);
        for (x, y) in [(s, s), (-s, -s), (s, -s), (-s, s)] {
            nu.push(&[x, y], along * (x * y).signum());
        }
        nu.push(&[1.0, 0.0], between);
        nu
    }

    fn optimum(measure: Measure, value: f64) -> Certificate {
        Certificate {
            bounds: Bounds {
                lower: value * (1.0 - 1e-12),
                upper: value,
            },
            proof: Proof::Certified,
            worst_direction: Vec::new(),
            measure,
            dual: Vec::new(),
            rounds: 1,
        }
    }

    #[test]
    fn a_direction_of_negligible_mass_is_not_reported() {
        let cache = xor();
        let penalised = Optimum::Penalised {
            loss: Loss::SQUARE,
            lambda: 0.1,
        };
        for (which, size) in [(Optimum::Margin, 0.25), (penalised, 0.3)] {
            let named = |have: usize, between: f64, gap: f64| {
                let nu = measure(size, between);
                let mut network = Measure::zero(2);
                for (theta, c) in nu.atoms().take(have) {
                    network.push(theta, c);
                }
                let value = |nu: &Measure| which.value(&cache, nu);
                let reached = value(&nu).unwrap();
                let found = optimum(nu, reached);
                let particles = network.to_network(1.0);
                missing(&particles, &found, gap * reached, value).unwrap()
            };
            // The run has all four, and the fifth is rounding.
            assert_eq!(named(4, 2.7e-10, 1e-3), None);
            // One of the four is missing: it is named, as it is heavier than the fifth.
            let fourth = named(3, 2.7e-10, 1.0).unwrap();
            assert!((fourth.share - 0.25).abs() < 1e-6, "{fourth:?}");
            assert_eq!(fourth.sign, -1.0);
            assert_eq!(named(3, 2.7e-10, 40.0), Some(fourth));
            // A fifth with mass is named where the gap is as small as its effect.
            let share = named(4, 0.02, 1e-3).unwrap().share;
            assert!((share - 0.02 / (4.0 * size + 0.02)).abs() < 1e-12);
        }
    }
}
