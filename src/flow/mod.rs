//! The flow: takes an experiment through any engine and into a run folder.
//!
//! experiment → data and particles → engine.advance(steps) → observe → store. Runs of a grid that
//! share d and the format of their state advance together; other batches follow one another.

mod certificates;
mod continuation;
mod dataset_cache;
mod divergence;
mod drive;
#[cfg(test)]
mod faulty_engine;
mod initial_balance;
mod rewind;
mod run_state;
mod spot_check;
mod stopping_target;
#[cfg(test)]
mod tests;
mod timetable;
mod trained_run;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub use certificates::{is_current, read_certificates, write_certificates};
use continuation::{check_continuation, warn_of_changes};
pub use dataset_cache::{DatasetCache, TrainTestSplit};
use drive::{Context, Outcome, drive};
use initial_balance::{InitialBalance, InitialBalances};
use run_state::{End, RunState};
use spot_check::SpotCheck;
use stopping_target::StoppingTargets;
pub use timetable::{EVALUATION_INTERVAL, log_spaced};
pub use trained_run::{TrainedRun, predictions};

use crate::digits::counted;
use crate::engine::{Batch, Engine};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Grid, GridRun, Stop};
use crate::model::{Activation, Run};
use crate::observe::{DriftBaseline, MetricsRow};
use crate::particles::init::Initializer;
use crate::store::{Checkpoint, Elapsed, Metrics, RunFolder, RunSummary, Summary, Writes, blocks};

/// What a progress line shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status {
    /// Runs of the present batch, and how many of them have not ended.
    pub runs: usize,
    pub moving: usize,
    /// Step and total of the run with the most steps left.
    pub step: u64,
    pub steps: u64,
    pub steps_per_second: f64,
    /// Its risk and margin_f1.
    pub risk: Option<f64>,
    pub margin: Option<f64>,
}

/// Restarts, at most, with a new engine after the device was lost.
const RESTARTS: u32 = 3;
/// Pause before the first restart; twice as long before the second, and so on, as a driver needs time to reset a
/// device.
const PAUSE: Duration = Duration::from_millis(500);

/// Receives the progress of a training.
pub trait Progress {
    fn report(&mut self, status: &Status);
}

/// Builds the engine of a batch, with the kernels named by its checkpoints where it resumes.
pub type EngineFactory<'a> = dyn FnMut(Batch, Option<&str>) -> Result<Box<dyn Engine>> + 'a;

/// From what a training starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartMode {
    /// From the initialisation.
    Fresh,
    /// From the newest good checkpoints of the folder; runs that have none yet start fresh.
    Resume,
}

