//! predict: Σ_j a_j σ(w_j·x_i), the bits z_ij > 0, and the moments of the particles.

use pulp::Simd;

use super::products::{COORDINATES, WordProducts, products};
use super::vectors::{negative_part, shift_in_sign};
use super::{at, is_small, per_plane};
use crate::engine::cpu::layout::{GROUP, Line, WORD, bits_per_block, lines_per_block};

/// Adds Σ_j a_j σ(w_j·x_i) over a tile to f; with KEEP, leaves the bits z_ij > 0 in `active`. Registers
/// hold z of N samples and V vectors of particles.
#[inline(always)]
pub fn predict<S: Simd, const D: usize, const N: usize, const V: usize, const KEEP: bool>(
    simd: S,
    d: usize,
    tile: &[Line],
    x: &[[f32; GROUP]],
    active: &mut [Line],
    f: &mut [f64],
) {
    pass::<S, D, N, V, true, KEEP>(simd, d, tile, x, active, f);
}

/// The bits z_ij > 0 of a tile, as [`predict`] leaves them, and nothing else.
#[inline(always)]
pub fn activations<S: Simd, const D: usize, const N: usize, const V: usize>(
    simd: S,
    d: usize,
    tile: &[Line],
    x: &[[f32; GROUP]],
    active: &mut [Line],
) {
    pass::<S, D, N, V, false, true>(simd, d, tile, x, active, &mut []);
}

/// One pass over the pairs of a tile, with SUM for their sums and with KEEP for their bits.
#[inline(always)]
fn pass<
    S: Simd,
    const D: usize,
    const N: usize,
    const V: usize,
    const SUM: bool,
    const KEEP: bool,
>(
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
    let negate = |w: S::f32s| simd.neg_f32s(w);
    let mut word = None;
    if const { D == 0 } && d > COORDINATES {
        word = Some(WordProducts::new(simd, d, tile));
    }
    for group in 0..x.len() / d {
        let x = &x[group * d..];
        if const { D == 0 }
            && let Some(word) = &mut word
            && group % WORD == 0
        {
            word.fill(simd, d, tile, &x[..x.len().min(WORD * d)]);
        }
        let x = &x[..d];
        for part in 0..GROUP / N {
            // Sums of −a σ(z): the products below are −z, and min(−z, 0) = −σ(z).
            let mut sum = [zero; N];
            for (b, block) in tile.chunks_exact(lines_per_block(d)).enumerate() {
                let planes: &[S::f32s] = bytemuck::cast_slice(block);
                let w = &planes[..d * per_plane::<S>()];
                for first in (0..per_plane::<S>()).step_by(V) {
                    let a: [_; V] = at::<S, _, V>(planes, d, first);
                    let start = b * per_block + group / WORD * per_plane::<S>() + first;
                    let mut words = [simd.splat_u32s(0); V];
                    if KEEP {
                        words = at::<S, _, V>(active, 0, start);
                    }
                    // Where all of w is in registers, z is computed sample by sample: so its
                    // multiply-adds alternate with the operations on bits below, which other units of
                    // the processor do.
                    let mut all = [[zero; V]; N];
                    if const { D == 0 }
                        && let Some(word) = &word
                    {
                        let sample = group % WORD * GROUP + part * N;
                        all = word.at(b * per_plane::<S>() + first, sample);
                    } else if const { !is_small::<D>() } {
                        all = products::<S, N, V>(simd, w, first, x, part * N, negate);
                    }
                    for (s, (all, sum)) in all.into_iter().zip(&mut sum).enumerate() {
                        let mut z = all;
                        if const { is_small::<D>() } {
                            [z] = products::<S, 1, V>(simd, w, first, x, part * N + s, negate);
                        }
                        for v in 0..V {
                            let z = negative_part(simd, z[v]);
                            if SUM {
                                *sum = simd.mul_add_e_f32s(a[v], z, *sum);
                            }
                            if KEEP {
                                // Comparisons into masks would occupy the units that multiply and
                                // add.
                                words[v] = shift_in_sign(simd, words[v], z);
                            }
                        }
                    }
                    if KEEP {
                        // After the samples of a whole word, the bit of the first is the lowest, and
                        // what the word held before is shifted out.
                        active[start..start + V].copy_from_slice(&words);
                    }
                }
            }
            if SUM {
                for (f, sum) in f[group * GROUP + part * N..].iter_mut().zip(sum) {
                    *f -= f64::from(simd.reduce_sum_f32s(sum));
                }
            }
        }
    }
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
