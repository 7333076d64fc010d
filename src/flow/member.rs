//! One run of a grid on its way through the flow.

use std::path::{Path, PathBuf};

use super::aim::Aim;
use super::spot_check::Place;
use super::timetable::{EVALUATION_INTERVAL, is_evaluated, log_spaced};
use super::worlds::Sets;
use crate::engine::{Clock, Engine, Evaluation, Geometry, Run};
use crate::error::Result;
use crate::experiment::{Choice, Experiment, GridRun, Stop};
use crate::observe::{ATOM_PARTICLES, Best, Row, Start, atoms};
use crate::store::{Checkpoint, Label, RunSummary, Snapshots, write_particles};

/// Why a run no longer moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It took all its steps, or met its stopping criterion.
    Done,
    /// A number was not finite at this step.
    Diverged(u64),
}

/// A run: what it is, where it stands, what it has recorded.
pub struct Member {
    /// Number of the run in the experiment.
    pub index: usize,
    /// Number of the run in the engine's batch.
    pub slot: usize,
    pub grid: GridRun,
    pub run: Run,
    pub sets: Sets,
    pub best: Best,
    /// The last look, for the progress line, and the last one at the particles too, for the summary.
    pub last: Option<Row>,
    pub measured: Option<Row>,
    /// Where it started, once that is known.
    pub start: Option<Start>,
    atoms: Option<f64>,
    pub end: Option<End>,
    /// What it has to reach, if it stops at a certified gap.
    pub aim: Option<Aim>,
    pub dir: PathBuf,
    snapshots: Snapshots,
    records: Vec<u64>,
    snapshot_steps: Vec<u64>,
}

impl Member {
    /// A run at its first step, or at that of the checkpoint it goes on from.
    pub fn new(
        index: usize,
        slot: usize,
        grid: GridRun,
        run: Run,
        sets: Sets,
        dir: &Path,
        from: Option<&Checkpoint>,
    ) -> Result<Self> {
        let spec = &grid.experiment;
        let (m, d) = (run.m, sets.train.d);
        Ok(Member {
            index,
            slot,
            records: log_spaced(spec.output.records, spec.flow.steps),
            snapshot_steps: log_spaced(spec.output.snapshots, spec.flow.steps),
            snapshots: match from {
                Some(checkpoint) => Snapshots::reopen(dir, m, d, checkpoint.clock.step)?,
                None => Snapshots::new(dir, m, d),
            },
            best: from.map(|c| c.label.best).unwrap_or_default(),
            grid,
            run,
            sets,
            last: None,
            measured: None,
            start: None,
            atoms: None,
            end: None,
            aim: None,
            dir: dir.to_path_buf(),
        })
    }

    pub fn spec(&self) -> &Experiment {
        &self.grid.experiment
    }

    pub fn place(&self) -> Place {
        Place {
            slot: self.slot,
            index: self.index,
        }
    }

    /// Steps in all.
    pub fn total(&self) -> u64 {
        self.spec().flow.steps
    }

    /// η of update k.
    pub fn eta(&self, k: u64) -> f64 {
        let flow = &self.spec().flow;
        flow.schedule.step(flow.step, k, flow.steps)
    }

    /// The next step after `step` at which the run must stand still to be looked at.
    pub fn next_event(&self, step: u64) -> u64 {
        let after = |times: &[u64]| times.get(times.partition_point(|&t| t <= step)).copied();
        let mut next = self.total();
        for event in [after(&self.records), after(&self.snapshot_steps)]
            .into_iter()
            .flatten()
        {
            next = next.min(event);
        }
        if let Some(Stop::Risk(_) | Stop::Gap(_)) = self.spec().flow.stop {
            // So that a run stops at the same step however its steps are grouped.
            next = next.min((step / EVALUATION_INTERVAL + 1) * EVALUATION_INTERVAL);
        }
        next
    }

    pub fn records_at(&self, step: u64) -> bool {
        self.records.binary_search(&step).is_ok()
    }

