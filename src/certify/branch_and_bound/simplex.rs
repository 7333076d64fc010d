//! Simplicial cones: all combinations λ_1 v_1 + … + λ_d v_d with λ ≥ 0 of d unit vectors.

use super::Cone;
use super::FEW_DIMENSIONS;
use super::least_norm::solve_gram;
use super::unit_sum::{Best, UnitSum};
use crate::certify::input_matrix::{add, dot, norm};

/// Rounds of a bound, each with some sweeps over the slopes of concave samples.
const ROUNDS: usize = 6;
const SWEEPS: usize = 3;
/// Part of the way to the target below which a round ends them.
const LEAST_PROGRESS: f64 = 0.05;

/// A cone of the orthants' subdivision, cut across its edges. On it (θ·u)_+ ≤ Σ_k λ_k (v_k·u)_+.
#[derive(Clone)]
pub struct Simplex {
    bound: f64,
    /// v_k, row-major (d, d)
    vertices: Vec<f64>,
    /// Cuts so far.
    depth: usize,
    /// Σ c_i u_i (d) of samples that are linear on the cone.
    linear: Vec<f64>,
    /// The others.
    mixed: Vec<Mixed>,
    next: Cut,
}

/// A sample of both signs on the cone, with the slope t of a concave one.
#[derive(Debug, Clone, Copy)]
struct Mixed {
    row: u32,
    t: f64,
}

/// The point (1 − share) v_from + share v_to of an edge.
#[derive(Debug, Clone, Copy)]
struct Cut {
    from: usize,
    to: usize,
    share: f64,
}

impl Cone for Simplex {
    const BATCH: usize = 4096;

    fn cover(sum: &UnitSum, target: f64, best: &mut Best) -> Vec<Self> {
        let d = sum.d();
        let orthant = |signs: u32| {
            let mut vertices = vec![0.0; d * d];
            for k in 0..d {
                vertices[k * d + k] = if signs >> k & 1 == 1 { -1.0 } else { 1.0 };
            }
            let mut cone = Simplex {
                bound: 1.0 + sum.resolution(),
                vertices,
                depth: 0,
                linear: vec![0.0; d],
                mixed: (0..sum.n() as u32)
                    .map(|row| Mixed { row, t: 0.5 })
                    .collect(),
                next: Cut {
                    from: 0,
                    to: 1,
                    share: 0.5,
                },
            };
            cone.tighten(sum, target, best);
            cone
        };
        (0..1 << d).map(orthant).collect()
    }

    fn bound(&self) -> f64 {
        self.bound
    }

    fn cut(mut self, sum: &UnitSum, target: f64, best: &mut Best) -> Option<[Self; 2]> {
        let d = sum.d();
        let Cut { from, to, share } = self.next;
        let mut v = vec![0.0; d];
        add(&mut v, 1.0 - share, self.vertex(from));
        add(&mut v, share, self.vertex(to));
        let size = norm(&v);
        v.iter_mut().for_each(|v| *v /= size);
        let is_new = |k| v != self.vertex(k);
        if self.bound <= sum.resolution() || !is_new(from) || !is_new(to) {
            return None;
        }
        self.depth += 1;
        let mut other = self.clone();
        for (part, k) in [(&mut self, from), (&mut other, to)] {
            part.vertices[k * d..(k + 1) * d].copy_from_slice(&v);
            part.tighten(sum, target, best);
        }
        Some([self, other])
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of::<Mixed>() * self.mixed.len()
            + size_of::<f64>() * (self.vertices.len() + self.linear.len())
    }
}

impl Simplex {
    fn vertex(&self, k: usize) -> &[f64] {
        let d = self.linear.len();
        &self.vertices[k * d..(k + 1) * d]
    }

