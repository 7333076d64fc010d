//! What a figure is, before anything is drawn: panels of marks over axes, and a legend.

use super::colour::Colour;

/// A picture of one column of a page, 85 mm wide, with panels beside or below each other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figure {
    /// Name of its files, without an ending.
    pub name: String,
    /// A sentence for readers who do not see it.
    pub description: String,
    pub panels: Vec<Panel>,
    /// As wide as two columns.
    pub wide: bool,
    /// Panels per row.
    pub columns: usize,
    /// Shown above the panels, never over them.
    pub legend: Vec<LegendEntry>,
    /// What was left out or binned, below the panels.
    pub note: Option<String>,
}

/// Marks over a pair of axes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    pub title: Option<String>,
    pub x: Axis,
    pub y: Axis,
    pub marks: Vec<Mark>,
    /// What the shades of a map stand for, for pages that tell it under the pointer.
    pub field: Option<ScalarField>,
    /// One unit is as long along x as along y.
    pub equal: bool,
    /// No axes at all: what is drawn has no coordinates to read.
    pub bare: bool,
    /// Height of the plane of the marks as a share of its width; 0 for the usual one.
    pub height: f64,
}

/// A function on a grid over a part of the plane.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalarField {
    pub label: String,
    /// Ends of the grid.
    pub x: (f64, f64),
    pub y: (f64, f64),
    /// Points of a row; rows follow each other from the lowest y.
    pub columns: usize,
    pub values: Vec<f64>,
}

/// An axis as it is asked for. What it becomes depends on the values: see [`super::axis`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    pub label: String,
    pub scale: Scale,
    /// Ends that the values do not choose.
    pub range: Option<(f64, f64)>,
    /// A value that belongs on the axis whatever the values are.
    pub include: Option<f64>,
    /// Values below 0 are sizes too, drawn downwards: their ticks have no sign.
    pub mirrored: bool,
    /// Where ticks go, if there is room for all.
    pub ticks: Option<Vec<f64>>,
}

/// How values become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Logarithmic for positive values more than a decade apart; linear below 1 and logarithmic
    /// beyond for values of both signs, or negative ones, that are far apart; else linear.
    #[default]
    Auto,
    Linear,
    /// Falls back to linear where no value is positive.
    Log,
    /// asinh: linear near 0, logarithmic far from it, for both signs. Linear where no value is
    /// beyond 10.
    Asinh,
}

/// Something drawn. Points that are not finite break lines and are left out elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    Line {
        points: Vec<(f64, f64)>,
        colour: Colour,
        dash: Dash,
        /// In points of 1/72 inch.
        width: f64,
    },
    /// Between two curves over the same x: (x, low, high).
    Band {
        points: Vec<(f64, f64, f64)>,
        colour: Colour,
    },
    Dots {
        dots: Vec<Dot>,
    },
    /// (from, to, height) over a base, which a logarithmic axis has at its end.
    Bars {
        bars: Vec<(f64, f64, f64)>,
        colour: Colour,
    },
    Polygons {
        polygons: Vec<Vec<(f64, f64)>>,
        colour: Colour,
    },
    /// Across the whole panel at a height y.
    Rule {
        y: f64,
        colour: Colour,
        dash: Dash,
    },
    /// Across the whole panel between two heights.
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
    /// With a white rim, to stand out on colours.
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

/// What stands before a legend's words.
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

    /// Whether there is anything to see.
    pub fn is_empty(&self) -> bool {
        self.panels.is_empty()
    }

    /// Adds a legend entry unless there is one of that label.
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

    /// Adds a sentence to the note, once.
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
    /// Every finite place of its marks.
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

    /// Discs of the size that goes with lines.
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

    /// Every (x, y) that should be inside the axes; x is not finite for marks across the panel.
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
