//! Kernels of the short cut for d = 2, and their shape.

use minijinja::context;

use crate::engine::gpu::adapter::{AdapterFacts, Kind};
use crate::engine::gpu::layout::LANES;
use crate::engine::gpu::stages::Stage;
use crate::engine::gpu::stages::arcs::{GRADIENTS_GIVEN_ARCS, RESIDUAL_ARCS, VELOCITY_UPDATE_ARCS};
use crate::engine::gpu::templates::{halves, shared as known, write};
use crate::engine::gpu::turns::{looped, shared};
use crate::error::Result;
use crate::model::StateFormat;

/// Sizes of the kernels on one kind of adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ArcShape {
    /// Threads of a workgroup that goes over particles.
    pub threads: usize,
    /// Particles of such a workgroup, a multiple of [`LANES`]; fewer where tiles ask for it.
    pub tile: usize,
    /// residual: threads of a workgroup, a power of two; and the most that there can be, for runs
    /// with so many samples that fewer threads would loop too long.
    pub residual_threads: usize,
    pub residual_most: usize,
    /// The most turns of an invocation.
    pub turns: usize,
    /// Whether pairs of words are loaded, stored and added as one of 64 bits.
    pub wide: bool,
    /// Most copies of the sums of a run.
    pub copies: usize,
}

/// Workgroup memory of residual_arcs: a word for totals, four for scans.
const BYTES_PER_THREAD: u32 = 20;

impl ArcShape {
    pub fn new(facts: &AdapterFacts, turns: usize) -> Self {
        let most = (facts.workgroup_memory / BYTES_PER_THREAD).min(facts.workgroup_threads);
        let residual_most = 1 << most.clamp(32, 1024).ilog2();
        if facts.kind == Kind::Software {
            // A workgroup is one subgroup, so that it reads on end.
            return ArcShape {
                threads: 8,
                tile: 32 * LANES,
                residual_threads: 32,
                residual_most,
                turns,
                wide: facts.has_wide_words(),
                copies: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            };
        }
        // A run has one workgroup for its scans, so it should be a large one.
        ArcShape {
            threads: 128,
            tile: 16 * LANES,
            residual_threads: residual_most,
            residual_most,
            turns,
            wide: false,
            copies: 1,
        }
    }

    /// Threads of residual_arcs for a run; none where even the most of them would loop too long.
    pub fn threads_for(&self, load: &Load) -> Option<usize> {
        let mut threads = [self.residual_threads, self.residual_most].into_iter();
        threads.find(|&threads| load.residual_turns(threads) <= self.turns)
    }
}

/// What the loops of a run go over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    pub m: usize,
    pub n: usize,
    /// Samples that cut the circle, and positions on it.
    pub count: usize,
    pub positions: usize,
    /// Copies of its sums.
    pub copies: usize,
}

impl Load {
    /// Turns of residual_arcs: see [`crate::engine::gpu::turns`].
    pub fn residual_turns(&self, threads: usize) -> usize {
        let each = (self.count + 1).div_ceil(threads);
        let collected = looped(self.copies - 1, 0);
        let predictions = looped(each, 2 * collected)
            + looped(each, 3 * collected)
            + shared(self.n - self.count, threads);
        let gradients = 3 * looped(each, 0) + 2 * shared(self.count + 1, threads);
        let cleared = shared(self.copies * self.positions, threads);
        // Predictions, softmin's mass, g, and Σ η g.
        let stages = 4 * shared(self.n, threads);
        // A tile is a block at least.
        let moments = shared(self.m.div_ceil(LANES), threads);
        predictions + gradients + cleared + stages + moments
    }
}

/// The WGSL of a stage.
pub(super) fn render(stage: Stage, shape: &ArcShape) -> Result<String> {
    let threads = match stage {
        RESIDUAL_ARCS | GRADIENTS_GIVEN_ARCS => shape.residual_threads,
        _ => shape.threads,
    };
    write(
        stage,
        context! {
            threads,
            sums => "lib/arcs/sums.wgsl",
            halves => halves(threads),
            update => stage == VELOCITY_UPDATE_ARCS,
            wide => shape.wide,
            ..known(2, StateFormat::F32)
        },
    )
}
