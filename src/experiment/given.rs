//! What a user gave for one run.

use std::collections::BTreeSet;

use toml::Value;

use super::Experiment;
use super::document::{Axis, Document};
use super::fields::misplaced;
use super::mistakes::{Mistakes, Place};
use super::value::{Wrong, describe, number};

/// What the user gave for one run, to name the places of its mistakes, and these.
pub(super) struct Given<'a> {
    pub document: &'a Document,
    /// This run's values of the grid.
    pub swept: &'a [(&'a Axis, &'a Value)],
    pub mistakes: &'a mut Mistakes,
    /// Keys with a mistake in this run.
    pub spoilt: BTreeSet<&'static str>,
}

impl Given<'_> {
    fn swept(&self, key: &str) -> Option<(&Value, &Place)> {
        let (axis, value) = self.swept.iter().find(|(axis, _)| axis.key == key)?;
        Some((value, &axis.place))
    }

    fn get(&self, key: &str) -> Option<(&Value, &Place)> {
        let entry = || self.document.entries.get(key);
        let plain = || entry().map(|entry| (&entry.value, &entry.place));
        self.swept(key).or_else(plain)
    }

    /// Whether a mistake in this key is told already: its value is not known then.
    pub fn is_spoilt(&self, key: &str) -> bool {
        self.mistakes.is_spoilt(key) || self.spoilt.contains(key)
    }

    fn wrong(&mut self, key: &'static str, place: &Place, wrong: Wrong) {
        self.mistakes.add(place, wrong);
        self.spoilt.insert(key);
    }

    /// A mistake unless `ok`. The first of `keys` that the grid sweeps is named, else the first
    /// that was given; `allowed` is what would pass. Nothing follows from a key with a mistake.
    pub fn ensure(&mut self, ok: bool, keys: &[&'static str], allowed: impl Into<String>) {
        if ok || keys.iter().any(|key| self.is_spoilt(key)) {
            return;
        }
        let remedy = format!("allowed: {}", allowed.into());
        let swept = keys.iter().find(|key| self.swept(key).is_some());
        let named = swept.or_else(|| keys.iter().find(|key| self.get(key).is_some()));
        let found = named.and_then(|key| Some((*key, self.get(key)?)));
        match found {
            Some((key, (value, place))) => {
                let (what, place) = (format!("found {}", describe(value)), place.clone());
                self.wrong(key, &place, Wrong::new(what, remedy));
            }
            None => keys
                .iter()
                .take(1)
                .for_each(|key| self.missing(key, &remedy)),
        }
    }

    /// A mistake unless the key was given.
    pub fn require(&mut self, key: &'static str, remedy: &str) {
        if self.get(key).is_none() && !self.is_spoilt(key) {
            self.missing(key, remedy);
        }
    }

    fn missing(&mut self, key: &'static str, remedy: &str) {
        let place = self.document.missing(key);
        self.wrong(
            key,
            &place,
            Wrong::new("is required, but not given", remedy),
        );
    }

    /// Keys that this source or this kind of initialisation has no use for: the user expects
    /// something of them that would not happen. Switched off they expect nothing.
    pub fn refuse_misplaced(&mut self, e: &Experiment) {
        const SWITCHES: [&str; 5] = [
            "data.test",
            "data.noise",
            "data.bias",
            "data.standardize",
            "init.doubled",
        ];
        let swept = self.swept.iter().map(|(axis, _)| axis.key);
        for key in self.document.entries.keys().copied().chain(swept) {
            let decides = match key.starts_with("init.") {
                true => "init.kind",
                false => "data.source",
            };
            if self.is_spoilt(key) || self.is_spoilt(decides) {
                continue;
            }
            let (Some(why), Some((value, place))) = (misplaced(key, e), self.get(key)) else {
                continue;
            };
            let off = *value == Value::Boolean(false) || number(value) == Some(0.0);
            if !(off && SWITCHES.contains(&key)) {
                let (what, place) = (format!("does not apply to {why}"), place.clone());
                self.wrong(key, &place, Wrong::new(what, "remove the key"));
            }
        }
    }
}
