//! The positions of the parts of a figure, in tenths of a point (1/720 inch).

use super::axis::FittedAxis;
use super::figure::{Axis, Figure, LegendEntry, Mark, Panel, Scale};

/// 85 mm: the column of a journal.
pub const WIDTH: f64 = 2410.0;
/// Font size.
pub const WORDS: f64 = 75.0;
pub const SMALL: f64 = 60.0;
/// Default height of a plot area as a share of its width.
const HEIGHT: f64 = 0.62;
const EDGE: f64 = 40.0;
/// Width of a vertical axis label with the gap to the tick labels.
const LABEL: f64 = 1.55 * WORDS;
const TICK: f64 = 25.0;
/// Largest number of tick labels on a vertical axis.
const MOST_UP: usize = 6;
/// Largest number of iterations until labels and the room for them agree.
const ITERATIONS: usize = 8;
/// Line height of a title, in font sizes.
pub const TITLE: f64 = 1.2;
/// Least room right of a plot area.
const AFTER: f64 = 75.0;
/// Length of the symbol before the text of a legend entry.
pub const SIGN: f64 = 130.0;

/// The computed sizes and positions of a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct FigureLayout {
    pub width: f64,
    pub height: f64,
    pub panels: Vec<Placed>,
    /// Left end and vertical centre of each legend entry.
    pub legend: Vec<(f64, f64)>,
    /// Vertical centre and text of each line of the note.
    pub note: Vec<(f64, String)>,
}

/// The plot area of a panel and its axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Lines of the title, from the top.
    pub title: Vec<String>,
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    pub x: FittedAxis,
    pub y: FittedAxis,
}

impl FigureLayout {
    pub fn new(figure: &Figure) -> Self {
        let whole = if figure.wide { 2.0 * WIDTH } else { WIDTH };
        let (legend, mut top) = legend(&figure.legend, whole);
        let columns = figure.columns.clamp(1, figure.panels.len().max(1));
        let width = (whole - EDGE) / columns as f64;
        let (left, right) = aside(&figure.panels, width);
        let mut panels = Vec::new();
        for row in figure.panels.chunks(columns) {
            let mut lowest = top;
            // Titles are centred on the plot area, not on the panel.
            let titles = row.iter().map(|panel| title(panel, width - left + right));
            let titles: Vec<Vec<String>> = titles.collect();
            let above = match titles.iter().map(Vec::len).max() {
                None | Some(0) => 0.4 * WORDS,
                Some(lines) => (0.3 + TITLE * lines as f64) * WORDS,
            };
            for (k, (panel, title)) in row.iter().zip(titles).enumerate() {
                let plane = (EDGE / 2.0 + k as f64 * width + left, top + above);
                let placed = Placed {
                    title,
                    ..place(panel, plane, width - left - right)
                };
                lowest = lowest.max(placed.top + placed.height + below(panel));
                panels.push(placed);
            }
            top = lowest + 0.3 * WORDS;
        }
        let note = figure
            .note
            .as_deref()
            .map_or(Vec::new(), |text| wrap(text, whole));
        let line = 1.3 * SMALL;
        let lines = note.into_iter().enumerate();
        let note: Vec<_> = lines
            .map(|(k, text)| (top + (k as f64 + 0.6) * line, text))
            .collect();
        FigureLayout {
            width: whole,
            height: (top + note.len() as f64 * line + EDGE / 2.0).ceil(),
            panels,
            legend,
            note,
        }
    }
}

impl Placed {
    /// Position of a point in the drawing.
    pub fn point(&self, x: f64, y: f64) -> (f64, f64) {
        (
            self.left + self.x.place(x) * self.width,
            self.top + (1.0 - self.y.place(y)) * self.height,
        )
    }
}

fn place(panel: &Panel, (left, top): (f64, f64), width: f64) -> Placed {
    let height = width * share(panel);
    let (x, y) = axes(panel, width, height);
    Placed {
        title: Vec::new(),
        left,
        top,
        width,
        height,
        x,
        y,
    }
}

