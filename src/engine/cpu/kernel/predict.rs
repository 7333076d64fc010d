//! predict: Σ_j a_j σ(w_j·x_i), and the moments of the particles.

use pulp::Simd;

use super::{V, at, halves, per_plane, products};
use crate::engine::cpu::layout::{GROUP, Line, WORD, bits_per_block, lines_per_block};

/// Adds Σ_j a_j σ(w_j·x_i) over a tile to f; with KEEP, leaves the bits z_ij > 0 in `active`.
#[inline(always)]
pub fn predict<S: Simd, const D: usize, const N: usize, const KEEP: bool>(
    simd: S,
    d: usize,
    tile: &[Line],
    x: &[[f32; GROUP]],
    active: &mut [Line],
    f: &mut [f64],
) {
    let d = if D == 0 { d } else { D };
    let zero = simd.splat_f32s(0.0);
    let per_block = bits_per_block(x.len() / d) * size_of::<Line>() / size_of::<S::u32s>();
    let active: &mut [S::u32s] = bytemuck::cast_slice_mut(active);
    for (group, (x, f)) in x.chunks_exact(d).zip(f.chunks_exact_mut(GROUP)).enumerate() {
        let word = group / WORD * per_plane::<S>();
        for part in 0..GROUP / N {
            let mut sum = [zero; N];
            for (b, block) in tile.chunks_exact(lines_per_block(d)).enumerate() {
                let planes: &[S::f32s] = bytemuck::cast_slice(block);
                for half in 0..halves::<S>() {
                    let w = &planes[..d * per_plane::<S>()];
                    let z = products::<S, N>(simd, w, half, x, part);
                    let a = at::<S, _>(planes, d, half);
                    if KEEP {
                        let start = b * per_block + word + half * V;
                        for (v, word) in active[start..start + V].iter_mut().enumerate() {
                            *word =
                                shift_in(simd, *word, std::array::from_fn::<_, N, _>(|s| z[s][v]));
                        }
                    }
                    for (sum, z) in sum.iter_mut().zip(z) {
                        for v in 0..V {
                            *sum = simd.mul_add_e_f32s(a[v], simd.max_f32s(z[v], zero), *sum);
                        }
                    }
                }
            }
            for (f, sum) in f[part * N..].iter_mut().zip(sum) {
                *f += f64::from(simd.reduce_sum_f32s(sum));
            }
        }
    }
}

/// Moves the bits z > 0 of N samples into a word from the top: after a whole word the first sample
/// is at the bottom, and what the word held before is gone.
#[inline(always)]
fn shift_in<S: Simd, const N: usize>(simd: S, word: S::u32s, z: [S::f32s; N]) -> S::u32s {
    let zero = simd.splat_f32s(0.0);
    let mut word = simd.wrapping_dyn_shr_u32s(word, simd.splat_u32s(N as u32));
    for (s, z) in z.into_iter().enumerate() {
        let set = simd.or_u32s(word, simd.splat_u32s(1 << (32 - N + s)));
        word = simd.select_u32s(simd.greater_than_f32s(z, zero), set, word);
    }
    word
}

/// Adds Σ a², Σ |w|², Σ |a||w| over a tile.
#[inline(always)]
pub fn moments<S: Simd>(simd: S, d: usize, tile: &[Line], sums: &mut [f64; 3]) {
    let zero = simd.splat_f32s(0.0);
    let mut moments = [zero; 3];
    for block in tile.chunks_exact(lines_per_block(d)) {
        let planes: &[S::f32s] = bytemuck::cast_slice(block);
        let (w, a) = planes.split_at(d * per_plane::<S>());
        for (v, &a) in a.iter().enumerate() {
            let mut w2 = zero;
            for plane in w.chunks_exact(per_plane::<S>()) {
                w2 = simd.mul_add_e_f32s(plane[v], plane[v], w2);
            }
            let norms = simd.mul_f32s(simd.abs_f32s(a), simd.sqrt_f32s(w2));
            moments[0] = simd.mul_add_e_f32s(a, a, moments[0]);
            moments[1] = simd.add_f32s(moments[1], w2);
            moments[2] = simd.add_f32s(moments[2], norms);
        }
    }
    for (sum, moment) in sums.iter_mut().zip(moments) {
        *sum += f64::from(simd.reduce_sum_f32s(moment));
    }
}
