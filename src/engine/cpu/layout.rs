//! How the cpu engine lays out particles and samples, and how it cuts them.

use std::sync::Arc;

use bytemuck::Zeroable;

pub use super::lines::{GROUP, LANES, LINE, Line, SAMPLES, WORD};
use super::rows::{Rows, by_patterns};
use crate::data::Dataset;
use crate::engine::Batch;
use crate::model::Train;

/// Lines of a plane of one block.
const LINES: usize = LANES / LINE;

/// Bytes of a plane of one block.
const PLANE: usize = LANES * size_of::<f32>();

/// Particles of one run: blocks of 32 with d + 1 planes each, w_1 … w_d and a. The last block is
/// padded with particles at the origin, which neither move nor contribute.
#[derive(Debug, Clone)]
pub struct Blocks {
    /// Planes, block by block.
    pub lines: Vec<Line>,
    /// Whether z_ij > 0 on the training set, a bit per pair: for each block and each 32 samples, a word
    /// per particle. Where all bits would take too much memory, only those of the first chunks are kept.
    active: Vec<Line>,
    /// The positions of the particles, if they are not in the order of their numbers.
    pub places: StoragePlaces,
    pub cut: ChunkSize,
    pub m: usize,
    pub d: usize,
    n: usize,
}

/// Bits of a position in a segment.
pub const PLACE_BITS: usize = 24;

/// A position in a segment, in three bytes: in few dimensions a fourth byte would cost noticeable memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StoragePlace([u8; PLACE_BITS / 8]);

impl StoragePlace {
    pub fn new(place: usize) -> Self {
        let [a, b, c, ..] = place.to_le_bytes();
        StoragePlace([a, b, c])
    }

    pub fn get(self) -> usize {
        let [a, b, c] = self.0;
        u32::from_le_bytes([a, b, c, 0]) as usize
    }
}

/// The position of each particle. A particle stays in its segment: at most 2^[`PLACE_BITS`] particles that
/// are sorted together. Empty where all are in the order of their numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StoragePlaces {
    /// Particles of a segment.
    segment: usize,
    /// Positions of all particles, each counted from the first of its segment.
    places: Vec<StoragePlace>,
}

impl StoragePlaces {
    /// m particles in the order of their numbers, to be sorted segment by segment.
    pub fn in_order(m: usize, segment: usize) -> Self {
        let place = |j| StoragePlace::new(j % segment);
        StoragePlaces {
            segment,
            places: (0..m).map(place).collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub fn segment(&self) -> usize {
        self.segment
    }

    pub fn segments(&mut self) -> impl Iterator<Item = &mut [StoragePlace]> {
        self.places.chunks_mut(self.segment)
    }

    /// Position of particle j.
    pub fn of(&self, j: usize) -> usize {
        match self.places.get(j) {
            Some(place) => j / self.segment * self.segment + place.get(),
            None => j,
        }
    }
}

/// A part of the particles: the unit of parallel work.
#[derive(Debug)]
pub struct Chunk<'a> {
    pub lines: &'a mut [Line],
    /// Activation bits on the training set; empty where they are not kept.
    pub active: &'a mut [Line],
}

impl Blocks {
    /// m particles at the origin, to be trained on n samples, with at most `kept` bytes of
    /// activation bits.
    pub fn new(m: usize, d: usize, n: usize, kept: usize) -> Self {
        let blocks = m.div_ceil(LANES);
        let cut = ChunkSize::new(blocks, d);
        let bits = bits_per_block(n.div_ceil(GROUP));
        let room = kept / (bits * size_of::<Line>()).max(1);
        let kept = if room >= blocks {
            blocks
        } else {
            room / cut.chunk * cut.chunk
        };
        Blocks {
            lines: vec![Line::zeroed(); blocks * lines_per_block(d)],
            active: vec![Line::zeroed(); kept * bits],
            places: StoragePlaces::default(),
            cut,
            m,
            d,
            n,
        }
    }

    pub fn chunks(&mut self) -> Vec<Chunk<'_>> {
        let lines = self.cut.chunk * lines_per_block(self.d);
        let bits = self.cut.chunk * bits_per_block(self.n.div_ceil(GROUP));
        let mut active = self.active.chunks_mut(bits.max(1));
        let lines = self.lines.chunks_mut(lines);
        let chunk = |lines| Chunk {
            lines,
            active: active.next().unwrap_or_default(),
        };
        lines.map(chunk).collect()
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.lines.len() / lines_per_block(self.d)
    }

    /// The planes of block number `index` of the particles in the order of their numbers. If they are kept in
    /// another order, they are collected in `room`.
    pub fn in_order<'a>(&'a self, index: usize, room: &'a mut Vec<f32>) -> &'a [f32] {
        let planes: &[f32] = bytemuck::cast_slice(&self.lines);
        let size = (self.d + 1) * LANES;
        if self.places.is_empty() {
            return &planes[index * size..][..size];
        }
        room.clear();
        room.resize(size, 0.0);
        let first = index * LANES;
        for lane in 0..LANES.min(self.m - first) {
            let slot = self.places.of(first + lane);
            let block = &planes[slot / LANES * size..][..size];
            let own = room.iter_mut().skip(lane).step_by(LANES);
            let found = block.iter().skip(slot % LANES).step_by(LANES);
            own.zip(found).for_each(|(own, found)| *own = *found);
        }
        room
    }

