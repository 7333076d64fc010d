//! Drives one batch: advance, observe, store, until every run has ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::rewind::RewindPoint;
use super::run_state::RunState;
use super::spot_check::{RunIndices, SpotCheck};
use super::{Progress, Status};
use crate::engine::{Engine, Origins, Sample, Steps};
use crate::error::{Error, Result};
use crate::store::{Elapsed, Metrics, RunFolder, Writes};

/// Target time of one call that takes steps: short enough for a prompt interrupt, long enough that the
/// overhead of calls is negligible. The grouping of steps changes no bit of the results.
const CALL_TIME: Duration = Duration::from_millis(250);

/// Runs that end within this time of each other are stored together, so that metrics are written once for them.
const ENDED_PATIENCE: Duration = Duration::from_secs(1);

/// Largest number of steps in one call: bounds the evaluations held in memory.
const CALL_STEPS: u64 = 1024;

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Ended,
    Interrupted,
}

/// The parts of the flow, besides the engine, that a batch needs.
pub struct FlowContext<'a> {
    pub metrics: &'a mut Metrics,
    pub progress: &'a mut dyn Progress,
    /// Set by Ctrl-C.
    pub stop: &'a AtomicBool,
    pub elapsed: Elapsed,
    pub spot: SpotCheck,
}

impl FlowContext<'_> {
    pub fn seconds(&self) -> f64 {
        self.elapsed.seconds()
    }

    /// Sets the folder for the files that all runs share.
    pub fn keep_in(&mut self, folder: &RunFolder) -> Result<()> {
        self.metrics.keep_in(&folder.metrics());
        self.elapsed.keep_in(&folder.seconds());
        self.elapsed.save()
    }
}

/// Trains the runs of one batch to their ends.
pub fn drive(
    engine: &mut dyn Engine,
    run_states: &mut [RunState],
    initial_balances: &dyn Origins,
    context: &mut FlowContext,
) -> Result<Outcome> {
    let mut step_rate = StepRate::default();
    context.spot.engine_changed();
    let mut last_save = Instant::now();
    loop {
        if run_states
            .iter()
            .any(|m| m.is_due(&engine.clock(m.batch_index), context.seconds()))
        {
            observe(
                engine,
                run_states,
                initial_balances,
                context,
                RunSelection::Due,
            )?;
        }
        context
            .progress
            .report(&status(engine, run_states, step_rate.rate));
        if run_states.iter().all(|m| m.end.is_some()) {
            save(engine, run_states, context, RunSelection::Due)?;
            return Ok(Outcome::Ended);
        }
        if context.stop.load(Ordering::Relaxed) {
            observe(
                engine,
                run_states,
                initial_balances,
                context,
                RunSelection::All,
            )?;
            save(engine, run_states, context, RunSelection::All)?;
            return Ok(Outcome::Interrupted);
        }
        let ended = run_states.iter().any(RunState::awaits_storing);
        let patience = Duration::try_from_secs_f64(run_states[0].spec().output.checkpoint_seconds);
        let patience = patience.unwrap_or(Duration::MAX);
        let patience = if ended {
            patience.min(ENDED_PATIENCE)
        } else {
            patience
        };
        let saves = last_save.elapsed() >= patience;
        if saves && context.spot.is_checked() {
            save(engine, run_states, context, RunSelection::Due)?;
            last_save = Instant::now();
        }
        let checked = context.spot.is_due() || saves && !context.spot.is_checked();
        let steps = steps_to_next_event(
            engine,
            run_states,
            if checked { 1 } else { step_rate.steps() },
        );
        let before: Vec<u64> = run_states
            .iter()
            .map(|m| engine.clock(m.batch_index).step)
            .collect();
        let kept = RewindPoint::of(engine, run_states)?;
        let begun = Instant::now();
        let evaluations = match checked {
            true => context
                .spot
                .advance_checked(engine, &moving_runs(run_states), &steps)?,
            false => context.spot.advance_unchecked(engine, &steps)?,
        };
        for evaluated in evaluations {
            let moving = |m: &&mut RunState| m.end.is_none() && m.criterion_step().is_none();
            for run_state in run_states.iter_mut().filter(moving) {
                run_state.record_evaluation(&evaluated[run_state.batch_index]);
            }
        }
        RewindPoint::rewind(kept, engine, run_states)?;
        if !checked {
            step_rate.measure(steps.len() as u64, begun.elapsed());
        }
        for (run_state, before) in run_states.iter().zip(before) {
            let clock = engine.clock(run_state.batch_index);
            let moves = run_state.end.is_none() && run_state.criterion_step().is_none();
            if moves && clock.diverged.is_none() && clock.step == before {
                return Err(step_rounds_to_zero(engine, run_state, before));
            }
        }
    }
}

/// The error for a step size that is 0 in the engine's precision: the run would never end.
fn step_rounds_to_zero(engine: &dyn Engine, run_state: &RunState, step: u64) -> Error {
    let eta = run_state.eta(step);
    Error::engine(
        engine.name(),
        format!(
            "run {}: η is {eta:e} after {step} steps, which its arithmetic takes for 0",
            run_state.index
        ),
        "raise flow.step, or choose a flow.schedule that falls more slowly",
    )
}

/// The runs that have not ended.
fn moving_runs(run_states: &[RunState]) -> Vec<RunIndices> {
    let moving = run_states.iter().filter(|m| m.end.is_none());
    moving.map(RunState::indices).collect()
}

/// Which runs are observed or saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunSelection {
    /// Those with a record, snapshot, checkpoint or end due.
    Due,
    /// All that have not ended, as the process is about to stop.
    All,
}

