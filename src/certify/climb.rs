//! The search for local maxima of |V| on the sphere, from many directions.

use rayon::prelude::*;

use super::inputs::{Inputs, dot, unit};
use super::ridge;
use crate::error::Result;
use crate::random::{Draws, Stream};

/// Local maxima kept of one search.
const KEPT: usize = 256;
/// Two directions with a cosine beyond this are one.
const SAME: f64 = 1.0 - 1e-9;

/// Finds local maxima of |V| on the sphere.
pub trait Climb: Send + Sync {
    /// Local maxima of |V| of q (n) above the unit directions θ, row-major (k, d): in any order,
    /// and each as often as it was found.
    ///
    /// # Errors
    /// Those of what it computes on.
    fn peaks(&self, inputs: &Inputs, q: &[f64], theta: Vec<f64>) -> Result<Vec<Peak>>;
}

/// The climb on all cores, in f64: each probe to the local maximum above it, along the ridges.
/// (Steps θ ← ±G/|G| are cheaper, but jump between basins: on our d = 15 case 10 000 probes that
/// began with them found 20 of the 23 global maxima, and 2000 that didn't found all.)
#[derive(Debug, Clone, Copy, Default)]
pub struct CpuClimb;

impl Climb for CpuClimb {
    fn peaks(&self, inputs: &Inputs, q: &[f64], theta: Vec<f64>) -> Result<Vec<Peak>> {
        let rows = theta.par_chunks_exact(inputs.d());
        Ok(rows.map(|theta| ridge::ascend(inputs, q, theta)).collect())
    }
}

/// A direction and |V| there.
pub type Peak = (f64, Vec<f64>);

/// Where a search starts.
#[derive(Debug, Clone, Copy)]
pub struct Probes<'a> {
    /// Given directions, row-major (k, d).
    pub given: &'a [f64],
    /// Number of random ones.
    pub random: usize,
    /// Of the random ones.
    pub seed: u64,
}

impl Default for Probes<'_> {
    fn default() -> Self {
        Probes {
            given: &[],
            random: 10_000,
            seed: 0,
        }
    }
}

impl Probes<'_> {
    /// All directions, row-major, with at most so many random ones.
    pub(super) fn directions(&self, d: usize, most: usize) -> Vec<f64> {
        let mut theta = self.given.to_vec();
        let first = theta.len();
        theta.resize(first + self.random.min(most) * d, 0.0);
        for (k, row) in theta[first..].chunks_exact_mut(d).enumerate() {
            Draws::new(self.seed, Stream::Probe, 0, k as u64, 0).fill_sphere(row);
        }
        theta
    }
}

/// The highest of these, each once, best first, while they have more than 0. Two are one where their
/// cosine is beyond `same`, with coordinates in units (d) of what the samples feel of them.
pub(super) fn distinct(mut peaks: Vec<Peak>, most: usize, same: f64, columns: &[f64]) -> Vec<Peak> {
    peaks.retain(|p| p.0 > 0.0);
    peaks.sort_by(|a, b| b.0.total_cmp(&a.0));
    let felt = |theta: &[f64]| unit(theta.iter().zip(columns).map(|(t, c)| t * c).collect());
    let mut kept: Vec<Peak> = Vec::new();
    let mut directions: Vec<Vec<f64>> = Vec::new();
    for peak in peaks {
        if kept.len() == most {
            break;
        }
        let Some(direction) = felt(&peak.1) else {
            continue;
        };
        if directions
            .iter()
            .all(|other| dot(other, &direction) <= same)
        {
            directions.push(direction);
            kept.push(peak);
        }
    }
    kept
}

/// Local maxima of |V| for q (n) above these directions (k, d), distinct and best first.
///
/// # Errors
/// Those of the climb.
pub fn peaks(inputs: &Inputs, q: &[f64], theta: Vec<f64>, climb: &dyn Climb) -> Result<Vec<Peak>> {
    let found = climb.peaks(inputs, q, theta)?;
    Ok(distinct(found, KEPT, SAME, inputs.columns()))
}
