//! The exact maximum of |V| on the sphere for d ≤ 3, by its cells.
//!
//! The great circles x_i^⊥ cut the sphere into cells, and V(θ) = G·θ with a constant G on each. So
//! |V| is largest at the point ±G/|G| of a cell, if that lies in the cell; or on an edge, an arc of
//! a great circle, at ±PG/|PG| with P the projection on the circle's plane; or at a vertex. A walk
//! along every circle meets every edge, with the cells on both its sides, and every vertex: O(n²)
//! candidates, each at constant cost with a running sum (in double-double arithmetic, as its terms may nearly
//! cancel), after an O(n² log n) sort done once.
//! For d ≤ 2 the sphere is the equator: one circle, whose arcs are the cells.
//!
//! Vertices are cross products of two inputs. Products of two f32 are exact in f64, so vertices are
//! accurate to a rounding however near to parallel the inputs are, and parallel ones have an exact
//! zero. Their order along a circle is exact, too: by angle where they are far apart, by the sign of a
//! determinant of three inputs where they are not. Vertices that coincide (repeated, opposite, coplanar samples)
//! may be met in any order: the empty cells between them have candidates outside them, or candidates whose true
//! |V| is computed anyway.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::f64::consts::TAU;

use rayon::prelude::*;
use robust::{Coord3D, orient3d};

use super::double_double::DoubleDouble;
use super::input_matrix::{InputMatrix, ray};

type Vector = [f64; 3];

/// Slack, relative to unit vectors, of the test whether a point is inside a cell.
const INSIDE: f64 = 1e-12;

/// Bound of a few rounding errors of f64, relative to their terms.
const ROUNDING: f64 = 16.0 * f64::EPSILON;

/// Angles closer than this are ordered by a determinant instead; far above their rounding errors.
const NEAR_ANGLE: f64 = 1e-9;

/// Samples up to which circles are kept for other weights: their memory grows with the square.
const KEPT: usize = 2000;

/// The great circles of a data set.
#[derive(Debug)]
pub struct Arrangement {
    d: usize,
    /// Inputs, padded with zeros to three coordinates.
    x: Vec<Vector>,
    /// The normals of the distinct circles.
    normals: Vec<Vector>,
    /// The circles, of up to [`KEPT`] samples.
    circles: Option<Vec<GreatCircle>>,
}

/// A great circle, and the points where others cross it.
#[derive(Debug)]
struct GreatCircle {
    /// The input that the circle is orthogonal to: as given, and of unit length.
    through: Vector,
    normal: Vector,
    /// Samples parallel to the normal: those active above the circle, and those active below.
    over: Vec<u32>,
    under: Vec<u32>,
    /// Ends of the samples' active half circles, counterclockwise: twice the sample, plus one where
    /// it becomes active.
    ends: Vec<u32>,
    /// Samples active before the first end.
    first: Vec<u32>,
}

impl Arrangement {
    /// For d ≤ 3.
    pub fn new(inputs: &InputMatrix) -> Self {
        let pad = |row: &[f64]| std::array::from_fn(|k| row.get(k).copied().unwrap_or(0.0));
        let x: Vec<Vector> = inputs.rows().map(pad).collect();
        let normals: Vec<Vector> = match inputs.d() {
            3 => {
                let mut drawn = HashSet::new();
                let each = x.iter().copied();
                each.filter(|x| *x != [0.0; 3] && drawn.insert(line(*x)))
                    .collect()
            }
            _ => vec![[0.0, 0.0, 1.0]],
        };
        let circles = || {
            let each = normals.par_iter();
            each.map(|normal| GreatCircle::new(&x, *normal)).collect()
        };
        Arrangement {
            d: inputs.d(),
            circles: (x.len() <= KEPT).then(circles),
            x,
            normals,
        }
    }

