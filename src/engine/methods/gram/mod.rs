//! The exact short cut for output-only training: the Gram matrix of the features.
//!
//! With w fixed, f is linear in a. The features φ_ij = σ(w_j·x_i) are fixed too, and each step
//!
//! ```text
//! ȧ = −(1/α) φᵀ g − λ a      so   a = s a_0 + φᵀ c,     f = s f_0 + K c,     K = (α/m) φ φᵀ   (n, n)
//! s ← (1 − ηλ) s,   c ← (1 − ηλ) c − (η/α) g
//! ```
//!
//! costs n² operations in f64, whatever m is. a itself is computed only on request: for evaluations,
//! checkpoints and ends. [`Gram`] wraps any other engine, which holds the particles, predicts on test
//! samples, and trains all other runs.

mod dual_run;
mod features;
mod runs;

use std::ops::Range;

use super::{Machine, Method, RunProperties, ShortCuts, choose};
use crate::engine::{
    Batch, Clock, DualState, Engine, Evaluation, Origins, PartialGeometry, Precision, RunUpdate,
    Sample, Steps,
};
use crate::error::Result;
use crate::model::Run;
use crate::particles::Particles;
use dual_run::DualRun;
use runs::{GramRun, GramRuns};

/// Particles read at a time.
const BLOCK: usize = 1 << 14;

/// An engine whose output-only runs take the short cut.
pub struct Gram {
    inner: Box<dyn Engine>,
    runs_of_gram: GramRuns,
}

impl Gram {
    /// Wraps an engine if some run takes the short cut.
    pub fn around(inner: Box<dyn Engine>, short_cuts: ShortCuts) -> Box<dyn Engine> {
        let batch = inner.batch();
        let gram_run = |run: &Run| {
            let properties = RunProperties::new(batch, run);
            let machine = match inner.name() {
                "gpu" => Machine::Gpu,
                _ => Machine::Processor,
            };
            let method = choose(&[Method::Gram], short_cuts, machine, &properties);
            (method == Method::Gram).then(|| GramRun::new(properties.n))
        };
        let runs_of_gram = GramRuns::new(batch.runs.iter().map(gram_run).collect());
        match runs_of_gram.none() {
            true => inner,
            false => Box::new(Gram {
                inner,
                runs_of_gram,
            }),
        }
    }

    /// Reads the particles of every run that takes the short cut, and computes its Gram matrix.
    fn prepare(&mut self) -> Result<()> {
        for (run, gram_run) in self.runs_of_gram.each() {
            if gram_run.dual_run.is_none() {
                let batch = self.inner.batch();
                let of = &batch.runs[run];
                let (held, data) = (of.held(), &batch.datasets[of.train_set]);
                let mut dual_run = DualRun::new(of, data, gram_run.dual.take());
                for range in blocks(&held) {
                    let block = self.inner.read(run, range.clone())?;
                    dual_run.add_particles(range.start - held.start, &block);
                }
                dual_run.close();
                gram_run.dual_run = Some(dual_run);
            }
        }
        Ok(())
    }

    /// Puts the present a into the inner engine.
    fn write_back(&mut self) -> Result<()> {
        if self
            .runs_of_gram
            .each()
            .all(|(_, gram_run)| gram_run.written_back)
        {
            return Ok(());
        }
        self.prepare()?;
        recover(&mut *self.inner, &mut self.runs_of_gram)?;
        let away = self
            .runs_of_gram
            .each()
            .filter(|(_, gram_run)| !gram_run.written_back);
        for (run, gram_run) in away {
            let a = gram_run.dual_run.as_ref().map_or(&[][..], DualRun::output);
            let held = self.inner.batch().runs[run].held();
            for range in blocks(&held) {
                let mut block = self.inner.read(run, range.clone())?;
                let own = range.start - held.start..range.end - held.start;
                let new = a[own].iter().map(|&a| f64::from(a));
                block.a.iter_mut().zip(new).for_each(|(a, new)| *a = new);
                self.inner.write(run, range.start, &block)?;
            }
            self.inner.set_clock(run, gram_run.clock)?;
            gram_run.written_back = true;
        }
        Ok(())
    }

