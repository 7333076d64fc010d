//! Final values as functions of each numeric key of a grid, with mean and spread over seeds.

use super::axis::{FittedAxis, plain};
use super::colour::{Colour, GREY, of_family};
use super::figure::{Axis, Dash, Figure, Mark, Panel, Scale, Sign};
use super::folder::{Family, Folder, applies, words};
use super::line_styles::{distinct, spread};
use super::margins::{LAW, LAW_DASH, law_over, margin_bounds_over};

/// Largest number of lines of a panel.
const LINES: usize = 6;
/// Share of its family's colour that a spread has; the rest is white.
const SHADE: f64 = 0.25;
/// Candidate quantities, the most informative first, and the largest number of panels.
const QUANTITIES: [(&str, &str); 6] = [
    ("error_test", "test error"),
    ("risk_test", "test risk"),
    ("margin_param", "margin_param"),
    ("margin_f2", "margin_f2"),
    ("risk", "training risk"),
    ("tv_norm", "tv_norm"),
];
const PANELS: usize = 2;

/// A figure for each key of the grid that takes several numbers.
pub fn against(folder: &Folder) -> Vec<Figure> {
    let Some(first) = folder.families.first() else {
        return Vec::new();
    };
    let keys = first.parameters.iter().map(|(key, _)| key.as_str());
    let figures = keys.filter_map(|key| {
        let each = folder.families.iter().map(|family| family.number(key));
        let values: Option<Vec<f64>> = each.collect();
        let mut values = values?;
        values.sort_by(f64::total_cmp);
        values.dedup();
        (values.len() > 1).then(|| figure(folder, key, &values))
    });
    figures.filter(|figure| !figure.is_empty()).collect()
}

fn figure(folder: &Folder, key: &str, values: &[f64]) -> Figure {
    let name = format!("against-{}", key.rsplit('.').next().unwrap_or(key));
    let mut figure = Figure::new(name, format!("Final values against {}", words(key)));
    let labels = distinct(&folder.families, |family| family.label_without(key));
    let all = labels.len();
    let labels = spread(labels, LINES);
    let count = labels.len();
    let lines = labels.iter().enumerate();
    let lines: Vec<(&str, Colour)> = lines
        .map(|(k, label)| (label.as_str(), of_family(k, count, false)))
        .collect();
    // The loss decides which of test risk and test error, and which margin, is more informative.
    let labelled = folder.metrics.has("error_test");
    let output = (0..folder.grid.runs.len())
        .all(|k| folder.experiment(k).network.train == crate::model::Train::Output);
    let telling = |name: &str| match name {
        "risk_test" => !labelled,
        "margin_f2" => output,
        "margin_param" => !output,
        _ => true,
    };
    let quantities = QUANTITIES
        .iter()
        .filter(|(name, _)| telling(name) && folder.metrics.has(name))
        .take(PANELS);
    if lines.len() > 1 {
        for (label, colour) in &lines {
            figure.enter(*label, *colour, Sign::Line(Dash::Solid));
        }
    }
    let mut columns = Vec::new();
    for (column, label) in quantities {
        let panel = panel(folder, (key, values), (column, label), &lines, &mut figure);
        // A column with values during the runs may have none at the end, where they exceed f64.
        if panel.places().next().is_some() {
            figure.panels.push(panel);
            columns.push(*column);
        }
    }
    let shown = folder.families.iter();
    let shown = shown.filter(|family| labels.contains(&family.label_without(key)));
    let runs = shown.flat_map(|family| &family.runs);
    let ends = runs.filter_map(|&run| {
        let mut columns = columns.iter();
        columns.find_map(|column| last(folder, run, column))?;
        Some((run, last(folder, run, "step")? as u64))
    });
    folder.ends_apart(&ends.collect::<Vec<_>>(), &mut figure);
    if all > count {
        figure.remark(format!(
            "{count} of {all} combinations of the other parameters"
        ));
    }
    let last = figure.panels.len().saturating_sub(1);
    figure.panels[..last]
        .iter_mut()
        .for_each(|panel| panel.x.label.clear());
    if last > 0 {
        figure
            .panels
            .iter_mut()
            .for_each(|panel| panel.height = 0.42);
    }
    figure
}

