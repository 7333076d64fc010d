//! velocity for small d, where a vector register can serve as a lookup table: G_j = Σ_i g_i 1[z_ij > 0] x_i
//! by patterns of activations.
//!
//! Four samples contribute one of 16 sums to a coordinate of G_j, as their four activations say
//! (three samples one of 8, where a vector has 8 lanes). All sums lie in one vector, which a
//! permutation looks up for a vector of particles at once: a lookup and an addition per coordinate
//! instead of four multiply-adds and the selection of active samples before them.

#[cfg(target_arch = "x86_64")]
use std::any::Any;

use bytemuck::Zeroable;
use pulp::Simd;
#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};

use super::vectors::Lookup;
use super::{UpdateF32, add_plane, at, per_plane};
use crate::engine::cpu::layout::{GROUP, Line, WORD, bits_per_block, lines_per_block};

/// Words of samples that are summed in one go, so that their sums by pattern stay in a first-level
/// cache.
const SECTION: usize = 2;

/// Vectors of particles that use a sum while it is in a register.
const V: usize = 2;

/// Patterns in a word of bits: lookups per word and coordinate.
const fn patterns<S: Lookup>() -> usize {
    32_usize.div_ceil(S::BITS)
}

/// Sums of g_i x_i over every pattern of activations, coordinate by coordinate.
#[derive(Debug, Default)]
pub struct RegisterTable(Vec<Line>);

impl RegisterTable {
    /// For samples x (groups, D) and their residual; empty where the instruction set has no lookup in registers.
    #[inline(always)]
    pub fn new<S: Simd, const D: usize>(simd: S, x: &[[f32; GROUP]], update: &UpdateF32) -> Self {
        #[cfg(target_arch = "x86_64")]
        if const { S::F32_LANES == 16 } {
            if let Some(&simd) = (&simd as &dyn Any).downcast_ref::<V4>() {
                return tabulate::<V4, D>(simd, x, update.g);
            }
        } else if const { S::F32_LANES == 8 }
            && let Some(&simd) = (&simd as &dyn Any).downcast_ref::<V3>()
        {
            return tabulate::<V3, D>(simd, x, update.g);
        }
        RegisterTable::default()
    }

    /// Leaves G of a tile in the planes of w of `forces`, laid out like the tile. `active` holds the
    /// bits z_ij > 0 as predict leaves them.
    #[inline(always)]
    pub fn velocity<S: Simd, const D: usize>(
        &self,
        simd: S,
        groups: usize,
        active: &[Line],
        forces: &mut [Line],
    ) {
        #[cfg(target_arch = "x86_64")]
        if const { S::F32_LANES == 16 } {
            if let Some(&simd) = (&simd as &dyn Any).downcast_ref::<V4>() {
                velocity::<V4, D>(simd, &self.0, groups, active, forces);
            }
        } else if const { S::F32_LANES == 8 }
            && let Some(&simd) = (&simd as &dyn Any).downcast_ref::<V3>()
        {
            velocity::<V3, D>(simd, &self.0, groups, active, forces);
        }
    }
}

/// One vector per pattern and coordinate, (words, patterns, D).
#[inline(always)]
fn tabulate<S: Lookup, const D: usize>(
    simd: S,
    x: &[[f32; GROUP]],
    g: &[[f32; GROUP]],
) -> RegisterTable {
    let words = g.len().div_ceil(WORD);
    let vectors = words * patterns::<S>() * D;
    let mut lines = vec![Line::zeroed(); (vectors * size_of::<S::f32s>()).div_ceil(64)];
    let table: &mut [S::f32s] = bytemuck::cast_slice_mut(&mut lines);
    // The number of a lane is the pattern whose sum the lane holds.
    let lanes: Vec<u32> = (0..S::F32_LANES as u32).collect();
    let lanes: S::u32s = simd.partial_load_u32s(&lanes);
    let zero = simd.splat_f32s(0.0);
    let rows = table.chunks_exact_mut(patterns::<S>() * D);
    for ((x, g), rows) in x.chunks(WORD * D).zip(g.chunks(WORD)).zip(rows) {
        for (pattern, sums) in rows.chunks_exact_mut(D).enumerate() {
            for bit in 0..S::BITS {
                let i = pattern * S::BITS + bit;
                let Some(g) = g.as_flattened().get(i) else {
                    break;
                };
                let set = simd.splat_u32s(1 << bit);
                let on = simd.equal_u32s(simd.and_u32s(lanes, set), set);
                let x = &x[i / GROUP * D..][..D];
                for (sum, x) in sums.iter_mut().zip(x) {
                    let term = simd.splat_f32s(g * x[i % GROUP]);
                    *sum = simd.add_f32s(*sum, simd.select_f32s(on, term, zero));
                }
            }
        }
    }
    RegisterTable(lines)
}

#[inline(always)]
fn velocity<S: Lookup, const D: usize>(
    simd: S,
    table: &[Line],
    groups: usize,
    active: &[Line],
    forces: &mut [Line],
) {
    let zero = simd.splat_f32s(0.0);
    let table: &[S::f32s] = bytemuck::cast_slice(table);
    let active: &[S::u32s] = bytemuck::cast_slice(active);
    let forces: &mut [S::f32s] = bytemuck::cast_slice_mut(forces);
    forces.fill(zero);
    let planes = lines_per_block(D) * size_of::<Line>() / size_of::<S::f32s>();
    let words = groups.div_ceil(WORD);
    let per_block = bits_per_block(groups) * size_of::<Line>() / size_of::<S::u32s>();
    // The bits of a word that is not full are at its top.
    let unused = simd.splat_u32s((32 - (groups - (words - 1) * WORD) * GROUP) as u32);
    let rows = patterns::<S>() * D;
    let next = simd.splat_u32s(S::BITS as u32);
    for section in (0..words).step_by(SECTION) {
        let section = section..words.min(section + SECTION);
        let blocks = active.chunks_exact(per_block);
        for (active, forces) in blocks.zip(forces.chunks_exact_mut(planes)) {
            for first in (0..per_plane::<S>()).step_by(V) {
                let mut big_g = [[zero; V]; D];
                for word in section.clone() {
                    let mut index = at::<S, _, V>(active, word, first);
                    if word + 1 == words {
                        index = index.map(|index| simd.wrapping_dyn_shr_u32s(index, unused));
                    }
                    for sums in table[word * rows..(word + 1) * rows].chunks_exact(D) {
                        for (big_g, &sums) in big_g.iter_mut().zip(sums) {
                            for v in 0..V {
                                let sum = simd.lookup(sums, index[v]);
                                big_g[v] = simd.add_f32s(big_g[v], sum);
                            }
                        }
                        index = index.map(|index| simd.wrapping_dyn_shr_u32s(index, next));
                    }
                }
                for (k, &sum) in big_g.iter().enumerate() {
                    add_plane(simd, forces, k, first, sum);
                }
            }
        }
    }
}
