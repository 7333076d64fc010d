//! Describes an experiment in sentences.

use crate::experiment::{Experiment, Grid, InitKind, InputDistribution, Schedule, Source, Stop};
use crate::model::{Scaling, Train};

/// Up to this many values are listed in full; of more, the first ones and the last.
const LISTED: usize = 8;

/// Data, model and training of the experiment: a paragraph each, with a heading.
pub fn paragraphs(grid: &Grid) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("Data", data(grid)),
        ("Network", network(grid)),
        ("Start", start(grid)),
        ("Training", training(grid)),
    ];
    if grid.runs.len() > 1 {
        all.push(("Grid", combinations(grid)));
    }
    all
}

/// The distinct values of a quantity over the runs, as text.
fn each(grid: &Grid, of: impl Fn(&Experiment) -> String) -> String {
    let mut values: Vec<String> = Vec::new();
    for run in &grid.runs {
        let value = of(&run.experiment);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    listed(&values)
}

fn listed(values: &[String]) -> String {
    match values {
        [one] => one.clone(),
        [first @ .., last] if values.len() <= LISTED => format!("{} or {last}", first.join(", ")),
        [first @ .., last] => format!("{}, …, {last}", first[..LISTED - 2].join(", ")),
        [] => String::new(),
    }
}

fn data(grid: &Grid) -> String {
    let n = each(grid, |e| e.data.n.map_or("all".into(), |n| n.to_string()));
    let source = each(grid, |e| match e.data.source {
        Source::Clusters => format!(
            "{} clusters on a grid, each labelled −1 or +1",
            e.data.k * e.data.k
        ),
        Source::Teacher => format!(
            "targets of a teacher of {} ReLU neurons, inputs {}",
            e.data.teacher_width,
            match e.data.inputs {
                InputDistribution::Sphere => "uniform on the unit sphere",
                InputDistribution::Gaussian => "standard Gaussian",
            }
        ),
        Source::Xor => "XOR: four points whose label is the sign of a product".into(),
        Source::Interpolation => "points on a line, with a constant coordinate".into(),
        Source::Circle => format!(
            "inputs on the unit circle, targets of a teacher of {} ReLU neurons",
            e.data.teacher_width
        ),
        Source::File => {
            let path = e.data.path.as_deref();
            path.map_or("a file".into(), |path| path.display().to_string())
        }
    });
    let mut text = format!("n = {n} training samples");
    if grid.runs.iter().any(|run| run.experiment.data.d.is_some()) {
        let d = each(grid, |e| e.data.d.map_or("?".into(), |d| d.to_string()));
        text.push_str(&format!(" in dimension d = {d}"));
    }
    text.push_str(&format!(": {source}"));
    if grid.runs.iter().any(|run| run.experiment.data.noise > 0.0) {
        let noise = each(grid, |e| e.data.noise.to_string());
        text.push_str(&format!("; noise of standard deviation {noise}"));
    }
    let test = each(grid, |e| e.data.test.to_string());
    if test != "0" {
        text.push_str(&format!("; {test} test samples"));
    }
    text + "."
}

fn network(grid: &Grid) -> String {
    let scaling = each(grid, |e| match e.network.scaling {
        Scaling::MeanField => "1 (mean-field)".into(),
        Scaling::Ntk => "√m (tangent kernel)".into(),
        Scaling::Alpha(alpha) => alpha.to_string(),
    });
    format!(
        "f(x) = (α/m) Σ a_j max(w_j·x, 0) with m = {} neurons and α = {scaling}; {} trained.",
        each(grid, |e| e.network.width.to_string()),
        each(grid, |e| match e.network.train {
            Train::Both => "both layers are".into(),
            Train::Output => "the output layer alone is".into(),
            Train::Input => "the input layer alone is".into(),
        })
    )
}

fn start(grid: &Grid) -> String {
    let kind = each(grid, |e| {
        let (w, a) = (e.init.scale_w, e.init.scale_a);
        let mut text = match e.init.kind {
            InitKind::Sphere => format!("w uniform on the sphere of radius {w}, a = ±{a}"),
            InitKind::Gaussian => {
                format!("Gaussian w and a with standard deviations {w} and {a}")
            }
            InitKind::Balanced => {
                format!("Gaussian w with standard deviation {w}, and |a| = |w|")
            }
            InitKind::HalfSpace => {
                format!("w of norm {w} in a cone that does not cover the sphere, |a| = {a}")
            }
            InitKind::OneSign => {
                format!("Gaussian w with standard deviation {w}, all a > 0 of scale {a}")
            }
            InitKind::File => "particles from a file".into(),
        };
        if e.init.doubled {
            text.push_str(", each w twice with opposite a, so that f = 0");
        }
        text
    });
    capital(&kind) + "."
}

fn training(grid: &Grid) -> String {
    let decay = each(grid, |e| e.risk.weight_decay.to_string());
    let decay = match decay.as_str() {
        "0" => "without weight decay".to_owned(),
        _ => format!("with weight decay λ = {decay}"),
    };
    let steps = each(grid, |e| e.flow.steps.to_string());
    let eta = each(grid, |e| {
        let eta = e.flow.step;
        match e.flow.schedule {
            Schedule::Constant => eta.to_string(),
            Schedule::InverseSqrt => format!("{eta}/√(k+2)"),
            Schedule::Power(p) => format!("{eta} (k+1)^(−{p})"),
            Schedule::Cosine => format!("{eta} (1 + cos πk/steps)/2"),
        }
    });
    let loss = each(grid, |e| e.risk.loss.to_string().replace('_', " "));
    let mut text = format!(
        "{} risk, {decay}; {steps} steps of size {eta}",
        capital(&loss)
    );
    if grid.runs.iter().any(|run| run.experiment.norm_scaled()) {
        text.push_str(", times max(1, √(mean a²)) where the experiment says so");
    }
    let stop = each(grid, |e| match e.flow.stop {
        None => String::new(),
        Some(Stop::Gap(gap)) => format!("; stopped at a certified gap of {gap}"),
        Some(Stop::Risk(risk)) => format!("; stopped at a risk of {risk}"),
        Some(Stop::Seconds(seconds)) => format!("; stopped after {seconds} seconds"),
    });
    text + &stop + "."
}

fn combinations(grid: &Grid) -> String {
    let keys = grid.runs.first().map(|run| run.parameters.keys());
    let axes = keys.into_iter().flatten().map(|key| {
        let mut values: Vec<String> = Vec::new();
        for value in grid.runs.iter().filter_map(|run| run.parameters.get(key)) {
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            let value = value.trim_matches(['{', '}', ' ']).to_owned();
            if !values.contains(&value) {
                values.push(value);
            }
        }
        format!("{key} = {}", listed(&values))
    });
    let axes: Vec<String> = axes.collect();
    format!(
        "{} runs, every combination of {}.",
        grid.runs.len(),
        axes.join("; ")
    )
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{load, presets};

    #[test]
    fn every_embedded_experiment_is_described() {
        for preset in presets() {
            let grid = load(preset.name, &[]).unwrap();
            for (heading, text) in paragraphs(&grid) {
                assert!(text.ends_with('.') && text.len() > 20, "{heading}: {text}");
                assert!(
                    !text.contains("  ") && !text.contains(['{', '?']),
                    "{heading}: {text}"
                );
            }
        }
    }

    #[test]
    fn values_of_a_grid_are_listed() {
        let sets = ["grid.seed=[1,2]".into(), "risk.weight_decay=0.001".into()];
        let text = paragraphs(&load("xor", &sets).unwrap());
        let of = |heading| &text.iter().find(|(h, _)| *h == heading).unwrap().1;
        assert!(of("Training").contains("λ = 0.001"), "{text:?}");
        assert_eq!(of("Grid"), "2 runs, every combination of seed = 1 or 2.");
        let many: Vec<String> = (0..20).map(|v| v.to_string()).collect();
        assert_eq!(listed(&many), "0, 1, 2, 3, 4, 5, …, 19");
    }
}
