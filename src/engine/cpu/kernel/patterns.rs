//! velocity where d is not small: G_j = Σ_i g_i 1[z_ij > 0] x_i by patterns of activations.
//!
//! Four samples contribute one of 16 sums to G_j, as their four activations say. The 16 sums are
//! made once for a whole tile; each particle then adds one of them, found by four of its bits,
//! where it would have made four multiply-adds (the method of Four Russians).

use bytemuck::Zeroable;
use pulp::Simd;

use super::Push;
use super::products::SAMPLES;
use crate::engine::cpu::layout::{GROUP, LANES, Line, bits_per_block, lines_per_block};

/// Samples of a pattern, and patterns.
const BITS: usize = 4;
const PATTERNS: usize = 1 << BITS;
/// Patterns in a word of bits.
const PER_WORD: usize = SAMPLES / BITS;
/// Coordinates of G that are summed in one go, at most: their sums stay in a first-level cache.
const COORDINATES: usize = 48;

/// Smallest d at which patterns are faster: below it their vectors are mostly empty.
pub const FROM: usize = 9;

/// Leaves G of a tile in the planes of w of `forces`, laid out like the tile. `active` holds the
/// bits z_ij > 0 as predict leaves them.
#[inline(always)]
pub fn velocity<S: Simd>(simd: S, d: usize, push: &Push, active: &[Line], forces: &mut [Line]) {
    let blocks = forces.len() / lines_per_block(d);
    let mut sums = vec![Line::zeroed(); blocks * LANES * COORDINATES / 16];
    let mut table = vec![Line::zeroed(); PER_WORD * PATTERNS * COORDINATES / 16];
    let mut tile = Tile {
        d,
        push,
        active: bytemuck::cast_slice(active),
        words: bits_per_block(push.g.len()) * size_of::<Line>() / size_of::<u32>(),
        forces: bytemuck::cast_slice_mut(forces),
    };
    let (sums, table) = (&mut sums[..], &mut table[..]);
    for first in (0..d).step_by(COORDINATES) {
        // Vectors of 16, 8, 4 or 1 numbers for 48, 32 or 16 coordinates.
        match (S::F32_LANES, (d - first).min(COORDINATES).div_ceil(16)) {
            (16, 1) => tile.chunk::<S, 1>(simd, first, sums, table),
            (16, 2) => tile.chunk::<S, 2>(simd, first, sums, table),
            (16, _) => tile.chunk::<S, 3>(simd, first, sums, table),
            (8, 1) => tile.chunk::<S, 2>(simd, first, sums, table),
            (8, 2) => tile.chunk::<S, 4>(simd, first, sums, table),
            (8, _) => tile.chunk::<S, 6>(simd, first, sums, table),
            (4, 1) => tile.chunk::<S, 4>(simd, first, sums, table),
            (4, 2) => tile.chunk::<S, 8>(simd, first, sums, table),
            (4, _) => tile.chunk::<S, 12>(simd, first, sums, table),
            (_, 1) => tile.chunk::<S, 16>(simd, first, sums, table),
            (_, 2) => tile.chunk::<S, 32>(simd, first, sums, table),
            (_, _) => tile.chunk::<S, 48>(simd, first, sums, table),
        }
    }
}

struct Tile<'a> {
    d: usize,
    push: &'a Push<'a>,
    /// Bits of all blocks, `words` each.
    active: &'a [u32],
    words: usize,
    forces: &'a mut [f32],
}

