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

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Anchor, Batch, Clock, Engine, Evaluation, Geometry, Origins, Precision, Run, Sample, ShortCuts,
    Steps,
};
use crate::error::Result;
use crate::experiment::{StateFormat, Train};
use crate::particles::Particles;
use run::Reduced;

/// Particles read at a time.
const BLOCK: usize = 1 << 14;
/// A Gram matrix may always take this many bytes, and beyond it a fifth of what the particles take.
const ALWAYS: usize = 32 << 20;

/// An engine in which output-only runs take the short cut.
pub struct Gram {
    inner: Box<dyn Engine>,
    runs: Vec<Option<Short>>,
}

/// A run that takes the short cut.
struct Short {
    clock: Clock,
    /// Σ η g (n) over the steps taken.
    accumulated: Vec<f64>,
    /// Known once the particles are.
    reduced: Option<Reduced>,
    /// Where a resumed run goes on from.
    anchor: Option<Anchor>,
    /// Whether the inner engine holds the present a.
    placed: bool,
}

impl Short {
    /// Takes steps; those of size 0 are none.
    fn take(&mut self, eta: impl Iterator<Item = f64>) {
        let Some(reduced) = &mut self.reduced else {
            return;
        };
        for eta in eta.filter(|&eta| eta != 0.0) {
            if self.clock.diverged.is_none() {
                reduced.step(eta, &mut self.clock, &mut self.accumulated);
                self.placed = false;
            }
        }
    }

    /// Its Gram matrix, if a is not known at the present state.
    fn without_output(&mut self) -> Option<&mut Reduced> {
        self.reduced.as_mut().filter(|r| !r.knows_output())
    }
}

/// Whether a run is faster this way. A step costs n² multiply-adds in f64 on the host, instead of
/// about 3 n m d in f32 on the engine.
fn pays(run: &Run, n: usize, d: usize, engine: &str) -> bool {
    let bytes = n * n * size_of::<f64>();
    let fits = bytes <= ALWAYS.max(run.m * (d + 1) * size_of::<f32>() / 5);
    // A GPU takes some 50 µs for any step and does 10¹³ operations a second; the host reads
    // 2·10¹⁰ bytes of K.
    let slower = if engine == "gpu" {
        n <= 350 || run.m * d > 1000 * n
    } else {
        n <= run.m
    };
    fits && slower
}

impl Gram {
    /// Puts the short cut around an engine where some run takes it.
    pub fn around(inner: Box<dyn Engine>, short_cuts: ShortCuts) -> Box<dyn Engine> {
        let batch = inner.batch();
        let takes = |run: &Run| {
            let exists = run.train == Train::Output && batch.state == StateFormat::F32;
            let n = batch.datasets[run.train_set].n();
            short_cuts.take(exists, || pays(run, n, batch.d, inner.name()))
        };
        let short = |run: &Run| Short {
            clock: Clock::default(),
            accumulated: vec![0.0; batch.datasets[run.train_set].n()],
            reduced: None,
            anchor: None,
            placed: true,
        };
        let runs: Vec<_> = (batch.runs.iter())
            .map(|run| takes(run).then(|| short(run)))
            .collect();
        match runs.iter().any(Option::is_some) {
            true => Box::new(Gram { inner, runs }),
            false => inner,
        }
    }

    /// Reads the particles of every run that takes the short cut, and makes its Gram matrix.
    fn prepare(&mut self) -> Result<()> {
        for run in 0..self.runs.len() {
            if let Some(short) = &mut self.runs[run]
                && short.reduced.is_none()
            {
                let batch = self.inner.batch();
                let of = &batch.runs[run];
                let (m, data) = (of.m, &batch.datasets[of.train_set]);
                let mut reduced = Reduced::new(of, data, short.anchor.take());
                for range in blocks(m) {
                    let block = self.inner.read(run, range.clone())?;
                    reduced.take(range.start, &block);
                }
                reduced.close();
                short.reduced = Some(reduced);
            }
        }
        Ok(())
    }

    /// Computes a of every run that takes the short cut.
    fn recover(&mut self) -> Result<()> {
        self.prepare()?;
        let shorts = self.runs.par_iter_mut().flatten();
        let shorts = shorts.filter_map(Short::without_output);
        shorts
            .filter(|reduced| reduced.keeps_features())
            .for_each(Reduced::recover);
        for (run, short) in self.runs.iter_mut().enumerate() {
            let Some(reduced) = short.as_mut().and_then(Short::without_output) else {
                continue;
            };
            let m = self.inner.batch().runs[run].m;
            let mut parts = Vec::new();
            for range in blocks(m) {
                let block = self.inner.read(run, range.clone())?;
                parts.extend(reduced.recover_block(range.start, &block));
            }
            reduced.gather(parts);
        }
        Ok(())
    }

    /// Puts the present a into the inner engine.
    fn place(&mut self) -> Result<()> {
        let away = |short: &Option<Short>| short.as_ref().is_some_and(|s| !s.placed);
        if !self.runs.iter().any(away) {
            return Ok(());
        }
        self.recover()?;
        for (run, short) in self.runs.iter_mut().enumerate() {
            let Some(short) = short.as_mut().filter(|short| !short.placed) else {
                continue;
            };
            let a = short.reduced.as_ref().map_or(&[][..], Reduced::output);
            for range in blocks(a.len()) {
                let mut block = self.inner.read(run, range.clone())?;
                let new = a[range.clone()].iter().map(|&a| f64::from(a));
                block.a.iter_mut().zip(new).for_each(|(a, new)| *a = new);
                self.inner.write(run, range.start, &block)?;
            }
            self.inner.set_clock(run, short.clock)?;
            short.placed = true;
        }
        Ok(())
    }