    /// An evaluation of every run, to be filled in.
    fn blank(&self) -> Vec<Evaluation> {
        let blank = Evaluation {
            clock: Clock::default(),
            f: Vec::new(),
            prediction_exponent: 0,
            mean_a2: f64::NAN,
            mean_w2: f64::NAN,
            mean_aw: f64::NAN,
        };
        vec![blank; self.runs_of_gram.runs()]
    }
}

/// Computes a of every run whose Gram matrix is known, from features that were kept or from
/// particles.
fn recover(inner: &mut dyn Engine, runs_of_gram: &mut GramRuns) -> Result<()> {
    runs_of_gram.recover();
    for (run, gram_run) in runs_of_gram.each() {
        let Some(dual_run) = gram_run.without_output() else {
            continue;
        };
        let held = inner.batch().runs[run].held();
        let mut parts = Vec::new();
        for range in blocks(&held) {
            let block = inner.read(run, range.clone())?;
            parts.extend(dual_run.recover_block(range.start - held.start, &block));
        }
        dual_run.gather(parts);
    }
    Ok(())
}

/// Puts evaluations of runs of the short cut in the place of those of the inner engine.
fn replace(found: Vec<(usize, Evaluation)>, evaluations: &mut [Evaluation]) {
    for (run, evaluation) in found {
        evaluations[run] = evaluation;
    }
}

/// Particles in blocks.
fn blocks(held: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = held.end;
    let starts = held.clone().step_by(BLOCK);
    starts.map(move |j| j..end.min(j + BLOCK))
}

impl Engine for Gram {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn adapter(&self) -> String {
        self.inner.adapter()
    }

    fn precision(&self) -> Precision {
        self.inner.precision()
    }

    fn kernels(&self) -> Option<String> {
        self.inner.kernels()
    }

    fn batch(&self) -> &Batch {
        self.inner.batch()
    }