impl Tile<'_> {
    /// C vectors of coordinates from `first` on, as many as there are.
    #[inline(always)]
    fn chunk<S: Simd, const C: usize>(
        &mut self,
        simd: S,
        first: usize,
        sums: &mut [Line],
        table: &mut [Line],
    ) {
        let zero = simd.splat_f32s(0.0);
        let vectors: &mut [S::f32s] = bytemuck::cast_slice_mut(sums);
        let (sums, _) = vectors.as_chunks_mut::<C>();
        let vectors: &mut [S::f32s] = bytemuck::cast_slice_mut(table);
        let (rows, _) = vectors.as_chunks_mut::<C>();
        let (table, _) = rows.as_chunks_mut::<PATTERNS>();
        let table = &mut table[..PER_WORD];
        let particles = self.active.len() / self.words.max(1) * LANES;
        sums[..particles].fill([zero; C]);
        for word in 0..self.words / LANES {
            let groups = &self.push.g[word * SAMPLES / GROUP..];
            let groups = &groups[..groups.len().min(SAMPLES / GROUP)];
            if groups.as_flattened().iter().all(|&g| g == 0.0) {
                continue;
            }
            self.tabulate::<S, C>(simd, first, word * SAMPLES, groups.as_flattened(), table);
            // The bits of a word that is not full are at its top.
            let unused = (SAMPLES - GROUP * groups.len()) as u32;
            let blocks = self.active.chunks_exact(self.words);
            for (bits, sums) in blocks.zip(sums.chunks_exact_mut(LANES)) {
                let bits = &bits[word * LANES..(word + 1) * LANES];
                for (bits, sum) in bits.iter().zip(sums) {
                    let mut bits = bits >> unused;
                    let mut add = [zero; C];
                    for sums in &*table {
                        let sums = &sums[bits as usize % PATTERNS];
                        for (add, sum) in add.iter_mut().zip(sums) {
                            *add = simd.add_f32s(*add, *sum);
                        }
                        bits >>= BITS;
                    }
                    for (sum, add) in sum.iter_mut().zip(add) {
                        *sum = simd.add_f32s(*sum, add);
                    }
                }
            }
        }
        let sums: &[f32] = bytemuck::cast_slice(sums.as_flattened());
        self.transpose(first, C * S::F32_LANES, sums);
    }

    /// The sums of all patterns of the samples of one word, from g of these samples.
    #[inline(always)]
    fn tabulate<S: Simd, const C: usize>(
        &self,
        simd: S,
        first: usize,
        sample: usize,
        g: &[f32],
        table: &mut [[[S::f32s; C]; PATTERNS]],
    ) {
        let end = self.d.min(first + COORDINATES);
        let row = |i: usize| {
            let row = self.push.rows.get(i * self.d + first..i * self.d + end);
            row.unwrap_or_default()
        };
        for (quad, sums) in table.iter_mut().enumerate() {
            let at = quad * BITS;
            let rows: [&[f32]; BITS] = std::array::from_fn(|bit| row(sample + at + bit));
            let g: [f32; BITS] = std::array::from_fn(|bit| g.get(at + bit).copied().unwrap_or(0.0));
            for v in 0..C {
                let lanes = v * S::F32_LANES;
                let mut local = [simd.splat_f32s(0.0); PATTERNS];
                for bit in 0..BITS {
                    let x = rows[bit].get(lanes..).unwrap_or_default();
                    let x: S::f32s = match x.get(..S::F32_LANES) {
                        Some(whole) => bytemuck::pod_read_unaligned(bytemuck::cast_slice(whole)),
                        None => simd.partial_load_f32s(x),
                    };
                    let term = simd.mul_f32s(simd.splat_f32s(g[bit]), x);
                    for pattern in 0..1 << bit {
                        local[(1 << bit) + pattern] = simd.add_f32s(local[pattern], term);
                    }
                }
                for (sums, local) in sums.iter_mut().zip(local) {
                    sums[v] = local;
                }
            }
        }
    }

    /// Coordinates `first` … of G from rows of `width` per particle to planes.
    #[inline(always)]
    fn transpose(&mut self, first: usize, width: usize, sums: &[f32]) {
        let per_block = (self.d + 1) * LANES;
        let rows = sums.chunks_exact(LANES * width);
        for (block, rows) in self.forces.chunks_exact_mut(per_block).zip(rows) {
            let planes = block[first * LANES..self.d * LANES].chunks_exact_mut(LANES);
            for (k, plane) in planes.take(width).enumerate() {
                for (lane, sum) in plane.iter_mut().enumerate() {
                    *sum = rows[lane * width + k];
                }
            }
        }
    }
}
