//! The share of the samples that cut a block, on which the cost of the short cut depends.

use std::f64::consts::PI;

use super::{DIMENSIONS, sort};
use crate::engine::cpu::layout::LANES;

/// Expected share of the samples that cut a block of m particles in d dimensions, if particles and samples
/// are uniformly distributed; `None` if the short cut does not support d. These are the samples whose
/// hyperplane meets the block's box, a cube with the block's share of the surface.
pub fn share_cut(d: usize, m: usize) -> Option<f64> {
    // The area of the sphere, and the share of the hyperplanes that meet a small cube on it, per width of the
    // cube.
    let (sphere, per_width) = if d == 3 {
        (4.0 * PI, 0.65)
    } else {
        (2.0 * PI * PI, 0.97)
    };
    let share = LANES as f64 / sort::segment(m).min(m) as f64;
    let cut = per_width * (sphere * share).powf(1.0 / (d as f64 - 1.0));
    DIMENSIONS.contains(&d).then_some(cut)
}
