//! The exact short cut for output-only training: the Gram matrix of the features.
//!
//! With w fixed, f is linear in a. The features φ_ij = σ(w_j·x_i) are fixed too, and each step
//!
//! ```text
//! ȧ = −(1/α) φᵀ g − λ a      so   a = s a_0 + φᵀ c,     f = s f_0 + K c,     K = (α/m) φ φᵀ   (n, n)
//! s ← (1 − ηλ) s,   c ← (1 − ηλ) c − (η/α) g
//! ```
//!
//! costs n² operations in f64, whatever m is. a itself is computed when it is asked for: at
//! evaluations, checkpoints and ends. [`Gram`] puts this around any other engine, which holds the
//! particles, predicts on test samples, and trains all other runs.

mod features;
mod run;
mod short;

use std::ops::Range;

use super::{Machine, Method, Problem, ShortCuts, choose};
use crate::engine::{
    Batch, Clock, DualState, Engine, Evaluation, Origins, PartialGeometry, Precision, Sample,
    Steps, Update,
};
use crate::error::Result;
use crate::model::Run;
use crate::particles::Particles;
use run::Reduced;
use short::{Short, Shorts};

/// Particles read at a time.
const BLOCK: usize = 1 << 14;

/// An engine in which output-only runs take the short cut.
pub struct Gram {
    inner: Box<dyn Engine>,
    shorts: Shorts,
}

impl Gram {
    /// Puts the short cut around an engine where some run takes it.
    pub fn around(inner: Box<dyn Engine>, short_cuts: ShortCuts) -> Box<dyn Engine> {
        let batch = inner.batch();
        let short = |run: &Run| {
            let problem = Problem::new(batch, run);
            let machine = match inner.name() {
                "gpu" => Machine::Gpu,
                _ => Machine::Processor,
            };
            let method = choose(&[Method::Gram], short_cuts, machine, &problem);
            (method == Method::Gram).then(|| Short::new(problem.n))
        };
        let shorts = Shorts::new(batch.runs.iter().map(short).collect());
        match shorts.none() {
            true => inner,
            false => Box::new(Gram { inner, shorts }),
        }
    }

    /// Reads the particles of every run that takes the short cut, and makes its Gram matrix.
    fn prepare(&mut self) -> Result<()> {
        for (run, short) in self.shorts.each() {
            if short.reduced.is_none() {
                let batch = self.inner.batch();
                let of = &batch.runs[run];
                let (held, data) = (of.held(), &batch.datasets[of.train_set]);
                let mut reduced = Reduced::new(of, data, short.dual.take());
                for range in blocks(&held) {
                    let block = self.inner.read(run, range.clone())?;
                    reduced.take(range.start - held.start, &block);
                }
                reduced.close();
                short.reduced = Some(reduced);
            }
        }
        Ok(())
    }

    /// Puts the present a into the inner engine.
    fn place(&mut self) -> Result<()> {
        if self.shorts.each().all(|(_, short)| short.placed) {
            return Ok(());
        }
        self.prepare()?;
        recover(&mut *self.inner, &mut self.shorts)?;
        let away = self.shorts.each().filter(|(_, short)| !short.placed);
        for (run, short) in away {
            let a = short.reduced.as_ref().map_or(&[][..], Reduced::output);
            let held = self.inner.batch().runs[run].held();
            for range in blocks(&held) {
                let mut block = self.inner.read(run, range.clone())?;
                let own = range.start - held.start..range.end - held.start;
                let new = a[own].iter().map(|&a| f64::from(a));
                block.a.iter_mut().zip(new).for_each(|(a, new)| *a = new);
                self.inner.write(run, range.start, &block)?;
            }
            self.inner.set_clock(run, short.clock)?;
            short.placed = true;
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
        vec![blank; self.shorts.runs()]
    }
}

/// Computes a of every run whose Gram matrix is known, from features that were kept or from
/// particles.
fn recover(inner: &mut dyn Engine, shorts: &mut Shorts) -> Result<()> {
    shorts.recover();
    for (run, short) in shorts.each() {
        let Some(reduced) = short.without_output() else {
            continue;
        };
        let held = inner.batch().runs[run].held();
        let mut parts = Vec::new();
        for range in blocks(&held) {
            let block = inner.read(run, range.clone())?;
            parts.extend(reduced.recover_block(range.start - held.start, &block));
        }
        reduced.gather(parts);
    }
    Ok(())
}

/// Puts evaluations of short runs in the place of those of the inner engine.
fn put(found: Vec<(usize, Evaluation)>, evaluations: &mut [Evaluation]) {
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
        match self.shorts.of(run) {
            Some(_) => Method::Gram.name(),
            None => self.inner.method(run),
        }
    }

    fn write(&mut self, run: usize, first: usize, block: &Particles) -> Result<()> {
        self.place()?;
        if let Some(short) = self.shorts.of_mut(run) {
            short.reduced = None;
            short.dual = None;
        }
        self.inner.write(run, first, block)
    }

