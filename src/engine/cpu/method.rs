//! How a run on the cpu engine predicts and updates its particles: by the kernels over all pairs, or by
//! one of the exact short cuts.

use std::fmt::Debug;
use std::sync::Arc;

use pulp::Arch;
use rayon::prelude::*;

use super::arc_sweep::ArcState;
use super::cells::Cells;
use super::kernel::{PredictionSums, SampleKernels, UpdateF32};
use super::layout::{Blocks, Chunk, GROUP, Samples};
use crate::engine::methods::circle::Circle;

/// The parts of a run that do not change between steps.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub d: usize,
    /// The training samples.
    pub train: &'a Samples,
    pub arch: Arch,
    /// Whether the chunks of the run are shared out over the threads.
    pub spread: bool,
}

/// A step for all particles, by a residual g (n).
#[derive(Clone, Copy)]
pub struct Step<'a> {
    pub update: &'a UpdateF32<'a>,
    pub residual: &'a [f64],
}

/// A method, with its state of a run between steps. This state follows from the particles, so a checkpoint
/// does not store it.
pub trait Stages: Debug + Send + Sync {
    /// predict on the training samples, after velocity and update where a step is given.
    fn train(&mut self, run: Context, blocks: &mut Blocks, step: Option<Step>) -> PredictionSums;
    /// predict on other samples.
    fn predict(&mut self, run: Context, blocks: &mut Blocks, samples: &Samples) -> PredictionSums {
        direct(run, blocks, samples, |kernels, chunk| {
            kernels.predict(chunk.lines, &mut [])
        })
    }
    /// To be called when particles change from outside.
    fn invalidate(&mut self) {}
    fn copy(&self) -> Box<dyn Stages>;
}

/// The kernels over all pairs of particles and samples.
#[derive(Debug, Clone)]
pub struct DirectStages;

/// d = 2: the arcs of the circle of directions on which G is constant.
#[derive(Debug, Clone)]
pub struct ArcStages {
    circle: Arc<Circle>,
    /// Set once the positions of the particles are known.
    arc_state: Option<ArcState>,
}

impl ArcStages {
    pub fn new(circle: Arc<Circle>) -> Self {
        ArcStages {
            circle,
            arc_state: None,
        }
    }
}

/// d = 3, 4: boxes around particles with similar directions.
#[derive(Debug, Clone, Default)]
pub struct CellStages {
    /// Set once the particles are sorted.
    cells: Option<Cells>,
}

impl CellStages {
    fn cells(&mut self, run: Context, blocks: &mut Blocks) -> &mut Cells {
        self.cells
            .get_or_insert_with(|| Cells::new(blocks, run.arch))
    }
}

/// One pass over all particles, chunk by chunk in parallel, sums added in the order of chunks.
fn direct(
    run: Context,
    blocks: &mut Blocks,
    samples: &Samples,
    each: impl Fn(SampleKernels, Chunk) -> PredictionSums + Sync,
) -> PredictionSums {
    let kernels = kernels_on(run, blocks, samples);
    let mut total = PredictionSums::none(samples.n.div_ceil(GROUP));
    let chunks = blocks.chunks();
    if run.spread {
        let parts: Vec<PredictionSums> = chunks
            .into_par_iter()
            .map(|chunk| each(kernels, chunk))
            .collect();
        parts.iter().for_each(|part| total.add(part));
    } else {
        let parts = chunks.into_iter().map(|chunk| each(kernels, chunk));
        parts.for_each(|part| total.add(&part));
    }
    total.f.truncate(samples.n);
    total
}

/// The kernels on these samples, for particles that are cut like these.
fn kernels_on<'s>(run: Context, blocks: &Blocks, samples: &'s Samples) -> SampleKernels<'s> {
    SampleKernels {
        d: run.d,
        x: &samples.x,
        tile: blocks.cut.tile,
        arch: run.arch,
    }
}

impl Stages for DirectStages {
    fn train(&mut self, run: Context, blocks: &mut Blocks, step: Option<Step>) -> PredictionSums {
        let Some(Step { update, .. }) = step else {
            return direct(run, blocks, run.train, |kernels, chunk| {
                kernels.predict(chunk.lines, chunk.active)
            });
        };
        let by_pattern = kernels_on(run, blocks, run.train).tabulate(update);
        direct(run, blocks, run.train, |kernels, chunk| {
            kernels.velocity_update_predict(chunk, update, &by_pattern)
        })
    }

    fn copy(&self) -> Box<dyn Stages> {
        Box::new(self.clone())
    }
}

impl Stages for ArcStages {
    fn train(&mut self, run: Context, blocks: &mut Blocks, step: Option<Step>) -> PredictionSums {
        let nothing = vec![0.0; run.train.n];
        let residual = step.map_or(&nothing[..], |step| step.residual);
        let (circle, lines) = (&*self.circle, &mut blocks.lines);
        let arc_state = self
            .arc_state
            .get_or_insert_with(|| ArcState::new(circle, lines.len()));
        let update = step.map(|step| step.update);
        arc_state.sweep(circle, lines, residual, update, run.arch)
    }

    fn invalidate(&mut self) {
        self.arc_state = None;
    }

    fn copy(&self) -> Box<dyn Stages> {
        Box::new(self.clone())
    }
}

impl Stages for CellStages {
    fn train(&mut self, run: Context, blocks: &mut Blocks, step: Option<Step>) -> PredictionSums {
        let cells = self.cells(run, blocks);
        if let Some(Step { update, residual }) = step {
            cells.update(blocks, run.train, residual, update, run.arch);
        }
        cells.predict_on_train(blocks, run.train, run.arch)
    }

    fn predict(&mut self, run: Context, blocks: &mut Blocks, samples: &Samples) -> PredictionSums {
        self.cells(run, blocks).predict(blocks, samples, run.arch)
    }

    fn invalidate(&mut self) {
        self.cells = None;
    }

    fn copy(&self) -> Box<dyn Stages> {
        Box::new(self.clone())
    }
}
