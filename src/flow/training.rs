//! Trains the runs of a grid batch by batch, from input files and checkpoints to the summary.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::EngineFactory;
use super::StartMode;
use super::continuation::{check_continuation, warn_of_changes};
use super::dataset_cache::{DatasetCache, TrainTestSplit};
use super::divergence;
use super::drive::{FlowContext, Outcome, drive};
use super::initial_balance::{InitialBalance, InitialBalances};
use super::run_state::{End, RunBeginning, RunState};
use super::stopping_target::StoppingTargets;
use crate::digits::counted;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::experiment::{Grid, GridRun, Stop};
use crate::model::StateFormat;
use crate::observe::{DriftBaseline, MetricsRow};
use crate::particles::init::Initializer;
use crate::store::{Checkpoint, Elapsed, Metrics, RunFolder, RunSummary, Summary, Writes, blocks};

/// Largest number of restarts with a new engine after the device was lost.
const RESTARTS: u32 = 3;
/// Pause before the first restart; it doubles with each further restart, as a driver needs time to reset a
/// device.
const PAUSE: Duration = Duration::from_millis(500);

/// The newest good checkpoint of each of these runs, if it has one.
pub fn newest_checkpoints(
    folder: &RunFolder,
    runs: impl IntoIterator<Item = usize>,
) -> Result<BTreeMap<usize, Checkpoint>> {
    let mut found = BTreeMap::new();
    for k in runs {
        if let Some(checkpoint) = Checkpoint::newest(&folder.run(k))? {
            found.insert(k, checkpoint);
        }
    }
    Ok(found)
}

/// The rows of metrics up to the checkpoints, and the computing time so far.
pub fn records(
    folder: &RunFolder,
    start: StartMode,
    checkpoints: &BTreeMap<usize, Checkpoint>,
) -> Result<(Metrics, Elapsed)> {
    let mut elapsed = Elapsed::new();
    let metrics = match start {
        StartMode::Fresh => Metrics::new(&folder.metrics()),
        StartMode::Resume => {
            let steps = checkpoints.iter().map(|(&k, c)| (k, c.clock.step));
            Metrics::reopen(&folder.metrics(), &steps.collect())?
        }
    };
    if !checkpoints.is_empty() {
        elapsed.go_on(&folder.seconds(), &folder.summary());
    }
    Ok((metrics, elapsed))
}

/// Runs that advance together: their common d and state format, and their indices in the grid.
pub type Together = ((usize, StateFormat), Vec<usize>);

/// The training of a grid, batch by batch.
pub struct Training<'a> {
    grid: &'a Grid,
    folder: &'a mut RunFolder,
    /// Checkpoints from which runs start, by index of the run.
    checkpoints: BTreeMap<usize, Checkpoint>,
    context: FlowContext<'a>,
    datasets: DatasetCache,
    targets: StoppingTargets,
    summaries: Vec<(RunSummary, Option<End>)>,
    /// Name and adapter of each engine that was used.
    engines: Vec<(String, String)>,
    restarts: u32,
}

impl<'a> Training<'a> {
    pub fn new(
        grid: &'a Grid,
        folder: &'a mut RunFolder,
        checkpoints: BTreeMap<usize, Checkpoint>,
        context: FlowContext<'a>,
    ) -> Self {
        Training {
            grid,
            folder,
            checkpoints,
            context,
            datasets: DatasetCache::default(),
            targets: StoppingTargets::default(),
            summaries: Vec::new(),
            engines: Vec::new(),
            restarts: 0,
        }
    }

    /// The batches of the grid, after its files and checkpoints were checked.
    pub fn batches(&mut self) -> Result<VecDeque<Together>> {
        let mut batches: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (k, GridRun { experiment, .. }) in self.grid.runs.iter().enumerate() {
            let d = self.datasets.dimension(experiment)?;
            let kind = (d, experiment.precision.state);
            batches.entry(kind).or_default().push(k);
        }
        self.datasets.check_initial_files(self.grid)?;
        for (&k, checkpoint) in &self.checkpoints {
            let experiment = &self.grid.runs[k].experiment;
            check_continuation(checkpoint, experiment, &mut self.datasets)?;
        }
        Ok(batches.into_iter().collect())
    }

