//! The runs of a batch that take the short cut, and their steps.

use rayon::prelude::*;

use super::dual_run::DualRun;
use crate::engine::{Clock, DualState, Evaluation, Steps};
use crate::error::Result;

/// A run that takes the short cut.
pub struct GramRun {
    pub clock: Clock,
    /// Σ η g (n) over the steps taken.
    pub accumulated: Vec<f64>,
    /// Set once the particles are known.
    pub dual_run: Option<DualRun>,
    /// The state from which a resumed run continues.
    pub dual: Option<DualState>,
    /// Whether the inner engine holds the present a.
    pub written_back: bool,
}

impl GramRun {
    /// A run on n samples.
    pub fn new(n: usize) -> Self {
        GramRun {
            clock: Clock::default(),
            accumulated: vec![0.0; n],
            dual_run: None,
            dual: None,
            written_back: true,
        }
    }

    /// Takes steps; steps of size 0 are skipped.
    fn take_steps(&mut self, eta: impl Iterator<Item = f64>) {
        let Some(dual_run) = &mut self.dual_run else {
            return;
        };
        for eta in eta.filter(|&eta| eta != 0.0) {
            if self.clock.diverged.is_none() {
                dual_run.step(eta, &mut self.clock, &mut self.accumulated);
                self.written_back = false;
            }
        }
    }

    /// Its Gram matrix, if a is not known at the present state.
    pub fn without_output(&mut self) -> Option<&mut DualRun> {
        self.dual_run.as_mut().filter(|r| !r.knows_output())
    }
}

/// The runs of a batch, those that do not take the short cut left out.
pub struct GramRuns(Vec<Option<GramRun>>);

impl GramRuns {
    pub fn new(runs: Vec<Option<GramRun>>) -> Self {
        GramRuns(runs)
    }

    pub fn of(&self, run: usize) -> Option<&GramRun> {
        self.0.get(run)?.as_ref()
    }

    pub fn of_mut(&mut self, run: usize) -> Option<&mut GramRun> {
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

    /// The runs of the short cut, each with its number.
    pub fn each(&mut self) -> impl Iterator<Item = (usize, &mut GramRun)> {
        let runs = self.0.iter_mut().enumerate();
        runs.filter_map(|(run, gram_run)| Some((run, gram_run.as_mut()?)))
    }

    /// [`GramRuns::each`], side by side.
    fn each_in_parallel(&mut self) -> impl ParallelIterator<Item = (usize, &mut GramRun)> {
        let runs = self.0.par_iter_mut().enumerate();
        runs.filter_map(|(run, gram_run)| Some((run, gram_run.as_mut()?)))
    }

    /// Whether a of all runs can be computed without their particles.
    pub fn keep_features(&self) -> bool {
        let dual_run = self.0.iter().flatten().map(|gram_run| &gram_run.dual_run);
        dual_run.flatten().all(DualRun::keeps_features)
    }

    /// Computes a where the features were kept.
    pub fn recover(&mut self) {
        let away = (self.each_in_parallel()).filter_map(|(_, gram_run)| gram_run.without_output());
        away.filter(|dual_run| dual_run.keeps_features())
            .for_each(DualRun::recover);
    }

    /// Evaluations of the runs of the short cut in their present states, each with the number of its run.
    /// Their a must be known.
    pub fn evaluations(&mut self) -> Vec<(usize, Evaluation)> {
        let found = self.each_in_parallel().filter_map(|(run, gram_run)| {
            let GramRun {
                dual_run, clock, ..
            } = gram_run;
            let dual_run = dual_run.as_mut()?;
            dual_run.check(clock);
            Some((run, dual_run.evaluation(*clock)))
        });
        found.collect()
    }

    /// Takes the steps of the runs of the short cut, with the evaluations before each step that is marked.
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
            self.each_in_parallel().for_each(|(run, gram_run)| {
                let eta = (first..end).map(|k| steps.eta[k * runs + run]);
                gram_run.take_steps(eta);
            });
            first = end;
        }
        Ok(evaluations)
    }
}
