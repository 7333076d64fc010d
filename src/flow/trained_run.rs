//! A trained run, read from a run folder.

use std::sync::Arc;

use super::{TrainTestSplit, run_of};
use crate::data::Dataset;
use crate::engine::{Batch, Engine, Sample, cpu::Cpu, reference::Reference};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Grid};
use crate::model::StateFormat;
use crate::model::ldexp;
use crate::store::{Checkpoint, RunFolder, diverged_at};

/// A run of a folder at its newest good checkpoint.
pub struct TrainedRun {
    pub experiment: Experiment,
    pub checkpoint: Checkpoint,
}

impl TrainedRun {
    /// Run k of a folder with this experiment.
    ///
    /// # Errors
    /// The experiment has no run k, or the run has no checkpoint or only damaged ones.
    pub fn open(folder: &RunFolder, grid: &Grid, k: usize) -> Result<Self> {
        let dir = folder.dir().display();
        let Some(run) = grid.runs.get(k) else {
            return Err(Error::input(
                dir.to_string(),
                format!("has no run {k}"),
                format!("it has runs 0 to {}", grid.runs.len() - 1),
            ));
        };
        let Some(checkpoint) = Checkpoint::newest(&folder.run(k))? else {
            if let Some(step) = diverged_at(folder, k) {
                return Err(Error::input(
                    folder.run(k).display().to_string(),
                    format!("has no checkpoint: run {k} diverged at step {step}"),
                    "train it again with a smaller flow.step, or less decay or scale",
                ));
            }
            return Err(Error::input(
                folder.run(k).display().to_string(),
                "has no checkpoint: the run was never started",
                format!("widefield resume {dir}"),
            ));
        };
        Ok(TrainedRun {
            experiment: run.experiment.clone(),
            checkpoint,
        })
    }

    /// Refuses data other than those on which the run was trained.
    ///
    /// # Errors
    /// The digest of the training samples differs from the checkpoint's.
    pub fn check_data(&self, split: &TrainTestSplit) -> Result<()> {
        let identity = self.checkpoint.label.identity.as_ref();
        if identity.is_none_or(|identity| identity.is_trained_on(&split.train_digest)) {
            return Ok(());
        }
        Err(Error::input(
            self.checkpoint.path().display().to_string(),
            "was trained on other samples than those that its experiment now gives",
            "give the data file the content back that it had",
        ))
    }

    /// An engine with this network alone that predicts on these inputs ([`Sample::Train`]): the cpu engine,
    /// or the reference for a network that was trained in f64.
    pub fn engine(&self, inputs: Dataset) -> Result<Box<dyn Engine>> {
        let batch = Batch {
            d: self.checkpoint.d,
            datasets: vec![Arc::new(inputs)],
            runs: vec![run_of(&self.experiment, 0, None)],
            state: StateFormat::F32,
        };
        let mut engine: Box<dyn Engine> = if self.checkpoint.label.engine == "reference" {
            Box::new(Reference::new(batch))
        } else {
            Box::new(Cpu::new(batch, &Default::default())?)
        };
        self.checkpoint.restore(&mut *engine, 0)?;
        Ok(engine)
    }
}

/// f (n) of an engine's first run on its training inputs, in true units; infinite only if beyond 10³⁰⁸.
pub fn predictions(engine: &mut dyn Engine) -> Result<Vec<f64>> {
    let now = engine.predict(Sample::Train)?.swap_remove(0);
    let p = now.prediction_exponent;
    Ok(now.f.iter().map(|&f| ldexp(f, p)).collect())
}
