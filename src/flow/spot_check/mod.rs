//! Spot checks during a run: from time to time some results of a step are recomputed in f64 from the
//! engine's own particles. A run stops at an error larger than rounding explains.
//!
//! A checked step is one that the run takes anyway, by the engine's fast path: predictions are those of the step
//! itself, and particles are read before and after it. Checks change no bit of the run.

mod check;
mod error_bounds;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::engine::{Engine, Evaluation, Sample, Steps};
use crate::error::Result;
use crate::store::{Checked, Checks};
use check::{RunCheck, StateBefore};

/// Longest time from one checked step to the next; a step is checked before each checkpoint too.
const INTERVAL: Duration = Duration::from_secs(120);

/// Optional parts of checks take at most this fraction (1/200) of the time: checks of predictions after the
/// first, which read all particles, and checks of many runs that end.
const SHARE: u32 = 200;

/// Largest number of runs in one check; if there are more, different ones each time.
const RUNS: usize = 8;

/// Indices of a checked run in the batch and in the experiment.
#[derive(Debug, Clone, Copy)]
pub struct RunIndices {
    pub batch_index: usize,
    pub index: usize,
}

/// Decides when to check, and holds the results so far.
pub struct SpotCheck {
    /// False where the user switched checks off.
    on: bool,
    found: Checks,
    started: Instant,
    spent: Duration,
    last: Option<Instant>,
    /// Whether the step before the present state was checked.
    is_checked: bool,
    round: usize,
}

impl SpotCheck {
    pub fn new(on: bool) -> Self {
        SpotCheck {
            on,
            found: Checks::default(),
            started: Instant::now(),
            spent: Duration::ZERO,
            last: None,
            is_checked: false,
            round: 0,
        }
    }

    /// To be called when a new engine is used.
    pub fn engine_changed(&mut self) {
        self.last = None;
        self.is_checked = false;
    }

    /// The results so far.
    pub fn found(&self) -> Checked {
        match self.on {
            true => Checked::On(self.found),
            false => Checked::Off,
        }
    }

    /// Whether the next step is to be checked.
    pub fn is_due(&self) -> bool {
        self.on && self.last.is_none_or(|last| last.elapsed() >= INTERVAL)
    }

    /// Whether the step that led to the present state was checked, or checks are off.
    pub fn is_checked(&self) -> bool {
        self.is_checked || !self.on
    }

    /// Whether the optional parts are within their share of the time.
    fn has_time(&self) -> bool {
        self.last.is_none() || self.spent * SHARE <= self.started.elapsed()
    }

    /// Takes steps without a check.
    pub fn advance_unchecked(
        &mut self,
        engine: &mut dyn Engine,
        steps: &Steps,
    ) -> Result<Vec<Vec<Evaluation>>> {
        self.is_checked = false;
        engine.advance(steps)
    }

    /// Takes one step and checks it.
    ///
    /// # Errors
    /// An error of the engine, or the first value whose difference from f64 exceeds its rounding error
    /// bound.
    pub fn advance_checked(
        &mut self,
        engine: &mut dyn Engine,
        runs: &[RunIndices],
        step: &Steps,
    ) -> Result<Vec<Vec<Evaluation>>> {
        let begun = Instant::now();
        let moving = runs.iter().filter(|run| step.eta[run.batch_index] != 0.0);
        let runs = self.next_runs(moving);
        let full = self.has_time();
        let mut before = Vec::new();
        for &run in &runs {
            before.push(StateBefore::new(engine, run, runs.len(), self.round, full)?);
        }
        let prepared = begun.elapsed();
        let marked = Steps {
            eta: step.eta.clone(),
            evaluate: vec![true],
        };
        let mut evaluations = engine.advance(&marked)?;
        let begun = Instant::now();
        if let Some(now) = evaluations.first() {
            for before in before {
                let batch_index = before.run.batch_index;
                let mut check =
                    RunCheck::new(engine, before.run, &now[batch_index], &mut self.found);
                check.step(engine, &now[batch_index], &before, step.eta[batch_index])?;
            }
        }
        if step.evaluate != [true] {
            evaluations.clear();
        }
        self.found.checks += 1;
        self.round += 1;
        self.is_checked = true;
        self.spent += prepared + begun.elapsed();
        self.last = Some(Instant::now());
        Ok(evaluations)
    }

    /// Checks the predictions and residuals of states that are about to be stored, unless the step before them was
    /// checked.
    ///
    /// # Errors
    /// As for [`SpotCheck::advance_checked`].
    pub fn check_state(&mut self, engine: &mut dyn Engine, runs: &[RunIndices]) -> Result<()> {
        if self.is_checked() || runs.is_empty() || !self.has_time() {
            return Ok(());
        }
        let begun = Instant::now();
        let runs = self.next_runs(runs.iter());
        let now = engine.predict(Sample::Train)?;
        for &run in &runs {
            let before = StateBefore::new(engine, run, runs.len(), self.round, true)?;
            let mut check = RunCheck::new(engine, run, &now[run.batch_index], &mut self.found);
            check.state(&now[run.batch_index], &before)?;
        }
        self.found.checks += 1;
        self.round += 1;
        self.spent += begun.elapsed();
        self.last.get_or_insert(begun);
        Ok(())
    }

    /// Some of these runs, different ones each time.
    fn next_runs<'a>(&self, runs: impl Iterator<Item = &'a RunIndices>) -> Vec<RunIndices> {
        let runs: Vec<RunIndices> = runs.copied().collect();
        let first = self.round * RUNS;
        let count = runs.len().min(RUNS);
        (first..first + count)
            .map(|k| runs[k % runs.len()])
            .collect()
    }
}
