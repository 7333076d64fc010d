//! What the costs of the short cut depend on.

use std::f64::consts::PI;

use super::{DIMENSIONS, sort};
use crate::engine::cpu::layout::LANES;

/// The share of the samples that cut a block of m particles in d dimensions, where the short cut is made
/// for d; particles and samples being spread evenly. These are the hyperplanes that meet a piece of the
/// sphere, which is as wide as a block's share of the sphere makes a cube.
pub fn share_cut(d: usize, m: usize) -> Option<f64> {
    let (sphere, of_width) = if d == 3 {
        (4.0 * PI, 0.65)
    } else {
        (2.0 * PI * PI, 0.97)
    };
    let share = LANES as f64 / sort::segment(m).min(m) as f64;
    let cut = of_width * (sphere * share).powf(1.0 / (d as f64 - 1.0));
    DIMENSIONS.contains(&d).then_some(cut)
}
