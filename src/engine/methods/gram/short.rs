//! The runs of a batch that take the short cut, and their steps.

use rayon::prelude::*;

use super::run::Reduced;
use crate::engine::{Clock, DualState, Evaluation, Steps};
use crate::error::Result;

/// A run that takes the short cut.
pub struct Short {
    pub clock: Clock,
    /// Σ η g (n) over the steps taken.
    pub accumulated: Vec<f64>,
    /// Known once the particles are.
    pub reduced: Option<Reduced>,
    /// Where a resumed run goes on from.
    pub dual: Option<DualState>,
    /// Whether the inner engine holds the present a.
    pub placed: bool,
}

impl Short {
    /// A run on n samples.
    pub fn new(n: usize) -> Self {
        Short {
            clock: Clock::default(),
            accumulated: vec![0.0; n],
            reduced: None,
            dual: None,
            placed: true,
        }
    }

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
    pub fn without_output(&mut self) -> Option<&mut Reduced> {
        self.reduced.as_mut().filter(|r| !r.knows_output())
    }
}

/// The runs of a batch, those that do not take the short cut left out.
pub struct Shorts(Vec<Option<Short>>);

impl Shorts {
    pub fn new(runs: Vec<Option<Short>>) -> Self {
        Shorts(runs)
    }

    pub fn of(&self, run: usize) -> Option<&Short> {
        self.0.get(run)?.as_ref()
    }

    pub fn of_mut(&mut self, run: usize) -> Option<&mut Short> {
        self.0.get_mut(run)?.as_mut()
    }

    /// Runs of the batch.
    pub fn runs(&self) -> usize {
        self.0.len()
    }

    /// Whether no run takes the short cut.
    pub fn none(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Whether every run takes the short cut.
    pub fn alone(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }

    /// The short runs, each with its number.
    pub fn each(&mut self) -> impl Iterator<Item = (usize, &mut Short)> {
        let runs = self.0.iter_mut().enumerate();
        runs.filter_map(|(run, short)| Some((run, short.as_mut()?)))
    }

    /// [`Shorts::each`], side by side.
    fn each_in_parallel(&mut self) -> impl ParallelIterator<Item = (usize, &mut Short)> {
        let runs = self.0.par_iter_mut().enumerate();
        runs.filter_map(|(run, short)| Some((run, short.as_mut()?)))
    }

    /// Whether a of all of them can be had without their particles.
    pub fn keep_features(&self) -> bool {
        let reduced = self.0.iter().flatten().map(|short| &short.reduced);
        reduced.flatten().all(Reduced::keeps_features)
    }

    /// Computes a where the features were kept.
    pub fn recover(&mut self) {
        let away = (self.each_in_parallel()).filter_map(|(_, short)| short.without_output());
        away.filter(|reduced| reduced.keeps_features())
            .for_each(Reduced::recover);
    }

    /// Evaluations of the short runs in their present states, each with the number of its run. a
    /// must be known.
    pub fn evaluations(&mut self) -> Vec<(usize, Evaluation)> {
        let found = self.each_in_parallel().filter_map(|(run, short)| {
            let Short { reduced, clock, .. } = short;
            let reduced = reduced.as_mut()?;
            reduced.check(clock);
            Some((run, reduced.evaluation(*clock)))
        });
        found.collect()
    }

    /// Takes the steps of the short runs, with the evaluations before each step that is marked.
    /// `recover` computes a of all of them.
    pub fn advance(
        &mut self,
        steps: &Steps,
        mut recover: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<Vec<Vec<(usize, Evaluation)>>> {
        let runs = self.runs();
        let mut evaluations = Vec::new();
        // From one evaluation to the next, all runs side by side.
        let mut first = 0;
        while first < steps.len() {
            if steps.evaluate[first] {
                recover(self)?;
                evaluations.push(self.evaluations());
            }
            let later = steps.evaluate[first + 1..].iter().position(|&next| next);
            let end = later.map_or(steps.len(), |k| first + 1 + k);
            self.each_in_parallel().for_each(|(run, short)| {
                let eta = (first..end).map(|k| steps.eta[k * runs + run]);
                short.take(eta);
            });
            first = end;
        }
        Ok(evaluations)
    }
}
