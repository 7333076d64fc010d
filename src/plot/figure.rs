//! The data of a figure before it is drawn: panels of marks over axes, and a legend.

use super::colour::Colour;

/// A figure as wide as one column of a page, 85 mm, with panels in a grid.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figure {
    /// Name of its files, without an ending.
    pub name: String,
    /// A sentence for readers who cannot see the figure.
    pub description: String,
    pub panels: Vec<Panel>,
    /// Whether the figure is as wide as two columns.
    pub wide: bool,
    /// Panels per row.
    pub columns: usize,
    /// Legend, shown above the panels.
    pub legend: Vec<LegendEntry>,
    /// Note on sampled, binned or omitted values, shown below the panels.
    pub note: Option<String>,
}

/// Marks over a pair of axes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    pub title: Option<String>,
    pub x: Axis,
    pub y: Axis,
    pub marks: Vec<Mark>,
    /// The values behind the shades of a map, for pages that show them under the pointer.
    pub field: Option<ScalarField>,
    /// Whether the unit has the same length on both axes.
    pub equal: bool,
    /// Whether the axes are left out: the marks have no meaningful coordinates.
    pub bare: bool,
    /// Height of the panel's plot area as a share of its width; 0 for the default.
    pub height: f64,
}

/// A function on a grid over a part of the plane.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalarField {
    pub label: String,
    /// Limits of the grid.
    pub x: (f64, f64),
    pub y: (f64, f64),
    /// Points per row; the rows are in order of increasing y.
    pub columns: usize,
    pub values: Vec<f64>,
}

/// The requested properties of an axis; [`super::axis`] fits it to the values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    pub label: String,
    pub scale: Scale,
    /// Fixed limits, instead of those of the values.
    pub range: Option<(f64, f64)>,
    /// A value that the axis includes, whatever the values are.
    pub include: Option<f64>,
    /// Whether values below 0 are magnitudes drawn downwards, whose tick labels have no sign.
    pub mirrored: bool,
    /// Positions of ticks, if all of them fit.
    pub ticks: Option<Vec<f64>>,
}

/// The scale of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Logarithmic for positive values more than a decade apart; for other values that are far apart,
    /// linear below 1 and logarithmic beyond, for both signs; else linear.
    #[default]
    Auto,
    Linear,
    /// Logarithmic; linear if no value is positive.
    Log,
    /// asinh: linear near 0 and logarithmic far from 0, for both signs. Linear if no value is beyond 10.
    Asinh,
}

/// A mark. Points that are not finite interrupt lines; other marks leave them out.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    Line {
        points: Vec<(f64, f64)>,
        colour: Colour,
        dash: Dash,
        /// In points of 1/72 inch.
        width: f64,
    },
    /// Area between two curves over the same x: (x, low, high).
    Band {
        points: Vec<(f64, f64, f64)>,
        colour: Colour,
    },
    Dots {
        dots: Vec<Dot>,
    },
    /// Bars (from, to, height) over a base line, which is the lower limit of a logarithmic axis.
    Bars {
        bars: Vec<(f64, f64, f64)>,
        colour: Colour,
    },
    Polygons {
        polygons: Vec<Vec<(f64, f64)>>,
        colour: Colour,
    },
    /// A line across the whole panel at height y.
    Rule {
        y: f64,
        colour: Colour,
        dash: Dash,
    },
    /// An area across the whole panel between two heights.
    Slab {
        label: String,
        low: f64,
        high: f64,
        colour: Colour,
    },
}

/// A point mark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dot {
    pub x: f64,
    pub y: f64,
    /// Radius in points of 1/72 inch.
    pub radius: f64,
    pub colour: Colour,
    pub shape: DotShape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DotShape {
    Disc,
    /// With a white rim, to be visible on colours.
    Rimmed,
    Square,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dash {
    #[default]
    Solid,
    Dashed,
    Dotted,
}

/// A line of the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct LegendEntry {
    pub label: String,
    pub colour: Colour,
    pub sign: Sign,
}

/// The symbol before the text of a legend entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Line(Dash),
    Patch,
    Dot(DotShape),
}

impl Figure {
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Figure {
            name: name.into(),
            description: description.into(),
            columns: 1,
            ..Figure::default()
        }
    }

    /// Whether the figure has no marks.
    pub fn is_empty(&self) -> bool {
        self.panels.is_empty()
    }

    /// Adds a legend entry unless there is one with this label.
    pub fn enter(&mut self, label: impl Into<String>, colour: Colour, sign: Sign) {
        let label = label.into();
        if self.legend.iter().all(|entry| entry.label != label) {
            self.legend.push(LegendEntry {
                label,
                colour,
                sign,
            });
        }
    }

    /// Adds a sentence to the note unless the note has it already.
    pub fn remark(&mut self, text: impl AsRef<str>) {
        let text = text.as_ref();
        match &mut self.note {
            Some(note) if note.contains(text) => {}
            Some(note) => note.push_str(&format!("; {text}")),
            None => self.note = Some(text.to_owned()),
        }
    }
}

impl Panel {
    /// All finite points of the panel's marks.
    pub fn places(&self) -> impl Iterator<Item = (f64, f64)> {
        let places = self.marks.iter().flat_map(Mark::places);
        places.filter(|(x, y)| x.is_finite() && y.is_finite())
    }
}

impl Axis {
    pub fn new(label: impl Into<String>, scale: Scale) -> Self {
        Axis {
            label: label.into(),
            scale,
            ..Axis::default()
        }
    }

    pub fn between(label: impl Into<String>, low: f64, high: f64) -> Self {
        Axis {
            range: Some((low, high)),
            ..Axis::new(label, Scale::Linear)
        }
    }
}

impl Mark {
    pub fn line(points: Vec<(f64, f64)>, colour: Colour) -> Self {
        Mark::Line {
            points,
            colour,
            dash: Dash::Solid,
            width: 1.0,
        }
    }

    /// Discs of the usual size beside lines.
    pub fn discs(places: impl Iterator<Item = (f64, f64)>, colour: Colour) -> Self {
        let dot = |(x, y)| Dot {
            x,
            y,
            radius: 1.8,
            colour,
            shape: DotShape::Disc,
        };
        Mark::Dots {
            dots: places.map(dot).collect(),
        }
    }

    /// Every (x, y) that the axes should include; x is not finite for marks across the whole panel.
    pub fn places(&self) -> Box<dyn Iterator<Item = (f64, f64)> + '_> {
        match self {
            Mark::Line { points, .. } => Box::new(points.iter().copied()),
            Mark::Band { points, .. } => {
                Box::new(points.iter().flat_map(|&(x, l, h)| [(x, l), (x, h)]))
            }
            Mark::Dots { dots } => Box::new(dots.iter().map(|dot| (dot.x, dot.y))),
            Mark::Bars { bars, .. } => {
                Box::new(bars.iter().flat_map(|&(from, to, y)| [(from, y), (to, y)]))
            }
            Mark::Polygons { polygons, .. } => Box::new(polygons.iter().flatten().copied()),
            Mark::Rule { y, .. } => Box::new(std::iter::once((f64::NAN, *y))),
            Mark::Slab { low, high, .. } => {
                Box::new([*low, *high].into_iter().map(|y| (f64::NAN, y)))
            }
        }
    }
}
