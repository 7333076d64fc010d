//! The numbers of a figure, for pages that show them under the pointer: JSON in the SVG's metadata.
//!
//! `{ panels: [{ title, box: [left, top, width, height], x, y: { label, scale, low, high, mirrored },
//! series: [{ label, points: [[x, y], …] }], spans: [{ label, low, high }], field }] }`, boxes in the
//! units of the viewBox, values to five digits, those of spans to nine and of fields to four. A span is a
//! mark across the whole panel between two y; a field is null or `{ label, x: [low, high], y: [low, high],
//! columns, values }`. Marks without coordinates, and guide lines, are left out.

use serde::Serialize;

use super::axis::FittedAxis;
use super::colour::{BLACK, Colour, GREY, LIGHT};
use super::figure::{Axis, Dash, Figure, LegendEntry, Mark, Panel, ScalarField, Scale, Sign};
use super::layout::{FigureLayout, Placed};
use crate::error::{Error, Result};

#[derive(Serialize)]
struct Values<'a> {
    panels: Vec<PanelValues<'a>>,
}

#[derive(Serialize)]
struct PanelValues<'a> {
    title: Option<&'a str>,
    #[serde(rename = "box")]
    plane: [f64; 4],
    x: AxisValues<'a>,
    y: AxisValues<'a>,
    series: Vec<Series>,
    spans: Vec<SpanValues>,
    field: Option<FieldValues<'a>>,
}

/// A mark across the whole panel.
#[derive(Debug, PartialEq, Serialize)]
struct SpanValues {
    label: String,
    low: f64,
    high: f64,
}

#[derive(Serialize)]
struct FieldValues<'a> {
    label: &'a str,
    x: (f64, f64),
    y: (f64, f64),
    columns: usize,
    values: Vec<f64>,
}

#[derive(Serialize)]
struct AxisValues<'a> {
    label: &'a str,
    scale: &'static str,
    low: f64,
    high: f64,
    /// Whether values below 0 are magnitudes drawn downwards.
    mirrored: bool,
}

/// Points with a label.
#[derive(Debug, PartialEq, Serialize)]
struct Series {
    label: String,
    points: Vec<(f64, f64)>,
}

/// The numbers of a figure as JSON.
///
/// # Errors
/// Only errors of the serialiser, which no figure causes: values are finite.
pub fn values(figure: &Figure, layout: &FigureLayout) -> Result<String> {
    let panels = figure.panels.iter().zip(&layout.panels).enumerate();
    let panels = panels
        .filter(|(_, (panel, _))| !panel.bare)
        .map(|(k, (panel, placed))| {
            let mut values = panel_values(panel, placed, &figure.legend);
            // Of panels below each other only the last one has the label of the common x axis.
            let mut names = figure.panels[k..].iter().map(|below| &below.x.label);
            let name = names.find(|name| !name.is_empty());
            values.x.label = name.map_or("", |name| name);
            values
        });
    let values = Values {
        panels: panels.collect(),
    };
    serde_json::to_string(&values).map_err(|e| Error::Figure {
        what: format!("the numbers of {} could not be written: {e}", figure.name),
        remedy: "the results are whole; report this with the run folder".into(),
    })
}

fn panel_values<'a>(panel: &'a Panel, placed: &Placed, legend: &[LegendEntry]) -> PanelValues<'a> {
    let mut series: Vec<Series> = Vec::new();
    for (label, points) in panel.marks.iter().flat_map(|mark| points(mark, legend)) {
        let points = points
            .into_iter()
            .filter(|(x, y)| x.is_finite() && y.is_finite());
        let points = points.map(|(x, y)| (short(x), short(y)));
        match series.iter_mut().find(|series| series.label == label) {
            Some(same) => same.points.extend(points),
            None => series.push(Series {
                label,
                points: points.collect(),
            }),
        }
    }
    series.retain(|series| !series.points.is_empty());
    PanelValues {
        title: panel.title.as_deref(),
        plane: [placed.left, placed.top, placed.width, placed.height].map(short),
        x: axis_values(&panel.x, &placed.x),
        y: axis_values(&panel.y, &placed.y),
        series,
        spans: panel
            .marks
            .iter()
            .filter_map(|mark| span(mark, legend))
            .collect(),
        field: panel.field.as_ref().and_then(field_values),
    }
}

/// A mark across the whole panel, with its label.
fn span(mark: &Mark, legend: &[LegendEntry]) -> Option<SpanValues> {
    let (label, low, high) = match mark {
        Mark::Slab {
            label, low, high, ..
        } => (label.clone(), *low, *high),
        Mark::Rule { y, colour, dash } => (named(legend, *colour, Some(*dash))?, *y, *y),
        _ => return None,
    };
    let [low, high] = [low, high].map(|v| rounded(v, 8));
    (low.is_finite() && high.is_finite()).then_some(SpanValues { label, low, high })
}

/// The values of a field; `None` if some value is not finite.
fn field_values(field: &ScalarField) -> Option<FieldValues<'_>> {
    let finite = field.values.iter().all(|v| v.is_finite());
    finite.then(|| FieldValues {
        label: &field.label,
        x: field.x,
        y: field.y,
        columns: field.columns,
        values: field.values.iter().map(|&v| rounded(v, 3)).collect(),
    })
}

