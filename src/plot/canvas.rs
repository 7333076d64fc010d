//! Draws on plotters' SVG backend with coordinates in f64, our colours, dashes and one font.

use plotters::prelude::{
    DrawingBackend, FontDesc, FontFamily, FontStyle, FontTransform, IntoTextStyle, RGBColor,
    SVGBackend, ShapeStyle, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::colour::Colour;
use super::figure::{Dash, DotShape};
use super::layout::WORDS;
use crate::error::{Error, Result};

/// Font families in order of preference for viewers of the SVG; PNGs are made with the first.
const FONT: &str = "DejaVu Sans, Verdana, sans-serif";

/// A point of the drawing, in its units.
pub type Point = (f64, f64);

/// A drawing in progress.
pub struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

impl<'a> Canvas<'a> {
    /// Starts a drawing that is appended to `svg`.
    pub fn new(svg: &'a mut String, size: (u32, u32)) -> Self {
        Canvas {
            backend: SVGBackend::with_string(svg, size),
        }
    }

    /// Finishes the drawing.
    pub fn finish(mut self) -> Result<()> {
        self.backend.present().map_err(refused)
    }

    pub fn path(&mut self, places: &[Point], colour: Colour, width: f64) -> Result<()> {
        let style = stroke(colour, width);
        let drawn = self.backend.draw_path(places.iter().map(whole), &style);
        drawn.map_err(refused)
    }

    /// Draws a dashed path; the backend itself has only solid lines.
    pub fn dashed(
        &mut self,
        places: &[Point],
        colour: Colour,
        width: f64,
        dash: Dash,
    ) -> Result<()> {
        let (on, off) = match dash {
            Dash::Solid => return self.path(places, colour, width),
            Dash::Dashed => (45.0, 25.0),
            Dash::Dotted => (12.0, 22.0),
        };
        let mut dashes = dashes(places, on, off).into_iter();
        dashes.try_for_each(|piece| self.path(&piece, colour, width))
    }

    pub fn polygon(&mut self, places: &[Point], colour: Colour) -> Result<()> {
        if places.len() < 3 {
            return Ok(());
        }
        let drawn = self
            .backend
            .fill_polygon(places.iter().map(whole), &rgb(colour));
        drawn.map_err(refused)
    }

    pub fn disc(&mut self, place: Point, radius: f64, colour: Colour) -> Result<()> {
        let radius = radius.round().max(1.0) as u32;
        let drawn = self
            .backend
            .draw_circle(whole(&place), radius, &rgb(colour), true);
        drawn.map_err(refused)
    }

    pub fn shape(
        &mut self,
        place: Point,
        radius: f64,
        colour: Colour,
        shape: DotShape,
    ) -> Result<()> {
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
            DotShape::Disc => self.disc(place, radius, colour),
            DotShape::Rimmed => {
                self.disc(place, radius + 5.0, white)?;
                self.disc(place, radius, colour)
            }
            DotShape::Square => {
                self.polygon(&square(0.9 * radius + 5.0), white)?;
                self.polygon(&square(0.9 * radius), colour)
            }
        }
    }

    pub fn words(
        &mut self,
        text: &str,
        place: Point,
        size: f64,
        colour: Colour,
        (h, v): (HPos, VPos),
    ) -> Result<()> {
        let style = font(size).into_text_style(&self.backend.get_size());
        self.text(text, place, style.color(&rgb(colour)).pos(Pos::new(h, v)))
    }

    /// Text rotated to read upwards, with its right side at this point.
    pub fn upright(&mut self, text: &str, place: Point) -> Result<()> {
        let font = font(WORDS).transform(FontTransform::Rotate270);
        let style = font.into_text_style(&self.backend.get_size());
        self.text(text, place, style.pos(Pos::new(HPos::Center, VPos::Bottom)))
    }

    fn text(&mut self, text: &str, place: Point, style: TextStyle) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let drawn = self.backend.draw_text(text, &style, whole(&place));
        drawn.map_err(refused)
    }
}

fn font(size: f64) -> FontDesc<'static> {
    // The factor compensates the backend's division of font sizes by it.
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

fn whole(&(x, y): &Point) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::Figure {
        what: format!("a figure could not be drawn: {error}"),
        remedy: "the results are whole; report this with the run folder".into(),
    }
}

/// Splits a path into dashes of length `on` with gaps of length `off`.
fn dashes(places: &[Point], on: f64, off: f64) -> Vec<Vec<Point>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<Point> = places.first().copied().into_iter().collect();
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