    /// The largest |V| for q (n), started from a known direction if there is one.
    pub fn maximum(&self, q: &[f64], known: Option<&[f64]>) -> SphereMaximum {
        let of_sample = |(x, q): (&Vector, &f64)| x.map(|x| DoubleDouble::product(*q, x));
        let terms: Vec<VectorSum> = self.x.iter().zip(q).map(of_sample).collect();
        let mut start = Incumbent {
            x: &self.x,
            q,
            terms: &terms,
            value: 0.0,
            bound: 0.0,
            theta: None,
        };
        if let Some(theta) = known {
            let theta = std::array::from_fn(|k| theta.get(k).copied().unwrap_or(0.0));
            start.try_candidate(f64::INFINITY, theta, [0.0; 3]);
        }
        let walked = (0..self.normals.len()).into_par_iter().map(|k| {
            let mut incumbent = start.clone();
            match &self.circles {
                Some(circles) => circles[k].walk(&mut incumbent),
                None => GreatCircle::new(&self.x, self.normals[k]).walk(&mut incumbent),
            }
            incumbent
        });
        let incumbent = walked
            .reduce_with(Incumbent::merged)
            .unwrap_or(start.clone());
        SphereMaximum {
            value: incumbent.value,
            bound: incumbent.bound,
            theta: incumbent.theta.map(|theta| theta[..self.d].to_vec()),
        }
    }
}

/// The largest |V|.
pub struct SphereMaximum {
    /// |V| at the best direction.
    pub value: f64,
    /// `value` plus a bound of the rounding errors: |V| is at most this everywhere.
    pub bound: f64,
    /// The best direction θ (d); none where V is 0 everywhere.
    pub theta: Option<Vec<f64>>,
}

/// A sum of terms q_i x_i.
type VectorSum = [DoubleDouble; 3];

/// The best direction so far, by its true |V|; estimates only decide which candidates are evaluated.
#[derive(Clone)]
struct Incumbent<'a> {
    x: &'a [Vector],
    q: &'a [f64],
    /// q_i x_i
    terms: &'a [VectorSum],
    value: f64,
    bound: f64,
    theta: Option<Vector>,
}

impl Incumbent<'_> {
    /// Evaluates a candidate whose |V| is estimated as at most `estimate`, if that may raise the bound. `errors`
    /// bounds the errors of its coordinates.
    fn try_candidate(&mut self, estimate: f64, theta: Vector, errors: Vector) {
        if estimate <= self.bound {
            return;
        }
        let mut g = VectorSum::default();
        let mut hidden = 0.0;
        for ((x, terms), q) in self.x.iter().zip(self.terms).zip(self.q) {
            let z = dot(theta, *x);
            // The exact candidate may lie on the other side of the sample's circle.
            let reach = abs_dot(errors, *x) + ROUNDING * abs_dot(theta, *x);
            if z.abs() <= reach {
                hidden += q.abs() * reach;
            } else if z > 0.0 {
                g = plus_terms(g, terms);
            }
        }
        let parts = g.iter().zip(theta).map(|(g, t)| g.times(t));
        let v = parts
            .fold(DoubleDouble::default(), DoubleDouble::plus)
            .value()
            .abs();
        hidden += abs_dot(errors, values(g)) + ROUNDING * v;
        self.bound = self.bound.max(v + hidden);
        if v > self.value {
            (self.value, self.theta) = (v, Some(theta));
        }
    }

    fn merged(self, other: Self) -> Self {
        let bound = self.bound.max(other.bound);
        let incumbent = if other.value > self.value {
            other
        } else {
            self
        };
        Incumbent { bound, ..incumbent }
    }

    fn sum(&self, samples: &[u32]) -> VectorSum {
        let terms = samples.iter().map(|&i| &self.terms[i as usize]);
        terms.fold(VectorSum::default(), plus_terms)
    }
}

