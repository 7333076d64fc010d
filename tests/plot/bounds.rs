//! Bounds of the optimum in figures.

use widefield::plot::figure::Mark;

use super::common::test_folder::{TestFolder, text};
use super::{experiment, figure};

/// The figures with certified bounds, in the folder and on its page.
#[test]
fn certify_draws_its_bounds() {
    let place = TestFolder::new();
    place.put("e.toml", &experiment("source = \"xor\""));
    place.ok("run e.toml --out a --engine cpu");
    let bounded = |file: &str| {
        let text = std::fs::read_to_string(place.path(file)).unwrap();
        ["bounds of the optimum", "±γ₁"].map(|words| text.contains(words))
    };
    assert_eq!(bounded("a/report.html"), [false, false]);
    place.ok("certify a --no-plots");
    assert_eq!(bounded("a/report.html"), [false, false]);
    place.ok("certify a --no-report");
    assert_eq!(bounded("a/figures/margins.svg"), [true, false]);
    assert_eq!(bounded("a/figures/variation.svg"), [false, true]);
    assert_eq!(bounded("a/report.html"), [false, false]);
    let out = place.run("certify a");
    assert!(text(&out.stderr).contains("a/report.html"), "{out:?}");
    assert_eq!(bounded("a/report.html"), [true, true]);
}

/// The line of the optimum for the law of the features, known in closed form for XOR with Gaussian
/// features.
#[test]
fn the_law_of_the_features_is_a_line() {
    let place = TestFolder::new();
    place.put("e.toml", &experiment("source = \"xor\""));
    let rules = |dir: &str, init: &str, train: &str| -> Vec<f64> {
        place.ok(&format!("run e.toml --out {dir} --engine cpu --no-plots --set init.kind={init} --set network.train={train}"));
        place.ok(&format!("certify {dir} --no-plots"));
        let figure = figure(&place.path(dir), "margins");
        let marks = figure.panels.iter().flat_map(|panel| &panel.marks);
        marks
            .filter_map(|mark| match mark {
                Mark::Rule { y, .. } => Some(*y),
                _ => None,
            })
            .collect()
    };
    let gamma2 = (0.5 - 1.0 / std::f64::consts::PI).sqrt() / 2.0;
    let drawn = rules("a", "gaussian", "output");
    assert_eq!(drawn.len(), 1, "{drawn:?}");
    assert!((drawn[0] - gamma2).abs() <= 1e-6, "{drawn:?}");
    // Without a law in closed form, and with both layers, there is none.
    assert_eq!(rules("b", "half_space", "output"), [0.0; 0]);
    assert_eq!(rules("c", "gaussian", "both"), [0.0; 0]);
}

/// A mean over seeds is drawn with the mean of the seeds' optima, which all widths on the same
/// samples share; but only once every seed has one.
#[test]
fn bounds_are_those_of_the_curves_beside_them() {
    let place = TestFolder::new();
    place.put(
        "e.toml",
        &experiment("source = \"clusters\"\nd = 3\nk = 2\nn = 12"),
    );
    place.ok("run e.toml --out a --engine cpu --no-plots --set grid.network.width=[8,16] --set grid.seed=[1,2]");
    let summary = place.summary("a");
    let narrow = |run: &&serde_json::Value| run["parameters"]["network.width"] == 8;
    let runs = summary["runs"].as_array().unwrap().iter();
    let runs: Vec<u64> = runs
        .filter(narrow)
        .map(|run| run["run"].as_u64().unwrap())
        .collect();
    let bands = || {
        let figures = ["margins", "against-width"].map(|name| figure(&place.path("a"), name));
        let mut found = Vec::new();
        for figure in &figures {
            let mut entries = figure.legend.iter();
            let bounds = entries.find(|entry| entry.label == "bounds of the optimum");
            for mark in figure.panels.iter().flat_map(|panel| &panel.marks) {
                match mark {
                    Mark::Slab { low, high, .. } => found.push(vec![(0.0, *low, *high)]),
                    Mark::Band { points, colour }
                        if bounds.is_some_and(|entry| entry.colour == *colour) =>
                    {
                        found.push(points.clone())
                    }
                    _ => {}
                }
            }
        }
        found
    };
    place.ok(&format!("certify a --no-plots --run {}", runs[0]));
    assert_eq!(bands(), [] as [Vec<_>; 0]);
    place.ok(&format!("certify a --no-plots --run {}", runs[1]));
    let text = std::fs::read(place.path("a/certificate.json")).unwrap();
    let standings: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
    let mean = |key: &str| {
        let each = standings.iter().map(|s| s[key].as_f64().unwrap());
        each.sum::<f64>() / standings.len() as f64
    };
    let (low, high) = (mean("optimum_lower"), mean("optimum_upper"));
    let optima: Vec<f64> = standings
        .iter()
        .map(|s| s["optimum_upper"].as_f64().unwrap())
        .collect();
    assert!((optima[0] / optima[1] - 1.0).abs() > 0.01, "{optima:?}");
    // margin_f1 and margin_param over the steps, and margin_param of both widths.
    let param = (low / 2.0, high / 2.0);
    let close = |found: &(f64, f64, f64), wanted: (f64, f64)| {
        (found.1 - wanted.0).abs() <= 1e-12 && (found.2 - wanted.1).abs() <= 1e-12
    };
    let found = bands();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(close(&found[0][0], (low, high)), "{found:?}");
    assert!(close(&found[1][0], param), "{found:?}");
    let widths: Vec<f64> = found[2].iter().map(|p| p.0).collect();
    assert_eq!(widths, [8.0, 16.0]);
    assert!(found[2].iter().all(|p| close(p, param)), "{found:?}");
}
