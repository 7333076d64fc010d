//! Draws a figure as SVG with plotters' SVG backend: axes, legend and marks as lines, polygons, circles and
//! text. The unit of the drawing is a tenth of a point.

use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Canvas, Point};
use super::colour::{BLACK, Colour, GREY};
use super::figure::{Dot, Figure, LegendEntry, Mark, Panel, Sign};
use super::layout::{FigureLayout, Placed, SIGN, SMALL, TITLE, WORDS, widest};
use super::values::values;
use crate::error::Result;

const AXIS: f64 = 6.0;
const TICK: f64 = 25.0;

/// The figure as a stand-alone SVG, 85 mm wide or, if it is wide, 170 mm.
///
/// # Errors
/// Only errors of the drawing library, which no figure causes.
pub fn render(figure: &Figure) -> Result<String> {
    let layout = FigureLayout::new(figure);
    let (width, height) = (layout.width as u32, layout.height as u32);
    let mut svg = String::new();
    let mut canvas = Canvas::new(&mut svg, (width, height));
    let whole = [
        (0.0, 0.0),
        (layout.width, 0.0),
        (layout.width, layout.height),
        (0.0, layout.height),
    ];
    canvas.polygon(&whole, Colour(255, 255, 255))?;
    for (panel, placed) in figure.panels.iter().zip(&layout.panels) {
        draw_panel(&mut canvas, panel, placed)?;
    }
    for (entry, &place) in figure.legend.iter().zip(&layout.legend) {
        draw_entry(&mut canvas, entry, place)?;
    }
    for (middle, text) in &layout.note {
        let place = (20.0, *middle);
        canvas.words(text, place, SMALL, GREY, (HPos::Left, VPos::Center))?;
    }
    canvas.finish()?;
    let values = values(figure, &layout)?;
    Ok(dressed(&svg, figure, &values, (width, height)))
}

