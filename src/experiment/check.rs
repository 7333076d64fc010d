//! The rules of an experiment: what each value may be, alone and beside others.

use std::collections::BTreeSet;

use toml::Value;

use super::document::{Axis, Document};
use super::fields::{REQUIRED, misplaced};
use super::mistakes::{Mistakes, Place};
use super::training::{InitKind, Stop};
use super::value::{Choice, Wrong, describe, number};
use super::{Experiment, Schedule, check_data};
use crate::model::{Loss, Scaling, Train};

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
    fn refuse_misplaced(&mut self, e: &Experiment) {
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

/// Checks one run, defaults filled.
pub(super) fn check(e: &Experiment, given: &mut Given) {
    for key in REQUIRED {
        let section = key.split('.').next().unwrap_or_default();
        given.require(key, &format!("give it in the section [{section}]"));
    }
    given.refuse_misplaced(e);
    if !given.is_spoilt("data.source") {
        check_data::check(e, given);
    }
    network(e, given);
    parameter(e, given);
    flow(e, given);
}

fn network(e: &Experiment, given: &mut Given) {
    let width = e.network.width;
    given.ensure(width >= 1, &["network.width"], "1 or more neurons");
    if let Scaling::Alpha(alpha) = e.network.scaling {
        given.ensure(
            positive(alpha),
            &["network.scaling"],
            "a finite alpha above 0",
        );
    }
    let even = !e.init.doubled || width.is_multiple_of(2);
    let allowed = "an even width, since init.doubled takes each w twice";
    given.ensure(even, &["network.width", "init.doubled"], allowed);
    let scale = "a finite number, 0 or more";
    given.ensure(non_negative(e.init.scale_w), &["init.scale_w"], scale);
    given.ensure(non_negative(e.init.scale_a), &["init.scale_a"], scale);
    let least = e.precision.state.least_normal();
    let keeps_digits = |scale: f64| scale == 0.0 || scale >= least;
    let allowed =
        format!("0, or {least:.1e} and more, below which weights lose digits or become 0");
    for (scale, key) in [
        (e.init.scale_w, "init.scale_w"),
        (e.init.scale_a, "init.scale_a"),
    ] {
        given.ensure(
            keeps_digits(scale),
            &[key, "precision.state"],
            allowed.as_str(),
        );
    }
    if e.init.kind == InitKind::File {
        let npz = "an .npz file with w (m,d) and a (m)";
        given.require("init.path", &format!("init.kind = \"file\" reads {npz}"));
        let path = e.init.path.as_deref().and_then(|path| path.extension());
        given.ensure(path.is_some_and(|end| end == "npz"), &["init.path"], npz);
    }
}

fn flow(e: &Experiment, given: &mut Given) {
    let decay = "a finite number, 0 or more";
    given.ensure(
        non_negative(e.risk.weight_decay),
        &["risk.weight_decay"],
        decay,
    );
    given.ensure(
        positive(e.flow.step),
        &["flow.step"],
        "a finite number above 0",
    );
    if let Schedule::Power(power) = e.flow.schedule {
        given.ensure(
            non_negative(power),
            &["flow.schedule"],
            "a finite power, 0 or more",
        );
    }
    match e.flow.stop {
        Some(Stop::Gap(gap)) => {
            given.ensure(positive(gap), &["flow.stop"], "a finite share above 0");
            let decays = e.risk.weight_decay > 0.0;
            let penalised = e.risk.loss.dual().is_some();
            let known = if decays {
                penalised
            } else {
                e.risk.loss.is_classification()
            };
            given.ensure(
                known && e.network.train != Train::Output,
                &["flow.stop", "risk.loss", "risk.weight_decay", "network.train"],
                "a problem whose optimum can be solved for: a classification loss without decay, or square or logistic with it, and not the output layer alone",
            );
        }
        Some(Stop::Risk(risk)) => {
            given.ensure(risk.is_finite(), &["flow.stop"], "a finite risk");
        }
        Some(Stop::Seconds(seconds)) => {
            given.ensure(
                positive(seconds),
                &["flow.stop"],
                "a finite time above 0 seconds",
            );
        }
        None => (),
    }
    let rows = "2 or more: the first and the last step are always among them";
    given.ensure(e.output.records >= 2, &["output.records"], rows);
    let seconds = e.output.checkpoint_seconds;
    let allowed = "a finite number of seconds, 0 or more";
    given.ensure(
        non_negative(seconds),
        &["output.checkpoint_seconds"],
        allowed,
    );
    labels(e, given)
}

/// The parameter of a loss is above 0, also in single precision.
fn parameter(e: &Experiment, given: &mut Given) {
    if let Some((parameter, value)) = e.risk.loss.parameter() {
        let fits = value > 0.0 && (value as f32).is_normal();
        let allowed = format!("a {} above 0 within single precision", parameter.letter);
        given.ensure(fits, &["risk.loss"], allowed);
    }
}

/// Losses of classification take targets ±1. Files are looked at when they are read.
fn labels(e: &Experiment, given: &mut Given) {
    let (loss, source) = (e.risk.loss, e.data.source);
    let fits = !loss.is_classification() || source.has_labels() != Some(false);
    let others = Loss::ALL.iter().filter(|loss| !loss.is_classification());
    let others: Vec<_> = others.map(|loss| format!("\"{}\"", loss.name())).collect();
    let allowed = format!(
        "{} with data.source = \"{}\", whose targets are not ±1; \"{loss}\" goes with clusters, xor or a file of labels",
        others.join(" or "),
        source.name(),
    );
    given.ensure(fits, &["risk.loss", "data.source"], allowed)
}

pub(super) fn positive(x: f64) -> bool {
    x.is_finite() && x > 0.0
}

pub(super) fn non_negative(x: f64) -> bool {
    x.is_finite() && x >= 0.0
}
