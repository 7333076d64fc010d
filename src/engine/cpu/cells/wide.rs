//! Blocks in f64: the products of f32 particles and f32 samples are exact there, so that only the sum z is
//! rounded, and sums of integers are exact.

use bytemuck::{Pod, Zeroable};
use pulp::Simd;

use super::DIMENSIONS;
use crate::engine::cpu::layout::LANES;

/// One plane of a block.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct Plane([f64; LANES]);

/// Planes, as many as a block has at most.
pub type Planes = [Plane; *DIMENSIONS.end() + 1];

pub fn planes() -> Planes {
    Planes::zeroed()
}

/// Vectors of a plane.
pub const fn per_plane<S: Simd>() -> usize {
    LANES / S::F64_LANES
}

/// Planes as vectors.
#[inline(always)]
pub fn vectors<S: Simd>(planes: &Planes) -> &[S::f64s] {
    bytemuck::cast_slice(planes)
}

#[inline(always)]
pub fn vectors_mut<S: Simd>(planes: &mut Planes) -> &mut [S::f64s] {
    bytemuck::cast_slice_mut(planes)
}

#[inline(always)]
pub fn widen(from: &[f32], to: &mut [Plane]) {
    for (from, to) in from.chunks_exact(LANES).zip(to) {
        for (to, &from) in to.0.iter_mut().zip(from) {
            *to = f64::from(from);
        }
    }
}

#[inline(always)]
pub fn narrow(from: &[Plane], to: &mut [f32]) {
    for (from, to) in from.iter().zip(to.chunks_exact_mut(LANES)) {
        for (to, &from) in to.iter_mut().zip(&from.0) {
            *to = from as f32;
        }
    }
}

/// z = w·x of vector number v of a block.
#[inline(always)]
pub fn product<S: Simd, const D: usize>(
    simd: S,
    w: &[S::f64s],
    v: usize,
    x: &[S::f64s; D],
) -> S::f64s {
    let mut z = simd.mul_f64s(w[v], x[0]);
    for k in 1..D {
        z = simd.mul_add_e_f64s(w[k * per_plane::<S>() + v], x[k], z);
    }
    z
}

/// Adds to a sum where z > 0.
#[inline(always)]
pub fn add_active<S: Simd>(simd: S, sum: &mut S::f64s, z: S::f64s, term: S::f64s) {
    let zero = simd.splat_f64s(0.0);
    let on = simd.less_than_f64s(zero, z);
    *sum = simd.add_f64s(*sum, simd.select_f64s(on, term, zero));
}
