//! The inputs on which networks are compared.

use std::path::Path;
use std::sync::Arc;

use super::ensemble::Ensemble;
use crate::data::{Dataset, read_inputs};
use crate::error::{Error, Result};
use crate::flow::DatasetCache;

/// Inputs that several ensembles have in common, as one data set per ensemble: inputs from a file are
/// standardised in the same way as the training inputs of each ensemble.
pub struct CommonInputs {
    /// "train", "test" or "file", with the number of inputs.
    pub parts: Vec<(&'static str, usize)>,
    /// All parts concatenated, for each ensemble.
    pub of: Vec<Dataset>,
}

impl CommonInputs {
    /// The training inputs and the test inputs, each if they are the same for all ensembles, and the inputs
    /// of the file.
    ///
    /// # Errors
    /// Different input dimensions; nothing in common; a file that cannot be used.
    pub fn common(
        ensembles: &[Ensemble],
        datasets: &mut DatasetCache,
        file: Option<&Path>,
    ) -> Result<Self> {
        let sets = ensembles.iter().map(|of| datasets.split(of.any()));
        let sets = sets.collect::<Result<Vec<_>>>()?;
        let place = || {
            let mut dirs: Vec<String> = Vec::new();
            for of in ensembles {
                let dir = of.from.folder.dir().display().to_string();
                if !dirs.contains(&dir) {
                    dirs.push(dir);
                }
            }
            dirs.join(" and ")
        };
        let d = sets.first().map_or(0, |of| of.train.d);
        if let Some(other) = sets.iter().find(|of| of.train.d != d) {
            return Err(Error::input(
                place(),
                format!(
                    "cannot be compared: their inputs have {d} and {} dimensions",
                    other.train.d
                ),
                "compare runs of the same data.d",
            ));
        }
        let mut inputs = CommonInputs {
            parts: Vec::new(),
            of: vec![
                Dataset {
                    d,
                    x: Vec::new(),
                    y: Vec::new()
                };
                ensembles.len()
            ],
        };
        let train: Vec<_> = sets.iter().map(|of| Some(of.train.clone())).collect();
        let test: Vec<_> = sets.iter().map(|of| of.test.clone()).collect();
        for (name, each) in [("train", train), ("test", test)] {
            if let Some(set) = shared(&each) {
                inputs.append(name, (0..each.len()).map(|_| &*set));
            }
        }
        if let Some(path) = file {
            let read = ensembles.iter().zip(&sets).map(|(of, split)| {
                read_inputs(
                    path,
                    d,
                    &of.any().data,
                    split.standardization.as_ref(),
                    &split.columns,
                )
            });
            let read = read.collect::<Result<Vec<_>>>()?;
            inputs.append("file", read.iter());
        }
        if inputs.parts.is_empty() {
            return Err(Error::input(
                place(),
                "cannot be compared: they have neither training nor test inputs in common",
                "give common inputs with --data FILE, or train both on the same data and sweep init.seed instead of seed, which draws the data too",
            ));
        }
        Ok(inputs)
    }

    fn append<'a>(&mut self, name: &'static str, sets: impl Iterator<Item = &'a Dataset>) {
        let mut n = 0;
        for (of, set) in self.of.iter_mut().zip(sets) {
            of.x.extend_from_slice(&set.x);
            of.y.extend_from_slice(&set.y);
            n = set.n();
        }
        if n > 0 {
            self.parts.push((name, n));
        }
    }

    /// Splits predictions on all inputs into those of each part.
    pub fn split<'a>(&self, f: &'a [f64]) -> Vec<&'a [f64]> {
        let mut rest = f;
        let mut part = |&(_, n): &(&str, usize)| {
            let (part, after) = rest.split_at(n.min(rest.len()));
            rest = after;
            part
        };
        self.parts.iter().map(&mut part).collect()
    }
}

/// The data set, if every ensemble has one and their inputs are bitwise equal.
fn shared(sets: &[Option<Arc<Dataset>>]) -> Option<Arc<Dataset>> {
    let first = sets.first()?.clone()?;
    let same = |set: &Option<Arc<Dataset>>| {
        set.as_ref()
            .is_some_and(|set| Arc::ptr_eq(set, &first) || set.x == first.x)
    };
    sets.iter().all(same).then_some(first)
}
