//! velocity where d is not small: G_j = Σ_i g_i 1[z_ij > 0] x_i by patterns of activations.
//!
//! Four samples contribute one of 16 sums to G_j, selected by their four activations. The 16 sums are
//! computed once for all particles, or once per tile if they need too much memory; each particle then adds
//! one sum, selected by four of its bits, instead of four multiply-adds (the method of Four Russians).

use std::ops::Range;

use bytemuck::Zeroable;
use pulp::Simd;

use super::UpdateF32;
use crate::engine::cpu::layout::{
    LANES, LINE, Line, SAMPLES, WORD, bits_per_block, lines_per_block,
};
use crate::engine::cpu::rows::PANEL;

/// Samples of a pattern, and number of patterns.
const BITS: usize = 4;
const PATTERNS: usize = 1 << BITS;
/// Groups of four samples, which have a pattern each, in a word of bits.
const PER_WORD: usize = SAMPLES / BITS;
/// Largest table of sums, in bytes, that is made once for all particles: every tile reads all of it.
/// Where it would be larger, each tile makes the sums of one word at a time.
const SHARED: usize = 256 << 10;

/// Work on C vectors of coordinates, where the compiler knows C.
trait ByWidth {
    fn run<S: Simd, const C: usize>(&mut self, simd: S);
}

/// Runs the work with as many vectors as `coordinates` take in whole lines.
#[inline(always)]
fn by_width<S: Simd>(simd: S, coordinates: usize, work: &mut impl ByWidth) {
    // Vectors of 16, 8, 4 or 1 numbers for 48, 32 or 16 coordinates.
    let lines = coordinates.div_ceil(LINE);
    if const { S::F32_LANES == 16 } {
        match lines {
            1 => work.run::<S, 1>(simd),
            2 => work.run::<S, 2>(simd),
            _ => work.run::<S, 3>(simd),
        }
    } else if const { S::F32_LANES == 8 } {
        match lines {
            1 => work.run::<S, 2>(simd),
            2 => work.run::<S, 4>(simd),
            _ => work.run::<S, 6>(simd),
        }
    } else if const { S::F32_LANES == 4 } {
        match lines {
            1 => work.run::<S, 4>(simd),
            2 => work.run::<S, 8>(simd),
            _ => work.run::<S, 12>(simd),
        }
    } else {
        match lines {
            1 => work.run::<S, 16>(simd),
            2 => work.run::<S, 32>(simd),
            _ => work.run::<S, 48>(simd),
        }
    }
}

/// The sums of all patterns, word by word, for all particles; empty where they would take more than
/// [`SHARED`] bytes or d is more than one panel.
#[inline(always)]
pub fn tabulate<S: Simd>(simd: S, d: usize, update: &UpdateF32) -> Vec<Line> {
    let words = update.g.chunks(WORD).len();
    let lines = words * PER_WORD * PATTERNS * d.div_ceil(LINE);
    if d > PANEL || lines * size_of::<Line>() > SHARED {
        return Vec::new();
    }
    let mut lines = vec![Line::zeroed(); lines];
    let table = &mut lines;
    by_width(simd, d, &mut SharedTable { update, table });
    lines
}

struct SharedTable<'a> {
    update: &'a UpdateF32<'a>,
    table: &'a mut [Line],
}

impl ByWidth for SharedTable<'_> {
    #[inline(always)]
    fn run<S: Simd, const C: usize>(&mut self, simd: S) {
        let tables = sums_by_pattern::<S, C>(self.table).chunks_exact_mut(PER_WORD);
        for (word, table) in tables.enumerate() {
            if !self.update.is_zero(word) {
                tabulate_word::<S, C>(simd, 0, self.update, word, table);
            }
        }
    }
}

/// Memory as sums: C vectors for each pattern, of each four samples.
#[inline(always)]
fn sums_by_pattern<S: Simd, const C: usize>(lines: &mut [Line]) -> &mut [[[S::f32s; C]; PATTERNS]] {
    let vectors: &mut [S::f32s] = bytemuck::cast_slice_mut(lines);
    let (rows, _) = vectors.as_chunks_mut::<C>();
    let (tables, _) = rows.as_chunks_mut::<PATTERNS>();
    tables
}

