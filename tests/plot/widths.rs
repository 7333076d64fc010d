//! Figures of compared widths, and of runs that ended at different steps.

use widefield::plot::figure::Mark;
use widefield::plot::{Figure, render};

use super::common::test_folder::TestFolder;
use super::{drawn, experiment, figure, found, labels_of, series, whole};

/// An experiment that is compared quickly.
fn teacher(more: &str) -> String {
    let text = experiment(&format!(
        "source = \"teacher\"\nd = 3\nn = 10\ntest = 9\n{more}"
    ));
    text.replace("softmin", "square")
}

type Points = Vec<(f64, f64)>;

/// The lines and the dots of a panel.
fn lines_and_dots(figure: &Figure, k: usize) -> (Vec<Points>, Points) {
    let marks = figure.panels[k].marks.iter();
    let lines = marks.clone().filter_map(|mark| match mark {
        Mark::Line { points, .. } => Some(points.clone()),
        _ => None,
    });
    let dots = marks.flat_map(|mark| match mark {
        Mark::Dots { dots } => dots.iter().map(|dot| (dot.x, dot.y)).collect(),
        _ => Vec::new(),
    });
    (lines.collect(), dots.collect())
}

/// The variance with its fitted law, and the gaps with their noise floors, as `compare` stored
/// them.
#[test]
fn widths_show_what_was_compared() {
    let place = TestFolder::new();
    place.put("e.toml", &teacher("[init]\nwidths = \"disjoint\""));
    place.ok("run e.toml --out a --engine cpu --no-plots --set grid.network.width=[8,16,64] --set grid.init.seed=[1,2,3,4]");
    let dir = place.path("a");
    assert_eq!(found(&dir, "widths"), None);
    place.ok("compare a --no-plots");
    assert!(!dir.join("figures").exists());
    place.ok("compare a");
    assert!(drawn(&dir).contains("widths"));
    let page = std::fs::read_to_string(dir.join("report.html")).unwrap();
    let right = figure(&dir, "widths");
    let stored = std::fs::read_to_string(dir.join("compare.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&stored).unwrap();
    let laws = report["variance"].as_array().unwrap();
    let law = laws.iter().find(|law| law["inputs"] == "test").unwrap();
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let (s, error) = (number(&law["exponent"]), number(&law["standard_error"]));
    let fit = format!("fit: exponent {s:.2} ± {error:.2}").replace('-', "−");
    let labels: Vec<&str> = right.legend.iter().map(|e| e.label.as_str()).collect();
    assert_eq!(labels, ["measured", &fit, "∝ 1/m", "noise floor"]);
    assert!(page.contains(&fit), "no {fit} in the page");
    assert_eq!(series(&right, 0), ["measured", &fit, "∝ 1/m"]);
    assert_eq!(series(&right, 1), ["measured", "noise floor"]);
    let note = right.note.clone().unwrap();
    for words in [
        "f on test inputs",
        "4 seeds of the particles",
        "bars: one standard error",
        "gaps to m = 64",
    ] {
        assert!(note.contains(words), "{note}");
    }
    assert!(
        !note.contains("nested") && !note.contains("steps"),
        "{note}"
    );

    let widths = law["widths"].as_array().unwrap();
    let (lines, dots) = lines_and_dots(&right, 0);
    let variances = widths
        .iter()
        .map(|at| (number(&at["width"]), number(&at["variance"])));
    assert_eq!(dots, variances.collect::<Vec<_>>());
    // The bars, the fit, the guide.
    assert_eq!(lines.len(), 5);
    let slope = |line: &[(f64, f64)]| {
        let (first, last) = (line[0], line[line.len() - 1]);
        (last.1 / first.1).ln() / (last.0 / first.0).ln()
    };
    assert!((slope(&lines[4]) + 1.0).abs() < 1e-12, "{lines:?}");
    assert!(
        lines[4]
            .iter()
            .zip(&dots)
            .all(|(guide, dot)| guide.1 < dot.1)
    );
    for ((bar, at), dot) in lines[..3].iter().zip(widths).zip(&dots) {
        let factor = number(&at["log_error"]).exp();
        let ends = [(dot.0, dot.1 / factor), (dot.0, dot.1 * factor)];
        assert_eq!(bar[..], ends);
    }
    let fit = |of: &Figure| lines_and_dots(of, 0).0[3].clone();
    let mean = |points: &[(f64, f64)]| points.iter().map(|p| p.1.ln()).sum::<f64>();
    assert!((slope(&fit(&right)) - s).abs() < 1e-9, "{lines:?}");
    assert!((mean(&fit(&right)) - mean(&dots)).abs() < 1e-9, "{lines:?}");

    let pairs = report["pairs"].as_array().unwrap();
    for (k, quantity) in [(1, "prediction_rms"), (2, "w2_directions")] {
        let of = |e: &str| -> Points {
            let widest = pairs.iter().filter(|pair| pair["b"] == 2);
            let value = |pair: &serde_json::Value| {
                let mut gaps = pair["gaps"].as_array().unwrap().iter();
                let own = |gap: &&serde_json::Value| gap["quantity"] == quantity;
                number(&gaps.rfind(own).unwrap()[e])
            };
            let width =
                |pair: &serde_json::Value| [8.0, 16.0][pair["a"].as_u64().unwrap() as usize];
            widest.map(|pair| (width(pair), value(pair))).collect()
        };
        let (lines, dots) = lines_and_dots(&right, k);
        assert_eq!(lines, [of("value"), of("floor")]);
        assert_eq!(dots, of("value"));
    }

    // Another law than the stored one is noticed, and so is one that is no longer that of the runs.
    let exponent = law["exponent"].to_string();
    place.put("a/compare.json", &stored.replace(&exponent, "-0.5"));
    let wrong = figure(&dir, "widths");
    assert!((slope(&fit(&wrong)) + 0.5).abs() < 1e-9);
    assert!((slope(&fit(&wrong)) - s).abs() > 1e-3, "{s}");
    place.ok("resume a --steps 30");
    assert!(!drawn(&dir).contains("widths"));
    place.ok("compare a");
    assert!(drawn(&dir).contains("widths"));
}

/// What cannot be drawn is left out with a note: variances and floors of one seed. With several
/// families, the figure says which lines belong to which.
#[test]
fn widths_of_one_seed_and_of_several_families() {
    let place = TestFolder::new();
    place.put("e.toml", &teacher(""));
    let of = |dir: &str, more: &str| {
        place.ok(&format!(
            "run e.toml --out {dir} --engine cpu --no-plots --set grid.network.width=[8,16] {more}"
        ));
        place.ok(&format!("compare {dir} --no-plots"));
        let figure = figure(&place.path(dir), "widths");
        whole(&render(&figure).unwrap());
        figure
    };
    let one = of("one", "");
    let names = |figure: &Figure| -> Vec<String> {
        let panels = figure.panels.iter();
        panels.map(|panel| panel.y.label.clone()).collect()
    };
    assert_eq!(names(&one), ["RMS gap of f", "sliced W₂ gap"]);
    let note = one.note.clone().unwrap();
    for words in [
        "a noise floor takes several seeds",
        "widths are nested",
        "gaps to m = 16",
    ] {
        assert!(note.contains(words), "{note}");
    }
    assert_eq!(one.legend, []);
    let two = of(
        "two",
        "--set grid.init.seed=[1,2,3] --set grid.risk.weight_decay=[0.0,0.1]",
    );
    assert_eq!(
        names(&two),
        ["variance of f", "RMS gap of f", "sliced W₂ gap"]
    );
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(
        sorted(series(&two, 0)),
        ["λ = 0", "λ = 0, fit", "λ = 0.1", "λ = 0.1, fit", "∝ 1/m"]
    );
    // The floor of one gap goes across the panel.
    assert_eq!(sorted(series(&two, 1)), ["λ = 0", "λ = 0.1"]);
    assert_eq!(
        sorted(labels_of(&two, 1, "spans")),
        ["λ = 0, noise floor", "λ = 0.1, noise floor"]
    );
    let note = two.note.unwrap();
    for words in [
        "3 seeds",
        "nested",
        "exponents: −",
        "(λ = 0), −",
        "(λ = 0.1)",
    ] {
        assert!(note.contains(words), "{note}");
    }
}

/// Values of runs that ended at different steps are not drawn as values at one time.
#[test]
fn ends_at_different_steps_are_reported() {
    let place = TestFolder::new();
    place.put("e.toml", &teacher(""));
    place.ok("run e.toml --out a --engine cpu --no-plots --set grid.network.width=[8,16] --set grid.init.seed=[1,2]");
    let note = |dir: &str, name: &str| {
        let figure = figure(&place.path(dir), name);
        figure.note.unwrap_or_default()
    };
    let at = |ends: [u64; 4]| {
        let rows = ends.iter().enumerate();
        let rows = rows.map(|(run, end)| format!("{run},1,0.5,1.0\n{run},{end},1.0,0.5\n"));
        let rows: String = rows.collect();
        place.put("a/metrics.csv", &format!("run,step,time,risk\n{rows}"));
        note("a", "against-width")
    };
    let apart = "runs ended at different steps";
    assert!(at([20, 20, 12, 5]).contains(&format!("{apart}: 5 to 20")));
    assert!(!at([20; 4]).contains(apart));
    assert!(!at([12; 4]).contains(apart));
    // The note appears for runs that a criterion stopped, but not if flow.steps is swept.
    place.ok("run e.toml --out b --engine cpu --no-plots --set grid.network.width=[1,64] --set flow.stop={risk=0.02} --set flow.steps=5000");
    let steps = place.summary("b");
    let step = |k: usize| steps["runs"][k]["steps"].as_u64().unwrap();
    assert!(step(0) != step(1) && step(1) < 5000, "{steps}");
    assert!(note("b", "against-width").contains(apart));
    place.ok("compare b --no-plots");
    assert!(note("b", "widths").contains(apart));
    place.ok("run e.toml --out c --engine cpu --no-plots --set grid.flow.steps=[10,20]");
    assert!(!note("c", "against-steps").contains(apart));
}
