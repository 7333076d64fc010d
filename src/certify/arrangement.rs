//! The exact maximum of |V| on the sphere for d ≤ 3, by its cells.
//!
//! The great circles x_i^⊥ cut the sphere into cells, and V(θ) = G·θ with a constant G on each. So
//! |V| is largest at the point ±G/|G| of a cell, if that lies in the cell; or on an edge, an arc of
//! a great circle, at ±PG/|PG| with P the projection on the circle's plane; or at a vertex. A walk
//! along every circle meets every edge, with the cells on both its sides, and every vertex: O(n²)
//! places, each at constant cost with a running sum (as if in twice the precision: weights that cancel large
//! coordinates leave little of it), after an O(n² log n) sort done once.
//! For d ≤ 2 the sphere is the equator: one circle, whose arcs are the cells.
//!
//! Vertices are cross products of two inputs. Products of two f32 are exact in f64, so vertices are
//! accurate to a rounding however near to parallel the inputs are, and parallel ones have an exact
//! zero. Their order along a circle is exact, too: angles tell those apart that are far from each
//! other, and the sign of a determinant of three inputs the others. Places that coincide (repeated, opposite, coplanar samples) may be met in any order: that
//! makes cells of no size, whose points are outside them or have their true value taken.

use std::cmp::Ordering;
use std::f64::consts::TAU;

use rayon::prelude::*;
use robust::{Coord3D, orient3d};

use super::inputs::Inputs;
use super::twofold::Twofold;

type Vector = [f64; 3];

/// Slack, relative to unit vectors, with which a point counts as inside a cell.
const INSIDE: f64 = 1e-12;

/// What a few roundings of f64 make, relative to their terms.
const ROUNDED: f64 = 16.0 * f64::EPSILON;

/// Angles nearer to each other than this do not tell an order: far above what they round to.
const NEAR: f64 = 1e-9;

/// The great circles of a data set.
#[derive(Debug)]
pub struct Arrangement {
    d: usize,
    /// Inputs, with zeros for the missing coordinates.
    x: Vec<Vector>,
    circles: Vec<Circle>,
}

/// A great circle, and the places where others cross it.
#[derive(Debug)]
struct Circle {
    /// An input, unrounded, and of unit length.
    through: Vector,
    normal: Vector,
    /// Samples on the normal's line: active on one side of the circle, and on the other.
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
    pub fn new(inputs: &Inputs) -> Self {
        let pad = |row: &[f64]| std::array::from_fn(|k| row.get(k).copied().unwrap_or(0.0));
        let x: Vec<Vector> = inputs.rows().map(pad).collect();
        let circles = if inputs.d() < 3 {
            vec![Circle::new(&x, [0.0, 0.0, 1.0])]
        } else {
            let of = |i: usize| {
                let drawn = (0..i).any(|j| x[j] != [0.0; 3] && cross(x[j], x[i]) == [0.0; 3]);
                (x[i] != [0.0; 3] && !drawn).then(|| Circle::new(&x, x[i]))
            };
            (0..x.len()).into_par_iter().filter_map(of).collect()
        };
        Arrangement {
            d: inputs.d(),
            x,
            circles,
        }
    }

    /// The largest |V| for q (n), begun with the best direction that is known, if there is one.
    pub fn maximum(&self, q: &[f64], known: Option<&[f64]>) -> Top {
        let of_sample = |(x, q): (&Vector, &f64)| x.map(|x| Twofold::product(*q, x));
        let terms: Vec<Sum> = self.x.iter().zip(q).map(of_sample).collect();
        let mut start = Best {
            x: &self.x,
            q,
            terms: &terms,
            value: 0.0,
            bound: 0.0,
            theta: None,
        };
        if let Some(theta) = known {
            let theta = std::array::from_fn(|k| theta.get(k).copied().unwrap_or(0.0));
            start.offer(f64::INFINITY, theta, [0.0; 3]);
        }
        let walked = self.circles.par_iter().map(|circle| {
            let mut best = start.clone();
            circle.walk(&mut best);
            best
        });
        let best = walked.reduce_with(Best::merged).unwrap_or(start.clone());
        Top {
            value: best.value,
            bound: best.bound,
            theta: best.theta.map(|theta| theta[..self.d].to_vec()),
        }
    }
}