    /// Whether a run at this clock must be looked at: a record, a snapshot, an end.
    pub fn is_due(&self, clock: &Clock, seconds: f64) -> bool {
        let step = clock.step;
        let may_stop = match self.spec().flow.stop {
            Some(Stop::Risk(_) | Stop::Gap(_)) => is_evaluated(step),
            Some(Stop::Seconds(limit)) => seconds >= limit,
            None => false,
        };
        self.end.is_none()
            && (clock.diverged.is_some()
                || step >= self.total()
                || may_stop
                || self.records_at(step)
                || self.snapshot_steps.binary_search(&step).is_ok())
    }

    /// Takes an evaluation on the training set into account.
    pub fn see(&mut self, now: &Evaluation) {
        if now.is_finite() {
            self.best.update(&self.run, &self.sets.train, now);
        }
    }

    /// Whether a run with this row, at a moment when it is due, has reached its end.
    pub fn stops_at(&self, row: &Row, seconds: f64) -> bool {
        let criterion = match self.spec().flow.stop {
            Some(Stop::Gap(_)) => {
                let reached = |aim: Aim| aim.is_reached(row, &self.best);
                is_evaluated(row.step) && self.aim.is_some_and(reached)
            }
            Some(Stop::Risk(target)) => is_evaluated(row.step) && row.risk <= target,
            Some(Stop::Seconds(limit)) => seconds >= limit,
            None => false,
        };
        criterion || row.step >= self.total()
    }

    /// The row of an evaluated state.
    pub fn row(&mut self, train: &Evaluation, test: Option<&Evaluation>) -> Row {
        let row = Row::new(
            self.index,
            &self.run,
            (&self.sets.train, train),
            self.sets.test.as_deref().zip(test),
        );
        self.last = Some(row);
        row
    }

    /// The last row, with what the particles show.
    pub fn measure(
        &mut self,
        row: Row,
        geometry: &Geometry,
        engine: &mut dyn Engine,
    ) -> Result<Row> {
        let drift = match &self.start {
            Some(start) => {
                let first = Start::particles(self.run.m, self.sets.train.d);
                let block = engine.read(self.slot, 0..first)?;
                let exponent = engine.clock(self.slot).exponent;
                Some(start.drift(&block, exponent, &self.sets.train))
            }
            None => None,
        };
        let row = row.with(geometry, drift.as_ref());
        self.measured = Some(row);
        Ok(row)
    }

    /// Takes a snapshot if one is due.
    pub fn snapshot(&mut self, engine: &mut dyn Engine, ending: bool) -> Result<()> {
        let step = engine.clock(self.slot).step;
        let due = self.snapshot_steps.binary_search(&step).is_ok();
        if due || (ending && !self.snapshot_steps.is_empty()) {
            self.snapshots.take(engine, self.slot)?;
        }
        Ok(())
    }

    pub fn checkpoint(&self, engine: &mut dyn Engine) -> Result<()> {
        let spec = self.spec();
        let label = Label {
            scaling: self.run.alpha,
            loss: spec.risk.loss.name().into(),
            seed: spec.seed,
            version: crate::VERSION.into(),
            engine: engine.name().into(),
            adapter: engine.adapter(),
            kernels: engine.kernels(),
            best: self.best,
            standardization: self.sets.standardization.clone(),
        };
        Checkpoint::write(&self.dir, engine, self.slot, &label)
    }

    /// Writes what a reader of the folder expects once the run no longer moves.
    pub fn finish(&mut self, engine: &mut dyn Engine) -> Result<()> {
        self.snapshots.finish(engine.precision())?;
        if !matches!(self.end, Some(End::Diverged(_))) {
            let first = engine.read(self.slot, 0..self.run.m.min(ATOM_PARTICLES))?;
            self.atoms = atoms(&first);
            write_particles(&self.dir.join("particles.npz"), engine, self.slot)?;
        }
        Ok(())
    }

    pub fn summary(&self, engine: &dyn Engine) -> RunSummary {
        RunSummary {
            run: self.index,
            parameters: self
                .grid
                .parameters
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), serde_json::to_value(value).ok()?)))
                .collect(),
            steps: engine.clock(self.slot).step,
            method: engine.method(self.slot).into(),
            kernels: engine.kernels(),
            last: self.measured.as_ref().map(Into::into).unwrap_or_default(),
            atoms: self.atoms,
            best: self.best,
            diverged_at: match self.end {
                Some(End::Diverged(step)) => Some(step),
                _ => None,
            },
        }
    }
}