    /// Lowers the bound, moves samples of one sign to the linear part, and chooses the next cut.
    fn tighten(&mut self, sum: &UnitSum, target: f64, best: &mut Best) {
        let d = sum.d();
        // θ·u_i at each vertex, row-major (mixed, d).
        let z = self.move_linear(sum);
        let f = &mut [0.0; FEW_DIMENSIONS][..d];
        for (k, f) in f.iter_mut().enumerate() {
            *f = dot(self.vertex(k), &self.linear);
        }
        for (sample, z) in self.mixed.iter().zip(z.chunks_exact(d)) {
            let weight = sum.weight(sample.row);
            let height = |z: f64| match weight > 0.0 {
                true => z.max(0.0),
                false => sample.t * z,
            };
            let pairs = f.iter_mut().zip(z);
            pairs.for_each(|(f, &z)| *f += weight * height(z));
        }
        let gram = self.gram();
        let largest_sum = self.largest_sum();
        let error = self.error(sum) * largest_sum;
        let lambda = &mut [0.0; FEW_DIMENSIONS][..d];
        let r = &mut [0.0; FEW_DIMENSIONS][..d];
        let mut last = f64::INFINITY;
        for _ in 0..ROUNDS {
            shortest_above(&gram, f, lambda);
            r.fill(0.0);
            (0..d).for_each(|k| add(r, lambda[k], self.vertex(k)));
            // V ≤ Σ_k λ_k f_k ≤ r·θ + missing Σ_k λ_k
            let missing = (0..d).map(|k| f[k] - dot(r, self.vertex(k)));
            let missing = missing.fold(0.0, f64::max) * largest_sum;
            let bound = norm(r) * (1.0 + 16.0 * f64::EPSILON) + missing + error;
            self.bound = self.bound.min(bound);
            if self.bound <= target {
                return;
            }
            if last - bound < LEAST_PROGRESS * (bound - target) {
                break;
            }
            last = bound;
            if !self.lower_slopes(sum, &z, r, f) {
                break;
            }
        }
        let size = norm(r);
        if size > 0.0 {
            r.iter_mut().for_each(|r| *r /= size);
            // The maximiser is in the cone, where V is quickly computed.
            if self.value(sum, r) > best.value {
                best.try_direction(sum, r);
            }
        }
        self.next = self.next_cut(sum, &z, &gram);
    }

    /// Moves samples of one sign at all vertices to the linear part; θ·u at each vertex of the others.
    fn move_linear(&mut self, sum: &UnitSum) -> Vec<f64> {
        let d = sum.d();
        let one_sign = rounding(d);
        let mut all = Vec::with_capacity(self.mixed.len() * d);
        let Simplex {
            vertices,
            linear,
            mixed,
            ..
        } = self;
        mixed.retain(|sample| {
            let u = sum.row(sample.row);
            let start = all.len();
            all.extend(vertices.chunks_exact(d).map(|v| dot(v, u)));
            let z = &all[start..];
            let is_on = z.iter().all(|z| *z >= -one_sign);
            let is_off = z.iter().all(|z| *z <= one_sign);
            if is_on {
                add(linear, sum.weight(sample.row), u);
            }
            if is_on || is_off {
                all.truncate(start);
            }
            !(is_on || is_off)
        });
        all
    }

    /// V at a direction in the cone.
    fn value(&self, sum: &UnitSum, theta: &[f64]) -> f64 {
        let mixed = self.mixed.iter().map(|sample| {
            let z = dot(sum.row(sample.row), theta);
            sum.weight(sample.row) * z.max(0.0)
        });
        dot(&self.linear, theta) + mixed.sum::<f64>()
    }

    /// Inner products of the vertices (d, d).
    fn gram(&self) -> [f64; FEW_DIMENSIONS * FEW_DIMENSIONS] {
        let d = self.linear.len();
        let mut gram = [0.0; FEW_DIMENSIONS * FEW_DIMENSIONS];
        for (at, gram) in gram[..d * d].iter_mut().enumerate() {
            *gram = dot(self.vertex(at / d), self.vertex(at % d));
        }
        gram
    }

    /// An upper bound of Σ_k λ_k over unit vectors of the cone: with c·v_k ≥ h for a unit vector c it is 1/h.
    fn largest_sum(&self) -> f64 {
        let d = self.linear.len();
        let centre = &mut [0.0; FEW_DIMENSIONS][..d];
        (0..d).for_each(|k| add(centre, 1.0, self.vertex(k)));
        let size = norm(centre);
        let heights = (0..d).map(|k| dot(centre, self.vertex(k)) / size);
        // All vertices are in one orthant: the least height is at least 1/d.
        let least = heights.fold(f64::INFINITY, f64::min);
        (1.0 + 1e-12) / least
    }

    /// A bound of the rounding errors, for Σ_k λ_k = 1: of f at the vertices, of samples that count as linear, and of cuts, whose
    /// points are off the edge by a rounding.
    fn error(&self, sum: &UnitSum) -> f64 {
        let terms = (32 * sum.n() + 16 * sum.d() + 8 * self.depth + 64) as f64;
        terms * f64::EPSILON
    }

