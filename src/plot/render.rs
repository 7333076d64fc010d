//! Figure → SVG, by plotters' SVG backend: a thin layer of axes and legends over its lines,
//! polygons, circles and words. One unit of the drawing is a tenth of a point.

use plotters::prelude::{
    DrawingBackend, FontDesc, FontFamily, FontStyle, FontTransform, IntoTextStyle, RGBColor,
    SVGBackend, ShapeStyle, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::colour::{BLACK, Colour, GREY};
use super::figure::{Dash, Dot, Entry, Figure, Mark, Panel, Shape, Sign};
use super::layout::{Layout, Placed, SIGN, SMALL, WIDTH, WORDS, widest};
use crate::error::{Error, Result};

/// Families tried in this order by whoever shows the SVG; pictures made here have the first.
const FONT: &str = "DejaVu Sans, Verdana, sans-serif";
const AXIS: f64 = 6.0;
const TICK: f64 = 25.0;
type Place = (f64, f64);

/// The figure as a stand-alone SVG of 85 mm width.
///
/// # Errors
/// None that a figure can cause: the drawing library's own.
pub fn render(figure: &Figure) -> Result<String> {
    let layout = Layout::new(figure);
    let (width, height) = (WIDTH as u32, layout.height as u32);
    let mut svg = String::new();
    let mut canvas = Canvas {
        backend: SVGBackend::with_string(&mut svg, (width, height)),
    };
    let whole = [
        (0.0, 0.0),
        (WIDTH, 0.0),
        (WIDTH, layout.height),
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
    canvas.backend.present().map_err(refused)?;
    drop(canvas);
    Ok(dressed(&svg, figure, (width, height)))
}

/// Gives the drawing its size in print, round joins and a description.
fn dressed(svg: &str, figure: &Figure, (width, height): (u32, u32)) -> String {
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let escaped = figure
        .description
        .replace('&', "&amp;")
        .replace('<', "&lt;");
    format!(
        "<svg width=\"{}pt\" height=\"{}pt\" viewBox=\"0 0 {width} {height}\" stroke-linejoin=\"round\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">\n<title>{escaped}</title>{body}",
        f64::from(width) / 10.0,
        f64::from(height) / 10.0
    )
}

fn draw_panel(canvas: &mut Canvas, panel: &Panel, placed: &Placed) -> Result<()> {
    panel
        .marks
        .iter()
        .try_for_each(|mark| draw_mark(canvas, mark, placed))?;
    if let Some(title) = &panel.title {
        let place = (placed.left + placed.width / 2.0, placed.top - 0.25 * WORDS);
        canvas.words(title, place, WORDS, BLACK, (HPos::Center, VPos::Bottom))?;
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
                let piece: Vec<Place> = piece.iter().map(at).collect();
                match piece.as_slice() {
                    // A line of one point would not be seen.
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
            let ground = level(0.0);
            bars.iter().try_for_each(|&(from, to, y)| {
                let (a, b) = (placed.point(from, y), placed.point(to, y));
                canvas.polygon(&[(a.0, ground), a, b, (b.0, ground)], *colour)
            })
        }
        Mark::Polygons { polygons, colour } => polygons.iter().try_for_each(|polygon| {
            let places: Vec<Place> = polygon.iter().map(at).collect();
            canvas.polygon(&places, *colour)
        }),
        Mark::Rule { y, colour, dash } => {
            let y = level(*y);
            canvas.dashed(&[(left, y), (right, y)], *colour, 8.0, *dash)
        }
        Mark::Slab { low, high, colour } => {
            // Bounds that coincide are still to be seen.
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

fn draw_entry(canvas: &mut Canvas, entry: &Entry, (x, y): Place) -> Result<()> {
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

/// plotters' SVG backend with places in f64 and our colours.
struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

impl Canvas<'_> {
    fn path(&mut self, places: &[Place], colour: Colour, width: f64) -> Result<()> {
        let style = stroke(colour, width);
        let drawn = self.backend.draw_path(places.iter().map(whole), &style);
        drawn.map_err(refused)
    }

    /// The path in dashes; the backend itself has solid lines only.
    fn dashed(&mut self, places: &[Place], colour: Colour, width: f64, dash: Dash) -> Result<()> {
        let (on, off) = match dash {
            Dash::Solid => return self.path(places, colour, width),
            Dash::Dashed => (45.0, 25.0),
            Dash::Dotted => (12.0, 22.0),
        };
        let mut dashes = dashes(places, on, off).into_iter();
        dashes.try_for_each(|piece| self.path(&piece, colour, width))
    }

    fn polygon(&mut self, places: &[Place], colour: Colour) -> Result<()> {
        if places.len() < 3 {
            return Ok(());
        }
        let drawn = self
            .backend
            .fill_polygon(places.iter().map(whole), &rgb(colour));
        drawn.map_err(refused)
    }

    fn disc(&mut self, place: Place, radius: f64, colour: Colour) -> Result<()> {
        let radius = radius.round().max(1.0) as u32;
        let drawn = self
            .backend
            .draw_circle(whole(&place), radius, &rgb(colour), true);
        drawn.map_err(refused)
    }

    fn shape(&mut self, place: Place, radius: f64, colour: Colour, shape: Shape) -> Result<()> {
        let white = Colour(255, 255, 255);
        let square = |r: f64| {
            let (x, y) = place;
            [
                (x - r, y - r),
                (x + r, y - r),
                (x + r, y + r),
                (x - r, y + r),
            ]
        };
        match shape {
            Shape::Disc => self.disc(place, radius, colour),
            Shape::Rimmed => {
                self.disc(place, radius + 5.0, white)?;
                self.disc(place, radius, colour)
            }
            Shape::Square => {
                self.polygon(&square(0.9 * radius + 5.0), white)?;
                self.polygon(&square(0.9 * radius), colour)
            }
        }
    }

    fn words(
        &mut self,
        text: &str,
        place: Place,
        size: f64,
        colour: Colour,
        (h, v): (HPos, VPos),
    ) -> Result<()> {
        let style = font(size).into_text_style(&self.backend.get_size());
        self.text(text, place, style.color(&rgb(colour)).pos(Pos::new(h, v)))
    }

    /// From below upwards, with its right side at the place.
    fn upright(&mut self, text: &str, place: Place) -> Result<()> {
        let font = font(WORDS).transform(FontTransform::Rotate270);
        let style = font.into_text_style(&self.backend.get_size());
        self.text(text, place, style.pos(Pos::new(HPos::Center, VPos::Bottom)))
    }

    fn text(&mut self, text: &str, place: Place, style: TextStyle) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let drawn = self.backend.draw_text(text, &style, whole(&place));
        drawn.map_err(refused)
    }
}

fn font(size: f64) -> FontDesc<'static> {
    // The backend divides by this factor.
    FontDesc::new(FontFamily::Name(FONT), 1.24 * size, FontStyle::Normal)
}

fn rgb(Colour(r, g, b): Colour) -> RGBColor {
    RGBColor(r, g, b)
}

fn stroke(colour: Colour, width: f64) -> ShapeStyle {
    let color = ShapeStyle::from(rgb(colour)).color;
    ShapeStyle {
        color,
        filled: false,
        stroke_width: width.round().max(1.0) as u32,
    }
}

fn whole(&(x, y): &Place) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::Figure {
        what: format!("a figure could not be drawn: {error}"),
        remedy: "the results are whole; report this with the run folder".into(),
    }
}

/// Pieces of a path of length `on` with gaps of length `off`.
fn dashes(places: &[Place], on: f64, off: f64) -> Vec<Vec<Place>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<Place> = places.first().copied().into_iter().collect();
    let (mut drawing, mut left) = (true, on);
    for pair in places.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let long = (to.0 - from.0).hypot(to.1 - from.1);
        let mut done = 0.0;
        while long - done > left {
            done += left;
            let share = done / long;
            let here = (
                from.0 + share * (to.0 - from.0),
                from.1 + share * (to.1 - from.1),
            );
            if drawing {
                piece.push(here);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![here];
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
        left -= long - done;
        if drawing {
            piece.push(to);
        }
    }
    if drawing && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}
