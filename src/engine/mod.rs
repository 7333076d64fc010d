//! Engines advance a batch of runs: predict → residual → velocity → update.
//!
//! A batch is a set of runs that share d; a single run is a batch of one. Engines differ only in arithmetic
//! and hardware: [`mod@reference`] defines the right results.
//!
//! An engine holds particles `held.start..held.end` of the m of each run ([`Run::held`]; usually all of
//! them). It computes sums over them (predict), and moves them by given residuals and scalars (update).
//! [`driver`] connects the two, and connects several engines.

use std::ops::Range;
use std::sync::Arc;

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::memory;
use crate::model::{Run, StateFormat};
use crate::particles::Particles;
use step::StepScalars;

mod ceilings;
pub mod cpu;
pub mod driver;
mod geometry;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "no_gpu.rs"]
mod gpu;
pub mod methods;
pub mod plan;
pub mod reference;
pub mod select;
pub mod step;

pub use ceilings::Ceilings;
pub use geometry::{Geometry, Origins, PartialGeometry, Unknown};
pub use methods::ShortCuts;

/// The runs that advance together, and their data.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Input dimension, common to all runs.
    pub d: usize,
    /// Data sets, shared between runs by index.
    pub datasets: Vec<Arc<Dataset>>,
    pub runs: Vec<Run>,
    /// How particles and inputs are stored. For f16 the inputs are already rounded ([`Dataset::rounded`]),
    /// so that all engines and checks use the same values.
    pub state: StateFormat,
}

impl Batch {
    /// The batch of an engine that holds part `index` of `parts` of the particles of every run.
    pub fn part(&self, index: usize, parts: usize) -> Batch {
        let mut batch = self.clone();
        for run in &mut batch.runs {
            run.part = Some(run.m * index / parts..run.m * (index + 1) / parts);
        }
        batch
    }

    /// Refuses steps that are not given for every run, or if the engine holds only a part of the particles.
    fn check_steps(&self, steps: &Steps) -> Result<()> {
        let (count, sizes, runs) = (steps.len(), steps.eta.len(), self.runs.len());
        if sizes != count * runs {
            return Err(Error::engine(
                "engine",
                format!("{sizes} step sizes for {count} steps of {runs} runs"),
                "give one per step and run",
            ));
        }
        self.require_all()
    }

    /// Refuses to compute residuals or take steps if the engine holds only a part of the particles.
    fn require_all(&self) -> Result<()> {
        let partial = |run: &&Run| run.held_count() != run.m;
        match self.runs.iter().find(partial) {
            Some(run) => Err(Error::engine(
                "engine",
                format!(
                    "it holds particles {:?} of {}: the sums of the others are missing",
                    run.held(),
                    run.m
                ),
                "join the engines of all parts in a `Driver`",
            )),
            None => Ok(()),
        }
    }
}

/// Refuses a batch that needs more bytes than the memory has, before any are allocated.
fn fits_memory(batch: &Batch, bytes: u128) -> Result<()> {
    memory::require("network.width", &particles_of(batch), bytes, FEWER)
}

/// A description of the particles of a batch, for messages.
fn particles_of(batch: &Batch) -> String {
    let particles: u128 = batch.runs.iter().map(|run| run.held_count() as u128).sum();
    let d = batch.d;
    format!("{particles} particles of dimension {d} with their samples")
}

/// Advice if the batch does not fit in memory.
const FEWER: &str =
    "lower network.width, use fewer samples or runs in a grid, or close what else takes memory";

/// Number format of an engine's sums, and one that represents its state exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Trained layers are stored divided by a power of two, which grows with their norms.
    F32,
    /// Trained layers are stored as they are: the exponent of [`Clock`] stays 0.
    F64,
}

/// What [`Engine::update`] applies to the particles of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunUpdate<'a> {
    /// g_i = ∂R/∂f_i (n), in true units.
    pub residual: &'a [f64],
    pub scalars: StepScalars,
}