fn panel(
    folder: &Folder,
    (key, values): (&str, &[f64]),
    (column, label): (&str, &str),
    lines: &[(&str, Colour)],
    figure: &mut Figure,
) -> Panel {
    let positive = values.iter().all(|&v| v > 0.0);
    let far = positive && values[values.len() - 1] > 7.0 * values[0];
    let mut panel = Panel {
        x: Axis {
            ticks: Some(values.to_vec()),
            ..Axis::new(words(key), if far { Scale::Log } else { Scale::Linear })
        },
        y: Axis {
            include: column.starts_with("error").then_some(0.0),
            ..Axis::new(label, Scale::Auto)
        },
        ..Panel::default()
    };
    if column.starts_with("error") {
        panel.y.scale = Scale::Linear;
    }
    let mut bounds = Vec::new();
    let mut means = Vec::new();
    for &(line, colour) in lines {
        let mut families: Vec<&Family> = (folder.families.iter())
            .filter(|family| family.label_without(key) == line && applies(folder, family, column))
            .collect();
        families.sort_by(|a, b| {
            let of = |f: &Family| f.number(key).unwrap_or(f64::NAN);
            of(a).total_cmp(&of(b))
        });
        let places = families.iter().filter_map(|family| {
            let x = family.number(key)?;
            let finals = family
                .runs
                .iter()
                .filter_map(|&run| last(folder, run, column));
            let finals: Vec<f64> = finals.collect();
            let mean = finals.iter().sum::<f64>() / finals.len() as f64;
            let low = finals.iter().copied().fold(f64::INFINITY, f64::min);
            let high = finals.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (!finals.is_empty()).then_some((x, mean, low, high))
        });
        let places: Vec<_> = places.collect();
        if families.iter().any(|family| family.runs.len() > 1) {
            panel.marks.push(Mark::Band {
                points: places
                    .iter()
                    .map(|&(x, _, low, high)| (x, low, high))
                    .collect(),
                colour: colour.faded(SHADE),
            });
            figure.remark("mean of the seeds; shaded: least to most");
        }
        let mean = places.iter().map(|p| (p.0, p.1));
        means.push(Mark::line(mean.clone().collect(), colour));
        means.push(Mark::discs(mean, colour));
        let certified = families.iter().filter_map(|family| {
            let margin_bounds = margin_bounds_over(folder, family, column)?;
            Some((family.number(key)?, margin_bounds))
        });
        let certified: Vec<_> = certified.collect();
        let shade = if lines.len() > 1 { colour } else { GREY };
        if let Some((_, first)) = certified.first() {
            figure.enter(first.words(), GREY.faded(0.45), Sign::Patch);
            if let Some(note) = certified
                .iter()
                .find_map(|(_, margin_bounds)| margin_bounds.note())
            {
                figure.remark(note);
            }
            let ends = certified.iter().map(|&(x, r)| (x, r.low, r.high));
            bounds.extend(optimum(&ends.collect::<Vec<_>>(), shade));
        }
        let laws = families
            .iter()
            .filter_map(|family| Some((family.number(key)?, law_over(folder, family, column)?)));
        let laws: Vec<_> = laws.collect();
        if !laws.is_empty() {
            figure.enter(LAW, GREY, Sign::Line(LAW_DASH));
            bounds.push(Mark::Line {
                points: laws,
                colour: shade,
                dash: LAW_DASH,
                width: 1.0,
            });
        }
    }
    cut_below(&mut panel, &means, figure);
    let edges = lines.iter().filter(|_| lines.len() > 1);
    let edges: Vec<Mark> = edges
        .flat_map(|&(_, colour)| edges_of(&panel, colour))
        .collect();
    panel.marks.extend(edges);
    // Drawn over the spreads, which would hide them, and under the means.
    panel.marks.extend(bounds);
    panel.marks.extend(means);
    panel
}

/// Cuts spreads on a logarithmic axis at the power of ten below the smallest mean: a single seed with a far
/// smaller value would take up most of the axis.
fn cut_below(panel: &mut Panel, means: &[Mark], figure: &mut Figure) {
    let ys = |marks: &[Mark]| -> Vec<f64> {
        let all = marks.iter().flat_map(Mark::places).map(|(_, y)| y);
        all.filter(|y| y.is_finite()).collect()
    };
    let least = |of: &[f64]| of.iter().copied().fold(f64::INFINITY, f64::min);
    let (spread, mean) = (ys(&panel.marks), least(&ys(means)));
    let floor = 10f64.powf((mean / 3.0).log10().floor());
    let low = least(&spread);
    let log = FittedAxis::new(&panel.y, spread.into_iter(), 3).scale == Scale::Log;
    if !log || mean <= 0.0 || low >= floor {
        return;
    }
    for mark in &mut panel.marks {
        if let Mark::Band { points, .. } = mark {
            points.iter_mut().for_each(|p| p.1 = p.1.max(floor));
        }
    }
    let short: f64 = format!("{low:.1e}").parse().unwrap_or(low);
    figure.remark(format!(
        "{}: shade cut at {}, the least is {}",
        panel.y.label,
        plain(floor),
        plain(short)
    ));
}

/// The edges of a spread, which stay visible where other spreads overlap it.
fn edges_of(panel: &Panel, colour: Colour) -> Vec<Mark> {
    let edge = |points: Vec<(f64, f64)>| Mark::Line {
        points,
        colour: colour.faded(2.0 * SHADE),
        dash: Dash::Solid,
        width: 0.5,
    };
    let shades = panel.marks.iter().filter_map(|mark| match mark {
        Mark::Band { points, colour: of } if *of == colour.faded(SHADE) => Some(points),
        _ => None,
    });
    let both = shades.flat_map(|points| {
        let low = points.iter().map(|&(x, low, _)| (x, low));
        let high = points.iter().map(|&(x, _, high)| (x, high));
        [edge(low.collect()), edge(high.collect())]
    });
    both.collect()
}

/// The bounds of an optimum as a band with a line in its middle, as tight bounds are thinner than a line.
fn optimum(certified: &[(f64, f64, f64)], shade: Colour) -> [Mark; 2] {
    let middle = certified
        .iter()
        .map(|&(x, low, high)| (x, (low + high) / 2.0));
    [
        Mark::Band {
            points: certified.to_vec(),
            colour: shade.faded(0.45),
        },
        Mark::Line {
            points: middle.collect(),
            colour: shade.faded(0.45),
            dash: Dash::Solid,
            width: 1.6,
        },
    ]
}

/// The last finite value of a column.
fn last(folder: &Folder, run: usize, column: &str) -> Option<f64> {
    let values = folder.metrics.column(run, column)?;
    values.last().copied().filter(|v| v.is_finite())
}
