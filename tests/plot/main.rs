//! Figures: which ones a folder gets, and whether they show its data.

#[path = "../common/mod.rs"]
mod common;
mod widths;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use common::test_folder::{TestFolder, text};
use widefield::plot::figure::{Mark, Scale};
use widefield::plot::layout::FigureLayout;
use widefield::plot::{Figure, Folder, figures, raster, render};

const HEAD: &str = "[network]\nwidth = 16\n[risk]\nloss = \"softmin\"\n[flow]\nsteps = 20\nstep = 0.5\n[output]\nrecords = 8\nsnapshots = 3\n";

fn experiment(data: &str) -> String {
    format!("{HEAD}[data]\n{data}\n")
}

/// Names of the figures below a folder; checks that each is a readable SVG with a PNG.
fn drawn(dir: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(dir.join("figures")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "svg") {
            whole(&std::fs::read_to_string(&path).unwrap());
            let png = std::fs::read(path.with_extension("png")).unwrap();
            assert!(png.starts_with(b"\x89PNG"));
            names.insert(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    names
}

fn whole(svg: &str) {
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    let pixels = raster(svg, 1.0).unwrap();
    assert_eq!(pixels.width, 241);
    // The figure is not empty.
    assert!(pixels.rgba.chunks(4).any(|p| p[0] < 100));
}

fn names(list: &str) -> BTreeSet<String> {
    list.split_whitespace().map(str::to_owned).collect()
}

fn found(dir: &Path, name: &str) -> Option<Figure> {
    let all = figures(&Folder::open(dir).unwrap()).unwrap();
    all.into_iter().find(|figure| figure.name == name)
}

fn figure(dir: &Path, name: &str) -> Figure {
    found(dir, name).unwrap()
}

#[test]
fn figures_follow_what_the_folder_holds() {
    let place = TestFolder::new();
    place.put("xor.toml", &experiment("source = \"xor\""));
    place.ok("run xor.toml --out xor --engine cpu");
    let always = "risk error margins norms drift features particles histograms";
    assert_eq!(
        drawn(&place.path("xor")),
        names(&format!("{always} predictor variation"))
    );
    place.put(
        "k.toml",
        &experiment("source = \"clusters\"\nd = 6\nn = 12\ntest = 20"),
    );
    place.ok(
        "run k.toml --out k --engine cpu --no-plots --set grid.seed=[1,2] --set grid.data.n=[8,16]",
    );
    assert!(!place.path("k/figures").exists());
    let said = place.ok("plot k");
    assert_eq!(
        drawn(&place.path("k")),
        names(&format!("{always} against-n"))
    );
    assert_eq!(said.lines().count(), 9);
    let against = std::fs::read_to_string(place.path("k/figures/against-n.svg")).unwrap();
    assert!(against.contains("number of samples n") && against.contains("mean of the seeds"));
    // Figures that no longer apply are removed.
    std::fs::remove_dir_all(place.path("k/runs")).unwrap();
    place.ok("plot k");
    assert_eq!(
        drawn(&place.path("k")),
        names("risk error margins norms drift features against-n")
    );
    place.refuses("plot nowhere", &["nowhere", "not a run folder"]);
}

/// A constant value is given in the note if other curves vary; if nothing varies it is drawn.
#[test]
fn what_never_moves_is_noted_and_not_drawn() {
    let place = TestFolder::new();
    place.put(
        "k.toml",
        &experiment("source = \"clusters\"\nd = 6\nn = 12"),
    );
    place.ok("run k.toml --out both --engine cpu --no-plots --set init.scale_a=2.0");
    place.ok("run k.toml --out output --engine cpu --no-plots --set network.train=output");
    let panels_and_note = |dir: &str, name: &str| {
        let figure = figure(&place.path(dir), name);
        (figure.panels.len(), figure.note.unwrap_or_default())
    };
    assert_eq!(panels_and_note("both", "drift"), (2, String::new()));
    assert_eq!(
        panels_and_note("output", "drift"),
        (1, "kernel drift 0 throughout".to_owned())
    );
    assert_eq!(panels_and_note("output", "features").1, "");
    // Nothing has turned, so there is no histogram of how far.
    let panels = |dir: &str| figure(&place.path(dir), "histograms").panels.len();
    assert_eq!([panels("both"), panels("output")], [2, 1]);
}

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

#[test]
fn runs_of_one_point_and_constant_values_have_figures() {
    let place = TestFolder::new();
    place.put(
        "e.toml",
        &experiment("source = \"interpolation\"").replace("softmin", "square"),
    );
    place.ok("run e.toml --out none --engine cpu --set flow.steps=0");
    let one = "risk norms drift features predictor particles histograms variation";
    assert_eq!(drawn(&place.path("none")), names(one));
    // Dead neurons: nothing moves, f = 0, no mass.
    place.ok("run e.toml --out dead --engine cpu --set init.scale_w=0.0 --set init.scale_a=0.0");
    assert!(drawn(&place.path("dead")).is_superset(&names("risk norms predictor")));
}

#[test]
fn a_failed_drawing_is_no_failed_run() {
    let place = TestFolder::new();
    place.put("e.toml", &experiment("source = \"xor\""));
    std::fs::create_dir(place.path("a")).unwrap();
    place.put("a/figures", "in the way");
    let out = place.run("run e.toml --out a --engine cpu --json");
    assert!(out.status.success());
    assert!(
        text(&out.stderr).contains("no figures:"),
        "{}",
        text(&out.stderr)
    );
    let printed: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(printed["runs"][0]["steps"], 20);
}

/// Compares a line's first and last points with the rows of metrics.csv, and its polyline in the
/// SVG with their positions on the axes.
fn shows(figure: &Figure, first: (f64, f64), last: (f64, f64)) -> bool {
    let layout = FigureLayout::new(figure);
    let svg = render(figure).unwrap();
    let Some(Mark::Line { points, .. }) = figure.panels[0].marks.first() else {
        return false;
    };
    let drawn = points.iter().map(|&(x, y)| layout.panels[0].point(x, y));
    let polyline = drawn.fold(String::new(), |mut text, (x, y)| {
        write!(text, "{},{} ", x.round(), y.round()).unwrap();
        text
    });
    points.first() == Some(&first) && points.last() == Some(&last) && svg.contains(&polyline)
}

#[test]
fn curves_hold_the_values_of_the_metrics() {
    let place = TestFolder::new();
    place.put("e.toml", &experiment("source = \"xor\""));
    place.ok("run e.toml --out a --engine cpu --no-plots");
    let csv = std::fs::read_to_string(place.path("a/metrics.csv")).unwrap();
    let column = |name: &str| {
        csv.lines()
            .next()
            .unwrap()
            .split(',')
            .position(|c| c == name)
    };
    let value = |line: &str, name: &str| -> f64 {
        line.split(',')
            .nth(column(name).unwrap())
            .unwrap()
            .parse()
            .unwrap()
    };
    let at = |line: &str| (value(line, "step"), value(line, "risk"));
    // Step 0 cannot be drawn on the logarithmic axis.
    let (first, last) = (csv.lines().nth(2).unwrap(), csv.lines().last().unwrap());
    assert_eq!(at(first).0, 1.0);
    assert!(shows(
        &figure(&place.path("a"), "risk"),
        at(first),
        at(last)
    ));
    // The same check on other metrics must fail.
    let risk = last.split(',').nth(column("risk").unwrap()).unwrap();
    let changed = last.replace(risk, "-0.125");
    place.put("a/metrics.csv", &csv.replace(last, &changed));
    assert!(!shows(
        &figure(&place.path("a"), "risk"),
        at(first),
        at(last)
    ));
}

#[test]
fn large_folders_are_binned_and_sampled_and_say_so() {
    let place = TestFolder::new();
    place.put("e.toml", &experiment("source = \"xor\""));
    place.ok("run e.toml --out a --engine cpu --no-plots --set network.width=30000");
    let notes = figure(&place.path("a"), "particles").note.unwrap();
    assert!(notes.contains("4096 of 30\u{2009}000 particles"), "{notes}");
    let notes = figure(&place.path("a"), "predictor").note.unwrap();
    assert!(notes.contains("bundled"), "{notes}");
    let mut rows = String::from("run,step,time,risk\n");
    for step in 0..100_000 {
        let risk = if step == 70_000 {
            9.0
        } else {
            1.0 / (1.0 + f64::from(step))
        };
        writeln!(rows, "0,{step},0.1,{risk}").unwrap();
    }
    place.put("a/metrics.csv", &rows);
    let figure = figure(&place.path("a"), "risk");
    assert!(
        figure
            .note
            .as_deref()
            .unwrap()
            .contains("99\u{2009}999 rows"),
        "{figure:?}"
    );
    let Mark::Line { points, .. } = &figure.panels[0].marks[0] else {
        panic!("{figure:?}");
    };
    assert!(points.len() <= 402, "{}", points.len());
    assert!(points.contains(&(70_000.0, 9.0)), "a peak was lost");
    whole(&render(&figure).unwrap());
}

/// f over directions, for three inputs without a bias: the field's values equal the program's
/// predictions.
#[test]
fn three_inputs_have_a_map_of_directions() {
    let place = TestFolder::new();
    let text = experiment("source = \"teacher\"\nd = 3\nn = 30").replace("softmin", "square");
    place.put("e.toml", &text);
    place.ok("run e.toml --out a --engine cpu --no-plots --set network.scaling={alpha=2.0}");
    let figure = figure(&place.path("a"), "predictor");
    let field = figure.panels[0].field.as_ref().unwrap();
    let rows = field.values.len() / field.columns;
    let most = field.values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let at = |ends: (f64, f64), k: usize, all: usize| {
        ends.0 + (ends.1 - ends.0) * k as f64 / (all - 1) as f64
    };
    for (i, j) in [(0, 9), (13, 20), (30, 31)] {
        let longitude = at(field.x, i, field.columns).to_radians();
        let z = at(field.y, j, rows);
        let around = (1.0 - z * z).sqrt();
        let x = [around * longitude.cos(), around * longitude.sin(), z];
        let predicted = |x: [f64; 3]| -> f64 {
            let [x0, x1, x2] = x;
            place.put("new.csv", &format!("x0,x1,x2\n{x0},{x1},{x2}\n"));
            let output = place.ok("predict a --data new.csv");
            output.lines().last().unwrap().parse().unwrap()
        };
        let drawn = field.values[j * field.columns + i];
        let close = |f: f64| (drawn - f).abs() <= 1e-5 * most;
        assert!(close(predicted(x)), "{x:?}: {drawn}");
        // A map seen from the other side is noticed.
        assert!(!close(predicted(x.map(|v| -v))), "{x:?}: {drawn}");
    }
    whole(&render(&figure).unwrap());
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

/// The series listed in a figure's SVG for its k-th panel.
fn series(figure: &Figure, k: usize) -> Vec<String> {
    labels_of(figure, k, "series")
}

/// Names of the items of one kind that the SVG lists for a panel.
fn labels_of(figure: &Figure, k: usize, kind: &str) -> Vec<String> {
    let svg = render(figure).unwrap();
    let (_, rest) = svg.split_once("<metadata>").unwrap();
    let (json, _) = rest.split_once("</metadata>").unwrap();
    let json = json.replace("&lt;", "<").replace("&amp;", "&");
    let values: serde_json::Value = serde_json::from_str(&json).unwrap();
    let all = values["panels"][k][kind].as_array().unwrap().iter();
    all.map(|of| of["label"].as_str().unwrap().to_owned())
        .collect()
}

/// Both layers and the output layer alone, for several n: n by colour, the rest by dash, or by
/// panels on one scale if dashes separate test from training.
#[test]
fn grids_of_two_keys_distinguish_them() {
    let place = TestFolder::new();
    place.put(
        "e.toml",
        &experiment("source = \"clusters\"\nd = 4\nn = 12\ntest = 30"),
    );
    place.ok("run e.toml --out a --engine cpu --no-plots --set grid.network.train=['both','output'] --set grid.data.n=[8,12,16]");
    let of = |name: &str| figure(&place.path("a"), name);
    let norms = of("norms");
    let legend: Vec<&str> = norms.legend.iter().map(|e| e.label.as_str()).collect();
    let wanted = ["n = 8", "n = 12", "n = 16", "both layers", "output layer"];
    assert_eq!(legend, wanted);
    let mut labels = series(&norms, 0);
    labels.sort();
    let mut wanted: Vec<String> = (wanted[..3].iter())
        .flat_map(|n| {
            wanted[3..]
                .iter()
                .map(move |layers| format!("{n}, {layers}"))
        })
        .collect();
    wanted.sort();
    assert_eq!(labels, wanted);
    let error = of("error");
    let titles = error.panels.iter().filter_map(|p| p.title.as_deref());
    assert_eq!(titles.collect::<Vec<_>>(), ["both layers", "output layer"]);
    let ends = |k: usize| {
        let axis = &FigureLayout::new(&error).panels[k].y;
        (axis.scale, axis.low, axis.high)
    };
    assert_eq!(ends(0), ends(1));
    for k in [0, 1] {
        let mut labels = series(&error, k);
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), 6, "{labels:?}");
        assert!(labels.contains(&"n = 8, test".to_owned()), "{labels:?}");
    }
    whole(&render(&error).unwrap());
}

/// A grid too large for one panel per run shows runs at the ends of its keys, so that neighbours
/// differ in one key, and states the seed.
#[test]
fn particles_are_shown_at_the_ends_of_both_keys() {
    let place = TestFolder::new();
    place.put(
        "e.toml",
        &experiment("source = \"clusters\"\nd = 4\nn = 12"),
    );
    place.ok("run e.toml --out a --engine cpu --no-plots --set grid.network.train=['both','output'] --set grid.data.n=[8,12,16] --set grid.init.seed=[1,2]");
    let of = |name: &str| figure(&place.path("a"), name);
    let particles = of("particles");
    let titles = particles.panels.iter().filter_map(|p| p.title.as_deref());
    let wanted = [
        "both layers, n = 8",
        "both layers, n = 16",
        "output layer, n = 8",
        "output layer, n = 16",
    ];
    assert_eq!(titles.collect::<Vec<_>>(), wanted);
    let note = particles.note.unwrap().replace('\u{a0}', " ");
    for words in [
        "4 of 6 combinations of parameters",
        "one seed of each: runs 0, 4, 6, 10",
        "tails: last 3 snapshots",
    ] {
        assert!(note.contains(words), "{note}");
    }
    let note = of("histograms").note.unwrap();
    assert!(
        note.contains("output layer, n = 16; one seed: run 10"),
        "{note}"
    );
}

/// Every run of a grid on one input is drawn, with a panel for each key value that colours do not
/// show.
#[test]
fn functions_of_one_input_are_all_there() {
    let place = TestFolder::new();
    place.put(
        "e.toml",
        &experiment("source = \"interpolation\"").replace("softmin", "square"),
    );
    place.ok("run e.toml --out a --engine cpu --no-plots --set grid.init.scale_a=[0.5,1.0,2.0,4.0] --set grid.init.scale_w=[1.0,5.0]");
    let predictor = figure(&place.path("a"), "predictor");
    let titles = predictor.panels.iter().filter_map(|p| p.title.as_deref());
    assert_eq!(titles.collect::<Vec<_>>(), ["scale_w = 1", "scale_w = 5"]);
    for panel in &predictor.panels {
        let lines = panel.marks.iter();
        let lines = lines.filter(|mark| matches!(mark, Mark::Line { .. }));
        assert_eq!(lines.count(), 4);
    }
    assert_eq!(predictor.note, None);
    whole(&render(&predictor).unwrap());
}

/// Without a bias f has one kink, at 0; labels are drawn at f = 0, whatever the size of f.
#[test]
fn one_input_without_a_bias_has_a_figure() {
    let place = TestFolder::new();
    place.put("d.csv", "x,y\n-2,-1\n-1,-1\n0.5,1\n3,1\n");
    let data = "source = \"file\"\npath = \"d.csv\"\ntarget = \"y\"";
    place.put("e.toml", &experiment(data));
    place.ok("run e.toml --out a --engine cpu --no-plots --set network.scaling={alpha=1000.0}");
    let predictor = figure(&place.path("a"), "predictor");
    let panel = &predictor.panels[0];
    let Mark::Line { points, .. } = &panel.marks[0] else {
        panic!("{panel:?}");
    };
    let predicted = |x: f64| -> f64 {
        place.put("new.csv", &format!("x\n{x}\n"));
        let output = place.ok("predict a --data new.csv");
        output.lines().last().unwrap().parse().unwrap()
    };
    for &(x, f) in [&points[3], &points[500]] {
        let predicted = predicted(x);
        assert!(
            (predicted - f).abs() <= 1e-4 * f.abs(),
            "{x}: {predicted} {f}"
        );
    }
    let Some(Mark::Dots { dots }) = panel.marks.last() else {
        panic!("{panel:?}");
    };
    let places: Vec<_> = dots.iter().map(|dot| (dot.x, dot.y)).collect();
    assert_eq!(places, [(-2.0, 0.0), (-1.0, 0.0), (0.5, 0.0), (3.0, 0.0)]);
    assert!(dots[0].colour != dots[3].colour);
    let particles = figure(&place.path("a"), "particles");
    assert_eq!(particles.panels[0].x.label, "√(|a||w|) sign w");
    whole(&render(&particles).unwrap());
}

/// Bars start at 0; the zero set of a single neuron is not drawn as a boundary; a single step has
/// one tick.
#[test]
fn one_neuron_and_one_step_have_sensible_axes() {
    let place = TestFolder::new();
    place.put("e.toml", &experiment("source = \"xor\""));
    place.ok("run e.toml --out a --engine cpu --no-plots --set network.width=1 --set flow.steps=1");
    let of = |name: &str| figure(&place.path("a"), name);
    let histograms = of("histograms");
    for placed in FigureLayout::new(&histograms).panels {
        let y = placed.y;
        assert!(y.low <= 0.0 && 0.0 <= y.high, "{y:?}");
    }
    let widths = histograms.panels[0]
        .marks
        .iter()
        .flat_map(|mark| match mark {
            Mark::Bars { bars, .. } => bars.clone(),
            _ => Vec::new(),
        });
    let x = &FigureLayout::new(&histograms).panels[0].x;
    for (from, to, _) in widths {
        assert!(x.place(to) - x.place(from) < 0.1, "{x:?}");
    }
    let words = |figure: &Figure| {
        let panels = FigureLayout::new(figure).panels.into_iter();
        let each = panels.map(|placed| placed.x.ticks.into_iter().map(|(_, word)| word).collect());
        each.collect::<Vec<Vec<String>>>()
    };
    assert_eq!(words(&of("risk")), [["1"]]);
    assert_eq!(words(&of("norms")), [["1"], ["1"]]);
    let boundary = |figure: &Figure| {
        let mut marks = figure.panels[0].marks.iter();
        let drawn = marks.any(|mark| matches!(mark, Mark::Line { .. }));
        let listed = figure.legend.iter().any(|entry| entry.label == "f = 0");
        assert_eq!(drawn, listed);
        drawn
    };
    assert!(!boundary(&of("predictor")));
    place.ok("run e.toml --out b --engine cpu --no-plots --set flow.steps=1");
    assert!(boundary(&figure(&place.path("b"), "predictor")));
}

/// Runs that diverged are counted below the curves, and a quantity that no run has at its end has
/// no panel.
#[test]
fn what_diverged_is_reported() {
    let place = TestFolder::new();
    let text = experiment("source = \"xor\"").replace("softmin", "square");
    place.put("e.toml", &text);
    place.fails(
        "run e.toml --out a --engine cpu --no-plots --set grid.flow.step=[0.1,1e6]",
        1,
        &["diverged"],
    );
    let of = |name: &str| figure(&place.path("a"), name);
    for name in ["risk", "norms", "against-step"] {
        let note = of(name).note.unwrap();
        assert!(note.contains("1 of 2 runs diverged"), "{note}");
    }
    assert_eq!(of("against-step").panels.len(), 2);
    place.put(
        "a/metrics.csv",
        "run,step,time,risk,margin_param\n0,1,0.1,0.5,0.1\n0,2,0.1,,0.1\n1,1,0.1,0.5,0.1\n1,2,0.1,,0.2\n",
    );
    let labels = of("against-step")
        .panels
        .into_iter()
        .map(|panel| panel.y.label);
    assert_eq!(labels.collect::<Vec<_>>(), ["margin_param"]);
}

/// An error that jumps at every step is drawn as means over bins with a shaded range, and the figure
/// says so.
#[test]
fn errors_that_swing_are_means_with_a_shade() {
    let place = TestFolder::new();
    place.put("e.toml", &experiment("source = \"xor\""));
    place.ok("run e.toml --out a --engine cpu --no-plots");
    let draw = |swing: f64| {
        let mut rows = String::from("run,step,time,risk,error_train\n");
        for step in 1..200 {
            let error = 0.3 - 0.0002 * f64::from(step) + swing * f64::from(step % 2);
            writeln!(rows, "0,{step},0.1,1.0,{error}").unwrap();
        }
        place.put("a/metrics.csv", &rows);
        figure(&place.path("a"), "error")
    };
    let noted = |figure: &Figure| figure.note.clone().unwrap_or_default();
    let swinging = draw(0.2);
    let note = noted(&swinging);
    assert!(
        note.contains("where curves swing, mean over bins"),
        "{note}"
    );
    assert!(note.contains("shaded: least to most"), "{note}");
    let Mark::Band { points, .. } = &swinging.panels[0].marks[0] else {
        panic!("{swinging:?}");
    };
    let &(step, low, high) = points.last().unwrap();
    assert_eq!(step, 199.0);
    assert!(high - low > 0.19 && high - low < 0.25, "{low} to {high}");
    assert_eq!(noted(&draw(0.0)), "");
}

/// Masses within a decade have a linear axis, others a logarithmic one.
#[test]
fn masses_have_the_axis_that_suits_them() {
    let place = TestFolder::new();
    place.put("e.toml", &experiment("source = \"xor\""));
    let scale = |dir: &str, init: &str| {
        place.ok(&format!("run e.toml --out {dir} --engine cpu --no-plots --set flow.steps=2 --set network.width=64 --set init.kind={init}"));
        let figure = figure(&place.path(dir), "histograms");
        assert_eq!(figure.panels[0].x.label, "mass |a||w|");
        let bars = figure.panels[0].marks.iter().flat_map(|mark| match mark {
            Mark::Bars { bars, .. } => bars.clone(),
            _ => Vec::new(),
        });
        let all: f64 = bars.map(|(_, _, share)| share.abs()).sum();
        assert!((all - 1.0).abs() < 1e-9, "{all}");
        FigureLayout::new(&figure).panels[0].x.scale
    };
    assert_eq!(scale("near", "sphere"), Scale::Linear);
    assert_eq!(scale("far", "gaussian"), Scale::Log);
}

/// A seed that finds the teacher exactly does not compress the other curves; the figure states its
/// value.
#[test]
fn a_spread_far_below_the_means_is_cut_and_noted() {
    let place = TestFolder::new();
    let text = experiment("source = \"teacher\"\nd = 3\nn = 10").replace("softmin", "square");
    place.put("e.toml", &text);
    place.ok("run e.toml --out a --engine cpu --no-plots --set grid.network.width=[5,50] --set grid.init.seed=[1,2]");
    let shade = |least: f64| {
        let values = [4e-3, least, 5e-5, 6e-5];
        let rows = values.iter().enumerate();
        let rows = rows.map(|(run, risk)| format!("{run},20,10,{risk:e}\n"));
        let rows: String = rows.collect();
        place.put("a/metrics.csv", &format!("run,step,time,risk\n{rows}"));
        let figure = figure(&place.path("a"), "against-width");
        let Mark::Band { points, .. } = &figure.panels[0].marks[0] else {
            panic!("{figure:?}");
        };
        (points[0].1, figure.note.unwrap())
    };
    let (low, note) = shade(3e-12);
    assert_eq!(low, 1e-5);
    assert!(
        note.contains("training risk: shade cut at 10⁻⁵, the least is 3·10⁻¹²"),
        "{note}"
    );
    let (low, note) = shade(2e-5);
    assert_eq!(low, 2e-5);
    assert!(!note.contains("cut"), "{note}");
}