/// The clock of a run: its step, time and exponent.
///
/// The trained layers are stored as (â, ŵ) with the true value 2^exponent times the stored one:
/// both layers for `Train::Both`, a alone for `Output`, w alone for `Input`. Engines change the
/// exponent when norms grow; multiplying by powers of two is exact.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Clock {
    /// Updates done.
    pub step: u64,
    /// Mean-field time t, the sum of the steps taken.
    pub time: f64,
    /// Power of two of the trained layers.
    pub exponent: i32,
    /// The step whose state first had a number that is not finite; the run takes no further steps.
    pub diverged: Option<u64>,
}

impl Clock {
    /// Advances the clock by a step.
    pub fn advance_by(&mut self, step: &StepScalars) {
        self.exponent += step.shift;
        self.step += 1;
        self.time += step.eta;
    }
}

/// The additional state of an output-only run on the short cut [`gram`](methods::gram), stored in a
/// checkpoint so that the run continues bit for bit: a = scale · a_0 + Σ_i c_i σ(w·x_i), in stored units.
#[derive(Debug, Clone, PartialEq)]
pub struct DualState {
    pub scale: f64,
    /// a_0 (m)
    pub a: Vec<f32>,
    /// c (n)
    pub c: Vec<f64>,
}

/// Step sizes of consecutive steps for every run of a batch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Steps {
    /// η, row-major (steps, runs). A step of size 0 leaves its run untouched: no update, and its
    /// clock stands still.
    pub eta: Vec<f64>,
    /// Whether the state *before* this step is evaluated (its predictions are computed anyway).
    pub evaluate: Vec<bool>,
}

impl Steps {
    /// Number of steps.
    pub fn len(&self) -> usize {
        self.evaluate.len()
    }

    pub fn is_empty(&self) -> bool {
        self.evaluate.is_empty()
    }
}

/// Which inputs to predict on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    Train,
    Test,
}

/// Predictions and moments of one run in one state, in stored units (see [`Clock::exponent`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    pub clock: Clock,
    /// f̂_i (n): the true prediction is 2^p f̂_i with p from [`Evaluation::prediction_exponent`].
    pub f: Vec<f64>,
    /// p: twice the exponent when both layers train, once otherwise (f is homogeneous of degree
    /// 2 in both layers, 1 in either).
    pub prediction_exponent: i32,
    /// (1/m) Σ â_j²
    pub mean_a2: f64,
    /// (1/m) Σ |ŵ_j|²
    pub mean_w2: f64,
    /// (1/m) Σ |â_j| |ŵ_j|
    pub mean_aw: f64,
}

impl Evaluation {
    /// Adds the sums over other particles of the same run.
    fn add(&mut self, part: &Evaluation) {
        self.f
            .iter_mut()
            .zip(&part.f)
            .for_each(|(f, part)| *f += part);
        self.mean_a2 += part.mean_a2;
        self.mean_w2 += part.mean_w2;
        self.mean_aw += part.mean_aw;
    }

    /// Whether every prediction and moment is a finite number.
    pub fn is_finite(&self) -> bool {
        [self.mean_a2, self.mean_w2, self.mean_aw]
            .iter()
            .chain(&self.f)
            .all(|v| v.is_finite())
    }
}

