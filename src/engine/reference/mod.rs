//! The reference engine: f64, plain loops, a function per stage, nothing clever.
//!
//! It decides who is right when engines disagree, so it is written to be compared with docs/model.md
//! line by line and never to be fast. Its stored values are the true ones: the exponent stays 0.

mod geometry;
mod stages;

use std::ops::Range;

pub use geometry::partial_geometry;
pub use stages::{predict, update, velocity};

use super::{
    Batch, Clock, Engine, Evaluation, Origins, PartialGeometry, Precision, RunUpdate, Sample,
};
use crate::error::{Error, Result};
use crate::model::Run;
use crate::particles::Particles;

/// All runs of a batch in f64.
#[derive(Debug)]
pub struct Reference {
    batch: Batch,
    particles: Vec<Particles>,
    /// Evaluation on the training set at the present particles, once computed: a run that takes no step
    /// costs nothing.
    evaluated: Vec<Option<Evaluation>>,
    clocks: Vec<Clock>,
    /// Σ η g of every run.
    accumulated: Vec<Vec<f64>>,
}

/// Bytes that the particles of a batch and their velocities take.
pub(super) fn bytes(batch: &Batch) -> u128 {
    let each = 2 * (batch.d as u128 + 1) * size_of::<f64>() as u128;
    batch
        .runs
        .iter()
        .map(|run| each * run.held_count() as u128)
        .sum()
}

impl Reference {
    /// All particles at the origin until they are written.
    pub fn new(batch: Batch) -> Self {
        let particles = batch
            .runs
            .iter()
            .map(|run| Particles::zeros(run.held_count(), batch.d))
            .collect();
        let clocks = vec![Clock::default(); batch.runs.len()];
        let evaluated = vec![None; batch.runs.len()];
        let n = |run: &Run| batch.datasets[run.train_set].n();
        let accumulated = batch.runs.iter().map(|run| vec![0.0; n(run)]).collect();
        Reference {
            batch,
            particles,
            evaluated,
            clocks,
            accumulated,
        }
    }

    fn evaluate(&self, r: usize, sample: Sample) -> Evaluation {
        let run = &self.batch.runs[r];
        let set = match sample {
            Sample::Train => Some(run.train_set),
            Sample::Test => run.test_set,
        };
        let f = set.map_or_else(Vec::new, |s| {
            predict(run, &self.particles[r], &self.batch.datasets[s])
        });
        let p = &self.particles[r];
        let mean = |term: &dyn Fn(f64, f64) -> f64| {
            let sum: f64 = (0..p.m())
                .map(|j| {
                    term(
                        p.a[j].abs(),
                        p.w(j).iter().map(|w| w * w).sum::<f64>().sqrt(),
                    )
                })
                .sum();
            sum / self.batch.runs[r].m as f64
        };
        Evaluation {
            clock: self.clocks[r],
            f,
            prediction_exponent: 0,
            mean_a2: mean(&|a, _| a * a),
            mean_w2: mean(&|_, w| w * w),
            mean_aw: mean(&|a, w| a * w),
        }
    }
}

impl Engine for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn adapter(&self) -> String {
        "f64, one thread".into()
    }

    fn precision(&self) -> Precision {
        Precision::F64
    }

    fn batch(&self) -> &Batch {
        &self.batch
    }

    fn write(&mut self, run: usize, first: usize, block: &Particles) -> Result<()> {
        let first = first - self.batch.runs[run].held().start;
        self.evaluated[run] = None;
        let (d, p) = (self.batch.d, &mut self.particles[run]);
        p.a[first..first + block.m()].copy_from_slice(&block.a);
        p.w[first * d..(first + block.m()) * d].copy_from_slice(&block.w);
        Ok(())
    }

    fn read(&mut self, run: usize, range: Range<usize>) -> Result<Particles> {
        let first = self.batch.runs[run].held().start;
        Ok(self.particles[run].range(range.start - first..range.end - first))
    }

    fn clock(&self, run: usize) -> Clock {
        self.clocks[run]
    }

    fn set_clock(&mut self, run: usize, clock: Clock) -> Result<()> {
        if clock.exponent != 0 {
            return Err(Error::engine(
                "reference",
                format!("the state has a power of two of {}", clock.exponent),
                "write true values, with an exponent of 0",
            ));
        }
        self.clocks[run] = clock;
        Ok(())
    }

    fn accumulated(&mut self, run: usize) -> Result<Vec<f64>> {
        Ok(self.accumulated[run].clone())
    }

    fn set_accumulated(&mut self, run: usize, sum: Vec<f64>) -> Result<()> {
        self.accumulated[run] = sum;
        Ok(())
    }

    fn partial_geometry(&mut self, origins: &dyn Origins) -> Result<Vec<PartialGeometry>> {
        let runs = self.batch.runs.iter().enumerate();
        Ok(runs
            .map(|(r, run)| {
                let data = &self.batch.datasets[run.train_set];
                let start = origins.balance(r, run.held());
                partial_geometry(run, &self.particles[r], data, start.as_deref())
            })
            .collect())
    }

    fn predict(&mut self, sample: Sample) -> Result<Vec<Evaluation>> {
        if sample == Sample::Test {
            return Ok((0..self.batch.runs.len())
                .map(|r| self.evaluate(r, sample))
                .collect());
        }
        let mut evaluations = Vec::new();
        for r in 0..self.batch.runs.len() {
            let known = match self.evaluated[r].take() {
                Some(known) => known,
                None => self.evaluate(r, sample),
            };
            self.evaluated[r] = Some(known.clone());
            evaluations.push(Evaluation {
                clock: self.clocks[r],
                ..known
            });
        }
        Ok(evaluations)
    }

    fn velocity_for(&mut self, run: usize, g: &[f64]) -> Result<Particles> {
        let of = &self.batch.runs[run];
        let data = &self.batch.datasets[of.train_set];
        Ok(velocity(of, &self.particles[run], g, data))
    }

    fn update(&mut self, updates: &[Option<RunUpdate>]) -> Result<()> {
        for (r, taken) in updates.iter().enumerate() {
            if let Some(RunUpdate { residual, scalars }) = taken {
                let v = self.velocity_for(r, residual)?;
                update(&mut self.particles[r], &v, scalars.eta);
                self.evaluated[r] = None;
                self.clocks[r].advance_by(scalars);
            }
        }
        Ok(())
    }
}
