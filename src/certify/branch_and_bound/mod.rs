//! A proved upper bound of max |V| over the unit sphere, V(θ) = Σ_i q_i σ(θ·x_i), for any d: branch and bound.
//!
//! V is bounded above on cones that together cover the space. A sample with θ·x_i of one sign on a cone is linear
//! there. Of the others, one with q_i > 0 is convex and at most a linear function that is its equal at the cone's
//! ends; one with q_i < 0 is concave and at most q_i t θ·x_i for any t in [0, 1]. So V is at most κ + ℓ·θ on the
//! cone, and with multipliers μ_k ≥ 0 of walls b_k·θ ≥ 0 around it at most κ + |ℓ + Σ_k μ_k b_k|: a bound that
//! holds for any t and μ, whether or not they were solved for well. t and μ make it as small as they can, the
//! cone with the largest bound is cut in two, and a cone is done once its bound is at most
//!
//! ```text
//! target = lower/(1 − gap),   lower = V at the best direction known
//! ```
//!
//! Only convex samples need cuts: without them the bound is the maximum over the cone. The cones are [`Cell`]s,
//! cut along the hyperplanes of samples, or, for many samples in few dimensions, [`Simplex`] cones, which are many
//! more but cost far less each. −V is bounded in the same way, and the larger bound counts.
//!
//! Rounding: everything is computed for unit rows x_i/|x_i| with weights of Σ|c_i| = 1, so scales of single rows
//! don't matter. Each bound is larger by a bound of the rounding errors of its own sums.

mod cell;
mod least_norm;
mod simplex;
#[cfg(test)]
mod tests;
mod unit_sum;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rayon::prelude::*;

use super::input_matrix::InputMatrix;
use super::sphere::check_weights;
use crate::error::Result;
use cell::Cell;
use simplex::Simplex;
use unit_sum::{Best, UnitSum};

/// Convex samples from which simplices are used, and dimensions up to which they are.
const MANY_CONVEX: usize = 40;
const FEW_DIMENSIONS: usize = 6;

/// When a proof ends.
#[derive(Debug, Clone, Copy)]
pub struct ProofLimits<'a> {
    /// Gap between the bound and the value attained, as a share of the bound.
    pub gap: f64,
    pub deadline: Instant,
    /// Memory for the cones that wait, in bytes. Beyond it those with the smallest bound come first, as they are
    /// nearly done; then it grows by a few cones only.
    pub memory: usize,
    /// Set from outside to end it early.
    pub stop: &'a AtomicBool,
}

impl ProofLimits<'_> {
    fn are_met(&self) -> bool {
        Instant::now() >= self.deadline || self.stop.load(Ordering::Relaxed)
    }
}

/// max |V| between two bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvedMaximum {
    /// |V| at the best direction.
    pub lower: f64,
    /// The best direction θ (d); none where no direction has V ≠ 0.
    pub theta: Option<Vec<f64>>,
    /// |V| is at most this everywhere, rounding errors included.
    pub upper: f64,
    /// Cones bounded.
    pub cones: usize,
    /// Whether the wanted gap was reached.
    pub is_reached: bool,
}

/// A cone of directions with an upper bound of V.
trait Cone: Send + Sync + Sized {
    /// Cones that are cut at once: their bounds take a small part of a second together.
    const BATCH: usize;

    /// Cones that cover the space, bounded.
    fn cover(sum: &UnitSum, target: f64, best: &mut Best) -> Vec<Self>;

    /// V ≤ max(bound, target) on the cone, for every target that its bounds were computed with.
    fn bound(&self) -> f64;

    /// The two cones that it is cut into, bounded; none where a cut gains nothing.
    fn cut(self, sum: &UnitSum, target: f64, best: &mut Best) -> Option<[Self; 2]>;

    fn bytes(&self) -> usize;
}

/// Bounds max |V| for weights q (n), from directions already known, row-major (k, d). It ends at the gap, at the
/// deadline or when it is stopped; the bounds hold in any case.
///
/// # Errors
/// q of another length than n, or not finite.
pub fn prove_maximum(
    inputs: &InputMatrix,
    q: &[f64],
    known: &[f64],
    limits: &ProofLimits,
) -> Result<ProvedMaximum> {
    check_weights("weights q", q, inputs.n())?;
    let sums = [1.0, -1.0].map(|sign| UnitSum::new(inputs, q, sign));
    let convex = sums.iter().map(UnitSum::convex_samples);
    let is_many = convex.max() > Some(MANY_CONVEX);
    Ok(
        match is_many && (2..=FEW_DIMENSIONS).contains(&inputs.d()) {
            true => prove_with::<Simplex>(inputs, q, &sums, known, limits),
            false => prove_with::<Cell>(inputs, q, &sums, known, limits),
        },
    )
}