    /// Coordinate k of particle j; k = d is the output weight a.
    pub fn at(&mut self, j: usize, k: usize) -> &mut f32 {
        let j = self.places.of(j);
        let line = (j / LANES) * lines_per_block(self.d) + k * LINES + j % LANES / 16;
        &mut self.lines[line].0[j % 16]
    }
}

/// Bytes that the particles of a batch and their activation bits may always take together.
const SMALL: usize = 48 << 20;

/// Bytes of activation bits that one of `runs` runs keeps by default: its share of [`SMALL`] less the bytes of
/// its m particles, but at least a fifth of those.
pub fn fair_bits(m: usize, d: usize, runs: usize) -> usize {
    let particles = m.div_ceil(LANES) * (d + 1) * PLANE;
    (SMALL / runs.max(1))
        .saturating_sub(particles)
        .max(particles / 5)
}

/// Bytes that the particles and samples of a batch take, without activation bits.
pub fn bytes(batch: &Batch) -> u128 {
    let block = (batch.d as u128 + 1) * PLANE as u128;
    let particles = |m: usize| block * m.div_ceil(LANES) as u128;
    let samples = |n: usize| (n as u128) * (batch.d * size_of::<f32>()) as u128;
    let all = batch.runs.iter().map(|run| particles(run.held_count()));
    let data = batch.datasets.iter().map(|data| samples(data.n()));
    all.chain(data).sum()
}

/// Lines of one block: its d + 1 planes.
pub const fn lines_per_block(d: usize) -> usize {
    (d + 1) * LINES
}

/// Lines of the activation bits of one block on this many groups of samples.
pub fn bits_per_block(groups: usize) -> usize {
    groups.div_ceil(WORD) * LINES
}

/// Bytes of the particles of a tile: half a first-level cache, or half a second-level one where d is large.
const TILE: usize = 16 << 10;
const LARGE_TILE: usize = 512 << 10;

/// Chunks of a run, at most: more than most machines have cores, and so few that the sums of all chunks
/// together stay small.
const CHUNKS: usize = 64;

/// How a run is cut, in blocks. It depends on m and d alone, and the order of every sum depends on it
/// alone: so no bit depends on the number of threads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChunkSize {
    /// Blocks of a tile, which stays in a cache while the kernels go through the samples.
    pub tile: usize,
    /// Blocks of a chunk, the unit of parallel work: a whole number of tiles.
    pub chunk: usize,
}

impl ChunkSize {
    pub fn new(blocks: usize, d: usize) -> Self {
        let block = (d + 1) * PLANE;
        let cache = if 2 * block <= TILE { TILE } else { LARGE_TILE };
        let largest = (cache / block).clamp(1, 16);
        // Small runs have smaller tiles: a thousand particles are work for eight cores.
        let tile = largest.min(blocks.div_ceil(8).max(4));
        let tiles = blocks.div_ceil(tile);
        ChunkSize {
            tile,
            chunk: tiles.div_ceil(CHUNKS) * tile,
        }
    }
}

/// Samples packed for the kernels: group by group, coordinate by coordinate, the values of
/// [`GROUP`] samples side by side. The last group is padded with zero inputs, which activate
/// nothing.
#[derive(Debug)]
pub struct Samples {
    pub n: usize,
    /// (groups, d)
    pub x: Vec<[f32; GROUP]>,
    pub rows: Rows,
}

impl Samples {
    /// With rows for velocity by patterns, if `rows` says so.
    pub fn new(data: &Dataset, rows: bool) -> Self {
        let (n, d) = (data.n(), data.d);
        let mut x = vec![[0.0; GROUP]; n.div_ceil(GROUP) * d];
        for i in 0..n {
            for (k, &value) in data.row(i).iter().enumerate() {
                x[i / GROUP * d + k][i % GROUP] = value;
            }
        }
        let rows = match rows {
            true => Rows::new(data),
            false => Rows::default(),
        };
        Samples { n, x, rows }
    }

    /// Samples of every data set of a batch, with rows where the velocity of some run reads them.
    pub fn of(batch: &Batch) -> Vec<Self> {
        let samples = |(set, data): (usize, &Arc<Dataset>)| {
            let mut runs = batch.runs.iter().filter(|run| run.train_set == set);
            let moved = runs.any(|run| run.train != Train::Output);
            Samples::new(data, moved && by_patterns(batch.d))
        };
        batch.datasets.iter().enumerate().map(samples).collect()
    }
}

/// n values in groups, padded with zeros.
pub fn grouped(values: impl Iterator<Item = f32>, n: usize) -> Vec<[f32; GROUP]> {
    let mut groups = vec![[0.0; GROUP]; n.div_ceil(GROUP)];
    for (i, value) in values.enumerate() {
        groups[i / GROUP][i % GROUP] = value;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small runs keep all activation bits, including a million neurons in three dimensions; large or many
    /// runs keep a fifth of the memory of their particles.
    #[test]
    fn bits_are_kept_where_they_are_small() {
        let all = |m: usize, n: usize| m.div_ceil(LANES) * bits_per_block(n / GROUP) * 64;
        assert!(fair_bits(1000, 15, 1) >= all(1000, 256));
        assert!(fair_bits(1_000_000, 3, 1) >= all(1_000_000, 256));
        for (m, d, runs) in [(1_000_000, 15, 1), (10_000_000, 3, 1), (1_000_000, 3, 8)] {
            assert_eq!(fair_bits(m, d, runs), m * (d + 1) * 4 / 5);
        }
    }
}
