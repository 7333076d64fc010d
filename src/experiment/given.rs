//! The keys that a user gave for one run.

use std::collections::BTreeSet;

use toml::Value;

use super::Experiment;
use super::document::{Document, GridKey};
use super::fields::misplaced;
use super::mistakes::{Location, Mistakes};
use super::value::{ValueError, describe, number};

/// The keys that the user gave for one run, with their locations, and the mistakes found in them.
pub(super) struct GivenKeys<'a> {
    pub document: &'a Document,
    /// The grid's keys with their values in this run.
    pub swept: &'a [(&'a GridKey, &'a Value)],
    pub mistakes: &'a mut Mistakes,
    /// Keys with a mistake in this run.
    pub invalid: BTreeSet<&'static str>,
}

impl GivenKeys<'_> {
    fn swept(&self, key: &str) -> Option<(&Value, &Location)> {
        let (grid_key, value) = self
            .swept
            .iter()
            .find(|(grid_key, _)| grid_key.key == key)?;
        Some((value, &grid_key.location))
    }

    fn get(&self, key: &str) -> Option<(&Value, &Location)> {
        let entry = || self.document.entries.get(key);
        let plain = || entry().map(|entry| (&entry.value, &entry.location));
        self.swept(key).or_else(plain)
    }

    /// Whether this key has a reported mistake already; its value is then unknown.
    pub fn is_invalid(&self, key: &str) -> bool {
        self.mistakes.is_invalid(key) || self.invalid.contains(key)
    }

    fn add_mistake(&mut self, key: &'static str, location: &Location, value_error: ValueError) {
        self.mistakes.add(location, value_error);
        self.invalid.insert(key);
    }

    /// Reports a mistake unless `ok`. It is located at the first of `keys` that the grid sweeps,
    /// else at the first that was given; `allowed` describes valid values. Nothing is reported if
    /// one of `keys` has a mistake already.
    pub fn ensure(&mut self, ok: bool, keys: &[&'static str], allowed: impl Into<String>) {
        if ok || keys.iter().any(|key| self.is_invalid(key)) {
            return;
        }
        let remedy = format!("allowed: {}", allowed.into());
        let swept = keys.iter().find(|key| self.swept(key).is_some());
        let named = swept.or_else(|| keys.iter().find(|key| self.get(key).is_some()));
        let found = named.and_then(|key| Some((*key, self.get(key)?)));
        match found {
            Some((key, (value, location))) => {
                let (what, location) = (format!("found {}", describe(value)), location.clone());
                self.add_mistake(key, &location, ValueError::new(what, remedy));
            }
            None => keys
                .iter()
                .take(1)
                .for_each(|key| self.missing(key, &remedy)),
        }
    }

    /// Reports a mistake if the key was not given.
    pub fn require(&mut self, key: &'static str, remedy: &str) {
        if self.get(key).is_none() && !self.is_invalid(key) {
            self.missing(key, remedy);
        }
    }

    fn missing(&mut self, key: &'static str, remedy: &str) {
        let location = self.document.missing(key);
        self.add_mistake(
            key,
            &location,
            ValueError::new("is required, but not given", remedy),
        );
    }

    /// Refuses keys that this source or kind of initialisation does not use, since they would have
    /// no effect. Switches that are off are accepted.
    pub fn refuse_misplaced(&mut self, e: &Experiment) {
        const SWITCHES: [&str; 5] = [
            "data.test",
            "data.noise",
            "data.bias",
            "data.standardize",
            "init.doubled",
        ];
        let swept = self.swept.iter().map(|(grid_key, _)| grid_key.key);
        for key in self.document.entries.keys().copied().chain(swept) {
            let decides = match key.starts_with("init.") {
                true => "init.kind",
                false => "data.source",
            };
            if self.is_invalid(key) || self.is_invalid(decides) {
                continue;
            }
            let (Some(why), Some((value, location))) = (misplaced(key, e), self.get(key)) else {
                continue;
            };
            let off = *value == Value::Boolean(false) || number(value) == Some(0.0);
            if !(off && SWITCHES.contains(&key)) {
                let (what, location) = (format!("does not apply to {why}"), location.clone());
                self.add_mistake(key, &location, ValueError::new(what, "remove the key"));
            }
        }
    }
}
