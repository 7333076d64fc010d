//! The exact maximum of |V| on the sphere for d ≤ 3, by its cells.
//!
//! The great circles x_i^⊥ cut the sphere into cells, and V(θ) = G·θ with a constant G on each. So
//! |V| is largest at the point ±G/|G| of a cell, if that lies in the cell; or on an edge, an arc of
//! a great circle, at ±PG/|PG| with P the projection on the circle's plane; or at a vertex. A walk
//! along every circle meets every edge, with the cells on both its sides, and every vertex: O(n²)
//! places, each at constant cost with a running sum, after an O(n² log n) sort done once.
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

use super::climb::Peak;
use super::inputs::Inputs;

type Vector = [f64; 3];

/// Slack, relative to unit vectors, with which a point counts as inside a cell.
const INSIDE: f64 = 1e-12;

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

    /// The largest |V| for q (n) with its direction, if it is above `floor`.
    pub fn above(&self, q: &[f64], floor: f64) -> Option<Peak> {
        let walked = self.circles.par_iter().filter_map(|circle| {
            let mut best = Best {
                x: &self.x,
                q,
                value: floor,
                theta: None,
            };
            circle.walk(&mut best);
            best.theta.map(|theta| (best.value, theta))
        });
        let best = walked.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some((best.0, best.1[..self.d].to_vec()))
    }
}

/// The best place so far, by its true value: what a place claims is only a reason to look.
struct Best<'a> {
    x: &'a [Vector],
    q: &'a [f64],
    value: f64,
    theta: Option<Vector>,
}

impl Best<'_> {
    fn offer(&mut self, claim: f64, theta: Vector) {
        if claim <= self.value {
            return;
        }
        let terms = self.x.iter().zip(self.q);
        let v: f64 = terms.map(|(x, q)| q * dot(theta, *x).max(0.0)).sum();
        if v.abs() > self.value {
            (self.value, self.theta) = (v.abs(), Some(theta));
        }
    }

    fn term(&self, i: u32) -> Vector {
        scaled(self.q[i as usize], self.x[i as usize])
    }

    fn sum(&self, samples: &[u32]) -> Vector {
        let terms = samples.iter().map(|&i| self.term(i));
        terms.fold([0.0; 3], plus)
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
                self.offer_cell(best, side, over, &[]);
            }
            return;
        };
        let mut from = (last, self.place(best.x, last));
        for &end in &self.ends {
            let to = (end, self.place(best.x, end));
            best.offer(dot(g, to.1).abs(), to.1);
            self.offer_arc(best, g, from.1, to.1);
            for (side, over) in sides.into_iter().zip([1.0, -1.0]) {
                self.offer_cell(best, plus(g, side), over, &[from.0, end ^ 1]);
            }
            let sign = if end % 2 == 1 { 1.0 } else { -1.0 };
            g = plus(g, scaled(sign, best.term(end / 2)));
            from = to;
        }
    }

    /// The point of the arc between two ends where |G·θ| is largest, if it is not an end.
    fn offer_arc(&self, best: &mut Best, g: Vector, from: Vector, to: Vector) {
        // Twice, as the first time leaves the rounding errors of G along the normal: where G is large
        // there, they would turn the point off the circle.
        let on_plane = |g| plus(g, scaled(-dot(g, self.normal), self.normal));
        let along = on_plane(on_plane(g));
        let claim = dot(along, along).sqrt();
        if claim <= best.value {
            return;
        }
        for sign in [1.0, -1.0] {
            let theta = scaled(sign / claim, along);
            let inside = dot(cross(from, theta), self.normal) >= -INSIDE
                && dot(cross(theta, to), self.normal) >= -INSIDE;
            if inside {
                best.offer(claim, theta);
            }
        }
    }

    /// The point ±G/|G| of the cell over (1) or under (−1) the circle, unless it is on the wrong
    /// side of the circle or of the samples of some ends (odd: they are active in the cell).
    fn offer_cell(&self, best: &mut Best, g: Vector, over: f64, ends: &[u32]) {
        let claim = dot(g, g).sqrt();
        if claim <= best.value {
            return;
        }
        for sign in [1.0, -1.0] {
            let theta = scaled(sign / claim, g);
            let beyond = |&end: &u32| {
                let x = best.x[end as usize / 2];
                let side = if end % 2 == 1 { 1.0 } else { -1.0 };
                side * dot(x, theta) < -INSIDE * dot(x, x).sqrt()
            };
            if over * dot(self.normal, theta) >= -INSIDE && !ends.iter().any(beyond) {
                best.offer(claim, theta);
            }
        }
    }
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