/// Trains every run of an experiment and writes the folder's files. With `spot_check`, some of what
/// the engine computes is recomputed in f64 now and then.
///
/// # Errors
/// [`Error::Diverged`] when some run met a number that is not finite (the others were trained to
/// their ends), [`Error::Interrupted`] when `stop` was raised; everything is on disk then.
pub fn train(
    grid: &Grid,
    folder: &mut RunFolder,
    start: StartMode,
    spot_check: bool,
    make: &mut EngineFactory,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Summary> {
    let mut elapsed = Elapsed::new();
    let mut checkpoints = BTreeMap::new();
    let mut metrics = Metrics::new(&folder.metrics());
    if start == StartMode::Resume {
        for k in 0..grid.runs.len() {
            if let Some(checkpoint) = Checkpoint::newest(&folder.run(k))? {
                checkpoints.insert(k, checkpoint);
            }
        }
        let steps = checkpoints.iter().map(|(&k, c)| (k, c.clock.step));
        metrics = Metrics::reopen(&folder.metrics(), &steps.collect())?;
        if !checkpoints.is_empty() {
            elapsed.go_on(&folder.seconds(), &folder.summary());
        }
    }
    let mut context = Context {
        metrics: &mut metrics,
        progress,
        stop,
        elapsed,
        spot: SpotCheck::new(spot_check),
    };
    let mut datasets = DatasetCache::default();
    let mut batches: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (k, GridRun { experiment, .. }) in grid.runs.iter().enumerate() {
        let kind = (datasets.dimension(experiment)?, experiment.precision.state);
        batches.entry(kind).or_default().push(k);
    }
    datasets.check_initial_files(grid)?;
    for (&k, checkpoint) in &checkpoints {
        check_continuation(checkpoint, &grid.runs[k].experiment, &mut datasets)?;
    }

    let mut targets = StoppingTargets::default();
    let mut summaries = Vec::new();
    let mut engines: Vec<(String, String)> = Vec::new();
    let mut outcome = Outcome::Ended;
    let mut restarts = 0;
    let mut waiting: VecDeque<_> = batches.into_iter().collect();
    while let Some((kind, indices)) = waiting.pop_front() {
        let (batch, split) =
            datasets.batch(kind, indices.iter().map(|&k| &grid.runs[k].experiment))?;
        let from = indices.iter().find_map(|k| checkpoints.get(k));
        let kernels = from.and_then(|c: &Checkpoint| c.label.kernels.as_deref());
        let mut engine = make(batch, kernels)?;
        // Everything that can be wrong with the input is known by now: the folder may be written.
        folder.begin(&grid.to_toml())?;
        context.keep_in(folder)?;
        let files = indices
            .iter()
            .flat_map(|&k| grid.runs[k].experiment.files());
        folder.keep_data(files)?;
        if let Some(checkpoint) = from {
            warn_of_changes(checkpoint, &*engine);
        }
        let described = (engine.name().to_owned(), engine.adapter());
        if !engines.contains(&described) {
            engines.push(described);
        }
        let mut run_states = Vec::new();
        let mut initial_balances = InitialBalances::default();
        let mut writes = Writes::default();
        folder.make_runs(&indices)?;
        for (batch_index, (&k, split)) in indices.iter().zip(split).enumerate() {
            let run = engine.batch().runs[batch_index].clone();
            let (dir, from) = (folder.run(k), checkpoints.get(&k));
            let target = match grid.runs[k].experiment.flow.stop {
                Some(Stop::Gap(gap)) => Some(targets.of(gap, &run, &split.train)?),
                _ => None,
            };
            let identity = datasets.identity(&grid.runs[k].experiment)?;
            let mut run_state = RunState::new(
                k,
                batch_index,
                grid.runs[k].clone(),
                run,
                split,
                identity,
                &dir,
                from,
            )?;
            run_state.target = target;
            let mut rows = context.metrics.rows().iter();
            run_state.measured = rows.rfind(|row| row.run == k).copied();
            initial_balances.add(place(&mut *engine, &mut run_state, from, &mut writes)?);
            run_states.push(run_state);
        }
        writes.commit()?;
        run_states
            .iter_mut()
            .try_for_each(RunState::remove_superseded)?;
        let driven = drive(
            &mut *engine,
            &mut run_states,
            &initial_balances,
            &mut context,
        );
        if driven.is_err() {
            // The rows so far are kept; an error in writing them must not hide the first one.
            let _ = context.metrics.write();
        }
        if let Err(lost @ Error::Lost { .. }) = &driven
            && restarts < RESTARTS
        {
            restarts += 1;
            tracing::warn!(
                "{lost}\n  going on from the last checkpoints, with an engine built anew \
                 (time {restarts} of at most {RESTARTS})"
            );
            std::thread::sleep(PAUSE * restarts);
            for &k in &indices {
                checkpoints.remove(&k);
                if let Some(checkpoint) = Checkpoint::newest(&folder.run(k))? {
                    checkpoints.insert(k, checkpoint);
                }
            }
            let others = |row: &MetricsRow| !indices.contains(&row.run);
            let keep = |row: &MetricsRow| others(row) || is_before(&checkpoints, row);
            context.metrics.retain(keep);
            waiting.push_front((kind, indices));
            continue;
        }
        outcome = driven.map_err(|e| e.with_checkpoints(folder.dir()))?;
        let each = run_states.iter();
        summaries.extend(each.map(|m| (m.summary(&*engine), m.end)));
        if outcome == Outcome::Interrupted {
            break;
        }
    }
    summaries.sort_by_key(|(summary, _)| summary.run);
    let wall_seconds = context.seconds();
    let spot_check = context.spot.found();
    metrics.write()?;
    let joined = |part: fn(&(String, String)) -> &str| {
        let parts: Vec<&str> = engines.iter().map(part).collect();
        parts.join(" and ")
    };
    let summary = Summary {
        engine: joined(|e| &e.0),
        adapter: joined(|e| &e.1),
        version: crate::VERSION.into(),
        wall_seconds,
        spot_check,
        restarts,
        runs: summaries.iter().map(|(s, _)| s.clone()).collect(),
    };
    summary.write(&folder.summary())?;
    verdict(outcome, &summaries, grid, folder)?;
    Ok(summary)
}

/// Whether the run of a row resumes from a later step, so that the row stays.
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

/// The run of an experiment in an engine's terms.
pub fn run_of(spec: &Experiment, train_set: usize, test_set: Option<usize>) -> Run {
    Run {
        m: spec.network.width,
        part: None,
        train_set,
        test_set,
        loss: spec.risk.loss,
        activation: Activation::Relu,
        train: spec.network.train,
        alpha: spec.network.alpha(),
        lambda: spec.risk.weight_decay,
        norm_scaled: spec.norm_scaled(),
        informative: spec.data.informative,
    }
}

/// Interruption and divergence, as errors.
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
