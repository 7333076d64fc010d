//! The plane of the inputs: its coordinates, and level sets of a function on it.

use super::colour::diverging;
use super::figure::{Mark, ScalarField};
use crate::data::Dataset;

/// Cells along a side of the grid, an even number.
const CELLS: usize = 72;
/// Number of shades for each sign.
const SHADES: usize = 6;

/// How inputs of d ≤ 3 are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputPlane {
    /// One coordinate x, besides the constant 1 at `bias` if there is one: f as a function of x.
    Line { bias: Option<usize> },
    /// Unit vectors in the plane: f as a function of the angle.
    Circle,
    /// Inputs in the plane.
    Flat,
    /// Two coordinates besides the constant 1 at `bias`: inputs in the plane.
    Biased { bias: usize },
    /// Three coordinates: directions of the inputs on a map of the sphere, which keeps areas
    /// (longitude and x₃/|x|). f(x) = |x| f(x/|x|).
    Globe,
}

impl InputPlane {
    /// Chooses the picture for a data set; `None` if the inputs have too many dimensions.
    pub fn of(data: &Dataset, labels: bool) -> Option<Self> {
        let constant = |k: &usize| (0..data.n()).all(|i| data.row(i)[*k] == 1.0);
        let bias = (0..data.d).rev().find(constant);
        let unit = (0..data.n()).all(|i| {
            let square: f32 = data.row(i).iter().map(|x| x * x).sum();
            (square - 1.0).abs() < 1e-4
        });
        match (data.d, bias) {
            (1, _) => Some(InputPlane::Line { bias: None }),
            (2, Some(_)) => Some(InputPlane::Line { bias }),
            (2, None) if unit && !labels => Some(InputPlane::Circle),
            (2, None) => Some(InputPlane::Flat),
            (3, Some(bias)) => Some(InputPlane::Biased { bias }),
            (3, None) => Some(InputPlane::Globe),
            _ => None,
        }
    }

    /// Whether the picture is a map of the plane, not a curve.
    pub fn is_flat(self) -> bool {
        matches!(
            self,
            InputPlane::Flat | InputPlane::Biased { .. } | InputPlane::Globe
        )
    }

    /// The input at a point of the picture; v is not used for curves.
    pub fn input(self, u: f64, v: f64) -> Vec<f64> {
        let with_bias = |mut x: Vec<f64>, bias: usize| {
            x.insert(bias, 1.0);
            x
        };
        match self {
            InputPlane::Line { bias: None } => vec![u],
            InputPlane::Line { bias: Some(bias) } => with_bias(vec![u], bias),
            InputPlane::Circle => vec![u.to_radians().cos(), u.to_radians().sin()],
            InputPlane::Flat => vec![u, v],
            InputPlane::Biased { bias } => with_bias(vec![u, v], bias),
            InputPlane::Globe => {
                let (sin, cos) = u.to_radians().sin_cos();
                let around = (1.0 - v * v).max(0.0).sqrt();
                vec![around * cos, around * sin, v]
            }
        }
    }

    /// The point of the picture for an input.
    pub fn place(self, x: &[f32]) -> (f64, f64) {
        let at = |k: usize| f64::from(x[k]);
        match self {
            InputPlane::Line { bias } => (at(bias.map_or(0, |bias| 1 - bias)), 0.0),
            InputPlane::Circle => (at(1).atan2(at(0)).to_degrees(), 0.0),
            InputPlane::Flat => (at(0), at(1)),
            InputPlane::Biased { bias } => {
                (at(usize::from(bias == 0)), at(2 - usize::from(bias == 2)))
            }
            InputPlane::Globe => {
                let norm = (0..3).map(|k| at(k) * at(k)).sum::<f64>().sqrt();
                (at(1).atan2(at(0)).to_degrees(), at(2) / norm)
            }
        }
    }
}

/// A function sampled on a square grid of points.
pub struct Sampled {
    x: (f64, f64),
    y: (f64, f64),
    values: Vec<f64>,
}

impl Sampled {
    /// Samples f at the corners of all cells between these limits.
    pub fn new(x: (f64, f64), y: (f64, f64), f: impl Fn(f64, f64) -> f64 + Sync) -> Self {
        use rayon::prelude::*;
        let at = |ends: (f64, f64), k: usize| ends.0 + (ends.1 - ends.0) * k as f64 / CELLS as f64;
        let rows = (0..=CELLS).into_par_iter().flat_map_iter(|j| {
            let f = &f;
            (0..=CELLS).map(move |i| f(at(x, i), at(y, j)))
        });
        Sampled {
            x,
            y,
            values: rows.collect(),
        }
    }

    /// Every second value, times a factor, with a label.
    pub fn field(&self, label: &str, factor: f64) -> ScalarField {
        let each = || (0..=CELLS).step_by(2);
        let values = each().flat_map(|j| each().map(move |i| factor * self.value(i, j)));
        ScalarField {
            label: label.into(),
            x: self.x,
            y: self.y,
            columns: each().count(),
            values: values.collect(),
        }
    }

    fn place(&self, i: f64, j: f64) -> (f64, f64) {
        let at = |ends: (f64, f64), k: f64| ends.0 + (ends.1 - ends.0) * k / CELLS as f64;
        (at(self.x, i), at(self.y, j))
    }

    fn value(&self, i: usize, j: usize) -> f64 {
        self.values[j * (CELLS + 1) + i]
    }

