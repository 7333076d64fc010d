//! velocity: G_j = Σ_i g_i 1[z_ij > 0] x_i, and the update that it drives.

use pulp::Simd;

use super::products::products;
use super::{UpdateF32, add_plane, at, per_plane};
use crate::engine::cpu::layout::{GROUP, Line, WORD, bits_per_block, lines_per_block};
use crate::model::Train;

/// Words of samples whose forces are summed in one go: rounding errors grow with the length of a
/// sum.
const SECTION: usize = 8;

/// Samples and vectors of particles in a register tile. More samples would make longer chains of
/// additions of which each waits for the one before.
const N: usize = 4;
const V: usize = 2;

/// Leaves Σ_i g_i σ(z_ij) = w·G of a tile in the plane of a of `forces`, laid out like the tile: all
/// that output-only training needs.
#[inline(always)]
pub fn potential<S: Simd, const D: usize>(
    simd: S,
    d: usize,
    tile: &[Line],
    x: &[[f32; GROUP]],
    update: &UpdateF32,
    forces: &mut [Line],
) {
    let d = if D == 0 { d } else { D };
    let forces: &mut [S::f32s] = bytemuck::cast_slice_mut(forces);
    forces.fill(simd.splat_f32s(0.0));
    for samples in sections(d, x, update) {
        for (b, block) in tile.chunks_exact(lines_per_block(d)).enumerate() {
            let planes: &[S::f32s] = bytemuck::cast_slice(block);
            let forces = &mut forces[b * planes.len()..(b + 1) * planes.len()];
            let w = &planes[..d * per_plane::<S>()];
            for first in (0..per_plane::<S>()).step_by(V) {
                let sum = samples.potential::<S, D>(simd, w, first);
                add_plane(simd, forces, d, first, sum);
            }
        }
    }
}

/// Leaves G of a tile in the planes of w of `forces`, laid out like the tile. For small d = D.
/// `active` holds the bits z_ij > 0 as predict leaves them.
#[inline(always)]
pub fn velocity<S: Simd, const D: usize>(
    simd: S,
    x: &[[f32; GROUP]],
    update: &UpdateF32,
    active: &[Line],
    forces: &mut [Line],
) {
    let zero = simd.splat_f32s(0.0);
    let per_block = bits_per_block(update.g.len()) * size_of::<Line>() / size_of::<S::u32s>();
    let active: &[S::u32s] = bytemuck::cast_slice(active);
    let forces: &mut [S::f32s] = bytemuck::cast_slice_mut(forces);
    forces.fill(zero);
    let planes = (D + 1) * per_plane::<S>();
    for (s, samples) in sections(D, x, update).enumerate() {
        let blocks = active.chunks_exact(per_block);
        for (active, forces) in blocks.zip(forces.chunks_exact_mut(planes)) {
            let active = &active[s * SECTION * per_plane::<S>()..];
            for first in (0..per_plane::<S>()).step_by(V) {
                let mut big_g = [[zero; V]; D];
                samples.pull::<S, D>(simd, active, first, &mut big_g);
                for (k, &sum) in big_g.iter().enumerate() {
                    add_plane(simd, forces, k, first, sum);
                }
            }
        }
    }
}

fn sections<'a>(
    d: usize,
    x: &'a [[f32; GROUP]],
    update: &'a UpdateF32,
) -> impl Iterator<Item = Section<'a>> {
    let words = SECTION * WORD;
    let sections = x.chunks(words * d).zip(update.g.chunks(words));
    sections.map(move |(x, g)| Section { d, x, g })
}

/// Samples of one section: x (groups, d) and g.
struct Section<'a> {
    d: usize,
    x: &'a [[f32; GROUP]],
    g: &'a [[f32; GROUP]],
}

