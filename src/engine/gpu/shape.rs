//! The shape of the kernels: everything that may be tuned, in one place.

use super::adapter::{AdapterFacts, Kind};
use crate::engine::plan::Tiling;

/// Particles in a block of storage.
pub(super) const LANES: usize = 64;
/// Largest d of the kernels that hold a sample or a particle in registers.
pub const D_MOST: usize = 64;
/// The most partial sums that `residual` adds up per sample.
const GROUPS: usize = 32;

/// Sizes of the kernels for one d on one kind of adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// predict: threads of a workgroup, a power of two.
    pub predict_threads: usize,
    /// predict: samples that a thread holds.
    pub predict_samples: usize,
    /// Lanes of a subgroup that read for one another, where that beats reading the same word in
    /// every lane; 1 otherwise.
    pub lockstep: usize,
    /// predict: fetches of particles added up before they join the main sum.
    pub predict_chunk: usize,
    /// predict: least particles of a tile.
    pub tile: usize,
    /// Tiles of just this size, however large m is.
    pub tile_fixed: bool,
    pub reduce_threads: usize,
    /// residual: threads of a workgroup, a power of two.
    pub residual_threads: usize,
    pub update_threads: usize,
    /// velocity: particles side by side in a vector: 1, 2 or 4.
    pub update_width: usize,
    /// velocity: vectors that a thread holds.
    pub update_vectors: usize,
    /// velocity: samples added up before they join the main sum.
    pub update_chunk: usize,
}

impl Shape {
    /// What is sensible on this adapter. `tile` overrides the particles of a tile.
    pub fn new(facts: &AdapterFacts, d: usize, tile: Option<usize>) -> Self {
        let mut shape = if facts.kind == Kind::Software {
            Shape::software(d, facts.lockstep())
        } else {
            Shape::hardware(d)
        };
        if let Some(tile) = tile {
            shape.tile = tile.next_multiple_of(LANES).max(LANES);
            shape.tile_fixed = true;
        }
        shape
    }

    /// A GPU: at most about 128 registers per thread, many small workgroups.
    pub(super) fn hardware(d: usize) -> Self {
        Shape {
            predict_threads: 64,
            predict_samples: match d {
                0..=8 => 8,
                9..=24 => 4,
                25..=40 => 2,
                _ => 1,
            },
            lockstep: 1,
            predict_chunk: 16,
            tile: 64,
            tile_fixed: false,
            reduce_threads: 64,
            residual_threads: 256,
            update_threads: 64,
            update_width: match d {
                0..=16 => 4,
                17..=32 => 2,
                _ => 1,
            },
            update_vectors: if d <= 4 { 2 } else { 1 },
            update_chunk: 1024,
        }
    }

    /// A processor: few large workgroups. llvmpipe turns a load that all lanes share into one load
    /// per lane, so lanes lend each other what they read (twice as fast).
    pub(super) fn software(d: usize, lockstep: usize) -> Self {
        Shape {
            predict_threads: 16.max(lockstep),
            predict_samples: 8,
            lockstep,
            predict_chunk: 64 / lockstep.clamp(4, 64),
            tile: 512,
            tile_fixed: false,
            reduce_threads: 32,
            residual_threads: 32,
            update_threads: 32.max(lockstep),
            update_width: 4,
            update_vectors: if d <= 8 { 2 } else { 1 },
            update_chunk: 1024,
        }
    }

    pub fn tiling(&self) -> Tiling {
        Tiling {
            lanes: LANES,
            tile: self.tile,
            fixed: self.tile_fixed,
            threads: self.predict_threads,
            samples: self.predict_samples,
            lockstep: self.lockstep,
            update: self.update_threads * self.update_width * self.update_vectors,
            columns: self.reduce_threads,
            groups: GROUPS,
        }
    }
}