/// The sums of all patterns of the samples of one word, over C vectors of coordinates from number
/// `first` on.
#[inline(always)]
fn tabulate_word<S: Simd, const C: usize>(
    simd: S,
    first: usize,
    update: &UpdateF32,
    word: usize,
    table: &mut [[[S::f32s; C]; PATTERNS]],
) {
    let g = update.word(word);
    let panel: &[S::f32s] = bytemuck::cast_slice(update.rows.panel(first));
    let (rows, _) = panel.as_chunks::<C>();
    let rows = rows[word * SAMPLES..(word + 1) * SAMPLES].chunks_exact(BITS);
    for (quad, (rows, sums)) in rows.zip(table).enumerate() {
        let g: [S::f32s; BITS] = std::array::from_fn(|bit| {
            let g = g.get(quad * BITS + bit).copied().unwrap_or(0.0);
            simd.splat_f32s(g)
        });
        for v in 0..C {
            let mut local = [simd.splat_f32s(0.0); PATTERNS];
            for (bit, (row, g)) in rows.iter().zip(g).enumerate() {
                let term = simd.mul_f32s(g, row[v]);
                local[1 << bit] = term;
                for pattern in 1..1 << bit {
                    local[(1 << bit) + pattern] = simd.add_f32s(local[pattern], term);
                }
            }
            for (sums, local) in sums.iter_mut().zip(local) {
                sums[v] = local;
            }
        }
    }
}

/// Leaves G of a tile in the planes of w of `forces`, laid out like the tile. `active` holds the
/// bits z_ij > 0 as predict leaves them, `shared` what [`tabulate`] made.
#[inline(always)]
pub fn velocity<S: Simd>(
    simd: S,
    d: usize,
    update: &UpdateF32,
    shared: &[Line],
    active: &[Line],
    forces: &mut [Line],
) {
    let blocks = forces.len() / lines_per_block(d);
    let lines = d.min(PANEL).div_ceil(LINE);
    let own = if shared.is_empty() {
        PER_WORD * PATTERNS * lines
    } else {
        0
    };
    let mut tile = TileVelocity {
        d,
        update,
        shared,
        active: bytemuck::cast_slice(active),
        words: bits_per_block(update.g.len()) * size_of::<Line>() / size_of::<u32>(),
        forces: bytemuck::cast_slice_mut(forces),
        coordinates: 0..0,
        sums: vec![Line::zeroed(); blocks * LANES * lines],
        table: vec![Line::zeroed(); own],
    };
    for first in (0..d).step_by(PANEL) {
        tile.coordinates = first..d.min(first + PANEL);
        let width = tile.coordinates.len();
        by_width(simd, width, &mut tile);
    }
}

struct TileVelocity<'a> {
    d: usize,
    update: &'a UpdateF32<'a>,
    shared: &'a [Line],
    /// Bits of all blocks, `words` each.
    active: &'a [u32],
    words: usize,
    forces: &'a mut [f32],
    /// The coordinates that are summed in one go.
    coordinates: Range<usize>,
    /// Scratch memory: G of these coordinates, a row per particle.
    sums: Vec<Line>,
    /// Scratch memory: the sums by pattern of one word, where `shared` is empty.
    table: Vec<Line>,
}

impl ByWidth for TileVelocity<'_> {
    #[inline(always)]
    fn run<S: Simd, const C: usize>(&mut self, simd: S) {
        let zero = simd.splat_f32s(0.0);
        let vectors: &mut [S::f32s] = bytemuck::cast_slice_mut(&mut self.sums);
        let (sums, _) = vectors.as_chunks_mut::<C>();
        let own = sums_by_pattern::<S, C>(&mut self.table);
        let vectors: &[S::f32s] = bytemuck::cast_slice(self.shared);
        let (shared, _) = vectors.as_chunks::<C>();
        let (shared, _) = shared.as_chunks::<PATTERNS>();
        let particles = self.active.len() / self.words.max(1) * LANES;
        sums[..particles].fill([zero; C]);
        for word in 0..self.words / LANES {
            if self.update.is_zero(word) {
                continue;
            }
            let table = if shared.is_empty() {
                let own = &mut own[..PER_WORD];
                tabulate_word::<S, C>(simd, self.coordinates.start, self.update, word, own);
                &*own
            } else {
                &shared[word * PER_WORD..(word + 1) * PER_WORD]
            };
            // The bits of a word that is not full are at its top.
            let unused = (SAMPLES - self.update.word(word).len()) as u32;
            let blocks = self.active.chunks_exact(self.words);
            for (bits, sums) in blocks.zip(sums.chunks_exact_mut(LANES)) {
                let bits = &bits[word * LANES..(word + 1) * LANES];
                for (bits, sum) in bits.iter().zip(sums) {
                    let mut bits = bits >> unused;
                    let mut add = [zero; C];
                    for sums in table {
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
        self.transpose(C * S::F32_LANES);
    }
}

impl TileVelocity<'_> {
    /// G of the coordinates that were summed, from rows of `width` per particle to planes.
    #[inline(always)]
    fn transpose(&mut self, width: usize) {
        let sums: &[f32] = bytemuck::cast_slice(&self.sums);
        let first = self.coordinates.start;
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
