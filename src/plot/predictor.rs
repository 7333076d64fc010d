//! The predictor over the inputs, with the data: a curve in one dimension, a map in two.

use super::colour::{BLACK, Colour, GREY, of_sign};
use super::figure::{Axis, Dash, Dot, DotShape, Figure, Mark, Panel, Scale, Sign};
use super::folder::Folder;
use super::input_plane::{InputPlane, Sampled};
use super::line_styles::LineStyles;
use super::particle_cloud::ParticleCloud;
use crate::data::Dataset;
use crate::error::Result;

/// Number of points of a curve.
const POINTS: usize = 600;
/// Largest number of samples drawn.
const SAMPLES: usize = 400;

/// A run in a figure: its number, title, colour and particles.
pub struct ShownRun<'a> {
    pub run: usize,
    pub label: String,
    pub colour: Colour,
    pub cloud: &'a ParticleCloud,
}

/// The figure of the predictor, if d ≤ 3.
pub fn predictor(folder: &Folder, shown: &[ShownRun]) -> Result<Option<Figure>> {
    let Some(first) = shown.first() else {
        return Ok(None);
    };
    let data = folder.data(first.run)?;
    let Some(plane) = InputPlane::of(&data, labelled(folder, first.run)) else {
        return Ok(None);
    };
    let mut figure = Figure::new(
        "predictor",
        "The trained function over its inputs, with the data",
    );
    match plane.is_flat() {
        true => maps(folder, shown, plane, &mut figure)?,
        false => lines(folder, plane, (first.run, &data), &mut figure)?,
    }
    if data.n() > SAMPLES {
        figure.remark(format!("{SAMPLES} of {} samples", data.n()));
    }
    Ok((!figure.is_empty()).then_some(figure))
}

/// A map of each run.
fn maps(folder: &Folder, shown: &[ShownRun], plane: InputPlane, figure: &mut Figure) -> Result<()> {
    let mut runs = Vec::new();
    let mut labels = false;
    for of in shown {
        let data = folder.data(of.run)?;
        let labelled = labelled(folder, of.run);
        if InputPlane::of(&data, labelled) == Some(plane) {
            figure.panels.push(map(folder, of, plane, &data));
            runs.push(of.run);
            labels |= labelled;
        }
    }
    figure.columns = if figure.panels.len() > 1 { 2 } else { 1 };
    enter_signs(labels, figure);
    let mut marks = figure.panels.iter().flat_map(|panel| &panel.marks);
    if marks.any(|mark| matches!(mark, Mark::Line { .. })) {
        figure.enter("f = 0", BLACK, Sign::Line(Dash::Solid));
    }
    if plane == InputPlane::Globe {
        figure.remark("f over the directions x/|x|, on a map that keeps areas");
    }
    if shown.iter().any(|of| of.cloud.binned) {
        figure.remark("particles bundled by direction");
    }
    folder.some_of_all(&runs, figure);
    Ok(())
}

/// One curve for each family, up to the number that can be distinguished, over the samples of one run.
fn lines(
    folder: &Folder,
    plane: InputPlane,
    (of, data): (usize, &Dataset),
    figure: &mut Figure,
) -> Result<()> {
    let line_styles = LineStyles::new(&folder.families);
    let mut runs = Vec::new();
    for (title, part) in line_styles.apart() {
        let mut panel = Panel {
            title,
            ..empty_panel(plane, data)
        };
        for style in &part.each {
            let Some((run, path)) = folder.particles(style.family) else {
                continue;
            };
            let cloud = ParticleCloud::read(&path)?;
            if cloud.d != data.d {
                continue;
            }
            if cloud.binned {
                figure.remark("particles bundled by direction");
            }
            if !folder.share_data(run, of) {
                figure.remark(format!("samples of run {of}"));
            }
            let alpha = folder.experiment(run).network.alpha();
            panel
                .marks
                .push(curve(&cloud, alpha, plane, &panel.x, style.colour));
            runs.push(run);
        }
        panel.marks.push(samples(plane, data, labelled(folder, of)));
        figure.panels.push(panel);
        part.explain(figure);
    }
    if let [above @ .., _] = figure.panels.as_mut_slice()
        && !above.is_empty()
    {
        above.iter_mut().for_each(|panel| panel.x.label.clear());
        figure
            .panels
            .iter_mut()
            .for_each(|panel| panel.height = 0.42);
    }
    match labelled(folder, of) {
        true => enter_signs(true, figure),
        false => figure.enter("samples", BLACK, Sign::Dot(DotShape::Disc)),
    }
    folder.some_of_all(&runs, figure);
    Ok(())
}

fn labelled(folder: &Folder, run: usize) -> bool {
    folder.experiment(run).risk.loss.is_classification()
}

