//! Figures: which ones a folder gets, and whether they show its data.

mod axes;
mod bounds;
#[path = "../common/mod.rs"]
mod common;
mod functions;
mod widths;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use common::test_folder::{TestFolder, text};
use widefield::plot::figure::Mark;
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
