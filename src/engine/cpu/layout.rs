//! How the cpu engine lays out particles and samples.

use bytemuck::{Pod, Zeroable};

use crate::data::Dataset;
use crate::engine::Batch;

/// Particles of a block: a multiple of every vector length there is.
pub const LANES: usize = 32;

/// Samples of a group: what one pass over a block of particles keeps in registers.
pub const GROUP: usize = 4;

/// A cache line, so that no vector load crosses one.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct Line([f32; 16]);

/// Lines of a plane of one block.
const LINES: usize = LANES / 16;

/// Particles of one run: blocks of 32 with d + 1 planes each, w_1 … w_d and a. The last block is
/// padded with particles at the origin, which neither move nor contribute.
#[derive(Debug, Clone)]
pub struct Blocks {
    pub lines: Vec<Line>,
    d: usize,
}

impl Blocks {
    pub fn new(m: usize, d: usize) -> Self {
        Blocks {
            lines: vec![Line::zeroed(); m.div_ceil(LANES) * lines_per_block(d)],
            d,
        }
    }

    /// Coordinate k of particle j; k = d is the output weight a.
    pub fn at(&mut self, j: usize, k: usize) -> &mut f32 {
        let line = (j / LANES) * lines_per_block(self.d) + k * LINES + j % LANES / 16;
        &mut self.lines[line].0[j % 16]
    }
}

/// Lines of one block: its d + 1 planes.
pub fn lines_per_block(d: usize) -> usize {
    (d + 1) * LINES
}

/// Blocks of a tile: about 16 KiB of particles, half a first-level cache, and no more than 16 so
/// that a thousand particles make work for several cores. Depends on d alone: the order of every
/// sum follows from it.
pub fn blocks_per_tile(d: usize) -> usize {
    (16 * 1024 / (lines_per_block(d) * size_of::<Line>())).clamp(1, 16)
}

/// Samples packed for the kernels: group by group, coordinate by coordinate, the values of
/// [`GROUP`] samples side by side. The last group is padded with zero inputs, which activate
/// nothing.
#[derive(Debug)]
pub struct Samples {
    pub n: usize,
    /// (groups, d)
    pub x: Vec<[f32; GROUP]>,
}

impl Samples {
    pub fn new(data: &Dataset) -> Self {
        let (n, d) = (data.n(), data.d);
        let mut x = vec![[0.0; GROUP]; n.div_ceil(GROUP) * d];
        for i in 0..n {
            for (k, &value) in data.row(i).iter().enumerate() {
                x[i / GROUP * d + k][i % GROUP] = value;
            }
        }
        Samples { n, x }
    }

    /// Samples of every data set of a batch.
    pub fn of(batch: &Batch) -> Vec<Self> {
        batch.datasets.iter().map(|set| Samples::new(set)).collect()
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