fn axis_values<'a>(axis: &'a Axis, fitted: &FittedAxis) -> AxisValues<'a> {
    AxisValues {
        label: &axis.label,
        scale: match fitted.scale {
            Scale::Log => "log",
            Scale::Asinh => "asinh",
            Scale::Linear | Scale::Auto => "linear",
        },
        low: fitted.low,
        high: fitted.high,
        mirrored: axis.mirrored,
    }
}

type Named = (String, Vec<(f64, f64)>);

/// The points of a mark, with the labels from the legend.
fn points(mark: &Mark, legend: &[LegendEntry]) -> Vec<Named> {
    match mark {
        Mark::Line {
            points,
            colour,
            dash,
            ..
        } => named(legend, *colour, Some(*dash))
            .map(|label| vec![(label, points.clone())])
            .unwrap_or_default(),
        Mark::Band { points, colour } => {
            let label = named(legend, *colour, None).unwrap_or_default();
            let end = |which| {
                format!("{label} {which} end of the shade")
                    .trim()
                    .to_owned()
            };
            vec![
                (end("lower"), points.iter().map(|p| (p.0, p.1)).collect()),
                (end("upper"), points.iter().map(|p| (p.0, p.2)).collect()),
            ]
        }
        Mark::Bars { bars, colour } => {
            let middles = bars.iter().map(|&(from, to, y)| ((from + to) / 2.0, y));
            named(legend, *colour, None)
                .map(|label| vec![(label, middles.collect())])
                .unwrap_or_default()
        }
        Mark::Dots { dots } => dots
            .iter()
            .filter_map(|dot| Some((named(legend, dot.colour, None)?, vec![(dot.x, dot.y)])))
            .collect(),
        Mark::Polygons { .. } | Mark::Rule { .. } | Mark::Slab { .. } => Vec::new(),
    }
}

/// The legend's label for a colour and a dash; `None` for guide lines.
fn named(legend: &[LegendEntry], colour: Colour, dash: Option<Dash>) -> Option<String> {
    if legend.is_empty() {
        return (colour != LIGHT).then(String::new);
    }
    let same = || legend.iter().filter(|entry| entry.colour == colour);
    let exact = dash.and_then(|dash| same().find(|entry| entry.sign == Sign::Line(dash)));
    let own = exact.or_else(|| same().next())?;
    let dash_label = legend.iter().find(|entry| {
        let neutral = [GREY, BLACK].contains(&entry.colour) && entry.colour != colour;
        neutral && dash.is_some_and(|dash| entry.sign == Sign::Line(dash))
    });
    let words = [Some(own), dash_label].into_iter().flatten();
    let words: Vec<&str> = words.map(|entry| entry.label.as_str()).collect();
    Some(words.join(", "))
}

/// A value rounded to five significant digits.
fn short(value: f64) -> f64 {
    rounded(value, 4)
}

/// A value rounded to this many digits after the first.
fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::super::figure::{Dot, DotShape};
    use super::*;

    #[test]
    fn points_are_listed_under_their_names() {
        let (blue, red) = (Colour(0, 0, 200), Colour(200, 0, 0));
        let mut figure = Figure::new("f", "a figure");
        figure.enter("m = 8", blue, Sign::Line(Dash::Solid));
        figure.enter("test", GREY, Sign::Line(Dash::Dashed));
        let mark = |colour, dash| Mark::Line {
            points: vec![(1.0, 1.0 / 3.0), (100.0, f64::NAN)],
            colour,
            dash,
            width: 1.0,
        };
        let dot = Dot {
            x: 2.0,
            y: 0.5,
            radius: 1.0,
            colour: blue,
            shape: DotShape::Disc,
        };
        let panel = Panel {
            x: Axis::new("step", Scale::Log),
            y: Axis::new("risk <0", Scale::Linear),
            marks: vec![
                mark(blue, Dash::Solid),
                mark(blue, Dash::Dashed),
                mark(red, Dash::Solid),
                Mark::Dots { dots: vec![dot] },
            ],
            ..Panel::default()
        };
        let unnamed = Panel {
            x: Axis::new("", Scale::Log),
            ..panel.clone()
        };
        figure.panels = vec![unnamed, panel];
        let text = values(&figure, &FigureLayout::new(&figure)).unwrap();
        let key_value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(key_value["panels"][0]["x"]["label"], "step");
        let panel = &key_value["panels"][1];
        assert_eq!(
            (&panel["x"]["label"], &panel["x"]["scale"]),
            (&"step".into(), &"log".into())
        );
        let expected = serde_json::json!([
            {"label": "m = 8", "points": [[1.0, 0.33333], [2.0, 0.5]]},
            {"label": "m = 8, test", "points": [[1.0, 0.33333]]},
        ]);
        assert_eq!(panel["series"], expected);
        let svg = super::super::render(&figure).unwrap();
        assert!(
            svg.contains("risk &lt;0") && !svg.contains("risk <0"),
            "{svg}"
        );
    }
}
