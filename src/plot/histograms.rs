//! Histograms of masses |a||w| and of angles, of all particles.

use super::axis::FAR;
use super::colour::of_sign;
use super::figure::{Axis, Figure, Mark, Panel, Scale, Sign};
use super::particle_cloud::{ParticleCloud, SnapshotSeries, thousands};
use super::predictor::ShownRun;

/// Number of bars of a histogram.
const BINS: usize = 48;

/// The figure of one run.
pub fn histograms(of: &ShownRun, snapshots: Option<&SnapshotSeries>) -> Option<Figure> {
    let cloud = of.cloud;
    let mut figure = Figure::new(
        "histograms",
        "Histograms of masses and angles of the particles",
    );
    figure.panels.extend(masses(cloud, &mut figure.note));
    figure.panels.extend(angles(cloud));
    if let Some(snapshots) = snapshots.filter(|snapshots| snapshots.d == cloud.d && cloud.d > 2) {
        figure.panels.extend(turned(snapshots));
        if snapshots.m < cloud.m() {
            let all = thousands(cloud.m());
            figure.remark(format!("angles of {} of {all} particles", snapshots.m));
        }
    }
    if figure.panels.len() > 1 {
        figure
            .panels
            .iter_mut()
            .for_each(|panel| panel.height = 0.45);
    }
    figure.enter("a > 0", of_sign(1.0), Sign::Patch);
    figure.enter("a < 0", of_sign(-1.0), Sign::Patch);
    if !of.label.is_empty() {
        figure.remark(&of.label);
    }
    (!figure.is_empty()).then_some(figure)
}

/// Share of the particles by mass, for each sign.
fn masses(cloud: &ParticleCloud, note: &mut Option<String>) -> Option<Panel> {
    let m = cloud.m();
    let there = || {
        let all = cloud.masses.iter().map(|&mass| (mass.abs(), mass));
        all.filter(|(mass, _)| *mass > 0.0 && mass.is_finite())
    };
    let none = m - there().count();
    if none > 0 {
        *note = Some(format!(
            "{} of {} particles have no mass",
            thousands(none),
            thousands(m)
        ));
    }
    let most = there().map(|p| p.0).fold(0.0, f64::max);
    let least = there().map(|p| p.0).fold(f64::INFINITY, f64::min);
    if most <= 0.0 {
        return None;
    }
    // Decay drives masses of particles down to 10⁻³⁰⁰: one bar holds all below 10⁻⁹ of the largest.
    let floor = least.max(1e-9 * most);
    // Bars have equal widths on the scale of the axis.
    let log = most > FAR * floor;
    let to_axis = |mass: f64| if log { mass.log10() } else { mass };
    let to_mass = |place: f64| if log { 10f64.powf(place) } else { place };
    let alike = most - floor < 1e-3 * most;
    let (from, to) = match alike {
        true => (0.9 * most, 1.1 * most),
        false => (to_axis(floor), to_axis(most)),
    };
    let values = there().map(|(mass, a)| (to_axis(mass.max(floor)), a, 1.0 / m as f64));
    let bars = Bars::new(from, to, values);
    let edges = |(l, r, y): (f64, f64, f64)| (to_mass(l), to_mass(r), y);
    let scale = if log { Scale::Log } else { Scale::Linear };
    Some(Panel {
        x: Axis {
            // A single bar would otherwise be as wide as the panel.
            range: alike.then_some((from, to)),
            ..Axis::new("mass |a||w|", scale)
        },
        y: mirrored("share of particles"),
        marks: bars.marks(edges),
        ..Panel::default()
    })
}

/// Share of the mass by the angle of w.
fn angles(cloud: &ParticleCloud) -> Option<Panel> {
    let total = cloud.mean_mass() * cloud.m() as f64;
    if cloud.angles.is_empty() || total <= 0.0 || !total.is_finite() {
        return None;
    }
    let each = cloud.angles.iter().enumerate();
    let values = each.map(|(j, &angle)| (f64::from(angle), cloud.masses[j], cloud.mass(j) / total));
    let mut x = Axis::between("angle of w [°]", -180.0, 180.0);
    x.ticks = Some(vec![-180.0, -90.0, 0.0, 90.0, 180.0]);
    Some(Panel {
        x,
        y: mirrored("share of mass"),
        marks: Bars::new(-180.0, 180.0, values).marks(|bar| bar),
        ..Panel::default()
    })
}

/// Share of the mass by the angle between w now and at the first snapshot.
fn turned(snapshots: &SnapshotSeries) -> Option<Panel> {
    let last = snapshots.len() - 1;
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mass = |j: usize| snapshots.a(last, j).abs() * norm(snapshots.w(last, j));
    let total: f64 = (0..snapshots.m).map(mass).sum();
    let angle = |j: usize| {
        let (u, v) = (snapshots.w(0, j), snapshots.w(last, j));
        let cosine = u.iter().zip(v).map(|(u, v)| u * v).sum::<f64>() / (norm(u) * norm(v));
        cosine.clamp(-1.0, 1.0).acos().to_degrees()
    };
    let values = (0..snapshots.m).map(|j| (angle(j), snapshots.a(last, j), mass(j) / total));
    let values: Vec<_> = values
        .filter(|v| v.0.is_finite() && v.2.is_finite())
        .collect();
    let most = values.iter().map(|v| v.0).fold(0.0, f64::max);
    // Angles this small are rounding errors.
    if most < 1e-3 {
        return None;
    }
    let to = [1.0, 5.0, 15.0, 45.0, 90.0, 180.0]
        .into_iter()
        .find(|&to| most <= to)?;
    (snapshots.len() > 1 && !values.is_empty()).then(|| Panel {
        x: Axis::between("angle that w has turned since the start [°]", 0.0, to),
        y: mirrored("share of mass"),
        marks: Bars::new(0.0, to, values.into_iter()).marks(|bar| bar),
        ..Panel::default()
    })
}

fn mirrored(label: &str) -> Axis {
    Axis {
        mirrored: true,
        include: Some(0.0),
        ..Axis::new(label, Scale::Linear)
    }
}

/// Sums of weights per bin: of positive a upwards, of negative a downwards.
struct Bars {
    from: f64,
    width: f64,
    up: Vec<f64>,
    down: Vec<f64>,
}

impl Bars {
    /// From (position, a, weight), for positions between two limits.
    fn new(from: f64, to: f64, values: impl Iterator<Item = (f64, f64, f64)>) -> Self {
        let width = (to - from) / BINS as f64;
        let mut bars = Bars {
            from,
            width,
            up: vec![0.0; BINS],
            down: vec![0.0; BINS],
        };
        for (place, a, weight) in values {
            let bin = (((place - from) / width).max(0.0) as usize).min(BINS - 1);
            let projection = if a < 0.0 {
                &mut bars.down
            } else {
                &mut bars.up
            };
            projection[bin] += weight;
        }
        bars
    }

    fn marks(&self, edges: impl Fn((f64, f64, f64)) -> (f64, f64, f64)) -> Vec<Mark> {
        let projection = |heights: &[f64], sign: f64| {
            let bars = heights.iter().enumerate().filter(|(_, h)| **h > 0.0);
            let bars = bars.map(|(k, h)| {
                let left = self.from + k as f64 * self.width;
                edges((left, left + self.width, sign * h))
            });
            Mark::Bars {
                bars: bars.collect(),
                colour: of_sign(sign),
            }
        };
        vec![projection(&self.up, 1.0), projection(&self.down, -1.0)]
    }
}
