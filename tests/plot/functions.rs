//! Figures of the functions that networks represent.

use widefield::plot::figure::Mark;
use widefield::plot::render;

use super::common::test_folder::TestFolder;
use super::{experiment, figure, whole};

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