/// Adds the printed size, round joins, a description and the numbers of the figure to the SVG.
fn dressed(svg: &str, figure: &Figure, values: &str, (width, height): (u32, u32)) -> String {
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    format!(
        "<svg width=\"{}pt\" height=\"{}pt\" viewBox=\"0 0 {width} {height}\" stroke-linejoin=\"round\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">\n<title>{}</title>\n<metadata>{}</metadata>{body}",
        f64::from(width) / 10.0,
        f64::from(height) / 10.0,
        escaped(&figure.description),
        escaped(values)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn draw_panel(canvas: &mut Canvas, panel: &Panel, placed: &Placed) -> Result<()> {
    panel
        .marks
        .iter()
        .try_for_each(|mark| draw_mark(canvas, mark, placed))?;
    for (k, line) in placed.title.iter().rev().enumerate() {
        let above = (0.25 + TITLE * k as f64) * WORDS;
        let place = (placed.left + placed.width / 2.0, placed.top - above);
        canvas.words(line, place, WORDS, BLACK, (HPos::Center, VPos::Bottom))?;
    }
    if panel.bare {
        return Ok(());
    }
    let (left, top) = (placed.left, placed.top);
    let (right, bottom) = (left + placed.width, top + placed.height);
    canvas.path(&[(left, top), (left, bottom), (right, bottom)], BLACK, AXIS)?;
    for (value, word) in &placed.x.ticks {
        let x = left + placed.x.place(*value) * placed.width;
        let size = if word.is_empty() { 0.6 * TICK } else { TICK };
        canvas.path(&[(x, bottom), (x, bottom + size)], BLACK, AXIS)?;
        let place = (x, bottom + 1.4 * TICK);
        canvas.words(word, place, WORDS, BLACK, (HPos::Center, VPos::Top))?;
    }
    for (value, word) in &placed.y.ticks {
        let y = top + (1.0 - placed.y.place(*value)) * placed.height;
        let size = if word.is_empty() { 0.6 * TICK } else { TICK };
        canvas.path(&[(left - size, y), (left, y)], BLACK, AXIS)?;
        let place = (left - 1.5 * TICK, y);
        canvas.words(word, place, WORDS, BLACK, (HPos::Right, VPos::Center))?;
    }
    let place = (left + placed.width / 2.0, bottom + TICK + 1.6 * WORDS);
    canvas.words(
        &panel.x.label,
        place,
        WORDS,
        BLACK,
        (HPos::Center, VPos::Top),
    )?;
    let aside = left - 1.5 * TICK - widest(&placed.y) - 0.3 * WORDS;
    canvas.upright(&panel.y.label, (aside, top + placed.height / 2.0))
}

fn draw_mark(canvas: &mut Canvas, mark: &Mark, placed: &Placed) -> Result<()> {
    let (left, right) = (placed.left, placed.left + placed.width);
    let level = |y: f64| placed.top + (1.0 - placed.y.place(y)) * placed.height;
    let at = |&(x, y): &(f64, f64)| placed.point(x, y);
    match mark {
        Mark::Line {
            points,
            colour,
            dash,
            width,
        } => {
            let whole = |p: &(f64, f64)| p.0.is_finite() && p.1.is_finite();
            for piece in points
                .split(|p| !whole(p))
                .filter(|piece| !piece.is_empty())
            {
                let piece: Vec<Point> = piece.iter().map(at).collect();
                match piece.as_slice() {
                    // A line with one point would be invisible.
                    [only] => canvas.disc(*only, 14.0, *colour)?,
                    _ => canvas.dashed(&piece, *colour, 10.0 * width, *dash)?,
                }
            }
            Ok(())
        }
        Mark::Band { points, colour } => {
            let whole =
                |p: &&(f64, f64, f64)| p.0.is_finite() && p.1.is_finite() && p.2.is_finite();
            let there: Vec<_> = points.iter().filter(whole).collect();
            let low = there.iter().map(|p| placed.point(p.0, p.1));
            let high = there.iter().rev().map(|p| placed.point(p.0, p.2));
            canvas.polygon(&low.chain(high).collect::<Vec<_>>(), *colour)
        }
        Mark::Dots { dots } => dots
            .iter()
            .try_for_each(|dot| draw_dot(canvas, dot, placed)),
        Mark::Bars { bars, colour } => {
            let base = level(0.0);
            bars.iter().try_for_each(|&(from, to, y)| {
                let (a, b) = (placed.point(from, y), placed.point(to, y));
                canvas.polygon(&[(a.0, base), a, b, (b.0, base)], *colour)
            })
        }
        Mark::Polygons { polygons, colour } => polygons.iter().try_for_each(|polygon| {
            let places: Vec<Point> = polygon.iter().map(at).collect();
            canvas.polygon(&places, *colour)
        }),
        Mark::Rule { y, colour, dash } => {
            let y = level(*y);
            canvas.dashed(&[(left, y), (right, y)], *colour, 8.0, *dash)
        }
        Mark::Slab {
            low, high, colour, ..
        } => {
            // A slab between equal bounds stays visible.
            let (low, high) = (level(*low) + 4.0, level(*high) - 4.0);
            canvas.polygon(
                &[(left, low), (right, low), (right, high), (left, high)],
                *colour,
            )
        }
    }
}

fn draw_dot(canvas: &mut Canvas, dot: &Dot, placed: &Placed) -> Result<()> {
    if !(dot.x.is_finite() && dot.y.is_finite()) {
        return Ok(());
    }
    canvas.shape(
        placed.point(dot.x, dot.y),
        10.0 * dot.radius,
        dot.colour,
        dot.shape,
    )
}

fn draw_entry(canvas: &mut Canvas, entry: &LegendEntry, (x, y): Point) -> Result<()> {
    let middle = x + SIGN / 2.0;
    match entry.sign {
        Sign::Line(dash) => canvas.dashed(&[(x, y), (x + SIGN, y)], entry.colour, 12.0, dash)?,
        Sign::Patch => {
            let (low, high) = (y + 25.0, y - 25.0);
            let corners = [(x, low), (x + SIGN, low), (x + SIGN, high), (x, high)];
            canvas.polygon(&corners, entry.colour)?;
        }
        Sign::Dot(shape) => canvas.shape((middle, y), 24.0, entry.colour, shape)?,
    }
    let place = (x + SIGN + 40.0, y);
    canvas.words(
        &entry.label,
        place,
        WORDS,
        BLACK,
        (HPos::Left, VPos::Center),
    )
}
