//! The certificate's V(θ) = Σ_i q_i σ(θ·x_i) over the circle, with the bound that the certificate requires.

use super::colour::{BLACK, GREY, LIGHT, of_sign};
use super::figure::{Axis, Dash, Dot, DotShape, Figure, Mark, Panel, Scale, Sign};
use super::folder::Folder;
use super::margins::margin_bounds_of;
use super::predictor::ShownRun;
use crate::certify::InputMatrix;
use crate::error::Result;
use crate::model::Train;
use crate::store::{Checkpoint, blocks};

/// Directions around the circle, besides the breakpoints.
const DIRECTIONS: usize = 1440;
/// Largest number of particles that are marked: the heaviest ones.
const PARTICLES: usize = 200;

/// The figure of one run, if d = 2 and a certificate applies to its training.
pub fn variation(folder: &Folder, of: &ShownRun) -> Result<Option<Figure>> {
    let experiment = folder.experiment(of.run);
    if of.cloud.d != 2 || experiment.network.train == Train::Output {
        return Ok(None);
    }
    let data = folder.data(of.run)?;
    let n = data.n();
    if of.cloud.f.len() != n {
        return Ok(None);
    }
    let g = experiment.risk.loss.residual(&of.cloud.f, 0, &data.y);
    let decay = experiment.risk.weight_decay * experiment.network.alpha();
    let margin = experiment.risk.loss.is_classification() && decay == 0.0;
    let q = if margin {
        weights(folder, of.run, &g)?
    } else {
        g
    };
    if q.iter().any(|q| !q.is_finite()) {
        return Ok(None);
    }
    let inputs = InputMatrix::new(&data);
    let v = |degrees: f64| {
        inputs.variation(
            &q,
            &[degrees.to_radians().cos(), degrees.to_radians().sin()],
        )
    };
    let mut figure = Figure::new(
        "variation",
        "First variation V(θ) over the circle, with its bound",
    );
    figure.enter("V", BLACK, Sign::Line(Dash::Solid));
    let mut x = Axis::between("angle of θ [°]", -180.0, 180.0);
    x.ticks = Some(vec![-180.0, -90.0, 0.0, 90.0, 180.0]);
    let mut panel = Panel {
        x,
        y: Axis::new("V(θ)", Scale::Linear),
        ..Panel::default()
    };
    panel.marks.push(rule(0.0, Dash::Solid));
    if decay > 0.0 {
        panel
            .marks
            .extend([rule(decay, Dash::Dashed), rule(-decay, Dash::Dashed)]);
        figure.enter("bound ±λα", GREY, Sign::Line(Dash::Dashed));
    } else if let Some(margin_bounds) = margin_bounds_of(folder, of.run, "margin_f1") {
        for (low, high) in [
            (margin_bounds.low, margin_bounds.high),
            (-margin_bounds.high, -margin_bounds.low),
        ] {
            let colour = GREY.faded(0.45);
            let label = if low > 0.0 { "γ₁" } else { "−γ₁" }.to_owned();
            panel.marks.push(Mark::Slab {
                label,
                low,
                high,
                colour,
            });
        }
        figure.enter("±γ₁", GREY.faded(0.45), Sign::Patch);
    }
    let points = (0..=DIRECTIONS).map(|k| 360.0 * k as f64 / DIRECTIONS as f64 - 180.0);
    panel
        .marks
        .push(Mark::line(points.map(|t| (t, v(t))).collect(), BLACK));
    panel.marks.push(heaviest(of, &v));
    figure.enter("particles, a > 0", of_sign(1.0), Sign::Dot(DotShape::Disc));
    figure.enter("a < 0", of_sign(-1.0), Sign::Dot(DotShape::Disc));
    if of.cloud.m() > PARTICLES {
        figure.remark(format!("the {PARTICLES} heaviest particles"));
    }
    if margin {
        figure.remark("q: mean of the normalised residuals over the run, weighted by the steps");
    }
    if !of.label.is_empty() {
        figure.remark(&of.label);
    }
    figure.panels.push(panel);
    Ok(Some(figure))
}

fn rule(y: f64, dash: Dash) -> Mark {
    let colour = if y == 0.0 { LIGHT } else { GREY };
    Mark::Rule { y, colour, dash }
}

/// Residuals normalised to Σ |q_i| = 1: those accumulated over the run if there are any, since the last
/// ones oscillate; else the last ones.
fn weights(folder: &Folder, run: usize, g: &[f64]) -> Result<Vec<f64>> {
    let checkpoint = Checkpoint::newest(&folder.place.run(run))?;
    let sum = match checkpoint {
        Some(checkpoint) => checkpoint.accumulated()?.filter(|sum| sum.len() == g.len()),
        None => None,
    };
    let q = sum.as_deref().unwrap_or(g);
    let total: f64 = q.iter().map(|q| q.abs()).sum();
    Ok(q.iter().map(|q| q / total).collect())
}

/// Marks of the heaviest particles, on the curve.
fn heaviest(of: &ShownRun, v: &dyn Fn(f64) -> f64) -> Mark {
    let cloud = of.cloud;
    let mut order: Vec<usize> = Vec::new();
    for range in blocks(cloud.m()) {
        order.extend(range.filter(|&j| cloud.mass(j) > 0.0));
        order.sort_by(|&j, &k| cloud.mass(k).total_cmp(&cloud.mass(j)));
        order.truncate(PARTICLES);
    }
    let most = order.first().map_or(1.0, |&j| cloud.mass(j));
    let dots = order.into_iter().map(|j| {
        let angle = f64::from(cloud.angles[j]);
        Dot {
            x: angle,
            y: v(angle),
            radius: 0.6 + 1.6 * (cloud.mass(j) / most).sqrt(),
            colour: of_sign(cloud.masses[j]),
            shape: DotShape::Disc,
        }
    });
    Mark::Dots {
        dots: dots.collect(),
    }
}
