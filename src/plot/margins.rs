//! Margins against the step, with the certified bounds of what they can reach.

use super::colour::{Colour, GREY};
use super::curves::{finish, panel, quantity};
use super::figure::{Dash, Figure, Mark, Panel, Scale, Sign};
use super::folder::{Family, Folder};
use crate::certify::standing::Kind;
use crate::experiment::Train;

/// Margins of the runs, with the certified bounds of their optima.
pub fn margins(folder: &Folder) -> Figure {
    let mut figure = Figure::new("margins", "Margins against the step, with certified bounds");
    let runs = 0..folder.grid.runs.len();
    let output = runs
        .clone()
        .any(|k| folder.experiment(k).network.train == Train::Output);
    let both = runs
        .clone()
        .any(|k| folder.experiment(k).network.train != Train::Output);
    let all = [
        (both, quantity("margin_f1", &[("margin_f1", Dash::Solid)])),
        (
            both,
            quantity("margin_param", &[("margin_param", Dash::Solid)]),
        ),
        (output, quantity("margin_f2", &[("margin_f2", Dash::Solid)])),
    ];
    for (applies, mut quantity) in all {
        let column = quantity.columns[0].0;
        if !applies || !folder.metrics.has(column) {
            continue;
        }
        quantity.scale = Scale::Linear;
        quantity.include = Some(0.0);
        let mut panel = panel(folder, &quantity, &mut figure);
        bounds(folder, column, &mut panel, &mut figure);
        cut_below(&mut panel, &mut figure);
        figure.panels.push(panel);
    }
    finish(folder, &mut figure);
    figure
}

/// Certified bounds (low, high) of what a margin of a run can reach.
pub fn bounds_of(folder: &Folder, run: usize, column: &str) -> Option<(f64, f64)> {
    let alpha = folder.experiment(run).network.alpha();
    let (kind, factor) = match column {
        "margin_f1" => (Kind::Margin, 1.0),
        // At the limit particles are balanced, and param_norm = 2 tv_norm/α.
        "margin_param" => (Kind::Margin, alpha / 2.0),
        "margin_f2" => (Kind::KernelMarginFeatures, 1.0),
        _ => return None,
    };
    let of = folder
        .standings
        .iter()
        .find(|s| s.run == run && s.kind == kind)?;
    Some((factor * of.optimum_lower, factor * of.optimum_upper))
}

/// The bounds of a family: from the least to the most over its runs.
pub fn bounds_over(folder: &Folder, family: &Family, column: &str) -> Option<(f64, f64)> {
    let each = family
        .runs
        .iter()
        .filter_map(|&run| bounds_of(folder, run, column));
    each.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Bands across the panel: one, where the families have one optimum, else one of each colour.
fn bounds(folder: &Folder, column: &str, panel: &mut Panel, figure: &mut Figure) {
    let shown = folder.shown();
    let each = shown.iter().filter_map(|(family, colour)| {
        bounds_over(folder, family, column).map(|bounds| (bounds, *colour, family.label()))
    });
    let mut found: Vec<((f64, f64), Colour, String)> = each.collect();
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-3 * b.abs();
    if let Some(&((low, high), ..)) = found.first()
        && found
            .iter()
            .all(|(b, ..)| close(b.0, low) && close(b.1, high))
    {
        found = vec![((low, high), GREY, String::new())];
    }
    let slab = |((low, high), colour, family): &((f64, f64), Colour, String)| Mark::Slab {
        label: format!("{family} bounds of the optimum").trim().to_owned(),
        low: *low,
        high: *high,
        colour: colour.faded(0.45),
    };
    if !found.is_empty() {
        let dark = if found.len() == 1 { found[0].1 } else { GREY };
        figure.enter("bounds of the optimum", dark.faded(0.45), Sign::Patch);
    }
    let slabs: Vec<Mark> = found.iter().map(slab).collect();
    panel.marks.splice(0..0, slabs);
}

/// Before the data are separated margins are far below 0: the axis is for what comes after.
fn cut_below(panel: &mut Panel, figure: &mut Figure) {
    let ys = || panel.marks.iter().flat_map(Mark::places).map(|(_, y)| y);
    let (low, high) = ys()
        .filter(|y| y.is_finite())
        .fold((0.0_f64, 0.0_f64), |(l, h), y| (l.min(y), h.max(y)));
    // The second half of the steps is always shown.
    let late = panel.marks.iter().filter_map(|mark| match mark {
        Mark::Line { points, .. } => {
            let half = points.last().map_or(0.0, |p| p.0) / 2.0;
            Some(points.iter().filter(move |p| p.0 >= half))
        }
        _ => None,
    });
    let late = late.flatten().map(|p| p.1);
    let floor = late.fold(-0.5 * high, |floor, y| floor.min(1.1 * y));
    if high <= 0.0 || low >= floor {
        return;
    }
    panel.y.range = Some((floor, 1.06 * high));
    for mark in &mut panel.marks {
        match mark {
            Mark::Line { points, .. } => {
                let start = points
                    .iter()
                    .rposition(|p| p.1 < floor)
                    .map_or(0, |k| k + 1);
                points.drain(..start);
            }
            Mark::Band { points, .. } => {
                let start = points
                    .iter()
                    .rposition(|p| p.2 < floor)
                    .map_or(0, |k| k + 1);
                points.drain(..start);
                points.iter_mut().for_each(|p| p.1 = p.1.max(floor));
            }
            _ => {}
        }
    }
    figure.remark("before, margins were far below 0");
}
