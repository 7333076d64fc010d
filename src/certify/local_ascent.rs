//! The search for local maxima of |V| on the sphere: ascents from many directions.

use rayon::prelude::*;

use super::input_matrix::{InputMatrix, dot, unit};
use super::kink_ascent::AscentProblem;
pub use super::kink_ascent::LocalMaximum;
use crate::error::Result;
use crate::random::{Draws, Stream};

/// Local maxima that one search returns, at most.
const MOST_MAXIMA: usize = 256;
/// Two directions count as the same from this cosine on.
const SAME_DIRECTION: f64 = 1.0 - 1e-9;

/// Finds local maxima of |V| on the sphere.
pub trait LocalAscent: Send + Sync {
    /// The local maxima of |V| for q (n) that ascents from the unit directions θ, row-major (k, d),
    /// reach: in any order, and each as often as it was reached.
    ///
    /// # Errors
    /// Those of what it computes on.
    fn local_maxima(
        &self,
        inputs: &InputMatrix,
        q: &[f64],
        theta: Vec<f64>,
    ) -> Result<Vec<LocalMaximum>>;
}

/// Kink ascents from all directions, on all cores, in f64.
/// (Steps θ ← ±G/|G| are cheaper, but jump between basins: on our d = 15 case 10 000 probes that
/// began with them found 20 of the 23 global maxima, and 2000 that didn't found all.)
#[derive(Debug, Clone, Copy, Default)]
pub struct CpuAscent;

impl LocalAscent for CpuAscent {
    fn local_maxima(
        &self,
        inputs: &InputMatrix,
        q: &[f64],
        theta: Vec<f64>,
    ) -> Result<Vec<LocalMaximum>> {
        let problem = AscentProblem::new(inputs, q);
        let rows = theta.par_chunks_exact(inputs.d());
        Ok(rows.map(|theta| problem.ascend(theta)).collect())
    }
}

/// The directions from which a search starts.
#[derive(Debug, Clone, Copy)]
pub struct Probes<'a> {
    /// Given directions, row-major (k, d).
    pub given: &'a [f64],
    /// Number of random ones.
    pub random: usize,
    /// Seed of the random ones.
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
    /// All directions, row-major (k, d); at most `most` of them are random.
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

/// The largest of these maxima above 0, best first, at most `most`, each direction once. Two directions
/// count as one from a cosine of `same` on, with each coordinate multiplied by its scale (d).
pub(super) fn distinct(
    mut maxima: Vec<LocalMaximum>,
    most: usize,
    same: f64,
    coordinate_scales: &[f64],
) -> Vec<LocalMaximum> {
    maxima.retain(|maximum| maximum.value > 0.0);
    maxima.sort_by(|a, b| b.value.total_cmp(&a.value));
    let scaled = |theta: &[f64]| {
        unit(
            theta
                .iter()
                .zip(coordinate_scales)
                .map(|(t, c)| t * c)
                .collect(),
        )
    };
    let mut kept: Vec<LocalMaximum> = Vec::new();
    let mut directions: Vec<Vec<f64>> = Vec::new();
    for maximum in maxima {
        if kept.len() == most {
            break;
        }
        let Some(direction) = scaled(&maximum.theta) else {
            continue;
        };
        if directions
            .iter()
            .all(|other| dot(other, &direction) <= same)
        {
            directions.push(direction);
            kept.push(maximum);
        }
    }
    kept
}

/// The distinct local maxima of |V| for q (n) that ascents from these directions (k, d) reach, best first.
///
/// # Errors
/// Those of the ascent.
pub fn local_maxima(
    inputs: &InputMatrix,
    q: &[f64],
    theta: Vec<f64>,
    ascent: &dyn LocalAscent,
) -> Result<Vec<LocalMaximum>> {
    let found = ascent.local_maxima(inputs, q, theta)?;
    Ok(distinct(
        found,
        MOST_MAXIMA,
        SAME_DIRECTION,
        inputs.coordinate_scales(),
    ))
}
