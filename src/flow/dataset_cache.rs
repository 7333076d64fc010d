//! The data sets of a grid, each loaded once for all runs that share it.

use std::sync::Arc;

use super::run_of;
use crate::data::{self, Dataset, Standardization};
use crate::engine::Batch;
use crate::error::{Error, Result};
use crate::experiment::{DataSpec, Experiment, Grid, InitKind};
use crate::model::StateFormat;
use crate::particles::init::Initializer;
use crate::store::Identity;

/// The training and test set of one run: a [`data::Split`] with digests, shared with other runs.
#[derive(Debug, Clone)]
pub struct TrainTestSplit {
    pub train: Arc<Dataset>,
    pub test: Option<Arc<Dataset>>,
    /// Digests of both, see [`Dataset::digest`].
    pub train_digest: String,
    pub test_digest: Option<String>,
    pub standardization: Option<Standardization>,
    /// Names of the input columns, if the data file has any.
    pub columns: Vec<String>,
}

/// The splits loaded so far, by the keys that determine them.
#[derive(Default)]
pub struct DatasetCache {
    known: Vec<CachedDatasets>,
}

struct CachedDatasets {
    spec: DataSpec,
    seed: u64,
    labels: bool,
    state: StateFormat,
    split: TrainTestSplit,
}

impl DatasetCache {
    /// The data of a run, loaded or drawn on first use.
    pub fn split(&mut self, experiment: &Experiment) -> Result<TrainTestSplit> {
        let spec = &experiment.data;
        let seed = experiment.data_seed().unwrap_or(0);
        let labels = experiment.risk.loss.is_classification();
        let state = experiment.precision.state;
        let is_same = |w: &&CachedDatasets| {
            w.spec == *spec && (w.seed, w.labels, w.state) == (seed, labels, state)
        };
        if let Some(cached) = self.known.iter().find(is_same) {
            return Ok(cached.split.clone());
        }
        let split = data::load(spec, seed, experiment.risk.loss)?;
        if let Some(k) = spec.informative.filter(|&k| k > split.train.d) {
            return Err(Error::input(
                "data.informative",
                format!("is {k}, and the inputs have {} coordinates", split.train.d),
                "give at most as many",
            ));
        }
        let test = split.test.map(|test| test.rounded(state)).transpose()?;
        let train = split.train.rounded(state)?;
        let split = TrainTestSplit {
            train_digest: train.digest(),
            test_digest: test.as_ref().map(Dataset::digest),
            train: Arc::new(train),
            test: test.map(Arc::new),
            standardization: split.standardization,
            columns: split.columns,
        };
        self.known.push(CachedDatasets {
            spec: spec.clone(),
            seed,
            labels,
            state,
            split: split.clone(),
        });
        Ok(split)
    }

    /// The largest |x_ik| of a run's training inputs.
    pub fn largest_input(&mut self, experiment: &Experiment) -> Result<f64> {
        let train = self.split(experiment)?.train;
        let largest = train.x.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        Ok(f64::from(largest))
    }

    /// Input dimension of a run.
    pub fn dimension(&mut self, experiment: &Experiment) -> Result<usize> {
        Ok(self.split(experiment)?.train.d)
    }

    /// The batch of experiments with the same d and state format, with the data sets of each.
    pub fn batch<'a>(
        &mut self,
        d: usize,
        state: StateFormat,
        experiments: impl Iterator<Item = &'a Experiment>,
    ) -> Result<(Batch, Vec<TrainTestSplit>)> {
        let mut batch = Batch {
            d,
            datasets: Vec::new(),
            runs: Vec::new(),
            state,
        };
        let mut all = Vec::new();
        for experiment in experiments {
            let split = self.split(experiment)?;
            let mut place = |set: &Arc<Dataset>| {
                let known = batch.datasets.iter().position(|s| Arc::ptr_eq(s, set));
                known.unwrap_or_else(|| {
                    batch.datasets.push(set.clone());
                    batch.datasets.len() - 1
                })
            };
            let (train, test) = (place(&split.train), split.test.as_ref().map(&mut place));
            batch.runs.push(run_of(experiment, train, test));
            all.push(split);
        }
        Ok((batch, all))
    }

    /// The identity of a run's states, see [`Identity`].
    ///
    /// # Errors
    /// Data or initial particles that cannot be read.
    pub fn identity(&mut self, experiment: &Experiment) -> Result<Identity> {
        let split = self.split(experiment)?;
        let m = experiment.network.width;
        let init = Initializer::new(&experiment.init, m, split.train.d, experiment.seed)?;
        Ok(Identity::of(
            experiment,
            split.train_digest,
            split.test_digest,
            &init,
        ))
    }

    /// Reads every initialisation that comes from a file, so that errors in it are reported before anything
    /// is written.
    pub fn check_initial_files(&mut self, grid: &Grid) -> Result<()> {
        for run in &grid.runs {
            let spec = &run.experiment;
            if spec.init.kind == InitKind::File {
                let d = self.dimension(spec)?;
                Initializer::new(&spec.init, spec.network.width, d, spec.seed)?;
            }
        }
        Ok(())
    }
}
