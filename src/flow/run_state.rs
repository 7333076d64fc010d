//! The state of one run in the flow.

use std::path::{Path, PathBuf};

use super::dataset_cache::TrainTestSplit;
use super::spot_check::RunIndices;
use super::stopping_target::StoppingTarget;
use super::timetable::{is_evaluated, log_spaced};
use crate::engine::{Clock, Engine, Evaluation, Geometry};
use crate::error::Result;
use crate::experiment::{Experiment, GridRun, Stop};
use crate::model::Run;
use crate::observe::{ATOM_PARTICLES, BestMargins, DriftBaseline, MetricsRow, atoms, is_finite};
use crate::store::{
    Checkpoint, Checkpoints, Identity, RunMetadata, RunSummary, Snapshots, Writes, write_particles,
};

/// Largest number of values m (d + 1) of a run whose particles are copied before each group of steps.
const MOST_COPIED: usize = 8 << 20;

/// Why a run has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It took all its steps, or met its stopping criterion.
    Done,
    /// A number was not finite at this step.
    Diverged(u64),
}

/// A run: its experiment and data, what it has reached, and what it records.
pub struct RunState {
    /// Number of the run in the experiment.
    pub index: usize,
    /// Number of the run in the engine's batch.
    pub batch_index: usize,
    pub grid: GridRun,
    pub run: Run,
    pub split: TrainTestSplit,
    identity: Identity,
    pub best: BestMargins,
    /// The last row, for the progress line, and the last one with observables of the particles, for the summary.
    pub last: Option<MetricsRow>,
    pub measured: Option<MetricsRow>,
    /// The initialisation relative to which drift is measured; set once the particles are in place.
    pub baseline: Option<DriftBaseline>,
    atoms: Option<f64>,
    pub end: Option<End>,
    /// Whether its files were written after its end.
    stored: bool,
    /// The first step whose state met the stopping criterion.
    criterion_step: Option<u64>,
    /// The stopping criterion that ended it, if one did.
    stopped_by: Option<Stop>,
    /// The value at which the run stops, if it stops at a certified gap.
    pub target: Option<StoppingTarget>,
    pub dir: PathBuf,
    checkpoints: Checkpoints,
    snapshots: Snapshots,
    records: Vec<u64>,
    snapshot_steps: Vec<u64>,
}

/// The parameters of a new [`RunState`].
pub struct RunBeginning<'a> {
    /// Index of the run in the grid and in the batch.
    pub index: usize,
    pub batch_index: usize,
    pub grid: GridRun,
    pub run: Run,
    pub split: TrainTestSplit,
    pub identity: Identity,
    pub dir: &'a Path,
    pub from: Option<&'a Checkpoint>,
}

impl RunState {
    /// A run at its first step, or at that of the checkpoint it goes on from.
    pub fn new(begin: RunBeginning) -> Result<Self> {
        let RunBeginning {
            index,
            batch_index,
            grid,
            run,
            split,
            identity,
            dir,
            from,
        } = begin;
        let spec = &grid.experiment;
        let (m, d) = (run.m, split.train.d);
        let snaps = spec.output.snapshots > 0;
        Ok(RunState {
            index,
            batch_index,
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
            split,
            identity,
            last: None,
            measured: None,
            baseline: None,
            atoms: None,
            end: None,
            stored: false,
            criterion_step: None,
            stopped_by: None,
            target: None,
            dir: dir.to_path_buf(),
        })
    }

    pub fn spec(&self) -> &Experiment {
        &self.grid.experiment
    }

    pub fn indices(&self) -> RunIndices {
        RunIndices {
            batch_index: self.batch_index,
            index: self.index,
        }
    }

    /// Total number of steps.
    pub fn total(&self) -> u64 {
        self.spec().flow.steps
    }

    /// η of update k.
    pub fn eta(&self, k: u64) -> f64 {
        let flow = &self.spec().flow;
        flow.schedule.step(flow.step, k, flow.steps)
    }

    /// The next step after `step` at which the run is observed; no group of steps goes beyond it.
    pub fn next_event(&self, step: u64) -> u64 {
        let after = |times: &[u64]| times.get(times.partition_point(|&t| t <= step)).copied();
        let mut next = self.total();
        for event in [after(&self.records), after(&self.snapshot_steps)]
            .into_iter()
            .flatten()
        {
            next = next.min(event);
        }
        match self.is_observed_at_every_step() {
            true => step + 1,
            false => next,
        }
    }

    pub fn records_at(&self, step: u64) -> bool {
        self.records.binary_search(&step).is_ok()
    }

