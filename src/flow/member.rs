//! One run of a grid on its way through the flow.

use std::path::{Path, PathBuf};

use super::aim::Aim;
use super::spot_check::Place;
use super::timetable::{is_evaluated, log_spaced};
use super::worlds::Sets;
use crate::engine::{Clock, Engine, Evaluation, Geometry};
use crate::error::Result;
use crate::experiment::{Experiment, GridRun, Stop};
use crate::model::Run;
use crate::observe::{ATOM_PARTICLES, Best, Row, Start, atoms, is_finite};
use crate::store::{
    Checkpoint, Checkpoints, Identity, Label, RunSummary, Snapshots, Writes, write_particles,
};

/// The most numbers m (d + 1) of a run whose particles are copied before a stretch of steps.
const KEPT_MOST: usize = 8 << 20;

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
    identity: Identity,
    pub best: Best,
    /// The last look, for the progress line, and the last one at the particles too, for the summary.
    pub last: Option<Row>,
    pub measured: Option<Row>,
    /// Where it started, once that is known.
    pub start: Option<Start>,
    atoms: Option<f64>,
    pub end: Option<End>,
    /// Whether its files are written since it ended.
    stored: bool,
    /// The first step whose state met the criterion that it is to stop at.
    met: Option<u64>,
    /// The stopping criterion that it met, if it met one.
    stopped_by: Option<Stop>,
    /// What it has to reach, if it stops at a certified gap.
    pub aim: Option<Aim>,
    pub dir: PathBuf,
    checkpoints: Checkpoints,
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
        (sets, identity): (Sets, Identity),
        dir: &Path,
        from: Option<&Checkpoint>,
    ) -> Result<Self> {
        let spec = &grid.experiment;
        let (m, d) = (run.m, sets.train.d);
        let snaps = spec.output.snapshots > 0;
        Ok(Member {
            index,
            slot,
            records: log_spaced(spec.output.records, spec.flow.steps),
            snapshot_steps: log_spaced(spec.output.snapshots, spec.flow.steps),
            checkpoints: Checkpoints::new(dir, from),
            snapshots: match from {
                Some(checkpoint) => Snapshots::reopen(dir, m, d, checkpoint.clock.step, snaps)?,
                None => Snapshots::new(dir, m, d),
            },
            best: from.map(|c| c.label.best).unwrap_or_default(),
            grid,
            run,
            sets,
            identity,
            last: None,
            measured: None,
            start: None,
            atoms: None,
            end: None,
            stored: false,
            met: None,
            stopped_by: None,
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
        match self.is_looked_at_always() {
            true => step + 1,
            false => next,
        }
    }

    pub fn records_at(&self, step: u64) -> bool {
        self.records.binary_search(&step).is_ok()
    }

    /// Whether a run at this clock must be looked at: a record, a snapshot, an end.
    pub fn is_due(&self, clock: &Clock, seconds: f64) -> bool {
        let step = clock.step;
        let may_stop = match self.spec().flow.stop {
            Some(Stop::Risk(_) | Stop::Gap(_)) => {
                self.met == Some(step) || self.is_looked_at_always()
            }
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

    /// Whether the state after `step` updates is evaluated for the best margins and for divergence:
    /// at multiples of [`EVALUATION_INTERVAL`](super::EVALUATION_INTERVAL), at records and at the
    /// last step. It depends on the run alone, never on its company in a batch, on speed or on
    /// interruptions.
    pub fn is_evaluated(&self, step: u64) -> bool {
        is_evaluated(step) || self.records_at(step) || step >= self.total()
    }

    /// Takes an evaluation on the training set into account, if it is of a step at which the run is
    /// evaluated. The run ends where a number is not finite.
    pub fn see(&mut self, now: &Evaluation) {
        let step = now.clock.step;
        if let Some(at) = now.clock.diverged {
            self.end = Some(End::Diverged(at));
        } else if !now.is_finite() || (self.is_evaluated(step) && !self.is_finite(now)) {
            self.end = Some(End::Diverged(step));
        } else {
            if self.is_evaluated(step) {
                self.best.update(&self.run, &self.sets.train, now);
            }
            if self.stops_at_a_state() && self.meets(&self.row_of(now, None)) {
                self.met = Some(step);
            }
        }
    }

    /// The first step whose state met the criterion that the run is to stop at, if it has been seen.
    pub fn met(&self) -> Option<u64> {
        self.met
    }

    /// Whether the run ends at a state that meets a criterion, so that all are evaluated.
    pub fn stops_at_a_state(&self) -> bool {
        matches!(self.spec().flow.stop, Some(Stop::Risk(_) | Stop::Gap(_)))
    }

    /// Whether the particles of such a run are copied before each stretch of steps, so that it can be
    /// put back to a state within it. A larger run is checked after every step instead.
    pub fn may_rewind(&self) -> bool {
        self.stops_at_a_state() && self.run.m * (self.sets.train.d + 1) <= KEPT_MOST
    }

    fn is_looked_at_always(&self) -> bool {
        self.stops_at_a_state() && !self.may_rewind()
    }

    fn meets(&self, row: &Row) -> bool {
        match self.spec().flow.stop {
            Some(Stop::Gap(_)) => self.aim.is_some_and(|aim| aim.is_reached(row)),
            Some(Stop::Risk(target)) => row.risk <= target,
            _ => false,
        }
    }

    /// Whether predictions, risk and objective are finite numbers in true units.
    pub fn is_finite(&self, now: &Evaluation) -> bool {
        now.clock.diverged.is_none() && is_finite(&self.run, &self.sets.train, now)
    }

    /// Ends the run at this state.
    pub fn end_here(&mut self, now: &Evaluation) {
        self.best.update(&self.run, &self.sets.train, now);
        self.end = Some(End::Done);
    }

    /// Whether a run with this row, at a moment when it is due, has reached its end.
    pub fn stops_at(&mut self, row: &Row, seconds: f64) -> bool {
        let criterion = match self.spec().flow.stop {
            Some(Stop::Seconds(limit)) => seconds >= limit,
            _ => self.met == Some(row.step) || self.meets(row),
        };
        self.stopped_by = self.spec().flow.stop.filter(|_| criterion);
        criterion || row.step >= self.total()
    }

    /// The row of an evaluated state.
    pub fn row(&mut self, train: &Evaluation, test: Option<&Evaluation>) -> Row {
        let row = self.row_of(train, test);
        self.last = Some(row);
        row
    }

    fn row_of(&self, train: &Evaluation, test: Option<&Evaluation>) -> Row {
        Row::new(
            self.index,
            &self.run,
            (&self.sets.train, train),
            self.sets.test.as_deref().zip(test),
        )
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

    /// Writes the present state, to be settled once it is in place.
    pub fn checkpoint(&mut self, engine: &mut dyn Engine, writes: &mut Writes) -> Result<()> {
        let spec = self.spec();
        let label = Label {
            scaling: self.run.alpha,
            loss: spec.risk.loss.to_string(),
            seed: spec.seed,
            version: crate::VERSION.into(),
            engine: engine.name().into(),
            adapter: engine.adapter(),
            kernels: engine.kernels(),
            best: self.best,
            standardization: self.sets.standardization.clone(),
            identity: Some(self.identity.clone()),
            columns: self.sets.columns.clone(),
        };
        // The steps before a checkpoint are not taken again.
        self.snapshots.sync(writes);
        self.checkpoints.write(engine, self.slot, &label, writes)
    }

    /// Whether the run has ended and its files are still to be written.
    pub fn awaits_storing(&self) -> bool {
        self.end.is_some() && !self.stored
    }

    /// Writes the files of a run that has ended, once.
    pub fn store(&mut self, engine: &mut dyn Engine, writes: &mut Writes) -> Result<()> {
        if self.stored {
            return Ok(());
        }
        match self.end {
            Some(End::Diverged(_)) => self.snapshots.finish(engine.precision(), writes)?,
            _ => {
                self.checkpoint(engine, writes)?;
                self.finish(engine, writes)?;
            }
        }
        self.stored = true;
        Ok(())
    }

    /// Removes what the files just put in place replace.
    pub fn settle(&mut self) -> Result<()> {
        self.checkpoints.settle()?;
        self.snapshots.settle()
    }

    /// Writes what a reader of the folder expects once the run no longer moves.
    pub fn finish(&mut self, engine: &mut dyn Engine, writes: &mut Writes) -> Result<()> {
        self.snapshots.finish(engine.precision(), writes)?;
        let first = engine.read(self.slot, 0..self.run.m.min(ATOM_PARTICLES))?;
        self.atoms = atoms(&first);
        let path = self.dir.join("particles.npz");
        write_particles(&path, engine, self.slot, writes)
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
            steps: match self.end {
                Some(End::Diverged(step)) => step,
                _ => engine.clock(self.slot).step,
            },
            method: engine.method(self.slot).into(),
            kernels: engine.kernels(),
            last: self.measured.as_ref().map(Into::into).unwrap_or_default(),
            atoms: self.atoms,
            best: self.best,
            diverged_at: match self.end {
                Some(End::Diverged(step)) => Some(step),
                _ => None,
            },
            stopped_by: self.stopped_by.map(|stop| stop.name().into()),
        }
    }
}