fn enter_signs(labels: bool, figure: &mut Figure) {
    let names = match labels {
        true => ["label +1", "label −1"],
        false => ["target > 0", "target < 0"],
    };
    figure.enter(names[0], of_sign(1.0), Sign::Dot(DotShape::Disc));
    figure.enter(names[1], of_sign(-1.0), Sign::Dot(DotShape::Square));
}

/// A panel with the predictor of a run as a function of one coordinate.
pub fn curves(folder: &Folder, of: &ShownRun, plane: InputPlane, data: &Dataset) -> Panel {
    let mut panel = empty_panel(plane, data);
    let alpha = folder.experiment(of.run).network.alpha();
    let line = curve(of.cloud, alpha, plane, &panel.x, of.colour);
    panel.marks.push(line);
    panel
        .marks
        .push(samples(plane, data, labelled(folder, of.run)));
    panel
}

/// A panel with the axes of curves for these inputs, without marks.
fn empty_panel(plane: InputPlane, data: &Dataset) -> Panel {
    let x = match plane {
        InputPlane::Circle => Axis {
            ticks: Some(vec![-180.0, -90.0, 0.0, 90.0, 180.0]),
            ..Axis::between("angle of the input x [°]", -180.0, 180.0)
        },
        _ => {
            let (low, high) = ends((0..data.n()).map(|i| plane.place(data.row(i)).0));
            let room = 0.15 * (high - low);
            Axis::between("input x", low - room, high + room)
        }
    };
    Panel {
        x,
        y: Axis::new("f(x)", Scale::Linear),
        ..Panel::default()
    }
}

fn curve(cloud: &ParticleCloud, alpha: f64, plane: InputPlane, x: &Axis, colour: Colour) -> Mark {
    let (from, to) = x.range.unwrap_or((-1.0, 1.0));
    let points = (0..=POINTS).map(|k| {
        let u = from + (to - from) * k as f64 / POINTS as f64;
        (u, alpha * cloud.value(&plane.input(u, 0.0)))
    });
    Mark::line(points.collect(), colour)
}

/// Marks of samples: at the height of their targets, or at f = 0 for labels, as f may be far larger than 1.
fn samples(plane: InputPlane, data: &Dataset, labels: bool) -> Mark {
    let dots = (0..data.n().min(SAMPLES)).map(|i| {
        let (x, target) = (plane.place(data.row(i)).0, f64::from(data.y[i]));
        match labels {
            true => Dot {
                x,
                y: 0.0,
                ..labelled_dot(target)
            },
            false => Dot {
                x,
                y: target,
                radius: 2.0,
                colour: BLACK,
                shape: DotShape::Rimmed,
            },
        }
    });
    Mark::Dots {
        dots: dots.collect(),
    }
}

/// The mark of a sample, by the sign of its target.
fn labelled_dot(target: f64) -> Dot {
    Dot {
        x: 0.0,
        y: 0.0,
        radius: 1.8,
        colour: if target == 0.0 { GREY } else { of_sign(target) },
        shape: if target < 0.0 {
            DotShape::Square
        } else {
            DotShape::Rimmed
        },
    }
}

/// A map of f over the plane, normalised by its largest values.
pub fn map(folder: &Folder, of: &ShownRun, plane: InputPlane, data: &Dataset) -> Panel {
    let (x, y) = sides(plane, data);
    let sampled = Sampled::new(x, y, |u, v| of.cloud.value(&plane.input(u, v)));
    let globe = plane == InputPlane::Globe;
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
        let (x, y) = plane.place(data.row(i));
        Dot {
            x,
            y,
            ..labelled_dot(f64::from(data.y[i]))
        }
    });
    panel.marks.push(Mark::Dots {
        dots: dots.collect(),
    });
    panel
}

/// Limits of a map: the whole sphere, or a square around the inputs.
fn sides(plane: InputPlane, data: &Dataset) -> ((f64, f64), (f64, f64)) {
    if plane == InputPlane::Globe {
        return ((-180.0, 180.0), (-1.0, 1.0));
    }
    let places = || (0..data.n()).map(|i| plane.place(data.row(i)));
    let (x, y) = (ends(places().map(|p| p.0)), ends(places().map(|p| p.1)));
    let half = 0.6 * (x.1 - x.0).max(y.1 - y.0).max(1e-6);
    let around = |(low, high): (f64, f64)| ((low + high) / 2.0 - half, (low + high) / 2.0 + half);
    (around(x), around(y))
}

/// Minimum and maximum.
pub fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    values.fold(start, |(l, h), v| (l.min(v), h.max(v)))
}

/// Minimum and maximum, moved apart if they are equal.
pub fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = extremes(values);
    if low < high {
        (low, high)
    } else {
        (low - 1.0, low + 1.0)
    }
}
