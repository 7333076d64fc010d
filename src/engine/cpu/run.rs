//! One run on the cpu engine.

use pulp::Arch;
use rayon::prelude::*;

use super::arc_sweep::Route;
use super::cells::Cells;
use super::kernel::{Pass, Push, Sums};
use super::layout::{Blocks, Chunk, GROUP, Samples, grouped};
use crate::data::Dataset;
use crate::engine::circle::Circle;
use crate::engine::step::{MeanSquares, StepScalars};
use crate::engine::{Clock, Evaluation, Update};
use crate::model::Run;
use crate::model::StateFormat;

/// State of a run: particles, clock, and the sums of its last prediction.
#[derive(Debug)]
pub struct State {
    pub blocks: Blocks,
    /// What the short cut for d = 2 keeps, once it has found where the particles are.
    route: Option<Route>,
    /// What the short cut for small d keeps, likewise.
    cells: Option<Cells>,
    pub clock: Clock,
    /// Σ η g (n) over the steps taken.
    pub accumulated: Vec<f64>,
    /// a² − |w|² at the start (m), where it is kept and once it was asked for.
    pub start: Vec<f32>,
    /// Sums on the training set at the present state, once they are known.
    sums: Option<Sums>,
}

impl State {
    /// Particles that are to be trained on n samples.
    pub fn new(blocks: Blocks, n: usize) -> Self {
        State {
            blocks,
            route: None,
            cells: None,
            clock: Clock::default(),
            accumulated: vec![0.0; n],
            start: Vec::new(),
            sums: None,
        }
    }

    /// To be called when particles or clock change from outside.
    pub fn touch(&mut self) {
        self.sums = None;
        self.route = None;
        self.cells = None;
    }
}

/// What the steps of a run need besides its state.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// Number of the run in its batch.
    pub index: usize,
    pub run: &'a Run,
    pub d: usize,
    pub train: &'a Samples,
    pub test: Option<&'a Samples>,
    pub data: &'a Dataset,
    /// The training inputs as a circle, where the short cut for d = 2 is taken.
    pub circle: Option<&'a Circle>,
    /// Whether the short cut for small d is taken.
    pub cells: bool,
    pub arch: Arch,
    /// Whether the chunks of the run are shared out over the threads.
    pub spread: bool,
}

