//! When the short cut pays.

use std::f64::consts::PI;

use super::sort;
use crate::engine::cpu::layout::LANES;

/// Nanoseconds of a core, measured: what a particle costs with no sample that cuts its block, what each
/// such sample adds, and what a sample costs the direct kernels.
const PARTICLE: f64 = 12.0;
const CUT: f64 = 3.5;
const DIRECT: f64 = 0.3;

/// How much faster it must be: particles that move loosen their blocks.
const GAIN: f64 = 1.5;

/// Whether the short cut is expected to be faster than the direct kernels for m particles in d
/// dimensions, of those it is made for, on n samples.
pub fn pays(d: usize, n: usize, m: usize) -> bool {
    let n = n as f64;
    GAIN * (PARTICLE + CUT * cut(d, m) * n) < DIRECT * n
}

/// The share of the samples that cut a block, particles and samples being spread evenly: the
/// hyperplanes that meet a piece of the sphere, which is as wide as a block's share of the sphere makes
/// a cube.
fn cut(d: usize, m: usize) -> f64 {
    let (sphere, of_width) = if d == 3 {
        (4.0 * PI, 0.65)
    } else {
        (2.0 * PI * PI, 0.97)
    };
    let share = LANES as f64 / sort::segment(m).min(m) as f64;
    of_width * (sphere * share).powf(1.0 / (d - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_pays_for_many_particles_and_samples() {
        assert!(pays(3, 256, 1_000_000) && pays(3, 10_000, 100_000));
        assert!(!pays(3, 256, 1000) && !pays(3, 16, 1_000_000));
        assert!(!pays(4, 256, 100_000));
    }
}