/// Cones that wait, by their bound and the order in which they came.
struct Waiting<C> {
    cones: BTreeMap<(u64, Reverse<usize>), (usize, C)>,
    entered: usize,
    bytes: usize,
    most_bytes: usize,
}

impl<C: Cone> Waiting<C> {
    fn push(&mut self, side: usize, cone: C) {
        self.bytes += cone.bytes();
        // Bounds are not negative, so their bits are in their order.
        let key = (cone.bound().to_bits(), Reverse(self.entered));
        self.entered += 1;
        self.cones.insert(key, (side, cone));
    }

    fn pop(&mut self) -> Option<(usize, C)> {
        let next = match self.bytes > self.most_bytes {
            true => self.cones.pop_first(),
            false => self.cones.pop_last(),
        };
        let (side, cone) = next?.1;
        self.bytes -= cone.bytes();
        Some((side, cone))
    }

    fn largest_bound(&self) -> f64 {
        let last = self.cones.last_key_value();
        last.map_or(0.0, |((bits, _), _)| f64::from_bits(*bits))
    }
}

/// What became of a cone that was to be cut.
enum Outcome<C> {
    Cut([C; 2]),
    /// The limits were met before.
    Kept(C),
    /// A cut gains nothing.
    Settled(f64),
}

fn prove_with<C: Cone>(
    inputs: &InputMatrix,
    q: &[f64],
    sums: &[UnitSum; 2],
    known: &[f64],
    limits: &ProofLimits,
) -> ProvedMaximum {
    let mut best = Best::default();
    for theta in known.chunks_exact(inputs.d()) {
        sums.iter().for_each(|sum| best.try_direction(sum, theta));
    }
    let target_of = |best: &Best| best.value / (1.0 - limits.gap);
    let mut waiting = Waiting {
        cones: BTreeMap::new(),
        entered: 0,
        bytes: 0,
        most_bytes: limits.memory,
    };
    for (side, sum) in sums.iter().enumerate() {
        let target = target_of(&best);
        for cone in C::cover(sum, target, &mut best) {
            waiting.push(side, cone);
        }
    }
    let mut cones = waiting.cones.len();
    // The largest bound of cones that no cut improves.
    let mut settled: f64 = 0.0;
    while waiting.largest_bound() > target_of(&best) && !limits.are_met() {
        let target = target_of(&best);
        let mut batch = Vec::with_capacity(C::BATCH);
        while batch.len() < C::BATCH
            && let Some((side, cone)) = waiting.pop()
        {
            if cone.bound() > target {
                batch.push((side, cone));
            }
        }
        let cut = |(side, cone): (usize, C)| {
            // Only larger values matter.
            let mut found = Best {
                value: best.value,
                theta: None,
            };
            let outcome = match limits.are_met() {
                true => Outcome::Kept(cone),
                false => {
                    let bound = cone.bound();
                    let parts = cone.cut(&sums[side], target, &mut found);
                    parts.map_or(Outcome::Settled(bound), Outcome::Cut)
                }
            };
            (side, outcome, found)
        };
        let cut: Vec<_> = batch.into_par_iter().map(cut).collect();
        for (side, outcome, found) in cut {
            best = best.larger(found);
            match outcome {
                Outcome::Cut(parts) => {
                    cones += parts.len();
                    // The target never falls, so that cones below it are done.
                    let open = parts.into_iter().filter(|part| part.bound() > target);
                    open.for_each(|part| waiting.push(side, part));
                }
                Outcome::Kept(cone) => waiting.push(side, cone),
                Outcome::Settled(bound) => settled = settled.max(bound),
            }
        }
    }
    let target = target_of(&best);
    let largest = waiting.largest_bound().max(settled);
    let upper = sums[0].largest_value(largest.max(target));
    let lower = best.theta.as_ref().map(|theta| inputs.variation(q, theta));
    ProvedMaximum {
        lower: lower.map_or(0.0, f64::abs),
        theta: best.theta,
        upper,
        cones,
        is_reached: largest <= target,
    }
}
