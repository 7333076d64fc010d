//! Margins against the step, with certified bounds of their largest possible values.

use super::colour::{Colour, GREY};
use super::figure::{Dash, Figure, Mark, Panel, Scale, Sign};
use super::folder::{Family, Folder, applies};
use super::line_styles::{LineStyle, LineStyles};
use super::over_steps::{finish, panel, quantity};
use crate::certify::run_certificate::OptimumKind;
use crate::model::Train;

/// Margins of the runs, with the certified bounds of their optima.
pub fn margins(folder: &Folder) -> Figure {
    let mut figure = Figure::new("margins", "Margins against the step, with certified bounds");
    let line_styles = LineStyles::new(&folder.families);
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
        let mut panel = panel(folder, &quantity, &line_styles, &mut figure);
        bounds(folder, &line_styles, column, &mut panel, &mut figure);
        cut_below(&mut panel, &mut figure);
        figure.panels.push(panel);
    }
    finish(&line_styles, &mut figure);
    figure
}

/// Bounds of the largest value that a margin can have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarginBounds {
    pub low: f64,
    pub high: f64,
    /// Whether the upper bound holds for all directions, not only for the directions searched.
    certified: bool,
    /// Whether the bounds are means over runs with different optima.
    mean: bool,
}

impl MarginBounds {
    /// A name for the legend.
    pub fn words(&self) -> &'static str {
        match self.certified {
            true => "bounds of the optimum",
            false => "bounds of the optimum, searched",
        }
    }

    /// A note for the figure, if one is needed.
    pub fn note(&self) -> Option<&'static str> {
        self.mean
            .then_some("bounds: mean over the seeds, each of which has its own optimum")
    }
}

/// Bounds of the largest possible value of a run's margin. γ1 depends only on the samples, so the
/// certificate of any run on the same samples is used.
pub fn margin_bounds_of(folder: &Folder, run: usize, column: &str) -> Option<MarginBounds> {
    let alpha = folder.experiment(run).network.alpha();
    let (kind, factor) = match column {
        "margin_f1" => (OptimumKind::Margin, 1.0),
        // At the limit particles are balanced, so param_norm = 2 tv_norm/α.
        "margin_param" => (OptimumKind::Margin, alpha / 2.0),
        "margin_f2" => (OptimumKind::KernelMarginFeatures, 1.0),
        _ => return None,
    };
    let of = || folder.certificates.iter().filter(|s| s.kind == kind);
    let own = of().find(|s| s.run == run);
    let others = of().filter(|_| kind == OptimumKind::Margin);
    let of = own.or_else(|| others.into_iter().find(|s| folder.share_data(s.run, run)))?;
    Some(MarginBounds {
        low: factor * of.optimum_lower,
        high: factor * of.optimum_upper,
        certified: of.certified,
        mean: false,
    })
}

/// Bounds for a family: means over its runs, as its curve is a mean too. `None` if some run has no bounds.
pub fn margin_bounds_over(folder: &Folder, family: &Family, column: &str) -> Option<MarginBounds> {
    let each = family
        .runs
        .iter()
        .map(|&run| margin_bounds_of(folder, run, column));
    let each: Vec<MarginBounds> = each.collect::<Option<_>>()?;
    let mean = |of: fn(&MarginBounds) -> f64| each.iter().map(of).sum::<f64>() / each.len() as f64;
    (!each.is_empty()).then(|| MarginBounds {
        low: mean(|r| r.low),
        high: mean(|r| r.high),
        certified: each.iter().all(|r| r.certified),
        mean: each.iter().any(|r| !close(r.high, each[0].high)),
    })
}

/// Label of the margin of infinitely many features.
pub const LAW: &str = "γ₂ of infinitely many features";
/// Dash of that margin, which distinguishes it from the curves.
pub const LAW_DASH: Dash = Dash::Dotted;

