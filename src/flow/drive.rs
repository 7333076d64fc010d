//! Drives one batch: advance, observe, store, until every run has ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::member::Member;
use super::rewind::Kept;
use super::spot_check::{Place, SpotCheck};
use super::{Progress, Status};
use crate::engine::{Engine, Origins, Sample, Steps};
use crate::error::{Error, Result};
use crate::store::{Elapsed, Metrics, RunFolder, Writes};

/// Steps between two looks at the clock are chosen to take about this long: short enough for a
/// prompt interrupt, long enough to cost nothing. How steps are grouped never changes a bit.
const STRETCH: Duration = Duration::from_millis(250);

/// A run that has ended is stored with all that end within this time: its particles stay as they
/// are, and the rows of metrics are written once for them.
const ENDED_PATIENCE: Duration = Duration::from_secs(1);

/// Steps per stretch, at most: bounds the evaluations held in memory.
const STRETCH_STEPS: u64 = 1024;

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Ended,
    Interrupted,
}

/// Everything around the engine that a batch needs.
pub struct Context<'a> {
    pub metrics: &'a mut Metrics,
    pub progress: &'a mut dyn Progress,
    /// Raised by Ctrl-C.
    pub stop: &'a AtomicBool,
    pub elapsed: Elapsed,
    pub spot: SpotCheck,
}

impl Context<'_> {
    pub fn seconds(&self) -> f64 {
        self.elapsed.seconds()
    }

    /// Has what belongs to all runs kept in this folder.
    pub fn keep_in(&mut self, folder: &RunFolder) -> Result<()> {
        self.metrics.keep_in(&folder.metrics());
        self.elapsed.keep_in(&folder.seconds());
        self.elapsed.save()
    }
}

/// Drives the members of one batch to their ends.
pub fn drive(
    engine: &mut dyn Engine,
    members: &mut [Member],
    origins: &dyn Origins,
    context: &mut Context,
) -> Result<Outcome> {
    let mut pace = Pace::default();
    context.spot.begin();
    let mut last_save = Instant::now();
    loop {
        if members
            .iter()
            .any(|m| m.is_due(&engine.clock(m.slot), context.seconds()))
        {
            observe(engine, members, origins, context, Look::Due)?;
        }
        context.progress.report(&status(engine, members, pace.rate));
        if members.iter().all(|m| m.end.is_some()) {
            save(engine, members, context, Look::Due)?;
            return Ok(Outcome::Ended);
        }
        if context.stop.load(Ordering::Relaxed) {
            observe(engine, members, origins, context, Look::Last)?;
            save(engine, members, context, Look::Last)?;
            return Ok(Outcome::Interrupted);
        }
        let ended = members.iter().any(Member::awaits_storing);
        let patience = Duration::try_from_secs_f64(members[0].spec().output.checkpoint_seconds);
        let patience = patience.unwrap_or(Duration::MAX);
        let patience = if ended {
            patience.min(ENDED_PATIENCE)
        } else {
            patience
        };
        let saves = last_save.elapsed() >= patience;
        if saves && context.spot.vouches() {
            save(engine, members, context, Look::Due)?;
            last_save = Instant::now();
        }
        let watched = context.spot.is_due() || saves && !context.spot.vouches();
        let steps = stretch(engine, members, if watched { 1 } else { pace.steps() });
        let before: Vec<u64> = members.iter().map(|m| engine.clock(m.slot).step).collect();
        let kept = Kept::of(engine, members)?;
        let begun = Instant::now();
        let evaluations = match watched {
            true => context.spot.watch(engine, &places(members), &steps)?,
            false => context.spot.pass(engine, &steps)?,
        };
        for evaluated in evaluations {
            let moving = |m: &&mut Member| m.end.is_none() && m.met().is_none();
            for member in members.iter_mut().filter(moving) {
                member.see(&evaluated[member.slot]);
            }
        }
        Kept::rewind(kept, engine, members)?;
        if !watched {
            pace.measure(steps.len() as u64, begun.elapsed());
        }
        for (member, before) in members.iter().zip(before) {
            let clock = engine.clock(member.slot);
            let moves = member.end.is_none() && member.met().is_none();
            if moves && clock.diverged.is_none() && clock.step == before {
                return Err(standing_still(engine, member, before));
            }
        }
    }
}

/// A step size that is 0 in the engine's precision would keep a run where it is for ever.
fn standing_still(engine: &dyn Engine, member: &Member, step: u64) -> Error {
    let eta = member.eta(step);
    Error::engine(
        engine.name(),
        format!(
            "run {}: η is {eta:e} after {step} steps, which its arithmetic takes for 0",
            member.index
        ),
        "raise flow.step, or choose a flow.schedule that falls more slowly",
    )
}

/// The runs that move.
fn places(members: &[Member]) -> Vec<Place> {
    let moving = members.iter().filter(|m| m.end.is_none());
    moving.map(Member::place).collect()
}