/// An engine that advances particles. Its state is read and written in blocks, so that no caller holds a
/// whole network.
pub trait Engine: Send {
    /// "reference", "cpu" or "gpu".
    fn name(&self) -> &'static str;
    /// The hardware in use, for the summary: "AVX-512, 2 threads", "llvmpipe (…)".
    fn adapter(&self) -> String;
    fn precision(&self) -> Precision;
    /// Sizes of its kernels, where there is a choice: with the same ones, adapter and driver, a
    /// run is the same bit for bit.
    fn kernels(&self) -> Option<String> {
        None
    }
    fn batch(&self) -> &Batch;
    /// How it computes a run's steps: "direct" by the four stages over all pairs of particles and
    /// samples, or the name of an exact short cut ("arcs": d = 2, by the arcs on which G is constant;
    /// "cells": many particles in d = 3 or 4, by what most samples do to all particles that point the
    /// same way; "gram": output only, by the Gram matrix of the features).
    fn method(&self, _run: usize) -> &'static str {
        "direct"
    }

    /// Puts particles first..first + block.m() of the m of a run in place, in stored units: some of
    /// those that the engine holds.
    fn write(&mut self, run: usize, first: usize, block: &Particles) -> Result<()>;
    /// Particles of a run, in stored units. Exact.
    fn read(&mut self, run: usize, range: Range<usize>) -> Result<Particles>;
    fn clock(&self, run: usize) -> Clock;
    fn set_clock(&mut self, run: usize, clock: Clock) -> Result<()>;

    /// The state of a run besides its particles and its clock; `None` except on the short cut
    /// [`gram`](methods::gram).
    fn dual_state(&self, _run: usize) -> Option<DualState> {
        None
    }
    /// Restores this state, after the particles of the same state were written. Engines that do not use it
    /// continue from the particles alone.
    fn set_dual_state(&mut self, _run: usize, _state: DualState) -> Result<()> {
        Ok(())
    }

    /// Σ_k η_k g_k (n) over the steps that a run has taken. For softmin these are −y_i p_i weighted by step
    /// size, from which a certificate starts.
    fn accumulated(&mut self, run: usize) -> Result<Vec<f64>>;
    /// Restores this sum on a resume.
    fn set_accumulated(&mut self, run: usize, sum: Vec<f64>) -> Result<()>;

    /// Contributions of the particles that the engine holds to the geometry of every run at the present
    /// state, with the drift from these origins. The origins never change, so an engine may keep them.
    fn partial_geometry(&mut self, origins: &dyn Origins) -> Result<Vec<PartialGeometry>>;

    /// predict: f_i = (α/m) Σ_j a_j σ(w_j·x_i) and the moments over the particles that the engine
    /// holds, divided by the m of the whole run, for every run (empty f for runs without a test set
    /// when asked for one).
    fn predict(&mut self, sample: Sample) -> Result<Vec<Evaluation>>;
    /// velocity of the particles that the engine holds for the residual g (n): −(1/α) w_j·G_j − λ a_j and
    /// −(1/α) a_j G_j − λ w_j in true units, zero for layers that do not train.
    fn velocity_for(&mut self, run: usize, g: &[f64]) -> Result<Particles>;
    /// update: the step of every run that takes one. The clocks of these runs go on by it; what
    /// [`Engine::accumulated`] gives does not.
    fn update(&mut self, updates: &[Option<RunUpdate>]) -> Result<()>;

    /// The geometry of the particles of every run.
    fn geometry(&mut self, origins: &dyn Origins) -> Result<Vec<Geometry>> {
        let parts = self.partial_geometry(origins)?;
        let of_run = |(r, part): (usize, &PartialGeometry)| {
            let started = origins.balance(r, 0..0).is_some();
            part.finish(&self.batch().runs[r], self.clock(r).exponent, started)
        };
        Ok(parts.iter().enumerate().map(of_run).collect())
    }
    /// residual: g_i = ∂R/∂f_i (n) at the present state, in true units.
    fn residual(&mut self, run: usize) -> Result<Vec<f64>> {
        self.batch().require_all()?;
        let now = self.predict(Sample::Train)?;
        Ok(driver::residual(self.batch(), run, &now[run]))
    }
    /// velocity: −m ∇F at the present state, in true units, zero for layers that do not train.
    fn velocity(&mut self, run: usize) -> Result<Particles> {
        let g = self.residual(run)?;
        self.velocity_for(run, &g)
    }
    /// Takes the steps. One inner vector per step marked `evaluate`, with one entry per run.
    fn advance(&mut self, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        self.batch().check_steps(steps)?;
        driver::through_sums(self, steps)
    }
}
