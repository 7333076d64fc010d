//! The reference engine: f64, plain loops, a function per stage, nothing clever.
//!
//! It decides who is right when engines disagree, so it is written to be compared with docs/model.md
//! line by line and never to be fast. Its stored values are the true ones: the exponent stays 0.

mod geometry;
mod stages;

use std::ops::Range;

pub use geometry::geometry;
pub use stages::{predict, update, velocity};

use super::step::step_size;
use super::{Batch, Clock, Engine, Evaluation, Geometry, Origins, Precision, Sample, Steps};
use crate::error::{Error, Result};
use crate::model::Run;
use crate::particles::Particles;

/// All runs of a batch in f64.
#[derive(Debug)]
pub struct Reference {
    batch: Batch,
    particles: Vec<Particles>,
    clocks: Vec<Clock>,
    /// Σ η g of every run.
    accumulated: Vec<Vec<f64>>,
}

/// Bytes that the particles of a batch and their velocities take.
pub(super) fn bytes(batch: &Batch) -> u128 {
    let each = 2 * (batch.d as u128 + 1) * size_of::<f64>() as u128;
    batch.runs.iter().map(|run| each * run.m as u128).sum()
}

impl Reference {
    /// All particles at the origin until they are written.
    pub fn new(batch: Batch) -> Self {
        let particles = batch
            .runs
            .iter()
            .map(|run| Particles::zeros(run.m, batch.d))
            .collect();
        let clocks = vec![Clock::default(); batch.runs.len()];
        let n = |run: &Run| batch.datasets[run.train_set].n();
        let accumulated = batch.runs.iter().map(|run| vec![0.0; n(run)]).collect();
        Reference {
            batch,
            particles,
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
            sum / p.m() as f64
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

    /// One step of run r from its evaluated state.
    fn step(&mut self, r: usize, eta: f64, now: &Evaluation) {
        let run = &self.batch.runs[r];
        let y = &self.batch.datasets[run.train_set].y;
        let g = run.loss.residual(&now.f, 0, y);
        let v = velocity(
            run,
            &self.particles[r],
            &g,
            &self.batch.datasets[run.train_set],
        );
        let eta = step_size(run, 0, eta, now.mean_a2);
        update(&mut self.particles[r], &v, eta);
        for (sum, g) in self.accumulated[r].iter_mut().zip(&g) {
            *sum += eta * g;
        }
        self.clocks[r].step += 1;
        self.clocks[r].time += eta;
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
        let (d, p) = (self.batch.d, &mut self.particles[run]);
        p.a[first..first + block.m()].copy_from_slice(&block.a);
        p.w[first * d..(first + block.m()) * d].copy_from_slice(&block.w);
        Ok(())
    }

    fn read(&mut self, run: usize, range: Range<usize>) -> Result<Particles> {
        let (d, p) = (self.batch.d, &self.particles[run]);
        Ok(Particles {
            d,
            w: p.w[range.start * d..range.end * d].to_vec(),
            a: p.a[range].to_vec(),
        })
    }

    fn clock(&self, run: usize) -> Clock {
        self.clocks[run]
    }

    fn set_clock(&mut self, run: usize, clock: Clock) -> Result<()> {
        if clock.exponent != 0 {
            return Err(Error::engine(
                "reference",
                format!("the state has a power of two of {}", clock.exponent),
                "resume it on the engine that wrote it: the reference stores true values only",
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

    fn geometry(&mut self, origins: &dyn Origins) -> Result<Vec<Geometry>> {
        let runs = self.batch.runs.iter().enumerate();
        Ok(runs
            .map(|(r, run)| {
                let data = &self.batch.datasets[run.train_set];
                let start = origins.balance(r, 0..run.m);
                geometry(run, &self.particles[r], data, start.as_deref())
            })
            .collect())
    }

    fn predict(&mut self, sample: Sample) -> Result<Vec<Evaluation>> {
        Ok((0..self.batch.runs.len())
            .map(|r| self.evaluate(r, sample))
            .collect())
    }

    fn residual(&mut self, run: usize) -> Result<Vec<f64>> {
        let now = self.evaluate(run, Sample::Train);
        let r = &self.batch.runs[run];
        Ok(r.loss
            .residual(&now.f, 0, &self.batch.datasets[r.train_set].y))
    }

    fn velocity(&mut self, run: usize) -> Result<Particles> {
        let g = Engine::residual(self, run)?;
        let r = &self.batch.runs[run];
        Ok(velocity(
            r,
            &self.particles[run],
            &g,
            &self.batch.datasets[r.train_set],
        ))
    }

    fn advance(&mut self, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        let runs = self.batch.runs.len();
        let mut recorded = Vec::new();
        for (k, &wanted) in steps.evaluate.iter().enumerate() {
            let mut evaluations = Vec::new();
            for r in 0..runs {
                let eta = steps.eta[k * runs + r];
                let idle = eta == 0.0 || self.clocks[r].diverged.is_some();
                if idle && !wanted {
                    continue;
                }
                let mut now = self.evaluate(r, Sample::Train);
                if !now.is_finite() && now.clock.diverged.is_none() {
                    self.clocks[r].diverged = Some(now.clock.step);
                    now.clock = self.clocks[r];
                }
                if !idle && now.clock.diverged.is_none() {
                    self.step(r, eta, &now);
                }
                if wanted {
                    evaluations.push(now);
                }
            }
            if wanted {
                recorded.push(evaluations);
            }
        }
        Ok(recorded)
    }
}
