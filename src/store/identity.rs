//! The experiment and data that determine the states of a run: a checkpoint is only continued with the
//! same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::experiment::Experiment;
use crate::particles::init::Initializer;

/// Keys that may change on a resume: they only concern what is written and when the run ends. Paths may
/// change too, as digests show whether the content is the same.
const FREE: [&str; 10] = [
    "title",
    "flow.stop",
    "output.records",
    "output.snapshots",
    "output.checkpoint_seconds",
    "data.path",
    "data.targets_path",
    "data.test_path",
    "data.test_targets_path",
    "init.path",
];

/// A checkpoint stores the value of flow.steps, as a schedule may depend on it; it may change on a resume.
const STEPS: &str = "flow.steps";

/// The resolved experiment of a run, and digests of the data and particles that it reads or draws.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Identity {
    /// Keys and values, as an experiment file writes them.
    experiment: BTreeMap<String, String>,
    /// Digest of the training samples, after rounding to the engine's format.
    training_data: String,
    test_data: Option<String>,
    /// Digest of initial particles that come from a file.
    initial_particles: Option<String>,
}

impl Identity {
    /// The identity of a run with this initialisation on training and test samples with these digests
    /// ([`Dataset::digest`](crate::data::Dataset::digest)).
    pub fn of(
        experiment: &Experiment,
        training_data: String,
        test_data: Option<String>,
        init: &Initializer,
    ) -> Self {
        let keys = experiment.keys().into_iter();
        let decisive = keys.filter(|(key, _)| !FREE.contains(key));
        Identity {
            experiment: decisive
                .map(|(key, value)| (key.to_owned(), value.to_string()))
                .collect(),
            training_data,
            test_data,
            initial_particles: init.digest(),
        }
    }

    /// The number of steps for which the step sizes of the checkpoint were computed.
    pub fn steps(&self) -> Option<u64> {
        self.experiment.get(STEPS)?.parse().ok()
    }

    /// Whether the training samples have this digest.
    pub fn is_trained_on(&self, digest: &str) -> bool {
        self.training_data == digest
    }

    /// Messages on everything that differs; empty if the run can be continued.
    pub fn differences(&self, now: &Identity) -> Vec<String> {
        let keys = self.experiment.keys().chain(now.experiment.keys());
        let mut keys: Vec<&String> = keys.filter(|key| *key != STEPS).collect();
        keys.sort();
        keys.dedup();
        let value = |of: &Identity, key: &String| match of.experiment.get(key) {
            Some(value) => format!("{key} = {value}"),
            None => format!("no {key}"),
        };
        let mut found: Vec<String> = keys
            .into_iter()
            .filter(|key| self.experiment.get(*key) != now.experiment.get(*key))
            .map(|key| format!("{} instead of {}", value(now, key), value(self, key)))
            .collect();
        let contents = [
            (
                "training samples",
                Some(&self.training_data) == Some(&now.training_data),
            ),
            ("test samples", self.test_data == now.test_data),
            (
                "initial particles",
                self.initial_particles == now.initial_particles,
            ),
        ];
        let changed = contents.into_iter().filter(|(_, same)| !same);
        found.extend(changed.map(|(what, _)| format!("other {what}")));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use crate::experiment::load;

    fn identity(sets: &[&str], x: f32) -> Identity {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let grid = load("xor", &sets).unwrap();
        let experiment = &grid.runs[0].experiment;
        let init = Initializer::new(&experiment.init, 4, 2, experiment.seed).unwrap();
        let data = Dataset {
            d: 2,
            x: vec![x, 1.0],
            y: vec![1.0],
        };
        Identity::of(experiment, data.digest(), Some(data.digest()), &init)
    }

    /// Every difference that changes states is reported; keys of output and of the end of the run may
    /// change.
    #[test]
    fn differences_are_named() {
        let was = identity(&[], 0.5);
        let differences = |sets: &[&str], x| was.differences(&identity(sets, x));
        assert!(differences(&[], 0.5).is_empty());
        for free in [
            "flow.steps=7",
            "output.records=3",
            "title=\"t\"",
            "flow.stop={risk=0.1}",
        ] {
            assert!(differences(&[free], 0.5).is_empty(), "{free}");
        }
        assert_eq!(
            differences(&["seed=9"], 0.5),
            ["seed = 9 instead of seed = 1"]
        );
        for key in [
            "risk.loss=\"square\"",
            "network.scaling=\"ntk\"",
            "flow.step=0.25",
            "risk.weight_decay=0.5",
        ] {
            assert_eq!(differences(&[key], 0.5).len(), 1, "{key}");
        }
        assert_eq!(
            differences(&[], 0.25),
            ["other training samples", "other test samples"]
        );
        assert_eq!(was.steps(), Some(20_000));
        let data = Dataset {
            d: 2,
            x: vec![0.5, 1.0],
            y: vec![1.0],
        };
        assert!(was.is_trained_on(&data.digest()));
    }
}