impl Section<'_> {
    /// Σ_i g_i σ(z_i): all that output-only training needs.
    #[inline(always)]
    fn potential<S: Simd, const D: usize>(
        &self,
        simd: S,
        w: &[S::f32s],
        first: usize,
    ) -> [S::f32s; V] {
        let d = if D == 0 { self.d } else { D };
        let zero = simd.splat_f32s(0.0);
        let mut sum = [zero; V];
        for (x, g) in self.x.chunks_exact(d).zip(self.g) {
            for part in 0..GROUP / N {
                let z = products::<S, N, V>(simd, w, first, x, part * N, |w| w);
                for (s, z) in z.iter().enumerate() {
                    let g = simd.splat_f32s(g[part * N + s]);
                    for v in 0..V {
                        sum[v] = simd.mul_add_e_f32s(g, simd.max_f32s(z[v], zero), sum[v]);
                    }
                }
            }
        }
        sum
    }

    /// Adds g_i 1[z_i > 0] x_i to G, by the bits that predict left.
    #[inline(always)]
    fn pull<S: Simd, const D: usize>(
        &self,
        simd: S,
        active: &[S::u32s],
        first: usize,
        big_g: &mut [[S::f32s; V]; D],
    ) {
        let zero = simd.splat_f32s(0.0);
        let words = active.chunks_exact(per_plane::<S>());
        for ((x, g), word) in self.x.chunks(WORD * D).zip(self.g.chunks(WORD)).zip(words) {
            // The bits of a word that is not full are at its top.
            let unused = simd.splat_u32s((32 - GROUP * g.len()) as u32);
            let mut word = at::<S, _, V>(word, 0, first);
            word = word.map(|word| simd.wrapping_dyn_shr_u32s(word, unused));
            for (x, g) in x.chunks_exact(D).zip(g) {
                for part in 0..GROUP / N {
                    let mut gate = [[zero; V]; N];
                    for s in 0..N {
                        let g = simd.splat_f32s(g[part * N + s]);
                        let bit = simd.splat_u32s(1 << s);
                        for v in 0..V {
                            let on = simd.equal_u32s(simd.and_u32s(word[v], bit), bit);
                            gate[s][v] = simd.select_f32s(on, g, zero);
                        }
                    }
                    add_gated(simd, &gate, x, part, big_g);
                    let next = simd.splat_u32s(N as u32);
                    word = word.map(|word| simd.wrapping_dyn_shr_u32s(word, next));
                }
            }
        }
    }
}

/// G += Σ_s gate_s x_s over N samples of a group, part number `part`.
#[inline(always)]
fn add_gated<S: Simd>(
    simd: S,
    gate: &[[S::f32s; V]; N],
    x: &[[f32; GROUP]],
    part: usize,
    big_g: &mut [[S::f32s; V]],
) {
    for (sum, x) in big_g.iter_mut().zip(x) {
        let mut add = *sum;
        for (s, gate) in gate.iter().enumerate() {
            let x = simd.splat_f32s(x[part * N + s]);
            for v in 0..V {
                add[v] = simd.mul_add_e_f32s(gate[v], x, add[v]);
            }
        }
        *sum = add;
    }
}

/// update: every trained coordinate of a tile moves by its force and decay, see [`UpdateF32`].
#[inline(always)]
pub fn update_block<S: Simd, const D: usize>(
    simd: S,
    d: usize,
    tile: &mut [Line],
    update: &UpdateF32,
    forces: &[Line],
) {
    let d = if D == 0 { d } else { D };
    let splat = |v: f32| simd.splat_f32s(v);
    // keep − decay would be rounded, so θ is not multiplied by it: the change is computed first and then
    // added.
    let moved = |theta: S::f32s, force: S::f32s| {
        let change = simd.mul_add_e_f32s(splat(-update.decay), theta, force);
        let moved = simd.mul_add_e_f32s(splat(update.keep), theta, change);
        simd.mul_f32s(splat(update.scale), moved)
    };
    let per_block = lines_per_block(d);
    let blocks = tile.chunks_exact_mut(per_block);
    for (block, forces) in blocks.zip(forces.chunks_exact(per_block)) {
        let planes: &mut [S::f32s] = bytemuck::cast_slice_mut(block);
        let forces: &[S::f32s] = bytemuck::cast_slice(forces);
        let weights = d * per_plane::<S>();
        let (w, a) = planes.split_at_mut(weights);
        let (big_g, potential) = forces.split_at(weights);
        for (v, a) in a.iter_mut().enumerate() {
            let mut w_g = potential[v];
            if update.train != Train::Output {
                let w = w.chunks_exact_mut(per_plane::<S>());
                for (w, g) in w.zip(big_g.chunks_exact(per_plane::<S>())) {
                    w_g = simd.mul_add_e_f32s(w[v], g[v], w_g);
                    let pull = simd.mul_f32s(splat(update.force), simd.mul_f32s(*a, g[v]));
                    w[v] = moved(w[v], pull);
                }
            } else if update.keep == 0.0 {
                let w = w.chunks_exact_mut(per_plane::<S>());
                w.for_each(|w| w[v] = splat(0.0));
            }
            if update.train != Train::Input {
                *a = moved(*a, simd.mul_f32s(splat(update.force), w_g));
            } else if update.keep == 0.0 {
                *a = splat(0.0);
            }
        }
    }
}