/// The largest |V|.
pub struct Top {
    /// At the best direction.
    pub value: f64,
    /// No direction has more: `value` and what rounding may have hidden.
    pub bound: f64,
    /// The best direction θ (d); none where V is 0 everywhere.
    pub theta: Option<Vec<f64>>,
}

/// A sum of terms q_i x_i.
type Sum = [Twofold; 3];

/// The best place so far, by its true value: what a place claims is only a reason to look.
#[derive(Clone)]
struct Best<'a> {
    x: &'a [Vector],
    q: &'a [f64],
    /// q_i x_i
    terms: &'a [Sum],
    value: f64,
    bound: f64,
    theta: Option<Vector>,
}

impl Best<'_> {
    /// Takes a place that claims at most this |V|, where it may raise the bound. Its coordinates may be as
    /// far from the true ones as `errors` says.
    fn offer(&mut self, claim: f64, theta: Vector, errors: Vector) {
        if claim <= self.bound {
            return;
        }
        let mut g = Sum::default();
        let mut hidden = 0.0;
        for ((x, terms), q) in self.x.iter().zip(self.terms).zip(self.q) {
            let z = dot(theta, *x);
            // The true place may lie on the other side of the sample's circle.
            let reach = abs_dot(errors, *x) + ROUNDED * abs_dot(theta, *x);
            if z.abs() <= reach {
                hidden += q.abs() * reach;
            } else if z > 0.0 {
                g = plus_terms(g, terms);
            }
        }
        let parts = g.iter().zip(theta).map(|(g, t)| g.times(t));
        let v = parts.fold(Twofold::default(), Twofold::plus).value().abs();
        hidden += abs_dot(errors, values(g)) + ROUNDED * v;
        self.bound = self.bound.max(v + hidden);
        if v > self.value {
            (self.value, self.theta) = (v, Some(theta));
        }
    }

    fn merged(self, other: Self) -> Self {
        let bound = self.bound.max(other.bound);
        let best = if other.value > self.value {
            other
        } else {
            self
        };
        Best { bound, ..best }
    }

    fn sum(&self, samples: &[u32]) -> Sum {
        let terms = samples.iter().map(|&i| &self.terms[i as usize]);
        terms.fold(Sum::default(), plus_terms)
    }
}

impl Circle {
    fn new(x: &[Vector], normal: Vector) -> Self {
        // An axis away from the normal makes a basis of the circle's plane.
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
        let order = |a: &(f64, u32), b: &(f64, u32)| match (a.0 - b.0).abs() < NEAR {
            true => along(x, normal, a.1, b.1),
            false => a.0.total_cmp(&b.0),
        };
        ends.sort_by(order);
        // Active before the first end are those that become inactive before they become active.
        let mut seen = vec![false; x.len()];
        let mut is_first = |end: u32| !std::mem::replace(&mut seen[end as usize / 2], true);
        let met = ends.iter().map(|&(_, end)| end);
        let first = met.filter(|&end| is_first(end) && end % 2 == 0);
        let first = first.map(|end| end / 2).collect();
        Circle {
            through: normal,
            normal: unit(normal),
            over,
            under,
            ends: ends.into_iter().map(|(_, end)| end).collect(),
            first,
        }
    }

    /// Where an end lies.
    fn place(&self, x: &[Vector], end: u32) -> Vector {
        let at = unit(cross(x[end as usize / 2], self.through));
        scaled(if end % 2 == 1 { 1.0 } else { -1.0 }, at)
    }