    /// Whether the run must be observed at this clock: for a record, a snapshot or an end.
    pub fn is_due(&self, clock: &Clock, seconds: f64) -> bool {
        let step = clock.step;
        let may_stop = match self.spec().flow.stop {
            Some(Stop::Risk(_) | Stop::Gap(_)) => {
                self.criterion_step == Some(step) || self.is_observed_at_every_step()
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
    /// last step. It depends on the run alone, not on other runs of its batch, on speed or on interruptions.
    pub fn is_evaluated(&self, step: u64) -> bool {
        is_evaluated(step) || self.records_at(step) || step >= self.total()
    }

    /// Updates best margins and the stopping criterion from an evaluation on the training set, if the run is
    /// evaluated at its step. The run ends where a number is not finite.
    pub fn record_evaluation(&mut self, now: &Evaluation) {
        let step = now.clock.step;
        if let Some(at) = now.clock.diverged {
            self.end = Some(End::Diverged(at));
        } else if !now.is_finite() || (self.is_evaluated(step) && !self.is_finite(now)) {
            self.end = Some(End::Diverged(step));
        } else {
            if self.is_evaluated(step) {
                self.best.update(&self.run, &self.split.train, now);
            }
            if self.stops_at_a_state() && self.meets(&self.row_of(now, None)) {
                self.criterion_step = Some(step);
            }
        }
    }

    /// The first step whose state met the stopping criterion, if one did.
    pub fn criterion_step(&self) -> Option<u64> {
        self.criterion_step
    }

    /// Whether the stopping criterion depends on the state, so that every state is evaluated.
    pub fn stops_at_a_state(&self) -> bool {
        matches!(self.spec().flow.stop, Some(Stop::Risk(_) | Stop::Gap(_)))
    }

    /// Whether the particles of such a run are copied before each group of steps, so that it can go back to a
    /// state within the group. A larger run is observed after every step instead.
    pub fn may_rewind(&self) -> bool {
        self.stops_at_a_state() && self.run.m * (self.split.train.d + 1) <= MOST_COPIED
    }

    fn is_observed_at_every_step(&self) -> bool {
        self.stops_at_a_state() && !self.may_rewind()
    }

    fn meets(&self, row: &MetricsRow) -> bool {
        match self.spec().flow.stop {
            Some(Stop::Gap(_)) => self.target.is_some_and(|target| target.is_reached(row)),
            Some(Stop::Risk(target)) => row.risk <= target,
            _ => false,
        }
    }

    /// Whether predictions, risk and objective are finite numbers in true units.
    pub fn is_finite(&self, now: &Evaluation) -> bool {
        now.clock.diverged.is_none() && is_finite(&self.run, &self.split.train, now)
    }

    /// Ends the run at this state.
    pub fn end_here(&mut self, now: &Evaluation) {
        self.best.update(&self.run, &self.split.train, now);
        self.end = Some(End::Done);
    }

    /// Whether a run that is due ends with this row.
    pub fn stops_at(&mut self, row: &MetricsRow, seconds: f64) -> bool {
        let criterion = match self.spec().flow.stop {
            Some(Stop::Seconds(limit)) => seconds >= limit,
            _ => self.criterion_step == Some(row.step) || self.meets(row),
        };
        self.stopped_by = self.spec().flow.stop.filter(|_| criterion);
        criterion || row.step >= self.total()
    }

    /// The row of an evaluated state; also stored as the last row.
    pub fn row(&mut self, train: &Evaluation, test: Option<&Evaluation>) -> MetricsRow {
        let row = self.row_of(train, test);
        self.last = Some(row);
        row
    }

    fn row_of(&self, train: &Evaluation, test: Option<&Evaluation>) -> MetricsRow {
        MetricsRow::new(
            self.index,
            &self.run,
            (&self.split.train, train),
            self.split.test.as_deref().zip(test),
        )
    }

    /// The row with the observables of the particles; also stored as the last row with these.
    pub fn measure(
        &mut self,
        row: MetricsRow,
        geometry: &Geometry,
        engine: &mut dyn Engine,
    ) -> Result<MetricsRow> {
        let drift = match &self.baseline {
            Some(baseline) => {
                let first = DriftBaseline::particles(self.run.m, self.split.train.d);
                let block = engine.read(self.batch_index, 0..first)?;
                let exponent = engine.clock(self.batch_index).exponent;
                Some(baseline.drift(&block, exponent, &self.split.train))
            }
            None => None,
        };
        let row = row.with(geometry, drift.as_ref());
        self.measured = Some(row);
        Ok(row)
    }

    /// Takes a snapshot if one is due.
    pub fn snapshot(&mut self, engine: &mut dyn Engine, ending: bool) -> Result<()> {
        let step = engine.clock(self.batch_index).step;
        let due = self.snapshot_steps.binary_search(&step).is_ok();
        if due || (ending && !self.snapshot_steps.is_empty()) {
            self.snapshots.take(engine, self.batch_index)?;
        }
        Ok(())
    }

    /// Writes a checkpoint; [`RunState::remove_superseded`] is to be called once it is in place.
    pub fn checkpoint(&mut self, engine: &mut dyn Engine, writes: &mut Writes) -> Result<()> {
        let spec = self.spec();
        let label = RunMetadata {
            scaling: self.run.alpha,
            loss: spec.risk.loss.to_string(),
            seed: spec.seed,
            version: crate::VERSION.into(),
            engine: engine.name().into(),
            adapter: engine.adapter(),
            kernels: engine.kernels(),
            best: self.best,
            standardization: self.split.standardization.clone(),
            identity: Some(self.identity.clone()),
            columns: self.split.columns.clone(),
        };
        // A resumed run would not take the snapshots before its checkpoint again.
        self.snapshots.sync(writes);
        self.checkpoints
            .write(engine, self.batch_index, &label, writes)
    }

    /// Whether the run has ended and its files are not written yet.
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

    /// Removes the files that the newly written ones replace.
    pub fn remove_superseded(&mut self) -> Result<()> {
        self.checkpoints.remove_superseded()?;
        self.snapshots.remove_superseded()
    }

    /// Writes particles.npz and snapshots.npz, the files of a run that has stopped.
    pub fn finish(&mut self, engine: &mut dyn Engine, writes: &mut Writes) -> Result<()> {
        self.snapshots.finish(engine.precision(), writes)?;
        let first = engine.read(self.batch_index, 0..self.run.m.min(ATOM_PARTICLES))?;
        self.atoms = atoms(&first);
        let path = self.dir.join("particles.npz");
        write_particles(&path, engine, self.batch_index, writes)
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
                _ => engine.clock(self.batch_index).step,
            },
            method: engine.method(self.batch_index).into(),
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
