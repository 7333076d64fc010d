//! Observables against the step: risks, errors, norms, drift, features.

use std::collections::BTreeMap;

use super::axis::{Settled, plain};
use super::cloud::thousands;
use super::colour::{Colour, GREY};
use super::figure::{Axis, Dash, Figure, Mark, Panel, Scale, Sign};
use super::folder::{Family, Folder};
use super::margins::margins;
use super::predictor::ends;
use crate::experiment::Train;

/// Points of a curve, at most; more are drawn as the extremes of bins.
const POINTS: usize = 400;

/// Families whose spread is shown, at most: more bands hide each other.
const BANDS: usize = 3;

/// A quantity of one panel: columns of metrics.csv with what tells them apart.
pub struct Quantity {
    label: &'static str,
    pub columns: &'static [(&'static str, Dash)],
    pub scale: Scale,
    pub include: Option<f64>,
}

/// On an axis that suits the values.
pub const fn quantity(label: &'static str, columns: &'static [(&'static str, Dash)]) -> Quantity {
    Quantity {
        label,
        columns,
        scale: Scale::Auto,
        include: None,
    }
}

/// A share between 0 and 1.
const fn share(label: &'static str, columns: &'static [(&'static str, Dash)]) -> Quantity {
    Quantity {
        scale: Scale::Linear,
        include: Some(0.0),
        ..quantity(label, columns)
    }
}

const RISK: Quantity = quantity(
    "risk R(f)",
    &[("risk", Dash::Solid), ("risk_test", Dash::Dashed)],
);
const OBJECTIVE: Quantity = quantity("objective F", &[("objective", Dash::Solid)]);
const ERROR: Quantity = share(
    "share misclassified",
    &[("error_train", Dash::Solid), ("error_test", Dash::Dashed)],
);
const NORMS: [Quantity; 2] = [
    Quantity {
        scale: Scale::Log,
        ..quantity("tv_norm", &[("tv_norm", Dash::Solid)])
    },
    Quantity {
        scale: Scale::Log,
        ..quantity("param_norm", &[("param_norm", Dash::Solid)])
    },
];
const DRIFT: [Quantity; 2] = [
    quantity("kernel drift", &[("kernel_drift", Dash::Solid)]),
    quantity("balance drift", &[("balance_drift", Dash::Solid)]),
];
const FEATURES: [Quantity; 3] = [
    quantity("cosine to the start", &[("direction_cosine", Dash::Solid)]),
    share("informative share", &[("informative", Dash::Solid)]),
    share("share dead", &[("dead", Dash::Solid)]),
];

/// Every figure of curves that the folder's metrics fill.
pub fn curves(folder: &Folder) -> Vec<Figure> {
    let mut risk = vec![RISK];
    if objective_differs(folder) {
        risk.push(OBJECTIVE);
    }
    let all = [
        figure(folder, "risk", "Risk against the step", &risk),
        figure(
            folder,
            "error",
            "Share of misclassified samples against the step",
            &[ERROR],
        ),
        margins(folder),
        figure(folder, "norms", "Norms against the step", &NORMS),
        figure(
            folder,
            "drift",
            "How far the tangent kernel and balance have moved, against the step",
            &DRIFT,
        ),
        figure(
            folder,
            "features",
            "What the features have become, against the step",
            &FEATURES,
        ),
    ];
    all.into_iter()
        .filter(|figure| !figure.is_empty())
        .collect()
}

/// Without decay and with α = 1 the objective is the risk.
fn objective_differs(folder: &Folder) -> bool {
    (0..folder.grid.runs.len()).any(|run| {
        let of = folder.experiment(run);
        of.risk.weight_decay > 0.0 || of.network.alpha() != 1.0
    })
}

fn figure(folder: &Folder, name: &str, description: &str, quantities: &[Quantity]) -> Figure {
    let mut figure = Figure::new(name, description);
    let there = |q: &&Quantity| {
        q.columns
            .iter()
            .any(|(column, _)| folder.metrics.has(column))
    };
    let there: Vec<&Quantity> = quantities.iter().filter(there).collect();
    let constant = |q: &Quantity| match q.columns {
        [(column, _)] => folder.metrics.constant(column),
        _ => None,
    };
    // A flat line beside curves takes their room and says one number.
    let all_flat = there.iter().all(|q| constant(q).is_some());
    for quantity in there {
        match constant(quantity).filter(|_| !all_flat) {
            Some(value) => figure.remark(format!("{} {} throughout", quantity.label, plain(value))),
            None => {
                let panel = panel(folder, quantity, &mut figure);
                figure.panels.push(panel);
            }
        }
    }
    finish(folder, &mut figure);
    figure
}

/// One x axis for all panels of a column needs its label once; families are named once.
pub fn finish(folder: &Folder, figure: &mut Figure) {
    let last = figure.panels.len().saturating_sub(1);
    for panel in &mut figure.panels[..last] {
        panel.x.label.clear();
    }
    if figure.is_empty() {
        return;
    }
    if last > 0 {
        let places = figure
            .panels
            .iter()
            .flat_map(|panel| panel.marks.iter().flat_map(Mark::places));
        let common = ends(
            places
                .filter(|(x, y)| x.is_finite() && y.is_finite())
                .map(|(x, _)| x),
        );
        // One scale too, whatever part of the steps a panel has values for.
        let axis = Settled::new(&Axis::default(), [common.0, common.1].into_iter(), 3);
        for panel in &mut figure.panels {
            panel.height = 0.42;
            panel.x.range = Some(common);
            panel.x.scale = axis.scale;
        }
    }
    // Lines first, then what is behind them.
    figure.legend.sort_by_key(|entry| entry.sign == Sign::Patch);
    if let Some(note) = folder.shown_of() {
        figure.remark(note);
    }
}

/// One quantity of the families that it applies to.
pub fn panel(folder: &Folder, quantity: &Quantity, figure: &mut Figure) -> Panel {
    let shown = folder.shown();
    let mut panel = Panel {
        x: Axis::new("step k", Scale::Auto),
        y: Axis {
            include: quantity.include,
            ..Axis::new(quantity.label, quantity.scale)
        },
        ..Panel::default()
    };
    let mut lines = Vec::new();
    let columns: Vec<_> = (quantity.columns.iter())
        .filter(|(column, _)| folder.metrics.has(column))
        .collect();
    let applies = |family: &Family| {
        let output = |&run: &usize| folder.experiment(run).network.train == Train::Output;
        match columns.first() {
            Some(("margin_f2", _)) => family.runs.iter().all(output),
            Some(("margin_f1" | "margin_param", _)) => !family.runs.iter().all(output),
            _ => true,
        }
    };
    for (family, colour) in shown.iter().filter(|(family, _)| applies(family)) {
        if shown.len() > 1 {
            figure.enter(family.label(), *colour, Sign::Line(Dash::Solid));
        }
        for &&(column, dash) in &columns {
            let curve = Curve::new(folder, family, column);
            match curve.band(colour.faded(0.25)) {
                Some(band) if shown.len() <= BANDS && dash == Dash::Solid => {
                    panel.marks.push(band);
                    figure.remark(format!(
                        "mean of {} seeds; shaded: least to most",
                        curve.seeds
                    ));
                }
                Some(_) => figure.remark(format!("mean of {} seeds", curve.seeds)),
                None => {}
            }
            lines.push(Mark::Line {
                points: curve.mean(),
                colour: *colour,
                dash,
                width: 1.0,
            });
            if let Some(rows) = curve.binned {
                figure.remark(format!("{} rows as extremes of bins", thousands(rows)));
            }
        }
    }
    panel.marks.extend(lines);
    if columns.len() > 1 {
        let colour = if shown.len() > 1 { GREY } else { shown[0].1 };
        for &&(column, dash) in &columns {
            let test = column.ends_with("_test");
            figure.enter(
                if test { "test" } else { "training" },
                colour,
                Sign::Line(dash),
            );
        }
    }
    panel
}

/// A column over the seeds of a family.
struct Curve {
    /// Step, mean, least, most.
    points: Vec<(f64, [f64; 3])>,
    seeds: usize,
    /// Rows of a curve that was too long to draw.
    binned: Option<usize>,
}

impl Curve {
    fn new(folder: &Folder, family: &Family, column: &str) -> Self {
        let mut at: BTreeMap<u64, (usize, [f64; 3])> = BTreeMap::new();
        for &run in &family.runs {
            let steps = folder.metrics.column(run, "step").unwrap_or_default();
            let values = folder.metrics.column(run, column).unwrap_or_default();
            for (&step, &value) in steps.iter().zip(values).filter(|(_, v)| v.is_finite()) {
                let new = (0, [0.0, f64::INFINITY, f64::NEG_INFINITY]);
                let (count, sums) = at.entry(step as u64).or_insert(new);
                *count += 1;
                *sums = [sums[0] + value, sums[1].min(value), sums[2].max(value)];
            }
        }
        let seeds = at.values().map(|(count, _)| *count).max().unwrap_or(0);
        // A mean over fewer runs than before would jump.
        let whole = at.into_iter().filter(|(_, (count, _))| *count == seeds);
        let points = whole.map(|(step, (count, [sum, low, high]))| {
            (step as f64, [sum / count as f64, low, high])
        });
        let mut points: Vec<_> = points.collect();
        // Step 0 has no place on a logarithmic axis.
        if points.len() > 1 && points[0].0 == 0.0 {
            points.remove(0);
        }
        let binned = (points.len() > POINTS).then_some(points.len());
        if binned.is_some() {
            points = extremes(&points);
        }
        Curve {
            points,
            seeds,
            binned,
        }
    }

    fn mean(&self) -> Vec<(f64, f64)> {
        self.points
            .iter()
            .map(|&(x, [mean, ..])| (x, mean))
            .collect()
    }

    fn band(&self, colour: Colour) -> Option<Mark> {
        let points = self
            .points
            .iter()
            .map(|&(x, [_, low, high])| (x, low, high));
        (self.seeds > 1).then(|| Mark::Band {
            points: points.collect(),
            colour,
        })
    }
}

/// The first, the least and the most of each bin of an axis of steps, and the last of all.
fn extremes(points: &[(f64, [f64; 3])]) -> Vec<(f64, [f64; 3])> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Vec::new();
    };
    let unit = |x: f64| x.max(1.0).ln();
    let width = (unit(last.0) - unit(first.0)).max(f64::MIN_POSITIVE) * 2.0 / POINTS as f64;
    let bin = |x: f64| ((unit(x) - unit(first.0)) / width) as usize;
    let mut kept = Vec::new();
    for part in points.chunk_by(|a, b| bin(a.0) == bin(b.0)) {
        let least = part.iter().min_by(|a, b| a.1[0].total_cmp(&b.1[0]));
        let most = part.iter().max_by(|a, b| a.1[0].total_cmp(&b.1[0]));
        let mut ends: Vec<_> = least.into_iter().chain(most).copied().collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        kept.extend(ends);
    }
    kept.insert(0, *first);
    kept.push(*last);
    kept.dedup_by(|a, b| a.0 == b.0);
    kept
}
