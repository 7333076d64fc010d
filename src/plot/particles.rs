//! Particles as directions with mass: in the plane, on the sphere with depth, or along their first two
//! principal axes; tails show their positions at the last snapshots.

use super::colour::{Colour, LIGHT, of_sign};
use super::figure::{Axis, Dash, Dot, DotShape, Figure, Mark, Panel, Sign};
use super::particle_cloud::{ParticleCloud, SnapshotSeries};
use super::predictor::ShownRun;
use super::projection::{Particle, Projection, View};

/// Largest number of particles with tails, and number of snapshots in a tail.
const TAILS: usize = 400;
const TAIL: usize = 12;
/// Radius of the heaviest particle, in points.
const HEAVIEST: f64 = 2.6;
const LIGHTEST: f64 = 0.5;
/// Number of dots from which on they are drawn smaller.
const CROWD: f64 = 800.0;

/// The figure, from the final particles and, for tails, the snapshots of each run.
pub fn particles(shown: &[ShownRun], snapshots: &[Option<SnapshotSeries>]) -> Option<Figure> {
    let mut figure = Figure::new("particles", "Directions and masses of the particles");
    for (of, snapshots) in shown.iter().zip(snapshots) {
        let cloud = of.cloud;
        let now = (0..cloud.sampled()).map(|j| Particle::new(cloud.row(j), cloud.a[j]));
        let now: Vec<Particle> = now.collect();
        let fits = |f: &&SnapshotSeries| f.d == cloud.d && f.m <= now.len();
        let tails = snapshots
            .as_ref()
            .filter(fits)
            .map(|f| tails(f, f.len() - 1));
        let view = View::new(&now);
        let mut panel = panel(&now, tails.as_deref().unwrap_or_default(), &view);
        panel.title = (!of.label.is_empty()).then(|| of.label.clone());
        figure.panels.push(panel);
        let moments = tails.iter().flatten().map(|tail| tail.points.len());
        note(&mut figure, cloud, moments.max().unwrap_or(0));
    }
    figure.columns = if figure.panels.len() > 1 { 2 } else { 1 };
    figure.enter("a > 0", of_sign(1.0), Sign::Dot(DotShape::Disc));
    figure.enter("a < 0", of_sign(-1.0), Sign::Dot(DotShape::Disc));
    (!figure.is_empty()).then_some(figure)
}

fn note(figure: &mut Figure, cloud: &ParticleCloud, moments: usize) {
    if cloud.d == 3 {
        figure.remark("size: mass |a||w|; pale: behind the sphere");
    }
    if let Some(sampled) = cloud.sample_note() {
        figure.remark(sampled);
    }
    if moments > 1 {
        figure.remark(format!(
            "tails: last {moments} snapshots of up to {TAILS} particles"
        ));
    }
}

/// One run's panel at one time.
pub fn panel(now: &[Particle], tails: &[Tail], view: &View) -> Panel {
    let unit = view.unit;
    match &view.projection {
        Projection::Sphere => sphere(now, tails, unit),
        Projection::InputPlane => {
            let view = |p: &[f64]| (p[0] / unit, p.get(1).map_or(0.0, |y| y / unit));
            let axes = ["√(|a||w|) cos φ".to_owned(), "√(|a||w|) sin φ".to_owned()];
            let panel = plane(now, tails, &view, axes);
            match now.first().is_some_and(|p| p.point.len() == 1) {
                true => line_of(panel),
                false => panel,
            }
        }
        Projection::Axes(axes, shares) => {
            let dot = |p: &[f64], k: usize| p.iter().zip(&axes[k]).map(|(p, u)| p * u).sum::<f64>();
            let view = |p: &[f64]| (dot(p, 0) / unit, dot(p, 1) / unit);
            let percent = |k: usize| format!("{:.0} %", 100.0 * shares[k]);
            let axes = [
                format!("1st axis ({})", percent(0)),
                format!("2nd axis ({})", percent(1)),
            ];
            plane(now, tails, &view, axes)
        }
    }
}

fn plane(
    now: &[Particle],
    tails: &[Tail],
    view: &dyn Fn(&[f64]) -> (f64, f64),
    [x, y]: [String; 2],
) -> Panel {
    let mut marks = vec![
        line(vec![(-1.08, 0.0), (1.08, 0.0)], LIGHT, 0.5),
        line(vec![(0.0, -1.08), (0.0, 1.08)], LIGHT, 0.5),
    ];
    // Points farther out than all present particles are outside the panel.
    let inside = |(x, y): (f64, f64)| match x.abs().max(y.abs()) <= 1.08 {
        true => (x, y),
        false => (x, f64::NAN),
    };
    for tail in tails {
        let points = tail.points.iter().map(|p| inside(view(p))).collect();
        marks.push(line(points, of_sign(tail.a).faded(0.4), 0.5));
    }
    let dots = now.iter().map(|p| {
        let (x, y) = view(&p.point);
        dot((x, y), 1.0, of_sign(p.sign))
    });
    marks.push(Mark::Dots {
        dots: dots.collect(),
    });
    Panel {
        x: Axis::between(x, -1.08, 1.08),
        y: Axis::between(y, -1.08, 1.08),
        marks,
        equal: true,
        ..Panel::default()
    }
}

/// For d = 1, where the second coordinate is always 0: the panel as a line.
fn line_of(panel: Panel) -> Panel {
    Panel {
        x: Axis {
            label: "√(|a||w|) sign w".into(),
            ..panel.x
        },
        y: Axis {
            ticks: Some(vec![0.0]),
            ..Axis::between("", -0.1, 0.1)
        },
        equal: false,
        height: 0.12,
        ..panel
    }
}

