//! The flow: trains an experiment on any engine and writes its run folder.
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
mod training;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

pub use certificates::{is_current, read_certificates, write_certificates};
pub use dataset_cache::{DatasetCache, TrainTestSplit};
use drive::{FlowContext, Outcome};
use spot_check::SpotCheck;
pub use timetable::{EVALUATION_INTERVAL, log_spaced};
pub use trained_run::{TrainedRun, predictions};
use training::{Training, newest_checkpoints, records};

use crate::engine::{Batch, Engine};
use crate::error::Result;
use crate::experiment::{Experiment, Grid};
use crate::model::{Activation, Run};
use crate::store::{RunFolder, Summary};

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
    /// Risk and margin_f1 of that run.
    pub risk: Option<f64>,
    pub margin: Option<f64>,
}

/// Receives the progress of a training.
pub trait Progress {
    fn report(&mut self, status: &Status);
}

/// Builds the engine of a batch, with the kernels named by its checkpoints where it resumes.
pub type EngineFactory<'a> = dyn FnMut(Batch, Option<&str>) -> Result<Box<dyn Engine>> + 'a;

/// Where a training starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartMode {
    /// From the initialisation.
    Fresh,
    /// From the newest good checkpoints of the folder; runs that have none yet start fresh.
    Resume,
}

/// Trains every run of an experiment and writes the folder's files. With `spot_check`, some of the engine's
/// results are recomputed in f64 from time to time.
///
/// # Errors
/// [`Diverged`](crate::Error::Diverged) if a run reached a number that is not finite (the others were trained to their
/// ends), [`Interrupted`](crate::Error::Interrupted) if `stop` was set; in both cases everything is on disk.
pub fn train(
    grid: &Grid,
    folder: &mut RunFolder,
    start: StartMode,
    spot_check: bool,
    make: &mut EngineFactory,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Summary> {
    let checkpoints = match start {
        StartMode::Fresh => BTreeMap::new(),
        StartMode::Resume => newest_checkpoints(folder, 0..grid.runs.len())?,
    };
    let (mut metrics, elapsed) = records(folder, start, &checkpoints)?;
    let context = FlowContext {
        metrics: &mut metrics,
        progress,
        stop,
        elapsed,
        spot: SpotCheck::new(spot_check),
    };
    let mut training = Training::new(grid, folder, checkpoints, context);
    let mut waiting = training.batches()?;
    let mut outcome = Outcome::Ended;
    while let Some(batch) = waiting.pop_front() {
        match training.train_batch(&batch, make)? {
            Some(ended) => outcome = ended,
            None => waiting.push_front(batch),
        }
        if outcome == Outcome::Interrupted {
            break;
        }
    }
    training.finish(outcome)
}

/// Converts an experiment to the run of an engine.
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