    /// The 98 % quantile of |f|, which has the full colour.
    pub fn scale(&self) -> f64 {
        let mut sizes: Vec<f64> = self
            .values
            .iter()
            .map(|v| v.abs())
            .filter(|v| v.is_finite())
            .collect();
        sizes.sort_by(f64::total_cmp);
        sizes.get(sizes.len() * 98 / 100).copied().unwrap_or(0.0)
    }

    /// Shades from −scale to scale, each drawn over the previous one, so that a gap between pieces shows
    /// only the neighbouring shade.
    pub fn shades(&self, scale: f64) -> Vec<Mark> {
        let whole = vec![vec![
            self.place(0.0, 0.0),
            self.place(CELLS as f64, 0.0),
            self.place(CELLS as f64, CELLS as f64),
            self.place(0.0, CELLS as f64),
        ]];
        let steps = SHADES as f64;
        let mut marks = vec![Mark::Polygons {
            polygons: whole,
            colour: diverging(-1.0 + 0.5 / steps),
        }];
        for k in 1 - SHADES as i32..SHADES as i32 {
            let level = f64::from(k) / steps;
            marks.push(Mark::Polygons {
                polygons: self.above(level * scale),
                colour: diverging(level + 0.5 / steps),
            });
        }
        marks
    }

    /// Polygons that cover {f ≥ level}: rows of whole cells, and cells cut by straight lines.
    fn above(&self, level: f64) -> Vec<Vec<(f64, f64)>> {
        let mut pieces = Vec::new();
        for j in 0..CELLS {
            let mut run: Option<usize> = None;
            for i in 0..=CELLS {
                let corners = (i < CELLS).then(|| self.corners(i, j));
                let inside = corners.map_or(0, |c| c.iter().filter(|c| c.2 >= level).count());
                if inside == 4 {
                    run.get_or_insert(i);
                    continue;
                }
                if let Some(from) = run.take() {
                    pieces.push(self.block(from, i, j));
                }
                if let (1..=3, Some(corners)) = (inside, corners) {
                    pieces.push(self.cut(&corners, level));
                }
            }
        }
        pieces
    }

    fn block(&self, from: usize, to: usize, j: usize) -> Vec<(f64, f64)> {
        // Slightly enlarged: otherwise lines of the shade below would show between the rows.
        let out = |k: usize, by: f64| (k as f64 + by).clamp(0.0, CELLS as f64);
        let (left, right) = (out(from, -0.06), out(to, 0.06));
        let (low, high) = (out(j, -0.06), out(j + 1, 0.06));
        let corners = [(left, low), (right, low), (right, high), (left, high)];
        corners.map(|(i, j)| self.place(i, j)).to_vec()
    }

    /// Corners of a cell in cyclic order.
    fn corners(&self, i: usize, j: usize) -> [(f64, f64, f64); 4] {
        [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
            .map(|(i, j)| (i as f64, j as f64, self.value(i, j)))
    }

    fn cut(&self, corners: &[(f64, f64, f64); 4], level: f64) -> Vec<(f64, f64)> {
        let mut polygon = Vec::new();
        for k in 0..4 {
            let (p, q) = (corners[k], corners[(k + 1) % 4]);
            if p.2 >= level {
                polygon.push(self.place(p.0, p.1));
            }
            if (p.2 >= level) != (q.2 >= level) {
                let share = (level - p.2) / (q.2 - p.2);
                polygon.push(self.place(p.0 + share * (q.0 - p.0), p.1 + share * (q.1 - p.1)));
            }
        }
        polygon
    }

    /// The line segments on which f changes its sign. Where no neuron is active f is 0 on whole regions,
    /// whose edges do not count.
    pub fn zero(&self) -> Vec<Vec<(f64, f64)>> {
        let mut pieces = Vec::new();
        for j in 0..CELLS {
            for i in 0..CELLS {
                let corners = self.corners(i, j);
                if !(corners.iter().any(|c| c.2 > 0.0) && corners.iter().any(|c| c.2 < 0.0)) {
                    continue;
                }
                let mut ends = (0..4).filter_map(|k| {
                    let (p, q) = (corners[k], corners[(k + 1) % 4]);
                    ((p.2 >= 0.0) != (q.2 >= 0.0)).then(|| {
                        let share = p.2 / (p.2 - q.2);
                        self.place(p.0 + share * (q.0 - p.0), p.1 + share * (q.1 - p.1))
                    })
                });
                while let (Some(a), Some(b)) = (ends.next(), ends.next()) {
                    pieces.push(vec![a, b]);
                }
            }
        }
        join(pieces)
    }
}

/// Joins segments that share an end point, so that lines have few gaps.
fn join(pieces: Vec<Vec<(f64, f64)>>) -> Vec<Vec<(f64, f64)>> {
    use std::collections::HashMap;
    let key = |p: (f64, f64)| (p.0.to_bits(), p.1.to_bits());
    let mut at: HashMap<_, Vec<usize>> = HashMap::new();
    for (k, piece) in pieces.iter().enumerate() {
        at.entry(key(piece[0])).or_default().push(k);
        at.entry(key(piece[1])).or_default().push(k);
    }
    let mut used = vec![false; pieces.len()];
    let mut lines = Vec::new();
    for k in 0..pieces.len() {
        if std::mem::replace(&mut used[k], true) {
            continue;
        }
        let mut line = pieces[k].clone();
        for _ in 0..2 {
            while let Some(&end) = line.last() {
                let next = at.get(&key(end)).into_iter().flatten().find(|&&l| !used[l]);
                let Some(&l) = next else { break };
                used[l] = true;
                let other = pieces[l].iter().find(|&&p| p != end);
                line.push(other.copied().unwrap_or(end));
            }
            line.reverse();
        }
        lines.push(line);
    }
    lines
}
