//! The single list of all keys: the field that each sets, its default, and where it applies.

use std::sync::LazyLock;

use toml::Value;

use super::Experiment;
use super::data::{DataSpec, InputDistribution, Source};
use super::forms::Reserved;
use super::schedule::Schedule;
use super::training::{
    FlowSpec, InitKind, InitSpec, NetworkSpec, NormScaled, OutputSpec, PrecisionSpec, RiskSpec,
    Widths,
};
use super::value::{Field, NamedVariant, ValueError, number};
use crate::model::{Loss, Scaling, StateFormat, Train};

/// Keys that have no default.
pub(super) const REQUIRED: [&str; 5] = [
    "data.source",
    "network.width",
    "risk.loss",
    "flow.steps",
    "flow.step",
];

/// Every key, in the order of a resolved file.
pub(super) static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut names = Vec::new();
    visit(&mut template(), &mut |name, _| names.push(name));
    names
});

/// Calls `see` with every key and its field.
pub(super) fn visit(e: &mut Experiment, see: &mut dyn FnMut(&'static str, &mut dyn Field)) {
    see("title", &mut e.title);
    see("seed", &mut e.seed);
    let data = &mut e.data;
    see("data.source", &mut data.source);
    see("data.n", &mut data.n);
    see("data.d", &mut data.d);
    see("data.test", &mut data.test);
    see("data.k", &mut data.k);
    see("data.teacher_width", &mut data.teacher_width);
    see("data.inputs", &mut data.inputs);
    see("data.noise", &mut data.noise);
    see("data.points", &mut data.points);
    see("data.informative", &mut data.informative);
    see("data.path", &mut data.path);
    see("data.targets_path", &mut data.targets_path);
    see("data.target", &mut data.target);
    see("data.classes", &mut data.classes);
    see("data.bias", &mut data.bias);
    see("data.standardize", &mut data.standardize);
    see("data.test_path", &mut data.test_path);
    see("data.test_targets_path", &mut data.test_targets_path);
    see("data.fresh", &mut reserved(false, Value::is_bool));
    see("network.width", &mut e.network.width);
    see("network.train", &mut e.network.train);
    see("network.scaling", &mut e.network.scaling);
    see("init.kind", &mut e.init.kind);
    see("init.scale_w", &mut e.init.scale_w);
    see("init.scale_a", &mut e.init.scale_a);
    see("init.doubled", &mut e.init.doubled);
    see("init.widths", &mut e.init.widths);
    see("init.seed", &mut e.init.seed);
    see("init.path", &mut e.init.path);
    see("risk.loss", &mut e.risk.loss);
    see("risk.weight_decay", &mut e.risk.weight_decay);
    see("flow.steps", &mut e.flow.steps);
    see("flow.step", &mut e.flow.step);
    see("flow.schedule", &mut e.flow.schedule);
    see("flow.norm_scaled", &mut e.flow.norm_scaled);
    see(
        "flow.integrator",
        &mut reserved("euler", |v| v.as_str() == Some("heun")),
    );
    see("flow.batch", &mut reserved(0, |v| v.as_integer() > Some(0)));
    see(
        "flow.temperature",
        &mut reserved(0.0, |v| number(v) > Some(0.0)),
    );
    see("flow.stop", &mut e.flow.stop);
    see("precision.state", &mut e.precision.state);
    see(
        "precision.compensated",
        &mut reserved(false, Value::is_bool),
    );
    see("output.records", &mut e.output.records);
    see("output.snapshots", &mut e.output.snapshots);
    see(
        "output.checkpoint_seconds",
        &mut e.output.checkpoint_seconds,
    );
}

fn reserved(neutral: impl Into<Value>, later: fn(&Value) -> bool) -> Reserved {
    Reserved {
        neutral: neutral.into(),
        later,
    }
}

/// An experiment of defaults. The values of required keys are placeholders that a file always
/// replaces.
pub(super) fn template() -> Experiment {
    Experiment {
        title: String::new(),
        seed: 1,
        data: DataSpec {
            source: Source::Clusters,
            n: None,
            d: None,
            test: 0,
            k: 3,
            teacher_width: 5,
            inputs: InputDistribution::Sphere,
            noise: 0.0,
            points: None,
            informative: None,
            path: None,
            targets_path: None,
            target: None,
            classes: None,
            bias: false,
            standardize: false,
            test_path: None,
            test_targets_path: None,
        },
        network: NetworkSpec {
            width: 0,
            train: Train::Both,
            scaling: Scaling::MeanField,
        },
        init: InitSpec {
            kind: InitKind::Gaussian,
            scale_w: 1.0,
            scale_a: 1.0,
            doubled: false,
            widths: Widths::Nested,
            seed: None,
            path: None,
        },
        risk: RiskSpec {
            loss: Loss::SQUARE,
            weight_decay: 0.0,
        },
        flow: FlowSpec {
            steps: 0,
            step: 0.0,
            schedule: Schedule::Constant,
            norm_scaled: NormScaled::Never,
            stop: None,
        },
        precision: PrecisionSpec {
            state: StateFormat::F32,
            compensated: false,
        },
        output: OutputSpec {
            records: 200,
            snapshots: 40,
            checkpoint_seconds: 60.0,
        },
    }
}

/// Fills in the defaults that depend on the source.
pub(super) fn fill(data: &mut DataSpec) {
    const FOUR_POINTS: [[f64; 2]; 4] = [[-1.0, -1.0], [-0.0625, 0.5], [0.0625, -0.5], [1.0, 1.0]];
    let (n, d) = match data.source {
        Source::Clusters | Source::Teacher => (256, 15),
        Source::Circle => (256, 2),
        Source::Xor => (4, 2),
        Source::Interpolation => {
            let points = data.points.get_or_insert_with(|| FOUR_POINTS.to_vec());
            (points.len(), 2)
        }
        Source::File => return,
    };
    data.n.get_or_insert(n);
    data.d.get_or_insert(d);
}

/// Reads a value into the field of one key.
pub(super) fn read(e: &mut Experiment, key: &str, value: &Value) -> Result<(), ValueError> {
    let mut result = Ok(());
    visit(e, &mut |name, field| {
        if name == key {
            result = field.read(value);
        }
    });
    result
}

/// The keys that apply to this experiment with their values, as an experiment file writes them.
pub(super) fn write(e: &Experiment) -> Vec<(&'static str, Value)> {
    let mut written = Vec::new();
    visit(&mut e.clone(), &mut |name, field| {
        if misplaced(name, e).is_none() {
            written.extend(field.write().map(|value| (name, value)));
        }
    });
    written
}

/// If a key does not apply to this experiment, the text that says where it does.
pub(super) fn misplaced(key: &str, e: &Experiment) -> Option<String> {
    use Source::{Circle, Clusters, File, Interpolation, Teacher, Xor};
    let sources: &[Source] = match key {
        "data.d" => &[Clusters, Teacher, Xor, Interpolation, Circle],
        "data.test" => &[Clusters, Teacher, Circle],
        "data.k" => &[Clusters],
        "data.teacher_width" | "data.noise" => &[Teacher, Circle],
        "data.inputs" => &[Teacher],
        "data.points" => &[Interpolation],
        "data.path"
        | "data.targets_path"
        | "data.target"
        | "data.classes"
        | "data.bias"
        | "data.standardize"
        | "data.test_path"
        | "data.test_targets_path" => &[File],
        _ => Source::ALL,
    };
    use InitKind::{Balanced, Gaussian, HalfSpace, OneSign, Sphere};
    let kinds: &[InitKind] = match key {
        "init.scale_w" | "init.widths" | "init.seed" => {
            &[Sphere, Gaussian, Balanced, HalfSpace, OneSign]
        }
        "init.scale_a" => &[Sphere, Gaussian, HalfSpace, OneSign],
        "init.doubled" => &[Sphere, Gaussian, Balanced, HalfSpace],
        "init.path" => &[InitKind::File],
        _ => InitKind::ALL,
    };
    outside("data.source", e.data.source, sources).or(outside("init.kind", e.init.kind, kinds))
}

fn outside<T: NamedVariant + PartialEq>(of: &str, is: T, allowed: &[T]) -> Option<String> {
    if allowed.contains(&is) {
        return None;
    }
    let names: Vec<_> = allowed.iter().map(|choice| choice.name()).collect();
    Some(format!(
        "{of} = \"{}\"; it is for {}",
        is.name(),
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key in a table of rules that is missing from the list would never apply.
    #[test]
    fn required_keys_are_in_the_list() {
        assert!(REQUIRED.iter().all(|key| NAMES.contains(key)));
    }

    #[test]
    fn every_default_reads_back() {
        for (key, value) in write(&template()) {
            assert!(read(&mut template(), key, &value).is_ok(), "{key}");
        }
    }
}