/// Which runs are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Those for which something is due.
    Due,
    /// All that move, before they are left where they are.
    Last,
}

/// Looks at the present state: divergence, records, snapshots, ends. A last look leaves no trace in
/// what a resumed run goes on from.
fn observe(
    engine: &mut dyn Engine,
    members: &mut [Member],
    origins: &dyn Origins,
    context: &mut Context,
    look: Look,
) -> Result<()> {
    let seconds = context.seconds();
    let evaluations = engine.predict(Sample::Train)?;
    let last = look == Look::Last;
    let is_due = |m: &Member| last || m.is_due(&evaluations[m.slot].clock, seconds);
    let tests = if members.iter().any(|m| m.sets.test.is_some() && is_due(m)) {
        engine.predict(Sample::Test)?
    } else {
        Vec::new()
    };
    let mut geometry = None;
    for member in members.iter_mut().filter(|m| m.end.is_none()) {
        let now = &evaluations[member.slot];
        member.see(now);
        if member.end.is_some() || !is_due(member) {
            continue;
        }
        let row = member.row(now, tests.get(member.slot));
        // What is due at this very step was done before.
        let ending = !last && member.stops_at(&row, seconds);
        let recorded = !last && (ending || member.records_at(row.step));
        if recorded || last {
            let geometry = match &geometry {
                Some(known) => known,
                None => geometry.insert(engine.geometry(origins)?),
            };
            let row = member.measure(row, &geometry[member.slot], engine)?;
            if recorded {
                context.metrics.push(row);
            }
        }
        if last {
            continue;
        }
        member.snapshot(engine, ending)?;
        if ending {
            member.end_here(now);
        }
    }
    Ok(())
}

/// Writes what a resume needs: the rows of metrics first, then checkpoints of the runs that move
/// and are finite, and the files of those that have ended. So no checkpoint is ever ahead of its
/// rows: a kill between the two costs steps that are taken again, never a row. A last save leaves
/// every run as a reader of the folder expects it.
fn save(
    engine: &mut dyn Engine,
    members: &mut [Member],
    context: &mut Context,
    look: Look,
) -> Result<()> {
    let stored = members
        .iter()
        .filter(|m| m.end.is_none() || m.awaits_storing());
    let stored: Vec<Place> = stored.map(Member::place).collect();
    context.spot.look(engine, &stored)?;
    context.metrics.write()?;
    context.elapsed.save()?;
    let moving = members.iter().any(|m| m.end.is_none());
    let now = match moving {
        true => engine.predict(Sample::Train)?,
        false => Vec::new(),
    };
    let mut writes = Writes::default();
    for member in members.iter_mut() {
        match member.end {
            None if member.is_finite(&now[member.slot]) => {
                member.checkpoint(engine, &mut writes)?;
                if look == Look::Last {
                    member.finish(engine, &mut writes)?;
                }
            }
            None => {}
            Some(_) => member.store(engine, &mut writes)?,
        }
    }
    writes.commit()?;
    members.iter_mut().try_for_each(Member::settle)
}

/// The next steps: up to the nearest event of any run, `most` at the most.
fn stretch(engine: &dyn Engine, members: &[Member], most: u64) -> Steps {
    let runs = engine.batch().runs.len();
    let active = || members.iter().filter(|m| m.end.is_none());
    let at = |m: &Member| engine.clock(m.slot).step;
    let nearest = active().map(|m| m.next_event(at(m)) - at(m)).min();
    let count = nearest.unwrap_or(0).min(most).max(1);
    let mut steps = Steps::default();
    for k in 0..count {
        let mut eta = vec![0.0; runs];
        for member in active() {
            eta[member.slot] = member.eta(at(member) + k);
        }
        steps.eta.extend(eta);
        steps
            .evaluate
            .push(active().any(|m| m.stops_at_a_state() || m.is_evaluated(at(m) + k)));
    }
    steps
}

fn status(engine: &dyn Engine, members: &[Member], rate: f64) -> Status {
    let at = |m: &Member| engine.clock(m.slot).step;
    // The line shows the run that has the longest way to go.
    let lead = members.iter().max_by_key(|m| {
        let left = m.total().saturating_sub(at(m));
        (m.end.is_none(), left)
    });
    Status {
        runs: members.len(),
        moving: members.iter().filter(|m| m.end.is_none()).count(),
        step: lead.map_or(0, at),
        steps: lead.map_or(0, Member::total),
        steps_per_second: rate,
        risk: lead.and_then(|m| m.last).map(|row| row.risk),
        margin: lead.and_then(|m| m.last).and_then(|row| row.margin_f1),
    }
}

/// How many steps fit in a stretch.
#[derive(Default)]
struct Pace {
    /// Steps per second of the last stretches.
    rate: f64,
}

impl Pace {
    fn steps(&self) -> u64 {
        ((self.rate * STRETCH.as_secs_f64()) as u64).clamp(1, STRETCH_STEPS)
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