impl Setting<'_> {
    /// Samples and particles for the kernels.
    fn pass<'s>(&self, blocks: &Blocks, samples: &'s Samples) -> Pass<'s> {
        Pass {
            d: self.d,
            x: &samples.x,
            tile: blocks.cut.tile,
            arch: self.arch,
        }
    }

    /// One pass over all particles, chunk by chunk in parallel, sums added in the order of chunks.
    fn sweep(
        &self,
        blocks: &mut Blocks,
        samples: &Samples,
        each: impl Fn(Pass, Chunk) -> Sums + Sync,
    ) -> Sums {
        let pass = self.pass(blocks, samples);
        let mut total = Sums::none(samples.n.div_ceil(GROUP));
        let chunks = blocks.chunks();
        if self.spread {
            let parts: Vec<Sums> = chunks
                .into_par_iter()
                .map(|chunk| each(pass, chunk))
                .collect();
            parts.iter().for_each(|part| total.add(part));
        } else {
            let parts = chunks.into_iter().map(|chunk| each(pass, chunk));
            parts.for_each(|part| total.add(&part));
        }
        total.f.truncate(samples.n);
        total
    }

    /// The pass of [`Setting::sweep`] on the training set, by the short cut where there is one.
    fn train_sweep(&self, state: &mut State, push: Option<(&Push, &[f64])>) -> Sums {
        if self.cells {
            let blocks = &mut state.blocks;
            let cells = state
                .cells
                .get_or_insert_with(|| Cells::new(blocks, self.arch));
            if let Some((push, g)) = push {
                cells.push(blocks, self.train, g, push, self.arch);
            }
            return cells.predict_on_train(blocks, self.train, self.arch);
        }
        let Some(circle) = self.circle else {
            let blocks = &mut state.blocks;
            let Some((push, _)) = push else {
                return self.sweep(blocks, self.train, |pass, chunk| {
                    pass.predict(chunk.lines, chunk.active)
                });
            };
            let by_pattern = self.pass(blocks, self.train).tabulate(push);
            return self.sweep(blocks, self.train, |pass, chunk| {
                pass.velocity_update_predict(chunk, push, &by_pattern)
            });
        };
        let nothing = vec![0.0; self.train.n];
        let g = push.map_or(&nothing[..], |(_, g)| g);
        let lines = &mut state.blocks.lines;
        let route = state
            .route
            .get_or_insert_with(|| Route::new(circle, lines.len()));
        route.sweep(circle, lines, g, push.map(|(push, _)| push), self.arch)
    }

    /// The evaluation that sums over the particles amount to.
    fn evaluation(&self, sums: &Sums, clock: Clock) -> Evaluation {
        let m = self.run.m as f64;
        Evaluation {
            clock,
            f: sums.f.iter().map(|f| self.run.alpha / m * f).collect(),
            prediction_exponent: self.run.prediction_exponent(clock.exponent),
            mean_a2: sums.moments[0] / m,
            mean_w2: sums.moments[1] / m,
            mean_aw: sums.moments[2] / m,
        }
    }

    /// predict on the training set; free where the last step left its sums.
    pub fn predict(&self, state: &mut State) -> Evaluation {
        let sums = match state.sums.take() {
            Some(sums) => sums,
            None => self.train_sweep(state, None),
        };
        let now = self.evaluation(&sums, state.clock);
        state.sums = Some(sums);
        now
    }

    /// predict on other inputs.
    pub fn predict_on(&self, state: &mut State, samples: &Samples) -> Evaluation {
        let blocks = &mut state.blocks;
        let sums = if self.cells {
            let cells = state
                .cells
                .get_or_insert_with(|| Cells::new(blocks, self.arch));
            cells.predict(blocks, samples, self.arch)
        } else {
            self.sweep(blocks, samples, |pass, chunk| {
                pass.predict(chunk.lines, &mut [])
            })
        };
        self.evaluation(&sums, state.clock)
    }

    /// residual at an evaluated state.
    pub fn residual(&self, now: &Evaluation) -> Vec<f64> {
        let loss = self.run.loss;
        loss.residual(&now.f, now.prediction_exponent, &self.data.y)
    }

    /// A state that holds the velocities for a residual in place of the particles, in stored units.
    pub fn velocity(&self, state: &mut State, residual: &[f64]) -> State {
        // velocity reads the activation bits that predict leaves.
        let now = self.predict(state);
        let g = grouped(residual.iter().map(|&g| g as f32), residual.len());
        let plain = Run {
            norm_scaled: false,
            ..self.run.clone()
        };
        let velocity = StepScalars {
            shift: 0,
            ..scalars(&plain, &now, 1.0)
        };
        let push = self.push(&g, &velocity, 0.0);
        let mut v = State {
            blocks: state.blocks.clone(),
            route: state.route.clone(),
            cells: state.cells.clone(),
            clock: state.clock,
            accumulated: Vec::new(),
            start: Vec::new(),
            sums: None,
        };
        self.train_sweep(&mut v, Some((&push, residual)));
        v
    }

    /// A step of these scalars for `keep` = 1; for 0 the velocity is left in place of the particle.
    fn push<'g>(&'g self, g: &'g [[f32; GROUP]], step: &StepScalars, keep: f32) -> Push<'g> {
        Push {
            g,
            rows: &self.train.rows,
            train: self.run.train,
            force: step.force as f32,
            decay: step.decay as f32,
            scale: step.scale() as f32,
            keep,
        }
    }

    /// Takes the steps `eta`, with an evaluation of the state before each step that `wanted` marks.
    pub fn advance(
        &self,
        state: &mut State,
        eta: impl Iterator<Item = f64>,
        wanted: &[bool],
    ) -> Vec<Evaluation> {
        let mut evaluations = Vec::new();
        for (eta, &wanted) in eta.zip(wanted) {
            let idle = eta == 0.0 || state.clock.diverged.is_some();
            if idle && !wanted {
                continue;
            }
            let mut now = self.predict(state);
            if !now.is_finite() && now.clock.diverged.is_none() {
                state.clock.diverged = Some(now.clock.step);
                now.clock = state.clock;
            }
            if !idle && now.clock.diverged.is_none() {
                self.step(state, eta, &now);
            }
            if wanted {
                evaluations.push(now);
            }
        }
        evaluations
    }

    fn step(&self, state: &mut State, eta: f64, now: &Evaluation) {
        let residual = self.residual(now);
        let step = Update {
            residual: &residual,
            scalars: scalars(self.run, now, eta),
        };
        for (sum, g) in state.accumulated.iter_mut().zip(&residual) {
            *sum += step.scalars.eta * g;
        }
        self.update(state, &step);
    }

    /// update, and predict on the training set after it.
    pub fn update(&self, state: &mut State, step: &Update) {
        // velocity reads the activation bits that predict leaves.
        if state.sums.is_none() {
            self.predict(state);
        }
        let (residual, scalars) = (step.residual, &step.scalars);
        let g = grouped(residual.iter().map(|&g| g as f32), residual.len());
        let push = self.push(&g, scalars, 1.0);
        state.sums = Some(self.train_sweep(state, Some((&push, residual))));
        state.clock.take(scalars);
    }
}

/// Those of a step from an evaluated state; this engine stores f32.
fn scalars(run: &Run, now: &Evaluation, eta: f64) -> StepScalars {
    let squares = MeanSquares {
        a: now.mean_a2,
        w: now.mean_w2,
    };
    StepScalars::new(run, now.clock.exponent, eta, squares, StateFormat::F32)
}