    /// Trains a batch; `None` if its device was lost and the batch must be started again.
    pub fn train_batch(
        &mut self,
        (kind, indices): &Together,
        make: &mut EngineFactory,
    ) -> Result<Option<Outcome>> {
        let experiments = indices.iter().map(|&k| &self.grid.runs[k].experiment);
        let &(d, state) = kind;
        let (batch, split) = self.datasets.batch(d, state, experiments)?;
        let from = indices.iter().find_map(|k| self.checkpoints.get(k));
        let kernels = from.and_then(|c: &Checkpoint| c.label.kernels.as_deref());
        let mut engine = make(batch, kernels)?;
        if let Some(checkpoint) = from {
            warn_of_changes(checkpoint, &*engine);
        }
        // An engine that cannot continue from a checkpoint says so before anything is written.
        for checkpoint in indices.iter().filter_map(|k| self.checkpoints.get(k)) {
            checkpoint.check_engine(&*engine)?;
        }
        self.begin(indices, &*engine)?;
        let (mut run_states, balances) = self.place_runs(indices, split, &mut *engine)?;
        let driven = drive(&mut *engine, &mut run_states, &balances, &mut self.context);
        if driven.is_err() {
            // Saves the rows so far; a failure to write them must not hide the first error.
            let _ = self.context.metrics.write();
        }
        if let Err(lost @ Error::Lost { .. }) = &driven
            && self.restarts < RESTARTS
        {
            self.prepare_restart(lost, indices)?;
            return Ok(None);
        }
        let outcome = driven.map_err(|e| e.with_checkpoints(self.folder.dir()))?;
        let each = run_states.iter();
        self.summaries
            .extend(each.map(|m| (m.summary(&*engine), m.end)));
        Ok(Some(outcome))
    }

    /// Writes the initial files of the folder, after all input was checked.
    fn begin(&mut self, indices: &[usize], engine: &dyn Engine) -> Result<()> {
        self.folder.begin(&self.grid.to_toml())?;
        self.context.keep_in(self.folder)?;
        let runs = &self.grid.runs;
        let files = indices.iter().flat_map(|&k| runs[k].experiment.files());
        self.folder.keep_data(files)?;
        let described = (engine.name().to_owned(), engine.adapter());
        if !self.engines.contains(&described) {
            self.engines.push(described);
        }
        self.folder.make_runs(indices)
    }

    /// Puts the particles of all runs of a batch in place.
    fn place_runs(
        &mut self,
        indices: &[usize],
        split: Vec<TrainTestSplit>,
        engine: &mut dyn Engine,
    ) -> Result<(Vec<RunState>, InitialBalances)> {
        let mut run_states = Vec::new();
        let mut balances = InitialBalances::default();
        let mut writes = Writes::default();
        for (batch_index, (&k, split)) in indices.iter().zip(split).enumerate() {
            let run = engine.batch().runs[batch_index].clone();
            let grid_run = &self.grid.runs[k];
            let (dir, from) = (self.folder.run(k), self.checkpoints.get(&k));
            let target = match grid_run.experiment.flow.stop {
                Some(Stop::Gap(gap)) => Some(self.targets.of(gap, &run, &split.train)?),
                _ => None,
            };
            let identity = self.datasets.identity(&grid_run.experiment)?;
            let mut run_state = RunState::new(RunBeginning {
                index: k,
                batch_index,
                grid: grid_run.clone(),
                run,
                split,
                identity,
                dir: &dir,
                from,
            })?;
            run_state.target = target;
            let mut rows = self.context.metrics.rows().iter();
            run_state.measured = rows.rfind(|row| row.run == k).copied();
            balances.add(place(engine, &mut run_state, from, &mut writes)?);
            run_states.push(run_state);
        }
        writes.commit()?;
        run_states
            .iter_mut()
            .try_for_each(RunState::remove_superseded)?;
        Ok((run_states, balances))
    }

