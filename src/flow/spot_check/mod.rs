//! A spot check while running: now and then a step is watched, and some of what the engine made of it
//! is recomputed in f64 from the particles that it holds. Beyond what rounding allows, the run stops.
//!
//! A watched step is one that the run takes anyway, by the engine's fast path: predictions are those
//! of the step itself, and particles are read before and after it. Nothing changes a bit of the run.

mod check;
mod exact;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::engine::{Engine, Evaluation, Sample, Steps};
use crate::error::Result;
use crate::store::{Checked, Checks};
use check::{Before, Check};

/// Time from one watched step to the next, at most; one is watched before each checkpoint too.
const INTERVAL: Duration = Duration::from_secs(120);

/// Share of the time that may go into what is left out where it takes long: all but the first check
/// of predictions, which read all particles, and checks of many runs that end.
const SHARE: u32 = 200;

/// Runs looked at in one check, in turns where there are more.
const RUNS: usize = 8;

/// A run that takes part: its number in the batch and in the experiment.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub slot: usize,
    pub index: usize,
}

/// When to check, and what was found so far.
pub struct SpotCheck {
    /// Nothing is checked where the user said so.
    on: bool,
    found: Checks,
    started: Instant,
    spent: Duration,
    last: Option<Instant>,
    /// Whether the step before the present state was watched.
    vouches: bool,
    turn: usize,
}

impl SpotCheck {
    pub fn new(on: bool) -> Self {
        SpotCheck {
            on,
            found: Checks::default(),
            started: Instant::now(),
            spent: Duration::ZERO,
            last: None,
            vouches: false,
            turn: 0,
        }
    }

    /// Another engine starts.
    pub fn begin(&mut self) {
        self.last = None;
        self.vouches = false;
    }

    /// What was found so far.
    pub fn found(&self) -> Checked {
        match self.on {
            true => Checked::On(self.found),
            false => Checked::Off,
        }
    }

    /// Whether the next step is to be watched.
    pub fn is_due(&self) -> bool {
        self.on && self.last.is_none_or(|last| last.elapsed() >= INTERVAL)
    }

    /// Whether the step that led to the present state was watched, or nobody wants to know.
    pub fn vouches(&self) -> bool {
        self.vouches || !self.on
    }

    /// Whether something that takes long fits in its share of the time.
    fn has_time(&self) -> bool {
        self.last.is_none() || self.spent * SHARE <= self.started.elapsed()
    }

    /// Takes steps unwatched.
    pub fn pass(&mut self, engine: &mut dyn Engine, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        self.vouches = false;
        engine.advance(steps)
    }

    /// Takes one step and watches it.
    ///
    /// # Errors
    /// What the engine says, and the first value that is further from f64 than rounding explains.
    pub fn watch(
        &mut self,
        engine: &mut dyn Engine,
        runs: &[Place],
        step: &Steps,
    ) -> Result<Vec<Vec<Evaluation>>> {
        let begun = Instant::now();
        let moving = runs.iter().filter(|run| step.eta[run.slot] != 0.0);
        let runs = self.some(moving);
        let full = self.has_time();
        let mut before = Vec::new();
        for &run in &runs {
            before.push(Before::new(engine, run, runs.len(), self.turn, full)?);
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
                let slot = before.run.slot;
                let mut check = Check::new(engine, before.run, &now[slot], &mut self.found);
                check.step(engine, &now[slot], &before, step.eta[slot])?;
            }
        }
        if step.evaluate != [true] {
            evaluations.clear();
        }
        self.found.checks += 1;
        self.turn += 1;
        self.vouches = true;
        self.spent += prepared + begun.elapsed();
        self.last = Some(Instant::now());
        Ok(evaluations)
    }

    /// Checks states that are about to be stored, unless the step before them was watched: their
    /// predictions and residuals.
    ///
    /// # Errors
    /// As for [`SpotCheck::watch`].
    pub fn look(&mut self, engine: &mut dyn Engine, runs: &[Place]) -> Result<()> {
        if self.vouches() || runs.is_empty() || !self.has_time() {
            return Ok(());
        }
        let begun = Instant::now();
        let runs = self.some(runs.iter());
        let now = engine.predict(Sample::Train)?;
        for &run in &runs {
            let before = Before::new(engine, run, runs.len(), self.turn, true)?;
            let mut check = Check::new(engine, run, &now[run.slot], &mut self.found);
            check.state(&now[run.slot], &before)?;
        }
        self.found.checks += 1;
        self.turn += 1;
        self.spent += begun.elapsed();
        self.last.get_or_insert(begun);
        Ok(())
    }

    /// Some of these runs, others each time.
    fn some<'a>(&self, runs: impl Iterator<Item = &'a Place>) -> Vec<Place> {
        let runs: Vec<Place> = runs.copied().collect();
        let first = self.turn * RUNS;
        let count = runs.len().min(RUNS);
        (first..first + count)
            .map(|k| runs[k % runs.len()])
            .collect()
    }
}