    /// Offers every vertex, edge and cell along the circle.
    fn walk(&self, best: &mut Best) {
        let sides = [best.sum(&self.over), best.sum(&self.under)];
        let mut g = best.sum(&self.first);
        let Some(&last) = self.ends.last() else {
            for (side, over) in sides.into_iter().zip([1.0, -1.0]) {
                self.offer_cell(best, values(side), over, &[]);
            }
            return;
        };
        let mut from = (last, self.place(best.x, last));
        for &end in &self.ends {
            let to = (end, self.place(best.x, end));
            let along = values(g);
            let claim = dot(along, to.1).abs() + ROUNDED * abs_dot(along, to.1);
            best.offer(claim, to.1, relative(to.1));
            self.offer_arc(best, along, from.1, to.1);
            for (side, over) in sides.iter().zip([1.0, -1.0]) {
                let g = values(plus_terms(g, side));
                self.offer_cell(best, g, over, &[from.0, end ^ 1]);
            }
            let term = &best.terms[end as usize / 2];
            g = match end % 2 {
                1 => plus_terms(g, term),
                _ => minus_terms(g, term),
            };
            from = to;
        }
    }

    /// The point of the arc between two ends where |G·θ| is largest, if it is not an end.
    fn offer_arc(&self, best: &mut Best, g: Vector, from: Vector, to: Vector) {
        // Twice, as the first time leaves the rounding errors of G along the normal: where G is large
        // there, they would turn the point off the circle.
        let on_plane = |g| plus(g, scaled(-dot(g, self.normal), self.normal));
        let along = on_plane(on_plane(g));
        let size = dot(along, along).sqrt();
        let claim = size + ROUNDED * dot(g, g).sqrt();
        if claim <= best.bound {
            return;
        }
        // In the plane of d = 2 the projection is exact.
        let errors = |theta: Vector| match self.normal {
            [0.0, 0.0, 1.0] => relative(theta),
            _ => [ROUNDED; 3],
        };
        for sign in [1.0, -1.0] {
            let theta = scaled(sign / size, along);
            let inside = dot(cross(from, theta), self.normal) >= -INSIDE
                && dot(cross(theta, to), self.normal) >= -INSIDE;
            if inside {
                best.offer(claim, theta, errors(theta));
            }
        }
    }

    /// The point ±G/|G| of the cell over (1) or under (−1) the circle, unless it is on the wrong
    /// side of the circle or of the samples of some ends (odd: they are active in the cell).
    fn offer_cell(&self, best: &mut Best, g: Vector, over: f64, ends: &[u32]) {
        let size = dot(g, g).sqrt();
        let claim = size * (1.0 + ROUNDED);
        if claim <= best.bound {
            return;
        }
        for sign in [1.0, -1.0] {
            let theta = scaled(sign / size, g);
            let beyond = |&end: &u32| {
                let x = best.x[end as usize / 2];
                let side = if end % 2 == 1 { 1.0 } else { -1.0 };
                side * dot(x, theta) < -INSIDE * dot(x, x).sqrt()
            };
            if over * dot(self.normal, theta) >= -INSIDE && !ends.iter().any(beyond) {
                best.offer(claim, theta, relative(theta));
            }
        }
    }
}

/// What a place errs by where each of its coordinates is right to a few roundings.
fn relative(theta: Vector) -> Vector {
    theta.map(|t| ROUNDED * t.abs())
}

fn values(g: Sum) -> Vector {
    g.map(Twofold::value)
}

fn plus_terms(g: Sum, terms: &Sum) -> Sum {
    std::array::from_fn(|k| g[k].plus(terms[k]))
}

fn minus_terms(g: Sum, terms: &Sum) -> Sum {
    std::array::from_fn(|k| g[k].minus(terms[k]))
}

/// Turns angles so that none is near the one from which they are counted: ends on both sides of it
/// would be taken for far from each other.
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