    /// Lowers |r| over the slopes of concave samples; whether any changed.
    fn lower_slopes(&mut self, sum: &UnitSum, z: &[f64], r: &mut [f64], f: &mut [f64]) -> bool {
        let mut has_changed = false;
        for _ in 0..SWEEPS {
            for (sample, z) in self.mixed.iter_mut().zip(z.chunks_exact(sum.d())) {
                let weight = sum.weight(sample.row);
                if weight > 0.0 {
                    continue;
                }
                let u = sum.row(sample.row);
                let new = (sample.t - dot(r, u) / weight).clamp(0.0, 1.0);
                let change = new - sample.t;
                if change != 0.0 {
                    has_changed = true;
                    sample.t = new;
                    add(r, change * weight, u);
                    add(f, change * weight, z);
                }
            }
        }
        has_changed
    }

    /// The edge across which convex samples lose most by interpolation, cut at the hyperplane of the one that
    /// loses most there; else the longest edge, in its middle.
    fn next_cut(&self, sum: &UnitSum, z: &[f64], gram: &[f64]) -> Cut {
        let d = sum.d();
        let convex = self.mixed.iter().zip(z.chunks_exact(d));
        let convex = convex.map(|(sample, z)| (sum.weight(sample.row), z));
        let convex: Vec<(f64, &[f64])> = convex.filter(|(weight, _)| *weight > 0.0).collect();
        let loss = |weight: f64, a: f64, b: f64| match a * b < 0.0 {
            true => weight * a.abs().min(b.abs()),
            false => 0.0,
        };
        let (mut worst, mut longest) = ((0.0, 0, 0), (f64::INFINITY, 0, 1));
        for to in 0..d {
            for from in 0..to {
                let losses = convex
                    .iter()
                    .map(|(weight, z)| loss(*weight, z[from], z[to]));
                let total: f64 = losses.sum();
                if total > worst.0 {
                    worst = (total, from, to);
                }
                if gram[from * d + to] < longest.0 {
                    longest = (gram[from * d + to], from, to);
                }
            }
        }
        if worst.0 == 0.0 {
            return Cut {
                from: longest.1,
                to: longest.2,
                share: 0.5,
            };
        }
        let (_, from, to) = worst;
        let mut heaviest = (0.0, 0.5);
        for (weight, z) in convex {
            let loss = loss(weight, z[from], z[to]);
            if loss > heaviest.0 {
                heaviest = (loss, z[from].abs() / (z[from].abs() + z[to].abs()));
            }
        }
        Cut {
            from,
            to,
            share: heaviest.1,
        }
    }
}

/// Sizes of θ·u that may be rounding errors.
fn rounding(d: usize) -> f64 {
    4.0 * (d + 4) as f64 * f64::EPSILON
}

/// λ ≥ 0 (d) of the shortest r = Σ_k λ_k v_k with r·v_k ≥ f_k, from the inner products of the v_k (non-negative
/// least squares, Lawson and Hanson 1974). Rounding may leave r·v_k below f_k.
fn shortest_above(gram: &[f64], f: &[f64], lambda: &mut [f64]) {
    let d = f.len();
    lambda.fill(0.0);
    let scale = f.iter().fold(0.0_f64, |scale, f| scale.max(f.abs()));
    let mut factor = [0.0; FEW_DIMENSIONS * FEW_DIMENSIONS];
    let (mut free, mut m) = ([0; FEW_DIMENSIONS], 0);
    for _ in 0..3 * d {
        let mut entering = (1e-13 * scale, d);
        for k in (0..d).filter(|k| !free[..m].contains(k)) {
            let missing = f[k] - dot(&gram[k * d..(k + 1) * d], lambda);
            if missing > entering.0 {
                entering = (missing, k);
            }
        }
        if entering.1 == d {
            return;
        }
        free[m] = entering.1;
        m += 1;
        while m > 0 {
            let y = &mut [0.0; FEW_DIMENSIONS][..m];
            (y.iter_mut().zip(&free)).for_each(|(y, k)| *y = f[*k]);
            let inner = |i: usize, j: usize| gram[free[i] * d + free[j]];
            if !solve_gram(inner, &mut factor, y) {
                return;
            }
            // As far as the first λ that would become negative.
            let (mut share, mut leaving) = (1.0, m);
            for (at, &k) in free[..m].iter().enumerate() {
                if y[at] <= 0.0 {
                    let room = lambda[k] / (lambda[k] - y[at]).max(f64::MIN_POSITIVE);
                    if leaving == m || room < share {
                        (share, leaving) = (room, at);
                    }
                }
            }
            for (at, &k) in free[..m].iter().enumerate() {
                lambda[k] = (lambda[k] + share * (y[at] - lambda[k])).max(0.0);
            }
            if leaving == m {
                break;
            }
            lambda[free[leaving]] = 0.0;
            free.copy_within(leaving + 1..m, leaving);
            m -= 1;
        }
    }
}
