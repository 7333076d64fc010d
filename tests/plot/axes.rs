//! Axes and ranges that suit the values.

use std::fmt::Write;

use widefield::plot::Figure;
use widefield::plot::figure::{Mark, Scale};
use widefield::plot::layout::FigureLayout;

use super::common::test_folder::TestFolder;
use super::{experiment, figure};

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