impl GreatCircle {
    fn new(x: &[Vector], normal: Vector) -> Self {
        // The axis least parallel to the normal gives a basis of the circle's plane.
        let away = (0..3).min_by(|&a, &b| normal[a].abs().total_cmp(&normal[b].abs()));
        let axis = std::array::from_fn(|k| f64::from(u8::from(Some(k) == away)));
        let u = unit(cross(normal, axis));
        let v = unit(cross(normal, u));
        let (mut over, mut under, mut ends) = (vec![], vec![], vec![]);
        for (i, &xi) in x.iter().enumerate() {
            let tag = i as u32;
            let end = cross(xi, normal);
            if end == [0.0; 3] {
                match dot(xi, normal) {
                    side if side > 0.0 => over.push(tag),
                    side if side < 0.0 => under.push(tag),
                    _ => {} // a zero row is never active
                }
                continue;
            }
            // Active from `end` for half a turn.
            let enter = dot(end, v).atan2(dot(end, u)).rem_euclid(TAU);
            let leave = (enter + TAU / 2.0).rem_euclid(TAU);
            ends.push((enter, 2 * tag + 1));
            ends.push((leave, 2 * tag));
        }
        begin_in_the_largest_gap(&mut ends);
        let order = |a: &(f64, u32), b: &(f64, u32)| match (a.0 - b.0).abs() < NEAR_ANGLE {
            true => along(x, normal, a.1, b.1),
            false => a.0.total_cmp(&b.0),
        };
        ends.sort_by(order);
        // A sample is active before the first end if its first end is the one where it becomes inactive.
        let mut seen = vec![false; x.len()];
        let mut is_first = |end: u32| !std::mem::replace(&mut seen[end as usize / 2], true);
        let met = ends.iter().map(|&(_, end)| end);
        let first = met.filter(|&end| is_first(end) && end % 2 == 0);
        let first = first.map(|end| end / 2).collect();
        GreatCircle {
            through: normal,
            normal: unit(normal),
            over,
            under,
            ends: ends.into_iter().map(|(_, end)| end).collect(),
            first,
        }
    }

    /// The point of an end.
    fn end_point(&self, x: &[Vector], end: u32) -> Vector {
        let at = unit(cross(x[end as usize / 2], self.through));
        scaled(if end % 2 == 1 { 1.0 } else { -1.0 }, at)
    }

    /// Tries every vertex, edge and cell along the circle.
    fn walk(&self, incumbent: &mut Incumbent) {
        let sides = [incumbent.sum(&self.over), incumbent.sum(&self.under)];
        let mut g = incumbent.sum(&self.first);
        let Some(&last) = self.ends.last() else {
            for (side, over) in sides.into_iter().zip([1.0, -1.0]) {
                self.try_cell(incumbent, values(side), over, &[]);
            }
            return;
        };
        let mut from = (last, self.end_point(incumbent.x, last));
        for &end in &self.ends {
            let to = (end, self.end_point(incumbent.x, end));
            let along = values(g);
            let estimate = dot(along, to.1).abs() + ROUNDING * abs_dot(along, to.1);
            incumbent.try_candidate(estimate, to.1, relative(to.1));
            self.try_arc(incumbent, along, from.1, to.1);
            for (side, over) in sides.iter().zip([1.0, -1.0]) {
                let g = values(plus_terms(g, side));
                self.try_cell(incumbent, g, over, &[from.0, end ^ 1]);
            }
            let term = &incumbent.terms[end as usize / 2];
            g = match end % 2 {
                1 => plus_terms(g, term),
                _ => minus_terms(g, term),
            };
            from = to;
        }
    }

    /// The point of the arc between two ends where |G·θ| is largest, if it is not an end.
    fn try_arc(&self, incumbent: &mut Incumbent, g: Vector, from: Vector, to: Vector) {
        // Projected twice: the first projection leaves an error along the normal that is relative to G, and would
        // move the point off the circle where G is nearly normal to it.
        let on_plane = |g| plus(g, scaled(-dot(g, self.normal), self.normal));
        let along = on_plane(on_plane(g));
        let size = dot(along, along).sqrt();
        let estimate = size + ROUNDING * dot(g, g).sqrt();
        if estimate <= incumbent.bound {
            return;
        }
        // In the plane of d = 2 the projection is exact.
        let errors = |theta: Vector| match self.normal {
            [0.0, 0.0, 1.0] => relative(theta),
            _ => [ROUNDING; 3],
        };
        for sign in [1.0, -1.0] {
            let theta = scaled(sign / size, along);
            let inside = dot(cross(from, theta), self.normal) >= -INSIDE
                && dot(cross(theta, to), self.normal) >= -INSIDE;
            if inside {
                incumbent.try_candidate(estimate, theta, errors(theta));
            }
        }
    }

