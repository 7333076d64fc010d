//! The trained function over its inputs, with the data: a curve in one dimension, a map in two.

use super::cloud::Cloud;
use super::colour::{BLACK, Colour, GREY, of_sign};
use super::figure::{Axis, Dash, Dot, Figure, Mark, Panel, Scale, Shape, Sign};
use super::folder::Folder;
use super::plane::{Plane, Sampled};
use crate::data::Dataset;
use crate::error::Result;

/// Points of a curve.
const POINTS: usize = 600;
/// Samples drawn, at most.
const SAMPLES: usize = 400;

/// A run that is shown: its number, title, colour and particles.
pub struct Shown<'a> {
    pub run: usize,
    pub label: String,
    pub colour: Colour,
    pub cloud: &'a Cloud,
}

/// The figure, where d ≤ 3 allows one.
pub fn predictor(folder: &Folder, shown: &[Shown]) -> Result<Option<Figure>> {
    let Some(first) = shown.first() else {
        return Ok(None);
    };
    let labels = folder.experiment(first.run).risk.loss.is_classification();
    let data = folder.data(first.run)?;
    let Some(plane) = Plane::of(&data, labels) else {
        return Ok(None);
    };
    let mut figure = Figure::new(
        "predictor",
        "The trained function over its inputs, with the data",
    );
    if plane.is_flat() {
        for of in shown {
            let data = folder.data(of.run)?;
            if Plane::of(&data, labels) == Some(plane) {
                figure.panels.push(map(folder, of, plane, &data));
            }
        }
        figure.columns = if figure.panels.len() > 1 { 2 } else { 1 };
    } else {
        figure.panels.push(curves(folder, shown, plane, &data));
    }
    Ok(Some(explained(figure, shown, plane, labels, &data)))
}

/// Legend and notes.
fn explained(
    mut figure: Figure,
    shown: &[Shown],
    plane: Plane,
    labels: bool,
    data: &Dataset,
) -> Figure {
    if !plane.is_flat() {
        for of in shown.iter().filter(|_| shown.len() > 1) {
            figure.enter(of.label.clone(), of.colour, Sign::Line(Dash::Solid));
        }
        figure.enter("samples", BLACK, Sign::Dot(Shape::Disc));
    } else {
        let names = if labels {
            ["label +1", "label −1"]
        } else {
            ["target > 0", "target < 0"]
        };
        figure.enter(names[0], of_sign(1.0), Sign::Dot(Shape::Disc));
        figure.enter(names[1], of_sign(-1.0), Sign::Dot(Shape::Square));
        figure.enter("f = 0", BLACK, Sign::Line(Dash::Solid));
    }
    if data.n() > SAMPLES {
        figure.remark(format!("{SAMPLES} of {} samples", data.n()));
    }
    if plane == Plane::Globe {
        figure.remark("f over the directions x/|x|, on a map that keeps areas");
    }
    if shown.iter().any(|of| of.cloud.binned) {
        figure.remark("particles bundled by direction");
    }
    figure
}

/// Each run's function over one coordinate.
pub fn curves(folder: &Folder, shown: &[Shown], plane: Plane, data: &Dataset) -> Panel {
    let place = |i: usize| plane.place(data.row(i)).0;
    let (label, from, to) = match plane {
        Plane::Circle => ("angle of the input x [°]", -180.0, 180.0),
        _ => {
            let (low, high) = ends((0..data.n()).map(place));
            let room = 0.15 * (high - low);
            ("input x", low - room, high + room)
        }
    };
    let mut panel = Panel {
        x: Axis::between(label, from, to),
        y: Axis::new("f(x)", Scale::Linear),
        ..Panel::default()
    };
    if plane == Plane::Circle {
        panel.x.ticks = Some(vec![-180.0, -90.0, 0.0, 90.0, 180.0]);
    }
    for of in shown {
        let alpha = folder.experiment(of.run).network.alpha();
        let points = (0..=POINTS).map(|k| {
            let u = from + (to - from) * k as f64 / POINTS as f64;
            (u, alpha * of.cloud.value(&plane.input(u, 0.0)))
        });
        panel.marks.push(Mark::line(points.collect(), of.colour));
    }
    let dots = (0..data.n().min(SAMPLES)).map(|i| Dot {
        x: place(i),
        y: f64::from(data.y[i]),
        radius: 2.0,
        colour: BLACK,
        shape: Shape::Rimmed,
    });
    panel.marks.push(Mark::Dots {
        dots: dots.collect(),
    });
    panel
}

/// A map of f over the plane, as a share of its largest values.
pub fn map(folder: &Folder, of: &Shown, plane: Plane, data: &Dataset) -> Panel {
    let (x, y) = sides(plane, data);
    let sampled = Sampled::new(x, y, |u, v| of.cloud.value(&plane.input(u, v)));
    let globe = plane == Plane::Globe;
    let names = match globe {
        true => ["longitude of x [°]", "x₃/|x|"],
        false => ["x₁", "x₂"],
    };
    let mut panel = Panel {
        title: (!of.label.is_empty()).then(|| of.label.clone()),
        x: Axis {
            ticks: globe.then(|| vec![-180.0, -90.0, 0.0, 90.0, 180.0]),
            ..Axis::between(names[0], x.0, x.1)
        },
        y: Axis::between(names[1], y.0, y.1),
        marks: sampled.shades(sampled.scale()),
        field: Some(sampled.field(
            if globe { "f(x/|x|)" } else { "f(x)" },
            folder.experiment(of.run).network.alpha(),
        )),
        equal: !globe,
        height: if globe { 0.6 } else { 0.0 },
        ..Panel::default()
    };
    panel
        .marks
        .extend(sampled.zero().into_iter().map(|points| Mark::Line {
            points,
            colour: BLACK,
            dash: Dash::Solid,
            width: 0.9,
        }));
    let dots = (0..data.n().min(SAMPLES)).map(|i| {
        let ((x, y), target) = (plane.place(data.row(i)), f64::from(data.y[i]));
        Dot {
            x,
            y,
            radius: 1.8,
            colour: if target == 0.0 { GREY } else { of_sign(target) },
            shape: if target < 0.0 {
                Shape::Square
            } else {
                Shape::Rimmed
            },
        }
    });
    panel.marks.push(Mark::Dots {
        dots: dots.collect(),
    });
    panel
}

/// What a map shows: the sphere whole, or a square around the inputs.
fn sides(plane: Plane, data: &Dataset) -> ((f64, f64), (f64, f64)) {
    if plane == Plane::Globe {
        return ((-180.0, 180.0), (-1.0, 1.0));
    }
    let places = || (0..data.n()).map(|i| plane.place(data.row(i)));
    let (x, y) = (ends(places().map(|p| p.0)), ends(places().map(|p| p.1)));
    let half = 0.6 * (x.1 - x.0).max(y.1 - y.0).max(1e-6);
    let around = |(low, high): (f64, f64)| ((low + high) / 2.0 - half, (low + high) / 2.0 + half);
    (around(x), around(y))
}

/// The least and the most.
pub fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.fold(start, |(l, h), v| (l.min(v), h.max(v)));
    if low < high {
        (low, high)
    } else {
        (low - 1.0, low + 1.0)
    }
}