    fn method(&self, run: usize) -> &'static str {
        match self.runs_of_gram.of(run) {
            Some(_) => Method::Gram.name(),
            None => self.inner.method(run),
        }
    }

    fn write(&mut self, run: usize, first: usize, block: &Particles) -> Result<()> {
        self.write_back()?;
        if let Some(gram_run) = self.runs_of_gram.of_mut(run) {
            gram_run.dual_run = None;
            gram_run.dual = None;
        }
        self.inner.write(run, first, block)
    }

    fn read(&mut self, run: usize, range: Range<usize>) -> Result<Particles> {
        self.write_back()?;
        self.inner.read(run, range)
    }

    fn clock(&self, run: usize) -> Clock {
        match self.runs_of_gram.of(run) {
            Some(gram_run) => gram_run.clock,
            None => self.inner.clock(run),
        }
    }

    fn set_clock(&mut self, run: usize, clock: Clock) -> Result<()> {
        if let Some(gram_run) = self.runs_of_gram.of_mut(run) {
            gram_run.clock = clock;
        }
        self.inner.set_clock(run, clock)
    }

    fn dual_state(&self, run: usize) -> Option<DualState> {
        let gram_run = self.runs_of_gram.of(run)?;
        let dual_run = gram_run.dual_run.as_ref().map(DualRun::dual_state);
        dual_run.or(gram_run.dual.as_ref()).cloned()
    }

    fn set_dual_state(&mut self, run: usize, state: DualState) -> Result<()> {
        let of = &self.inner.batch().runs[run];
        let fits = (state.a.len(), state.c.len())
            == (
                of.held_count(),
                self.inner.batch().datasets[of.train_set].n(),
            );
        if let Some(gram_run) = self.runs_of_gram.of_mut(run).filter(|_| fits) {
            gram_run.dual_run = None;
            gram_run.dual = Some(state);
        }
        Ok(())
    }

    fn accumulated(&mut self, run: usize) -> Result<Vec<f64>> {
        match self.runs_of_gram.of(run) {
            Some(gram_run) => Ok(gram_run.accumulated.clone()),
            None => self.inner.accumulated(run),
        }
    }

    fn set_accumulated(&mut self, run: usize, sum: Vec<f64>) -> Result<()> {
        match self.runs_of_gram.of_mut(run) {
            Some(gram_run) => gram_run.accumulated = sum,
            None => self.inner.set_accumulated(run, sum)?,
        }
        Ok(())
    }

    fn partial_geometry(&mut self, origins: &dyn Origins) -> Result<Vec<PartialGeometry>> {
        self.write_back()?;
        self.inner.partial_geometry(origins)
    }

    fn predict(&mut self, sample: Sample) -> Result<Vec<Evaluation>> {
        if sample == Sample::Test {
            self.write_back()?;
            return self.inner.predict(sample);
        }
        let mut evaluations = match self.runs_of_gram.alone() {
            true => self.blank(),
            false => self.inner.predict(sample)?,
        };
        self.prepare()?;
        recover(&mut *self.inner, &mut self.runs_of_gram)?;
        replace(self.runs_of_gram.evaluations(), &mut evaluations);
        Ok(evaluations)
    }

    fn residual(&mut self, run: usize) -> Result<Vec<f64>> {
        self.batch().require_all()?;
        self.prepare()?;
        match self.runs_of_gram.of_mut(run) {
            Some(GramRun {
                dual_run: Some(dual_run),
                clock,
                ..
            }) => Ok(dual_run.residual(*clock)),
            _ => self.inner.residual(run),
        }
    }

    /// Computed by the inner engine, as no step needs it.
    fn velocity_for(&mut self, run: usize, g: &[f64]) -> Result<Particles> {
        self.write_back()?;
        self.inner.velocity_for(run, g)
    }

    fn update(&mut self, updates: &[Option<RunUpdate>]) -> Result<()> {
        self.prepare()?;
        let mut others = updates.to_vec();
        for (run, gram_run) in self.runs_of_gram.each() {
            if let (Some(update), Some(dual_run)) = (others[run].take(), &mut gram_run.dual_run) {
                dual_run.update(&update, &mut gram_run.clock);
                gram_run.written_back = false;
            }
        }
        match others.iter().any(Option::is_some) {
            true => self.inner.update(&others),
            false => Ok(()),
        }
    }

    fn advance(&mut self, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        self.batch().check_steps(steps)?;
        let runs = self.runs_of_gram.runs();
        self.prepare()?;
        let blank = self.blank();
        let Gram {
            inner,
            runs_of_gram,
        } = self;
        let mut others = steps.clone();
        for (at, eta) in others.eta.iter_mut().enumerate() {
            if runs_of_gram.of(at % runs).is_some() {
                *eta = 0.0;
            }
        }
        let (evaluations, found) = if runs_of_gram.alone() {
            let marked = steps.evaluate.iter().filter(|&&wanted| wanted).count();
            let found =
                runs_of_gram.advance(steps, |runs_of_gram| recover(&mut **inner, runs_of_gram));
            (Ok(vec![blank; marked]), found)
        } else if runs_of_gram.keep_features() {
            // The two are independent: a core that one does not use works for the other.
            let recover = |runs_of_gram: &mut GramRuns| {
                runs_of_gram.recover();
                Ok(())
            };
            rayon::join(
                || inner.advance(&others),
                || runs_of_gram.advance(steps, recover),
            )
        } else {
            let evaluations = inner.advance(&others);
            let found =
                runs_of_gram.advance(steps, |runs_of_gram| recover(&mut **inner, runs_of_gram));
            (evaluations, found)
        };
        let mut evaluations = evaluations?;
        for (found, evaluations) in found?.into_iter().zip(&mut evaluations) {
            replace(found, evaluations);
        }
        Ok(evaluations)
    }
}