/// A title as one line or, if it does not fit the width of the panel, several.
fn title(panel: &Panel, width: f64) -> Vec<String> {
    let Some(title) = &panel.title else {
        return Vec::new();
    };
    let mut lines: Vec<String> = Vec::new();
    for part in title.split_inclusive(", ") {
        match lines.last_mut() {
            Some(line) if length(&(line.clone() + part), WORDS) < width => line.push_str(part),
            _ => lines.push(part.to_owned()),
        }
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// Height of a plot area as a share of its width.
fn share(panel: &Panel) -> f64 {
    match panel.height {
        h if h > 0.0 => h,
        _ if panel.equal => 1.0,
        _ => HEIGHT,
    }
}

fn axes(panel: &Panel, width: f64, height: f64) -> (FittedAxis, FittedAxis) {
    let across = |axis: &Axis| FittedAxis::new(axis, xs(panel), (width / 320.0) as usize);
    let up =
        |axis: &Axis| FittedAxis::new(axis, ys(panel), ((height / 170.0) as usize).min(MOST_UP));
    let (x, y) = (across(&panel.x), up(&panel.y));
    let linear = x.scale == Scale::Linear && y.scale == Scale::Linear;
    if !panel.equal || !linear {
        return (x, y);
    }
    // The axis with the larger range decides the length of the unit.
    let unit = ((x.high - x.low) / width).max((y.high - y.low) / height);
    let around = |of: &FittedAxis, length: f64| {
        let middle = (of.low + of.high) / 2.0;
        Some((middle - unit * length / 2.0, middle + unit * length / 2.0))
    };
    let widened = |axis: &Axis, range| Axis {
        range,
        ..axis.clone()
    };
    (
        across(&widened(&panel.x, around(&x, width))),
        up(&widened(&panel.y, around(&y, height))),
    )
}

fn xs(panel: &Panel) -> impl Iterator<Item = f64> {
    let places = panel.marks.iter().flat_map(Mark::places);
    places.filter(|(_, y)| y.is_finite()).map(|(x, _)| x)
}

fn ys(panel: &Panel) -> impl Iterator<Item = f64> {
    panel.marks.iter().flat_map(Mark::places).map(|(_, y)| y)
}

/// Room left of the plot areas, for axis labels and the widest tick labels, and right of them, for tick
/// labels that extend beyond the axis. Tick labels depend on the remaining width, so this is a fixed-point
/// iteration; room never shrinks in it, as two sets of labels could alternate without end.
fn aside(panels: &[Panel], width: f64) -> (f64, f64) {
    let (mut left, mut right) = (0.0, AFTER);
    for _ in 0..ITERATIONS {
        let plane = width - left - right;
        let of = |panel: &Panel| match panel.bare {
            true => EDGE / 2.0,
            false => {
                let (_, y) = axes(panel, plane, share(panel) * plane);
                let label = if panel.y.label.is_empty() { 0.0 } else { LABEL };
                widest(&y) + label + 1.5 * TICK
            }
        };
        let beyond = |panel: &Panel| {
            let (x, _) = axes(panel, plane, share(panel) * plane);
            let ticks = x.ticks.iter().filter(|_| !panel.bare);
            let ends =
                ticks.map(|(v, word)| length(word, WORDS) / 2.0 - (1.0 - x.place(*v)) * plane);
            ends.fold(AFTER, f64::max)
        };
        let needed = (
            panels.iter().map(of).fold(left, f64::max),
            panels.iter().map(beyond).fold(right, f64::max),
        );
        if needed == (left, right) {
            break;
        }
        (left, right) = needed;
    }
    (left, right)
}

/// Width of the widest tick label of an axis.
pub fn widest(axis: &FittedAxis) -> f64 {
    let words = axis.ticks.iter().map(|(_, word)| length(word, WORDS));
    words.fold(0.0, f64::max)
}

/// Room below a plot area, for tick labels and the axis label.
fn below(panel: &Panel) -> f64 {
    match (panel.bare, panel.x.label.is_empty()) {
        (true, _) => 0.0,
        (false, true) => TICK + 1.4 * WORDS,
        (false, false) => TICK + 2.8 * WORDS,
    }
}

/// Positions of legend entries in rows from left to right, and the bottom of the rows.
fn legend(entries: &[LegendEntry], width: f64) -> (Vec<(f64, f64)>, f64) {
    if entries.is_empty() {
        return (Vec::new(), EDGE / 2.0);
    }
    let line = 1.35 * WORDS;
    let (mut x, mut y) = (EDGE, EDGE / 2.0 + line / 2.0);
    let mut places = Vec::new();
    for entry in entries {
        let long = SIGN + 40.0 + length(&entry.label, WORDS);
        if x > EDGE && x + long > width - EDGE {
            (x, y) = (EDGE, y + line);
        }
        places.push((x, y));
        x += long + 90.0;
    }
    (places, y + line / 2.0 + EDGE / 2.0)
}

/// Breaks a note into lines that fit the width.
fn wrap(text: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if length(line, SMALL) + length(word, SMALL) + 20.0 < width - 2.0 * EDGE => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Approximate width of a text in DejaVu Sans, rather too wide than too narrow.
pub fn length(text: &str, size: f64) -> f64 {
    let of = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | '·' | '|' | '\'' | ' ' => 0.34,
        '⁰'..='⁹' | '¹' | '²' | '³' | '⁻' | '₀'..='₉' | 'f' | 't' | 'r' | '(' | ')' => {
            0.43
        }
        'm' | 'w' | 'M' | 'W' | '−' | '±' | '=' | '…' => 0.95,
        c if c.is_uppercase() => 0.75,
        _ => 0.635,
    };
    text.chars().map(of).sum::<f64>() * size
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tick labels fit where an axis ends with a tick.
    #[test]
    fn words_of_ticks_end_inside_the_picture() {
        for (low, high) in [(450.0, 20_000.0), (8.0, 1024.0), (0.1, 1e6)] {
            let panel = Panel {
                x: Axis {
                    ticks: Some(vec![low, high]),
                    ..Axis::new("step k", Scale::Log)
                },
                marks: vec![Mark::line(
                    vec![(low, 0.0), (high, 1.0)],
                    super::super::colour::BLACK,
                )],
                ..Panel::default()
            };
            let mut figure = Figure::new("f", "a figure");
            figure.panels = vec![panel];
            let layout = FigureLayout::new(&figure);
            let placed = &layout.panels[0];
            assert!(placed.x.ticks.len() > 1, "{placed:?}");
            for (value, word) in &placed.x.ticks {
                let end = placed.point(*value, 0.0).0 + length(word, WORDS) / 2.0;
                assert!(end <= layout.width, "{word} ends at {end}: {placed:?}");
            }
        }
    }

    /// Titles of neighbouring panels do not overlap the other panel.
    #[test]
    fn long_titles_take_several_lines() {
        let panel = |title: &str| Panel {
            title: Some(title.to_owned()),
            marks: vec![Mark::line(
                vec![(0.0, 0.0), (1.0, 1.0)],
                super::super::colour::BLACK,
            )],
            ..Panel::default()
        };
        let titles = ["scale_w = 10, scale_a = 10", "m = 5"];
        let mut figure = Figure::new("f", "a figure");
        figure.columns = 2;
        figure.panels = titles.map(panel).to_vec();
        let [two, one] = &FigureLayout::new(&figure).panels[..] else {
            panic!("{figure:?}");
        };
        assert_eq!(two.title, ["scale_w = 10,", "scale_a = 10"]);
        assert_eq!(one.title, ["m = 5"]);
        assert_eq!(one.top, two.top);
        figure.columns = 1;
        assert_eq!(FigureLayout::new(&figure).panels[0].title, [titles[0]]);
        let svg = super::super::render(&figure).unwrap();
        assert!(svg.contains(titles[0]), "{svg}");
    }

    /// Labels of vertical axes stay inside the figure, whatever the width of the tick labels.
    #[test]
    fn names_of_upright_axes_begin_inside_the_picture() {
        let panel = |low: f64, high: f64| Panel {
            y: Axis::new("norm", Scale::Log),
            height: 0.42,
            marks: vec![Mark::line(
                vec![(0.0, low), (1.0, high)],
                super::super::colour::BLACK,
            )],
            ..Panel::default()
        };
        for k in 0..4000 {
            let (low, ratio) = (
                1.0 + f64::from(k % 80) / 20.0,
                1.5 + f64::from(k / 80) / 10.0,
            );
            let mut figure = Figure::new("f", "a figure");
            figure.panels = vec![panel(low, low * ratio), panel(4.0, 9.0)];
            for placed in FigureLayout::new(&figure).panels {
                let begins = placed.left - widest(&placed.y) - TICK - LABEL;
                assert!(begins >= 0.0, "{low} to {}: {begins}", low * ratio);
            }
        }
    }
}
