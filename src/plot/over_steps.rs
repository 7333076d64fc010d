//! Quantities as functions of the step, one panel each.

use super::axis::{FittedAxis, plain};
use super::colour::{Colour, GREY};
use super::curve::Curve;
use super::figure::{Axis, Dash, Figure, Mark, Panel, Scale, Sign};
use super::folder::{Folder, applies};
use super::line_styles::{LineStyle, LineStyles};
use super::predictor::{ends, extremes};

/// Largest number of steps for which an axis has a tick at each.
const FEW: f64 = 10.0;
/// Least share of a common scale that each of its panels must fill.
const FILLED: f64 = 0.25;

/// The quantity of one panel: columns of metrics.csv with the dashes that distinguish them.
pub struct Quantity {
    pub label: &'static str,
    pub columns: &'static [(&'static str, Dash)],
    pub scale: Scale,
    pub include: Option<f64>,
}

/// A quantity on an axis fitted to its values.
pub const fn quantity(label: &'static str, columns: &'static [(&'static str, Dash)]) -> Quantity {
    Quantity {
        label,
        columns,
        scale: Scale::Auto,
        include: None,
    }
}

/// A quantity between 0 and 1.
pub const fn share(label: &'static str, columns: &'static [(&'static str, Dash)]) -> Quantity {
    Quantity {
        scale: Scale::Linear,
        include: Some(0.0),
        ..quantity(label, columns)
    }
}

/// A figure with a panel for each quantity that the metrics have.
pub fn figure(folder: &Folder, name: &str, description: &str, quantities: &[Quantity]) -> Figure {
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
    // A constant is left out beside curves: it takes their room and is a single number.
    let all_flat = there.iter().all(|q| constant(q).is_some());
    let line_styles = LineStyles::new(&folder.families);
    // Where dashes distinguish training from test, families that dashes would distinguish have panels of
    // their own.
    let dashed = there.iter().any(|q| columns_of(folder, q).len() > 1);
    let parts = if dashed {
        line_styles.apart()
    } else {
        vec![(None, line_styles.clone())]
    };
    for quantity in there {
        if let Some(value) = constant(quantity).filter(|_| !all_flat) {
            figure.remark(format!("{} {} throughout", quantity.label, plain(value)));
            continue;
        }
        let mut panels: Vec<Panel> = Vec::new();
        for (title, line_styles) in &parts {
            panels.push(Panel {
                title: title.clone(),
                ..panel(folder, quantity, line_styles, &mut figure)
            });
        }
        share_heights(&mut panels);
        figure.panels.extend(panels);
    }
    finish(&line_styles, &mut figure);
    figure
}

/// Gives panels of one quantity a common scale for comparison, unless a curve would look flat on it.
fn share_heights(panels: &mut [Panel]) {
    let Some(Panel { y: axis, .. }) = panels.first().filter(|_| panels.len() > 1) else {
        return;
    };
    let ys = |panel: &Panel| -> Vec<f64> {
        let all = panel.marks.iter().flat_map(Mark::places).map(|(_, y)| y);
        all.filter(|y| y.is_finite()).collect()
    };
    let common = FittedAxis::new(axis, panels.iter().flat_map(ys), 3);
    let filled = |panel: &Panel| {
        let (low, high) = ends(ys(panel).into_iter());
        common.place(high) - common.place(low)
    };
    if panels.iter().any(|panel| filled(panel) < FILLED) {
        return;
    }
    for panel in panels {
        panel.y.range = Some((common.low, common.high));
        panel.y.scale = common.scale;
    }
}

/// Labels the x axis of each column of panels once, and adds the families to the legend once.
pub fn finish(line_styles: &LineStyles, figure: &mut Figure) {
    let last = figure.panels.len().saturating_sub(1);
    for panel in &mut figure.panels[..last] {
        panel.x.label.clear();
    }
    if figure.is_empty() {
        return;
    }
    if last > 0 {
        let places = figure.panels.iter().flat_map(Panel::places);
        let common = ends(places.map(|(x, _)| x));
        // The x axis is common to all panels, whichever steps a panel has values for.
        let axis = FittedAxis::new(&Axis::default(), [common.0, common.1].into_iter(), 3);
        for panel in &mut figure.panels {
            panel.height = 0.42;
            panel.x.range = Some(common);
            panel.x.scale = axis.scale;
        }
    }
    for panel in &mut figure.panels {
        panel.x.ticks = whole_steps(panel);
    }
    // The legend lists lines first, then areas.
    figure.legend.sort_by_key(|entry| entry.sign == Sign::Patch);
    if let Some(note) = line_styles.some_of_all() {
        figure.remark(note);
    }
}

/// Ticks at every step if there are few, as there are no fractional steps.
fn whole_steps(panel: &Panel) -> Option<Vec<f64>> {
    let (low, high) = extremes(panel.places().map(|(x, _)| x));
    let few = high - low <= FEW;
    few.then(|| (low as i64..=high as i64).map(|k| k as f64).collect())
}

/// The columns of a quantity that the folder has.
fn columns_of(folder: &Folder, quantity: &Quantity) -> Vec<(&'static str, Dash)> {
    let columns = quantity.columns.iter().copied();
    columns
        .filter(|(column, _)| folder.metrics.has(column))
        .collect()
}

/// A panel of one quantity for the families to which it applies.
pub fn panel(
    folder: &Folder,
    quantity: &Quantity,
    line_styles: &LineStyles,
    figure: &mut Figure,
) -> Panel {
    let mut panel = Panel {
        x: Axis::new("step k", Scale::Auto),
        y: Axis {
            include: quantity.include,
            ..Axis::new(quantity.label, quantity.scale)
        },
        ..Panel::default()
    };
    let columns = columns_of(folder, quantity);
    let suits = |style: &&LineStyle| {
        let column = columns.first();
        column.is_some_and(|(column, _)| applies(folder, style.family, column))
    };
    // A run is drawn over a longer run that starts with the same values.
    let shown = line_styles.each.iter().rev().filter(suits);
    let mut curves: Vec<(Colour, Dash, Curve)> = Vec::new();
    for style in shown {
        for &(column, of_column) in &columns {
            let dash = if columns.len() > 1 {
                of_column
            } else {
                style.dash
            };
            let curve = Curve::new(folder, style.family, column);
            curves.push((style.colour, dash, curve));
        }
    }
    let ranges = curves.iter().map(|(.., curve)| curve.range());
    let range = ranges.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), (low, high)| {
        (l.min(low), h.max(high))
    });
    line_styles.explain(figure);
    let mut lines = Vec::new();
    for (colour, dash, curve) in &mut curves {
        curve.thin(range);
        curve.notes().iter().for_each(|note| figure.remark(note));
        let band = curve.band(colour.faded(0.25));
        let shaded = line_styles.are_few() && *dash == Dash::Solid;
        if let Some(band) = band.filter(|_| shaded) {
            figure.remark("shaded: least to most");
            panel.marks.push(band);
        }
        lines.push(Mark::Line {
            points: curve.mean(),
            colour: *colour,
            dash: *dash,
            width: 1.0,
        });
    }
    panel.marks.extend(lines);
    if columns.len() > 1 {
        let single = line_styles.each.first().filter(|_| line_styles.is_single());
        let colour = single.map_or(GREY, |style| style.colour);
        for &(column, dash) in &columns {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_common_where_no_panel_is_flat_on_it() {
        let shared = |low: f64, high: f64| {
            let panel = |low: f64, high: f64| Panel {
                y: Axis::new("risk", Scale::Auto),
                marks: vec![Mark::line(vec![(1.0, low), (2.0, high)], GREY)],
                ..Panel::default()
            };
            let mut panels = [panel(-300.0, 200.0), panel(low, high)];
            share_heights(&mut panels);
            let [a, b] = panels.map(|panel| panel.y.range);
            assert!(a.is_none() || a == b, "{a:?} {b:?}");
            a.is_some()
        };
        assert!(shared(-100.0, 100.0));
        assert!(!shared(-1.0, 1.0));
        // Values far apart on a scale on which both are visible.
        assert!(shared(-1e9, 1e9));
    }
}