    fn read(&mut self, run: usize, range: Range<usize>) -> Result<Particles> {
        self.place()?;
        self.inner.read(run, range)
    }

    fn clock(&self, run: usize) -> Clock {
        match self.shorts.of(run) {
            Some(short) => short.clock,
            None => self.inner.clock(run),
        }
    }

    fn set_clock(&mut self, run: usize, clock: Clock) -> Result<()> {
        if let Some(short) = self.shorts.of_mut(run) {
            short.clock = clock;
        }
        self.inner.set_clock(run, clock)
    }

    fn dual_state(&self, run: usize) -> Option<DualState> {
        let short = self.shorts.of(run)?;
        let reduced = short.reduced.as_ref().map(Reduced::dual_state);
        reduced.or(short.dual.as_ref()).cloned()
    }

    fn set_dual_state(&mut self, run: usize, state: DualState) -> Result<()> {
        let of = &self.inner.batch().runs[run];
        let fits = (state.a.len(), state.c.len())
            == (
                of.held_count(),
                self.inner.batch().datasets[of.train_set].n(),
            );
        if let Some(short) = self.shorts.of_mut(run).filter(|_| fits) {
            short.reduced = None;
            short.dual = Some(state);
        }
        Ok(())
    }

    fn accumulated(&mut self, run: usize) -> Result<Vec<f64>> {
        match self.shorts.of(run) {
            Some(short) => Ok(short.accumulated.clone()),
            None => self.inner.accumulated(run),
        }
    }

    fn set_accumulated(&mut self, run: usize, sum: Vec<f64>) -> Result<()> {
        match self.shorts.of_mut(run) {
            Some(short) => short.accumulated = sum,
            None => self.inner.set_accumulated(run, sum)?,
        }
        Ok(())
    }

    fn partial_geometry(&mut self, origins: &dyn Origins) -> Result<Vec<PartialGeometry>> {
        self.place()?;
        self.inner.partial_geometry(origins)
    }

    fn predict(&mut self, sample: Sample) -> Result<Vec<Evaluation>> {
        if sample == Sample::Test {
            self.place()?;
            return self.inner.predict(sample);
        }
        let mut evaluations = match self.shorts.alone() {
            true => self.blank(),
            false => self.inner.predict(sample)?,
        };
        self.prepare()?;
        recover(&mut *self.inner, &mut self.shorts)?;
        put(self.shorts.evaluations(), &mut evaluations);
        Ok(evaluations)
    }

    fn residual(&mut self, run: usize) -> Result<Vec<f64>> {
        self.batch().require_all()?;
        self.prepare()?;
        match self.shorts.of_mut(run) {
            Some(Short {
                reduced: Some(reduced),
                clock,
                ..
            }) => Ok(reduced.residual(*clock)),
            _ => self.inner.residual(run),
        }
    }

    /// That of the engine around which this is: no step needs it.
    fn velocity_for(&mut self, run: usize, g: &[f64]) -> Result<Particles> {
        self.place()?;
        self.inner.velocity_for(run, g)
    }

    fn update(&mut self, updates: &[Option<Update>]) -> Result<()> {
        self.prepare()?;
        let mut others = updates.to_vec();
        for (run, short) in self.shorts.each() {
            if let (Some(update), Some(reduced)) = (others[run].take(), &mut short.reduced) {
                reduced.update(&update, &mut short.clock);
                short.placed = false;
            }
        }
        match others.iter().any(Option::is_some) {
            true => self.inner.update(&others),
            false => Ok(()),
        }
    }

    fn advance(&mut self, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        self.batch().require_all()?;
        let runs = self.shorts.runs();
        self.prepare()?;
        let blank = self.blank();
        let Gram { inner, shorts } = self;
        let mut others = steps.clone();
        for (at, eta) in others.eta.iter_mut().enumerate() {
            if shorts.of(at % runs).is_some() {
                *eta = 0.0;
            }
        }
        let (evaluations, found) = if shorts.alone() {
            let marked = steps.evaluate.iter().filter(|&&wanted| wanted).count();
            let found = shorts.advance(steps, |shorts| recover(&mut **inner, shorts));
            (Ok(vec![blank; marked]), found)
        } else if shorts.keep_features() {
            // Neither needs the other: a core that one leaves idle works for the other.
            let recover = |shorts: &mut Shorts| {
                shorts.recover();
                Ok(())
            };
            rayon::join(|| inner.advance(&others), || shorts.advance(steps, recover))
        } else {
            let evaluations = inner.advance(&others);
            let found = shorts.advance(steps, |shorts| recover(&mut **inner, shorts));
            (evaluations, found)
        };
        let mut evaluations = evaluations?;
        for (found, evaluations) in found?.into_iter().zip(&mut evaluations) {
            put(found, evaluations);
        }
        Ok(evaluations)
    }
}