    /// The short runs, each with its number.
    fn short(&mut self) -> impl ParallelIterator<Item = (usize, &mut Short)> {
        let runs = self.runs.par_iter_mut().enumerate();
        runs.filter_map(|(run, short)| Some((run, short.as_mut()?)))
    }

    /// Evaluations of the short runs in their present states, in place of those of the inner engine.
    fn evaluate(&mut self, evaluations: &mut [Evaluation]) -> Result<()> {
        self.recover()?;
        let found: Vec<_> = (self.short())
            .filter_map(|(run, Short { reduced, clock, .. })| {
                let reduced = reduced.as_mut()?;
                reduced.check(clock);
                Some((run, reduced.evaluation(*clock)))
            })
            .collect();
        for (run, evaluation) in found {
            evaluations[run] = evaluation;
        }
        Ok(())
    }

    /// Whether every run takes the short cut.
    fn alone(&self) -> bool {
        self.runs.iter().all(Option::is_some)
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
        vec![blank; self.runs.len()]
    }
}

/// 0..m in blocks.
fn blocks(m: usize) -> impl Iterator<Item = Range<usize>> {
    (0..m).step_by(BLOCK).map(move |j| j..m.min(j + BLOCK))
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
        match self.runs[run] {
            Some(_) => "gram",
            None => self.inner.method(run),
        }
    }

    fn write(&mut self, run: usize, first: usize, block: &Particles) -> Result<()> {
        self.place()?;
        if let Some(short) = &mut self.runs[run] {
            short.reduced = None;
            short.anchor = None;
        }
        self.inner.write(run, first, block)
    }

    fn read(&mut self, run: usize, range: Range<usize>) -> Result<Particles> {
        self.place()?;
        self.inner.read(run, range)
    }

    fn clock(&self, run: usize) -> Clock {
        match &self.runs[run] {
            Some(short) => short.clock,
            None => self.inner.clock(run),
        }
    }

    fn set_clock(&mut self, run: usize, clock: Clock) -> Result<()> {
        if let Some(short) = &mut self.runs[run] {
            short.clock = clock;
        }
        self.inner.set_clock(run, clock)
    }

    fn anchor(&self, run: usize) -> Option<&Anchor> {
        let short = self.runs[run].as_ref()?;
        let reduced = short.reduced.as_ref().map(Reduced::anchor);
        reduced.or(short.anchor.as_ref())
    }

    fn set_anchor(&mut self, run: usize, anchor: Anchor) -> Result<()> {
        let of = &self.inner.batch().runs[run];
        let fits = (anchor.a.len(), anchor.c.len())
            == (of.m, self.inner.batch().datasets[of.train_set].n());
        if let Some(short) = self.runs[run].as_mut().filter(|_| fits) {
            short.reduced = None;
            short.anchor = Some(anchor);
        }
        Ok(())
    }

    fn accumulated(&mut self, run: usize) -> Result<Vec<f64>> {
        match &self.runs[run] {
            Some(short) => Ok(short.accumulated.clone()),
            None => self.inner.accumulated(run),
        }
    }

    fn set_accumulated(&mut self, run: usize, sum: Vec<f64>) -> Result<()> {
        match &mut self.runs[run] {
            Some(short) => short.accumulated = sum,
            None => self.inner.set_accumulated(run, sum)?,
        }
        Ok(())
    }

    fn geometry(&mut self, origins: &dyn Origins) -> Result<Vec<Geometry>> {
        self.place()?;
        self.inner.geometry(origins)
    }

    fn predict(&mut self, sample: Sample) -> Result<Vec<Evaluation>> {
        if sample == Sample::Test {
            self.place()?;
            return self.inner.predict(sample);
        }
        let mut evaluations = match self.alone() {
            true => self.blank(),
            false => self.inner.predict(sample)?,
        };
        self.evaluate(&mut evaluations)?;
        Ok(evaluations)
    }

    fn residual(&mut self, run: usize) -> Result<Vec<f64>> {
        self.prepare()?;
        match self.runs[run].as_mut() {
            Some(Short {
                reduced: Some(reduced),
                clock,
                ..
            }) => Ok(reduced.residual(*clock)),
            _ => self.inner.residual(run),
        }
    }

    /// That of the engine around which this is: no step needs it.
    fn velocity(&mut self, run: usize) -> Result<Particles> {
        self.place()?;
        self.inner.velocity(run)
    }

    fn advance(&mut self, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        let runs = self.runs.len();
        self.prepare()?;
        let mut evaluations = if self.alone() {
            let marked = steps.evaluate.iter().filter(|&&wanted| wanted).count();
            vec![self.blank(); marked]
        } else {
            let mut others = steps.clone();
            for (at, eta) in others.eta.iter_mut().enumerate() {
                if self.runs[at % runs].is_some() {
                    *eta = 0.0;
                }
            }
            self.inner.advance(&others)?
        };
        let mut wanted = evaluations.iter_mut();
        // From one evaluation to the next, all runs side by side.
        let mut first = 0;
        while first < steps.len() {
            if steps.evaluate[first]
                && let Some(evaluations) = wanted.next()
            {
                self.evaluate(evaluations)?;
            }
            let later = steps.evaluate[first + 1..].iter().position(|&next| next);
            let end = later.map_or(steps.len(), |k| first + 1 + k);
            self.short().for_each(|(run, short)| {
                let eta = (first..end).map(|k| steps.eta[k * runs + run]);
                short.take(eta);
            });
            first = end;
        }
        Ok(evaluations)
    }
}
