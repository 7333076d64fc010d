//! The rules of an experiment: the values that each key allows, alone and in combination with other
//! keys.

use super::fields::REQUIRED;
use super::given::GivenKeys;
use super::training::{InitKind, Stop};
use super::value::{NamedVariant, non_negative, positive};
use super::{Experiment, Schedule, check_data};
use crate::model::{Loss, Scaling, Train};

/// Checks one run whose defaults are filled in.
pub(super) fn check(e: &Experiment, given: &mut GivenKeys) {
    for key in REQUIRED {
        let section = key.split('.').next().unwrap_or_default();
        given.require(key, &format!("give it in the section [{section}]"));
    }
    given.refuse_misplaced(e);
    if !given.is_invalid("data.source") {
        check_data::check(e, given);
    }
    network(e, given);
    parameter(e, given);
    flow(e, given);
}

fn network(e: &Experiment, given: &mut GivenKeys) {
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

fn flow(e: &Experiment, given: &mut GivenKeys) {
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

/// The parameter of a loss must be above 0, in single precision too.
fn parameter(e: &Experiment, given: &mut GivenKeys) {
    if let Some((parameter, value)) = e.risk.loss.parameter() {
        let fits = value > 0.0 && (value as f32).is_normal();
        let allowed = format!("a {} above 0 within single precision", parameter.letter);
        given.ensure(fits, &["risk.loss"], allowed);
    }
}

/// Losses of classification need targets ±1. The targets of files are checked when they are read.
fn labels(e: &Experiment, given: &mut GivenKeys) {
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
