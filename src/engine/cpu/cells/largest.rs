//! The largest terms of the sums over particles, which determine the fixed-point units.

use pulp::Simd;

use super::region::{Region, TOP, ends, node};
use super::{ByDimension, CHUNK};
use crate::engine::cpu::fixed_point::{FixedPoint, carries};
use crate::engine::cpu::layout::{LANES, Line, lines_per_block};

/// Bits of a term: the sums over a chunk are exact in f64.
const BITS: i32 = 52 - (CHUNK * LANES).ilog2() as i32;

/// Bits of a sum over all particles.
const ROOM: i32 = 62;

/// The largest a², |w|² and |a||w|_∞ of some particles.
#[derive(Debug, Clone, Copy, Default)]
pub struct Largest {
    a2: f32,
    w2: f32,
    aw: f32,
    /// Whether one is not finite.
    lost: bool,
}

/// Fixed-point scales of the terms of Σ a_j w_j, Σ a², Σ |w|² and Σ |a||w|.
#[derive(Debug, Clone, Copy)]
pub struct FixedPoints {
    pub aw: FixedPoint,
    pub moments: [FixedPoint; 3],
}

impl Largest {
    #[inline(always)]
    pub fn or(self, other: Largest) -> Largest {
        Largest {
            a2: self.a2.max(other.a2),
            w2: self.w2.max(other.w2),
            aw: self.aw.max(other.aw),
            lost: self.lost | other.lost,
        }
    }

    /// For sums over m particles.
    pub fn units(self, m: usize) -> FixedPoints {
        let bits = BITS.min(ROOM - carries(m));
        let unit = |largest: f64| FixedPoint::new(if self.lost { f64::NAN } else { largest }, bits);
        let (a2, w2) = (f64::from(self.a2), f64::from(self.w2));
        FixedPoints {
            aw: unit(f64::from(self.aw)),
            moments: [unit(a2), unit(w2), unit((a2 * w2).sqrt())],
        }
    }
}

/// The largest terms of the particles of a block, and the region of their directions w/|w|_∞. Particles at
/// the origin have no direction.
#[inline(always)]
fn bounds<S: Simd, const D: usize>(simd: S, block: &[Line]) -> (Largest, Region<D>) {
    let planes: &[S::f32s] = bytemuck::cast_slice(block);
    let per_plane = LANES / S::F32_LANES;
    let splat = |v: f32| simd.splat_f32s(v);
    let (mut a2, mut w2, mut aw) = (splat(0.0), splat(0.0), splat(0.0));
    let mut lost = splat(0.0);
    let (mut low, mut high) = ([splat(f32::INFINITY); D], [splat(f32::NEG_INFINITY); D]);
    for v in 0..per_plane {
        let (mut longest, mut square) = (splat(0.0), splat(0.0));
        for k in 0..D {
            let w = planes[k * per_plane + v];
            longest = simd.max_f32s(longest, simd.abs_f32s(w));
            square = simd.mul_add_e_f32s(w, w, square);
        }
        let has_one = simd.less_than_f32s(splat(0.0), longest);
        for k in 0..D {
            // Divided by, as 1/longest could be infinite.
            let u = simd.div_f32s(planes[k * per_plane + v], longest);
            let below = simd.select_f32s(has_one, u, splat(f32::INFINITY));
            let above = simd.select_f32s(has_one, u, splat(f32::NEG_INFINITY));
            low[k] = simd.min_f32s(low[k], below);
            high[k] = simd.max_f32s(high[k], above);
        }
        let a = planes[D * per_plane + v];
        let a_square = simd.mul_f32s(a, a);
        a2 = simd.max_f32s(a2, a_square);
        w2 = simd.max_f32s(w2, square);
        aw = simd.max_f32s(aw, simd.mul_f32s(simd.abs_f32s(a), longest));
        // 0 for finite numbers, else NaN.
        let none = simd.mul_f32s(simd.add_f32s(a_square, square), splat(0.0));
        lost = simd.add_f32s(lost, none);
    }
    let (mut lowest, mut highest) = ([0.0; D], [0.0; D]);
    for k in 0..D {
        lowest[k] = simd.reduce_min_f32s(low[k]);
        highest[k] = simd.reduce_max_f32s(high[k]);
    }
    let largest = Largest {
        a2: simd.reduce_max_f32s(a2),
        w2: simd.reduce_max_f32s(w2),
        aw: simd.reduce_max_f32s(aw),
        lost: simd.reduce_sum_f32s(lost).is_nan(),
    };
    (largest, Region::between(&lowest, &highest))
}

/// Finds the regions of a chunk, and its largest terms.
pub struct RefitBounds<'a> {
    pub lines: &'a [Line],
    pub regions: &'a mut [f32],
}

impl ByDimension for RefitBounds<'_> {
    type Output = Largest;

    #[inline(always)]
    fn run<S: Simd, const D: usize>(self, simd: S) -> Largest {
        let blocks = self.lines.len() / lines_per_block(D);
        let mut largest = Largest::default();
        for (b, block) in self.lines.chunks_exact(lines_per_block(D)).enumerate() {
            largest = largest.or(refit_bounds::<S, D>(simd, block, self.regions, b, blocks));
        }
        largest
    }
}

/// Finds the regions of a block, number b of the `blocks` of its chunk, and of the nodes that end with it.
/// Returns its largest terms.
#[inline(always)]
pub fn refit_bounds<S: Simd, const D: usize>(
    simd: S,
    block: &[Line],
    regions: &mut [f32],
    b: usize,
    blocks: usize,
) -> Largest {
    let (largest, region) = bounds::<S, D>(simd, block);
    region.store(regions, node(0, b));
    for level in 1..=TOP {
        if ends(level, b, blocks) {
            Region::<D>::gather(regions, level, b).store(regions, node(level, b));
        }
    }
    largest
}
