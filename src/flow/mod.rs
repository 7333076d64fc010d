//! The flow: takes an experiment through any engine and into a run folder.
//!
//! experiment → data and particles → engine.advance(steps) → observe → store. Runs of a grid that
//! share d and the format of their state advance together; other batches follow one another.

mod aim;
mod certificates;
mod continuation;
mod divergence;
mod drive;
#[cfg(test)]
mod faulty;
mod member;
mod origins;
mod rewind;
mod spot_check;
#[cfg(test)]
mod tests;
mod timetable;
mod trained;
mod worlds;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aim::Aims;
pub use certificates::{is_current, read_certificates, write_certificates};
use continuation::{continues, tell_changes};
use drive::{Context, Outcome, drive};
use member::{End, Member};
use origins::{Beginning, Beginnings};
use spot_check::SpotCheck;
pub use timetable::{EVALUATION_INTERVAL, log_spaced};
pub use trained::{Trained, predictions};
pub use worlds::{Sets, Worlds};

use crate::digits::counted;
use crate::engine::{Batch, Engine};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Grid, GridRun, Stop};
use crate::model::{Activation, Run};
use crate::observe::{Row, Start as Origin};
use crate::particles::init::Initializer;
use crate::store::{Checkpoint, Elapsed, Metrics, RunFolder, RunSummary, Summary, Writes, blocks};

/// What a progress line shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status {
    /// Runs of the present batch, and how many of them still move.
    pub runs: usize,
    pub moving: usize,
    /// Step and total of the run with the longest way to go.
    pub step: u64,
    pub steps: u64,
    pub steps_per_second: f64,
    /// Its risk and margin_f1.
    pub risk: Option<f64>,
    pub margin: Option<f64>,
}

/// How often an engine whose device was lost is built anew, at most.
const RESTARTS: u32 = 3;
/// Before the first time; the second time twice as long, and so on: a driver that resets a device
/// takes a while.
const PAUSE: Duration = Duration::from_millis(500);

/// Who is told how it goes.
pub trait Progress {
    fn report(&mut self, status: &Status);
}

/// Builds the engine of a batch; of one that resumes, with the kernels that its checkpoints name.
pub type MakeEngine<'a> = dyn FnMut(Batch, Option<&str>) -> Result<Box<dyn Engine>> + 'a;

/// Where a training starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
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
    start: Start,
    spot_check: bool,
    make: &mut MakeEngine,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Summary> {
    let mut elapsed = Elapsed::new();
    let mut checkpoints = BTreeMap::new();
    let mut metrics = Metrics::new(&folder.metrics());
    if start == Start::Resume {
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
    let mut worlds = Worlds::default();
    let mut batches: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (k, GridRun { experiment, .. }) in grid.runs.iter().enumerate() {
        let kind = (worlds.dimension(experiment)?, experiment.precision.state);
        batches.entry(kind).or_default().push(k);
    }
    worlds.check_initial_files(grid)?;
    for (&k, checkpoint) in &checkpoints {
        continues(checkpoint, &grid.runs[k].experiment, &mut worlds)?;
    }

    let mut aims = Aims::default();
    let mut summaries = Vec::new();
    let mut engines: Vec<(String, String)> = Vec::new();
    let mut outcome = Outcome::Ended;
    let mut restarts = 0;
    let mut waiting: VecDeque<_> = batches.into_iter().collect();
    while let Some((kind, indices)) = waiting.pop_front() {
        let (batch, sets) =
            worlds.batch(kind, indices.iter().map(|&k| &grid.runs[k].experiment))?;
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
            tell_changes(checkpoint, &*engine);
        }
        let described = (engine.name().to_owned(), engine.adapter());
        if !engines.contains(&described) {
            engines.push(described);
        }
        let mut members = Vec::new();
        let mut beginnings = Beginnings::default();
        let mut writes = Writes::default();
        folder.make_runs(&indices)?;
        for (slot, (&k, sets)) in indices.iter().zip(sets).enumerate() {
            let run = engine.batch().runs[slot].clone();
            let (dir, from) = (folder.run(k), checkpoints.get(&k));
            let aim = match grid.runs[k].experiment.flow.stop {
                Some(Stop::Gap(gap)) => Some(aims.of(gap, &run, &sets.train)?),
                _ => None,
            };
            let identity = worlds.identity(&grid.runs[k].experiment)?;
            let of = (sets, identity);
            let mut member = Member::new(k, slot, grid.runs[k].clone(), run, of, &dir, from)?;
            member.aim = aim;
            let mut rows = context.metrics.rows().iter();
            member.measured = rows.rfind(|row| row.run == k).copied();
            beginnings.add(place(&mut *engine, &mut member, from, &mut writes)?);
            members.push(member);
        }
        writes.commit()?;
        members.iter_mut().try_for_each(Member::settle)?;
        let driven = drive(&mut *engine, &mut members, &beginnings, &mut context);
        if driven.is_err() {
            // The rows so far are worth keeping; that the run failed is what must be told.
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
            let others = |row: &Row| !indices.contains(&row.run);
            let keep = |row: &Row| others(row) || is_before(&checkpoints, row);
            context.metrics.retain(keep);
            waiting.push_front((kind, indices));
            continue;
        }
        outcome = driven.map_err(|e| e.with_checkpoints(folder.dir()))?;
        let each = members.iter();
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

/// Whether the run of a row goes on from a later step.
fn is_before(checkpoints: &BTreeMap<usize, Checkpoint>, row: &Row) -> bool {
    let from = checkpoints.get(&row.run);
    from.is_some_and(|checkpoint| row.step < checkpoint.clock.step)
}

/// Puts a run's particles in place: from its checkpoint, or from its initialisation, which is
/// then the first checkpoint. Either way the initialisation is what its drift is measured from.
fn place(
    engine: &mut dyn Engine,
    member: &mut Member,
    from: Option<&Checkpoint>,
    writes: &mut Writes,
) -> Result<Beginning> {
    let spec = member.spec();
    let (m, d) = (member.run.m, engine.batch().d);
    let init = Initializer::new(&spec.init, m, d, spec.seed)?;
    if from.is_none() {
        for range in blocks(m) {
            engine.write(member.slot, range.start, &init.block(range))?;
        }
    }
    let first = init.block(0..Origin::particles(m, d));
    member.start = Some(Origin::new(&member.run, &first, &member.sets.train));
    match from {
        Some(checkpoint) => checkpoint.restore(engine, member.slot)?,
        None => member.checkpoint(engine, writes)?,
    }
    Ok(Beginning::new(init, m, engine))
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
    let largest = Worlds::default().largest_input(experiment)?;
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