/// γ2 for the law of the features, averaged over a family.
pub fn law_over(folder: &Folder, family: &Family, column: &str) -> Option<f64> {
    let of = |run: usize| {
        let mut all = folder.certificates.iter();
        let found = all.find(|s| s.run == run && s.kind == OptimumKind::KernelMarginLaw)?;
        Some((found.optimum_lower + found.optimum_upper) / 2.0)
    };
    let each = family.runs.iter().map(|&run| of(run));
    let each: Vec<f64> = each.collect::<Option<_>>()?;
    let there = column == "margin_f2" && !each.is_empty();
    there.then(|| each.iter().sum::<f64>() / each.len() as f64)
}

/// Bounds as bands across the panel, and γ2 for the law of the features as lines: one for all families if
/// they have the same optimum, else one in each colour.
fn bounds(
    folder: &Folder,
    line_styles: &LineStyles,
    column: &str,
    panel: &mut Panel,
    figure: &mut Figure,
) {
    let shown = line_styles.each.iter();
    let shown: Vec<&LineStyle> = shown
        .filter(|style| applies(folder, style.family, column))
        .collect();
    let reaches = shown.iter().filter_map(|style| {
        let margin_bounds = margin_bounds_over(folder, style.family, column)?;
        Some((margin_bounds, style.colour, style.family.label()))
    });
    let mut reaches: Vec<(MarginBounds, Colour, String)> = reaches.collect();
    let laws = shown.iter().filter_map(|style| {
        let law = law_over(folder, style.family, column)?;
        Some((law, style.colour))
    });
    let mut laws: Vec<(f64, Colour)> = laws.collect();
    if let Some(&(first, ..)) = reaches.first()
        && reaches
            .iter()
            .all(|(r, ..)| close(r.low, first.low) && close(r.high, first.high))
    {
        reaches = vec![(first, GREY, String::new())];
    }
    if let Some(&(first, _)) = laws.first()
        && laws.iter().all(|&(law, _)| close(law, first))
    {
        laws = vec![(first, GREY)];
    }
    if let Some((margin_bounds, ..)) = reaches.first() {
        let dark = if reaches.len() == 1 {
            reaches[0].1
        } else {
            GREY
        };
        figure.enter(margin_bounds.words(), dark.faded(0.45), Sign::Patch);
        if let Some(note) = reaches
            .iter()
            .find_map(|(margin_bounds, ..)| margin_bounds.note())
        {
            figure.remark(note);
        }
    }
    if !laws.is_empty() {
        figure.enter(LAW, GREY, Sign::Line(LAW_DASH));
    }
    let slabs = reaches
        .iter()
        .map(|(margin_bounds, colour, family)| Mark::Slab {
            label: format!("{family} {}", margin_bounds.words())
                .trim()
                .to_owned(),
            low: margin_bounds.low,
            high: margin_bounds.high,
            colour: colour.faded(0.45),
        });
    let rules = laws.iter().map(|&(y, colour)| Mark::Rule {
        y,
        colour,
        dash: LAW_DASH,
    });
    // Drawn over the spreads, which would hide them, and under the curves.
    let curves = panel.marks.iter();
    let curves = curves.take_while(|mark| matches!(mark, Mark::Band { .. }));
    let place = curves.count();
    let bounds: Vec<Mark> = slabs.chain(rules).collect();
    panel.marks.splice(place..place, bounds);
}

/// Whether two values cannot be distinguished in a figure.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-3 * b.abs()
}

/// Cuts the lower end of the axis: until the data are separated, margins are far below 0.
fn cut_below(panel: &mut Panel, figure: &mut Figure) {
    let ys = || panel.marks.iter().flat_map(Mark::places).map(|(_, y)| y);
    let (low, high) = ys()
        .filter(|y| y.is_finite())
        .fold((0.0_f64, 0.0_f64), |(l, h), y| (l.min(y), h.max(y)));
    // The values of the second half of the steps are always shown.
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