    /// The point ±G/|G| of the cell over (1) or under (−1) the circle, unless it is on the wrong
    /// side of the circle or of the samples of some ends (odd: they are active in the cell).
    fn try_cell(&self, incumbent: &mut Incumbent, g: Vector, over: f64, ends: &[u32]) {
        let size = dot(g, g).sqrt();
        let estimate = size * (1.0 + ROUNDING);
        if estimate <= incumbent.bound {
            return;
        }
        for sign in [1.0, -1.0] {
            let theta = scaled(sign / size, g);
            let beyond = |&end: &u32| {
                let x = incumbent.x[end as usize / 2];
                let side = if end % 2 == 1 { 1.0 } else { -1.0 };
                side * dot(x, theta) < -INSIDE * dot(x, x).sqrt()
            };
            if over * dot(self.normal, theta) >= -INSIDE && !ends.iter().any(beyond) {
                incumbent.try_candidate(estimate, theta, relative(theta));
            }
        }
    }
}

/// Equal for two inputs if and only if they are parallel: the ray on which the first coordinate other than 0 is
/// positive.
fn line(x: Vector) -> Vec<u64> {
    let first = x.iter().find(|x| **x != 0.0).copied().unwrap_or(1.0);
    ray(&scaled(first.signum(), x))
}

/// Errors of a point whose coordinates are each right up to a few roundings.
fn relative(theta: Vector) -> Vector {
    theta.map(|t| ROUNDING * t.abs())
}

fn values(g: VectorSum) -> Vector {
    g.map(DoubleDouble::value)
}

fn plus_terms(g: VectorSum, terms: &VectorSum) -> VectorSum {
    std::array::from_fn(|k| g[k].plus(terms[k]))
}

fn minus_terms(g: VectorSum, terms: &VectorSum) -> VectorSum {
    std::array::from_fn(|k| g[k].minus(terms[k]))
}

/// Shifts the angles so that 0 lies in their largest gap: close angles on both sides of 0 would look far apart.
fn begin_in_the_largest_gap(ends: &mut [(f64, u32)]) {
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (Some(first), Some(last)) = (ends.first(), ends.last()) else {
        return;
    };
    let around = (first.0 + TAU - last.0, last.0);
    let gaps = ends
        .windows(2)
        .map(|pair| (pair[1].0 - pair[0].0, pair[0].0));
    let widest = gaps.fold(around, |a, b| if b.0 > a.0 { b } else { a });
    let begin = widest.1 + widest.0 / 2.0;
    for (angle, _) in ends.iter_mut() {
        *angle = (*angle - begin).rem_euclid(TAU);
    }
}

/// The order of two ends of half circles that are less than half a turn apart, counterclockwise along
/// the circle of a normal: (A×N)×(B×N) = det(A, B, N) N.
fn along(x: &[Vector], normal: Vector, a: u32, b: u32) -> Ordering {
    let point = |[x, y, z]: Vector| Coord3D { x, y, z };
    let [of_a, of_b] = [a, b].map(|end| point(x[end as usize / 2]));
    let turn = orient3d(of_a, of_b, point(normal), point([0.0; 3]));
    let turn = if a % 2 == b % 2 { turn } else { -turn };
    0.0_f64.partial_cmp(&turn).unwrap_or(Ordering::Equal)
}

fn dot(u: Vector, v: Vector) -> f64 {
    u[0] * v[0] + u[1] * v[1] + u[2] * v[2]
}

/// Σ_k |u_k v_k|
fn abs_dot(u: Vector, v: Vector) -> f64 {
    (u[0] * v[0]).abs() + (u[1] * v[1]).abs() + (u[2] * v[2]).abs()
}

fn cross(u: Vector, v: Vector) -> Vector {
    [
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ]
}

fn plus(u: Vector, v: Vector) -> Vector {
    [u[0] + v[0], u[1] + v[1], u[2] + v[2]]
}

fn scaled(s: f64, v: Vector) -> Vector {
    [s * v[0], s * v[1], s * v[2]]
}

fn unit(v: Vector) -> Vector {
    scaled(1.0 / dot(v, v).sqrt(), v)
}