/// Observes the present state: divergence, records, snapshots, ends. With [`RunSelection::All`] nothing is
/// recorded, so that a resumed run continues as if it had not been interrupted.
fn observe(
    engine: &mut dyn Engine,
    run_states: &mut [RunState],
    initial_balances: &dyn Origins,
    context: &mut FlowContext,
    selection: RunSelection,
) -> Result<()> {
    let seconds = context.seconds();
    let evaluations = engine.predict(Sample::Train)?;
    let last = selection == RunSelection::All;
    let is_due = |m: &RunState| last || m.is_due(&evaluations[m.batch_index].clock, seconds);
    let tests = if run_states
        .iter()
        .any(|m| m.split.test.is_some() && is_due(m))
    {
        engine.predict(Sample::Test)?
    } else {
        Vec::new()
    };
    let mut geometry = None;
    for run_state in run_states.iter_mut().filter(|m| m.end.is_none()) {
        let now = &evaluations[run_state.batch_index];
        run_state.record_evaluation(now);
        if run_state.end.is_some() || !is_due(run_state) {
            continue;
        }
        let row = run_state.row(now, tests.get(run_state.batch_index));
        // With `All`, everything due at this step is already done.
        let ending = !last && run_state.stops_at(&row, seconds);
        let recorded = !last && (ending || run_state.records_at(row.step));
        if recorded || last {
            let geometry = match &geometry {
                Some(known) => known,
                None => geometry.insert(engine.geometry(initial_balances)?),
            };
            let row = run_state.measure(row, &geometry[run_state.batch_index], engine)?;
            if recorded {
                context.metrics.push(row);
            }
        }
        if last {
            continue;
        }
        run_state.snapshot(engine, ending)?;
        if ending {
            run_state.end_here(now);
        }
    }
    Ok(())
}

/// Writes what a resume needs: first the rows of metrics, then checkpoints of the finite runs that have not
/// ended, and the files of those that have. So no checkpoint is ever of a later step than the rows: after a
/// kill between the two, steps are taken again, and no row is lost. With [`RunSelection::All`] the final
/// files of all runs are written too.
fn save(
    engine: &mut dyn Engine,
    run_states: &mut [RunState],
    context: &mut FlowContext,
    selection: RunSelection,
) -> Result<()> {
    let stored = run_states
        .iter()
        .filter(|m| m.end.is_none() || m.awaits_storing());
    let stored: Vec<RunIndices> = stored.map(RunState::indices).collect();
    context.spot.check_state(engine, &stored)?;
    context.metrics.write()?;
    context.elapsed.save()?;
    let moving = run_states.iter().any(|m| m.end.is_none());
    let now = match moving {
        true => engine.predict(Sample::Train)?,
        false => Vec::new(),
    };
    let mut writes = Writes::default();
    for run_state in run_states.iter_mut() {
        match run_state.end {
            None if run_state.is_finite(&now[run_state.batch_index]) => {
                run_state.checkpoint(engine, &mut writes)?;
                if selection == RunSelection::All {
                    run_state.finish(engine, &mut writes)?;
                }
            }
            None => {}
            Some(_) => run_state.store(engine, &mut writes)?,
        }
    }
    writes.commit()?;
    run_states
        .iter_mut()
        .try_for_each(RunState::remove_superseded)
}

/// The steps up to the next event of any run (a record, a snapshot, its end), and at most `most`.
fn steps_to_next_event(engine: &dyn Engine, run_states: &[RunState], most: u64) -> Steps {
    let runs = engine.batch().runs.len();
    let active = || run_states.iter().filter(|m| m.end.is_none());
    let at = |m: &RunState| engine.clock(m.batch_index).step;
    let nearest = active().map(|m| m.next_event(at(m)) - at(m)).min();
    let count = nearest.unwrap_or(0).min(most).max(1);
    let mut steps = Steps::default();
    for k in 0..count {
        let mut eta = vec![0.0; runs];
        for run_state in active() {
            eta[run_state.batch_index] = run_state.eta(at(run_state) + k);
        }
        steps.eta.extend(eta);
        steps
            .evaluate
            .push(active().any(|m| m.stops_at_a_state() || m.is_evaluated(at(m) + k)));
    }
    steps
}

fn status(engine: &dyn Engine, run_states: &[RunState], rate: f64) -> Status {
    let at = |m: &RunState| engine.clock(m.batch_index).step;
    // The progress line shows the run with the most steps left.
    let lead = run_states.iter().max_by_key(|m| {
        let left = m.total().saturating_sub(at(m));
        (m.end.is_none(), left)
    });
    Status {
        runs: run_states.len(),
        moving: run_states.iter().filter(|m| m.end.is_none()).count(),
        step: lead.map_or(0, at),
        steps: lead.map_or(0, RunState::total),
        steps_per_second: rate,
        risk: lead.and_then(|m| m.last).map(|row| row.risk),
        margin: lead.and_then(|m| m.last).and_then(|row| row.margin_f1),
    }
}

/// Chooses the number of steps in one call from the speed of the previous calls.
#[derive(Default)]
struct StepRate {
    /// Steps per second, averaged over the last calls.
    rate: f64,
}

impl StepRate {
    fn steps(&self) -> u64 {
        ((self.rate * CALL_TIME.as_secs_f64()) as u64).clamp(1, CALL_STEPS)
    }

    fn measure(&mut self, steps: u64, took: Duration) {
        let now = steps as f64 / took.as_secs_f64().max(1e-9);
        self.rate = if self.rate == 0.0 {
            now
        } else {
            0.5 * self.rate + 0.5 * now
        };
    }
}