/// The directions on the sphere, viewed from slightly above and from the side.
fn sphere(now: &[Particle], tails: &[Tail], unit: f64) -> Panel {
    // Rows of a rotation: right, up, towards the viewer.
    let (turn, tilt) = (0.6_f64, 0.4_f64);
    let right = [turn.cos(), turn.sin(), 0.0];
    let up = [
        tilt.sin() * turn.sin(),
        -tilt.sin() * turn.cos(),
        tilt.cos(),
    ];
    let front = [
        tilt.cos() * turn.sin(),
        -tilt.cos() * turn.cos(),
        -tilt.sin(),
    ];
    let view = |p: &[f64]| {
        let size = p.iter().map(|v| v * v).sum::<f64>().sqrt();
        let of = |axis: &[f64; 3]| p.iter().zip(axis).map(|(p, u)| p * u).sum::<f64>() / size;
        [of(&right), of(&up), of(&front)]
    };
    let mut marks = globe(&|p: &[f64]| view(p));
    let mut tails_in_front = Vec::new();
    for tail in tails {
        let places: Vec<_> = tail.points.iter().map(|p| view(p)).collect();
        let behind = places.last().is_some_and(|p| p[2] < 0.0);
        let points = places.iter().map(|p| (p[0], p[1])).collect();
        let shade = of_sign(tail.a).faded(if behind { 0.2 } else { 0.45 });
        let tail = line(points, shade, 0.5);
        if behind {
            marks.push(tail)
        } else {
            tails_in_front.push(tail)
        }
    }
    let mut order: Vec<([f64; 3], &Particle)> = (now.iter())
        .map(|p| (view(&p.point), p))
        .filter(|(place, _)| place[2].is_finite())
        .collect();
    order.sort_by(|a, b| a.0[2].total_cmp(&b.0[2]));
    let (behind, ahead): (Vec<_>, Vec<_>) =
        order.into_iter().partition(|(place, _)| place[2] < 0.0);
    // Many dots are drawn smaller so that they do not hide each other.
    let crowd = (CROWD / now.len() as f64).min(1.0).powf(0.25);
    let dots = |of: &[([f64; 3], &Particle)], shade: f64| Mark::Dots {
        dots: (of.iter())
            .map(|(place, p)| {
                let radius = (LIGHTEST + (HEAVIEST - LIGHTEST) * p.length() / unit) * crowd;
                dot((place[0], place[1]), radius, of_sign(p.sign).faded(shade))
            })
            .collect(),
    };
    marks.push(dots(&behind, 0.35));
    marks.extend(tails_in_front);
    marks.push(dots(&ahead, 1.0));
    Panel {
        x: Axis::between("", -1.05, 1.05),
        y: Axis::between("", -1.05, 1.05),
        marks,
        equal: true,
        bare: true,
        ..Panel::default()
    }
}

/// The outline, the equator and two meridians of the sphere, dotted on the back. Axis labels would hide
/// particles, so there are none.
fn globe(view: &dyn Fn(&[f64]) -> [f64; 3]) -> Vec<Mark> {
    let angles = || (0..=120).map(|k| f64::from(k) / 120.0 * std::f64::consts::TAU);
    let mut marks = vec![line(
        angles().map(|t| (t.cos(), t.sin())).collect(),
        LIGHT,
        0.8,
    )];
    let circles: [fn(f64) -> [f64; 3]; 3] = [
        |t| [t.cos(), t.sin(), 0.0],
        |t| [t.cos(), 0.0, t.sin()],
        |t| [0.0, t.cos(), t.sin()],
    ];
    for circle in circles {
        for behind in [true, false] {
            let points = angles().map(|t| {
                let [x, y, depth] = view(&circle(t));
                if (depth < 0.0) == behind {
                    (x, y)
                } else {
                    (f64::NAN, y)
                }
            });
            marks.push(Mark::Line {
                points: points.collect(),
                colour: LIGHT,
                dash: if behind { Dash::Dotted } else { Dash::Solid },
                width: 0.5,
            });
        }
    }
    marks
}

/// The path of a particle over the last snapshots.
pub struct Tail {
    /// As [`Particle::point`], a point per snapshot.
    points: Vec<Vec<f64>>,
    /// The output weight at the last snapshot.
    a: f64,
}

/// The tails of some particles over the last snapshots up to number `end`.
pub fn tails(snapshots: &SnapshotSeries, end: usize) -> Vec<Tail> {
    let from = (end + 1).saturating_sub(TAIL);
    let stride = snapshots.m.div_ceil(TAILS).max(1);
    // Twins and signs alternate, so that an even stride would select only one kind.
    let stride = if stride > 1 { stride | 1 } else { stride };
    let of = |j: usize| {
        let points =
            (from..=end).map(|s| Particle::new(snapshots.w(s, j), snapshots.a(s, j)).point);
        Tail {
            points: points.collect(),
            a: snapshots.a(end, j),
        }
    };
    (0..snapshots.m).step_by(stride).map(of).collect()
}

fn line(points: Vec<(f64, f64)>, colour: Colour, width: f64) -> Mark {
    Mark::Line {
        points,
        colour,
        dash: Dash::Solid,
        width,
    }
}

fn dot((x, y): (f64, f64), radius: f64, colour: Colour) -> Dot {
    Dot {
        x,
        y,
        radius,
        colour,
        shape: DotShape::Disc,
    }
}