    /// Goes back to the last checkpoints after the device was lost.
    fn prepare_restart(&mut self, lost: &Error, indices: &[usize]) -> Result<()> {
        self.restarts += 1;
        tracing::warn!(
            "{lost}\n  going on from the last checkpoints, with an engine built anew \
             (time {} of at most {RESTARTS})",
            self.restarts
        );
        std::thread::sleep(PAUSE * self.restarts);
        self.checkpoints.retain(|k, _| !indices.contains(k));
        let newest = newest_checkpoints(self.folder, indices.iter().copied())?;
        self.checkpoints.extend(newest);
        let others = |row: &MetricsRow| !indices.contains(&row.run);
        let keep = |row: &MetricsRow| others(row) || is_before(&self.checkpoints, row);
        self.context.metrics.retain(keep);
        Ok(())
    }

    /// Writes the summary.
    pub fn finish(mut self, outcome: Outcome) -> Result<Summary> {
        self.summaries.sort_by_key(|(summary, _)| summary.run);
        let wall_seconds = self.context.seconds();
        self.context.metrics.write()?;
        let joined = |part: fn(&(String, String)) -> &str| {
            let parts: Vec<&str> = self.engines.iter().map(part).collect();
            parts.join(" and ")
        };
        let summary = Summary {
            engine: joined(|e| &e.0),
            adapter: joined(|e| &e.1),
            version: crate::VERSION.into(),
            wall_seconds,
            spot_check: self.context.spot.found(),
            restarts: self.restarts,
            runs: self.summaries.iter().map(|(s, _)| s.clone()).collect(),
        };
        summary.write(&self.folder.summary())?;
        verdict(outcome, &self.summaries, self.grid, self.folder)?;
        Ok(summary)
    }
}

/// Whether the run of a row resumes from a later step; then the row is kept.
fn is_before(checkpoints: &BTreeMap<usize, Checkpoint>, row: &MetricsRow) -> bool {
    let from = checkpoints.get(&row.run);
    from.is_some_and(|checkpoint| row.step < checkpoint.clock.step)
}

/// Puts a run's particles in place: from its checkpoint, or from its initialisation, which is then written as the
/// first checkpoint. In both cases its drift is measured from the initialisation.
fn place(
    engine: &mut dyn Engine,
    run_state: &mut RunState,
    from: Option<&Checkpoint>,
    writes: &mut Writes,
) -> Result<InitialBalance> {
    let spec = run_state.spec();
    let (m, d) = (run_state.run.m, engine.batch().d);
    let init = Initializer::new(&spec.init, m, d, spec.seed)?;
    if from.is_none() {
        for range in blocks(m) {
            engine.write(run_state.batch_index, range.start, &init.block(range))?;
        }
    }
    let first = init.block(0..DriftBaseline::particles(m, d));
    run_state.baseline = Some(DriftBaseline::new(
        &run_state.run,
        &first,
        &run_state.split.train,
    ));
    match from {
        Some(checkpoint) => checkpoint.restore(engine, run_state.batch_index)?,
        None => run_state.checkpoint(engine, writes)?,
    }
    Ok(InitialBalance::new(init, m, engine))
}

/// Converts interruption and divergence to errors.
fn verdict(
    outcome: Outcome,
    summaries: &[(RunSummary, Option<End>)],
    grid: &Grid,
    folder: &RunFolder,
) -> Result<()> {
    if outcome == Outcome::Interrupted {
        return Err(Error::Interrupted {
            folder: folder.dir().to_path_buf(),
        });
    }
    let lost: Vec<(usize, u64)> = summaries
        .iter()
        .filter_map(|(summary, end)| match end {
            Some(End::Diverged(step)) => Some((summary.run, *step)),
            _ => None,
        })
        .collect();
    let Some(&(run, step)) = lost.first() else {
        return Ok(());
    };
    let experiment = &grid.runs[run].experiment;
    let largest = DatasetCache::default().largest_input(experiment)?;
    let checkpoint = match Checkpoint::newest(&folder.run(run))? {
        Some(checkpoint) => checkpoint.path().display().to_string(),
        None => "missing".into(),
    };
    Err(Error::Diverged {
        what: format!(
            "{} of {} diverged; run {run}: a weight, prediction, risk or objective was not finite \
             after {}",
            lost.len(),
            counted(summaries.len() as u64, "run"),
            counted(step, "step")
        ),
        remedy: format!(
            "{}; the last finite checkpoint is {checkpoint}",
            divergence::remedy(experiment, largest, step)
        ),
    })
}
