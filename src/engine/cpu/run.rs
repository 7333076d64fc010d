//! One run on the cpu engine.

use super::kernel::{PredictionSums, UpdateF32};
use super::layout::{Blocks, GROUP, Samples, grouped};
use super::method::{Context, Stages, Step};
use crate::data::Dataset;
use crate::engine::step::{MeanSquares, StepScalars};
use crate::engine::{Clock, Evaluation, RunUpdate};
use crate::model::Run;
use crate::model::StateFormat;

/// State of a run on the cpu engine: particles, clock, and the sums of its last prediction.
#[derive(Debug)]
pub struct CpuRunState {
    pub blocks: Blocks,
    method: Box<dyn Stages>,
    pub clock: Clock,
    /// Σ η g (n) over the steps taken.
    pub accumulated: Vec<f64>,
    /// a² − |w|² at the start (m), where it is kept and once it was asked for.
    pub start: Vec<f32>,
    /// Sums on the training set at the present state, once they are known.
    sums: Option<PredictionSums>,
}

impl CpuRunState {
    /// Particles that are to be trained on n samples.
    pub fn new(blocks: Blocks, method: Box<dyn Stages>, n: usize) -> Self {
        CpuRunState {
            blocks,
            method,
            clock: Clock::default(),
            accumulated: vec![0.0; n],
            start: Vec::new(),
            sums: None,
        }
    }

    /// To be called when particles or clock change from outside.
    pub fn invalidate(&mut self) {
        self.sums = None;
        self.method.invalidate();
    }
}

/// What the steps of a run need besides its state.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// Number of the run in its batch.
    pub index: usize,
    pub run: &'a Run,
    pub context: Context<'a>,
    pub test: Option<&'a Samples>,
    pub data: &'a Dataset,
}

impl Setting<'_> {
    /// The evaluation from sums over the particles.
    fn evaluation(&self, sums: &PredictionSums, clock: Clock) -> Evaluation {
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

    /// predict on the training set; costs nothing if the last step has computed the sums.
    pub fn predict(&self, state: &mut CpuRunState) -> Evaluation {
        let sums = match state.sums.take() {
            Some(sums) => sums,
            None => state.method.train(self.context, &mut state.blocks, None),
        };
        let now = self.evaluation(&sums, state.clock);
        state.sums = Some(sums);
        now
    }

    /// predict on other inputs.
    pub fn predict_on(&self, state: &mut CpuRunState, samples: &Samples) -> Evaluation {
        let CpuRunState { method, blocks, .. } = state;
        let sums = method.predict(self.context, blocks, samples);
        self.evaluation(&sums, state.clock)
    }

    /// residual at an evaluated state.
    pub fn residual(&self, now: &Evaluation) -> Vec<f64> {
        let loss = self.run.loss;
        loss.residual(&now.f, now.prediction_exponent, &self.data.y)
    }

    /// A state that holds the velocities for a residual in place of the particles, in stored units.
    pub fn velocity(&self, state: &mut CpuRunState, residual: &[f64]) -> CpuRunState {
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
        let update = self.in_f32(&g, &velocity, 0.0);
        let mut v = CpuRunState {
            blocks: state.blocks.clone(),
            method: state.method.copy(),
            clock: state.clock,
            accumulated: Vec::new(),
            start: Vec::new(),
            sums: None,
        };
        let step = Step {
            update: &update,
            residual,
        };
        v.method.train(self.context, &mut v.blocks, Some(step));
        v
    }

    /// A step of these scalars for `keep` = 1; for 0 the velocity is left in place of the particle.
    fn in_f32<'g>(&'g self, g: &'g [[f32; GROUP]], step: &StepScalars, keep: f32) -> UpdateF32<'g> {
        UpdateF32 {
            g,
            rows: &self.context.train.rows,
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
        state: &mut CpuRunState,
        eta: impl Iterator<Item = f64>,
        wanted: &[bool],
    ) -> Vec<Evaluation> {
        let mut evaluations = Vec::new();
        for (eta, &wanted) in eta.zip(wanted) {
            let skipped = eta == 0.0 || state.clock.diverged.is_some();
            if skipped && !wanted {
                continue;
            }
            let mut now = self.predict(state);
            if !now.is_finite() && now.clock.diverged.is_none() {
                state.clock.diverged = Some(now.clock.step);
                now.clock = state.clock;
            }
            if !skipped && now.clock.diverged.is_none() {
                self.step(state, eta, &now);
            }
            if wanted {
                evaluations.push(now);
            }
        }
        evaluations
    }

    fn step(&self, state: &mut CpuRunState, eta: f64, now: &Evaluation) {
        let residual = self.residual(now);
        let step = RunUpdate {
            residual: &residual,
            scalars: scalars(self.run, now, eta),
        };
        for (sum, g) in state.accumulated.iter_mut().zip(&residual) {
            *sum += step.scalars.eta * g;
        }
        self.update(state, &step);
    }

    /// update, and predict on the training set after it.
    pub fn update(&self, state: &mut CpuRunState, step: &RunUpdate) {
        // velocity reads the activation bits that predict leaves.
        if state.sums.is_none() {
            self.predict(state);
        }
        let (residual, scalars) = (step.residual, &step.scalars);
        let g = grouped(residual.iter().map(|&g| g as f32), residual.len());
        let update = self.in_f32(&g, scalars, 1.0);
        let step = Step {
            update: &update,
            residual,
        };
        let CpuRunState { method, blocks, .. } = state;
        state.sums = Some(method.train(self.context, blocks, Some(step)));
        state.clock.advance_by(scalars);
    }
}

/// The scalars of a step from an evaluated state; this engine stores f32.
fn scalars(run: &Run, now: &Evaluation, eta: f64) -> StepScalars {
    let squares = MeanSquares {
        a: now.mean_a2,
        w: now.mean_w2,
    };
    StepScalars::new(run, now.clock.exponent, eta, squares, StateFormat::F32)
}
