//! Ascent of s·V on the sphere, s = ±1, by an active-set method.
//!
//! V is linear on each cell of the arrangement of the hyperplanes x_i^⊥ and has a kink on each of them. With
//! s q_i > 0 the kink is convex, and an ascent crosses it; with s q_i < 0 it is concave: local maxima lie on
//! such kinks, and plain gradient steps jump to and fro across them. So a sample at whose concave kink a line
//! search ends becomes *active*: the ascent goes on within x_i^⊥ and leaves it when its multiplier is outside
//! [0, 1]. Line searches are exact: along a great circle V is sinusoidal between the sign changes of θ·x_i.

use pulp::Arch;

use super::input_matrix::{InputMatrix, add, dot, norm, unit};

/// A local maximum of |V|.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalMaximum {
    /// |V(θ)|
    pub value: f64,
    /// θ (d), of unit length.
    pub theta: Vec<f64>,
}

/// Iterations, at most: each is a line search or the release of an active sample.
const ITERATIONS: usize = 400;
/// Sizes below this share of the Lipschitz constant are rounding errors.
const ROUNDING: f64 = 1e-13;
/// Line searches after which products that are updated are computed anew.
const FRESH_AFTER: usize = 16;

/// The samples of weight other than 0, for ascents of |V| from any number of directions.
pub struct AscentProblem {
    d: usize,
    /// Rows x_i, row-major (n, d), and the same column by column (d, n).
    rows: Vec<f64>,
    columns: Vec<f64>,
    norms: Vec<f64>,
    q: Vec<f64>,
    lipschitz: f64,
    arch: Arch,
}

impl AscentProblem {
    pub fn new(inputs: &InputMatrix, q: &[f64]) -> Self {
        let d = inputs.d();
        let weighted: Vec<usize> = (0..q.len()).filter(|&i| q[i] != 0.0).collect();
        let of = |v: &[f64]| weighted.iter().map(|&i| v[i]).collect();
        let column = |k: usize| weighted.iter().map(move |&i| inputs.row(i)[k]);
        AscentProblem {
            d,
            rows: weighted
                .iter()
                .flat_map(|&i| inputs.row(i).iter().copied())
                .collect(),
            columns: (0..d).flat_map(column).collect(),
            norms: of(inputs.norms()),
            q: of(q),
            lipschitz: inputs.lipschitz(q),
            arch: Arch::new(),
        }
    }

    fn n(&self) -> usize {
        self.q.len()
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.d..(i + 1) * self.d]
    }

    /// X v (n)
    fn products(&self, v: &[f64], products: &mut [f64]) {
        let n = self.n();
        self.arch.dispatch(
            #[inline(always)]
            || {
                products.fill(0.0);
                for (column, v) in self.columns.chunks_exact(n).zip(v) {
                    let pairs = products.iter_mut().zip(column);
                    pairs.for_each(|(sum, x)| *sum += v * x);
                }
            },
        );
    }

    /// V(θ)
    fn variation(&self, theta: &[f64]) -> f64 {
        let rows = self.rows.chunks_exact(self.d).zip(&self.q);
        rows.map(|(x, q)| q * dot(theta, x).max(0.0)).sum()
    }

    /// The local maximum of |V| that an ascent from θ reaches.
    pub fn ascend(&self, theta: &[f64]) -> LocalMaximum {
        let start = self.variation(theta);
        if self.n() == 0 {
            return LocalMaximum {
                value: 0.0,
                theta: theta.to_vec(),
            };
        }
        let mut ascent = Ascent::new(self, start.signum(), theta);
        for _ in 0..ITERATIONS {
            if !(ascent.line_search() || ascent.release()) {
                break;
            }
        }
        let end = self.variation(&ascent.theta).abs();
        if end > start.abs() {
            LocalMaximum {
                value: end,
                theta: ascent.theta,
            }
        } else {
            LocalMaximum {
                value: start.abs(),
                theta: theta.to_vec(),
            }
        }
    }
}

/// The local maximum of |V| that an ascent from θ reaches.
pub fn ascend(inputs: &InputMatrix, q: &[f64], theta: &[f64]) -> LocalMaximum {
    AscentProblem::new(inputs, q).ascend(theta)
}

/// An ascent of s V, s = ±1.
struct Ascent<'a> {
    problem: &'a AscentProblem,
    sign: f64,
    theta: Vec<f64>,
    /// θ·x_i (n)
    z: Vec<f64>,
    /// τ·x_i (n) of a line search along τ.
    w: Vec<f64>,
    /// Which samples change their sign early in a line search (n).
    scratch: Vec<f64>,
    /// 1 where θ·x_i > 0, else −1 (n); kept beside θ, as θ lies on the kinks of active samples.
    side: Vec<f64>,
    /// G of s V without the active samples.
    gradient: Vec<f64>,
    /// Samples whose kink the ascent stays on: in the order in which they became active, and by sample (n).
    active: Vec<usize>,
    is_active: Vec<bool>,
    /// Orthonormal basis of the active inputs, and the rows of the triangular factor: x_i = Σ_k factor[i][k] e_k.
    basis: Vec<Vec<f64>>,
    factor: Vec<Vec<f64>>,
    /// The sample released last and the value then: the same one is released again only after a gain.
    released: Option<(usize, f64)>,
    searches: usize,
}

/// The end of a line search: its angle, the samples whose kinks it crossed, and the one on whose kink it
/// ends, if it does.
struct LineMaximum {
    cos: f64,
    sin: f64,
    crossed: Vec<usize>,
    kink: Option<usize>,
}

/// A sample whose θ·x_i changes its sign at the angle φ of a line search; −cot φ = w/z rises with φ.
struct SignChange {
    i: usize,
    minus_cot: f64,
    z: f64,
    w: f64,
}

impl SignChange {
    /// cos φ and sin φ.
    fn angle(&self) -> (f64, f64) {
        let size = self.z.hypot(self.w);
        (-self.w / size, self.z / size)
    }
}

impl<'a> Ascent<'a> {
    fn new(problem: &'a AscentProblem, sign: f64, theta: &[f64]) -> Self {
        let n = problem.n();
        let mut ascent = Ascent {
            problem,
            sign,
            theta: theta.to_vec(),
            z: vec![0.0; n],
            w: vec![0.0; n],
            scratch: vec![0.0; n],
            side: Vec::new(),
            gradient: Vec::new(),
            active: Vec::new(),
            is_active: vec![false; n],
            basis: Vec::new(),
            factor: Vec::new(),
            released: None,
            searches: 0,
        };
        problem.products(theta, &mut ascent.z);
        let side = |z: &f64| if *z > 0.0 { 1.0 } else { -1.0 };
        ascent.side = ascent.z.iter().map(side).collect();
        ascent.compute_gradient();
        ascent
    }

    fn compute_gradient(&mut self) {
        self.gradient.clear();
        self.gradient.resize(self.problem.d, 0.0);
        for i in 0..self.problem.n() {
            if self.side[i] > 0.0 && !self.is_active[i] {
                self.add_to_gradient(i, 1.0);
            }
        }
    }

    /// Adds a multiple of s q_i x_i to G.
    fn add_to_gradient(&mut self, i: usize, factor: f64) {
        let (problem, weight) = (self.problem, self.weight(i));
        add(&mut self.gradient, factor * weight, problem.row(i));
    }

    /// s q_i
    fn weight(&self, i: usize) -> f64 {
        self.sign * self.problem.q[i]
    }

    /// v less its part in the span of the active samples.
    fn project(&self, v: &mut [f64]) {
        for b in &self.basis {
            add(v, -dot(b, v), b);
        }
    }

    /// Makes sample i active; false where x_i depends on the inputs already active.
    fn activate(&mut self, i: usize) -> bool {
        let mut x = self.problem.row(i).to_vec();
        let mut row = Vec::new();
        for b in &self.basis {
            let part = dot(b, &x);
            add(&mut x, -part, b);
            row.push(part);
        }
        let rest = norm(&x);
        if rest <= 1e-9 * self.problem.norms[i] {
            return false;
        }
        x.iter_mut().for_each(|x| *x /= rest);
        row.push(rest);
        self.basis.push(x);
        self.factor.push(row);
        self.active.push(i);
        self.is_active[i] = true;
        if self.side[i] > 0.0 {
            self.add_to_gradient(i, -1.0);
        }
        true
    }

    /// One exact line search along the projected gradient; whether it moved θ or made a sample active.
    fn line_search(&mut self) -> bool {
        let mut g = self.gradient.clone();
        self.project(&mut g);
        let height = dot(&g, &self.theta);
        add(&mut g, -height, &self.theta);
        let slope = norm(&g);
        if slope <= ROUNDING * self.problem.lipschitz {
            return false;
        }
        g.iter_mut().for_each(|g| *g /= slope);
        self.problem.products(&g, &mut self.w);
        let LineMaximum {
            cos,
            sin,
            crossed,
            kink,
        } = self.line_maximum(height, slope);
        for i in crossed {
            self.side[i] = -self.side[i];
            self.add_to_gradient(i, self.side[i]);
        }
        let mut theta: Vec<f64> = self.theta.iter().map(|t| t * cos).collect();
        add(&mut theta, sin, &g);
        let has_new_active = kink.is_some_and(|i| self.activate(i));
        self.project(&mut theta);
        match unit(theta) {
            Some(theta) => self.theta = theta,
            None => return false,
        }
        self.searches += 1;
        if self.searches.is_multiple_of(FRESH_AFTER) {
            self.problem.products(&self.theta, &mut self.z);
            self.compute_gradient();
        } else {
            let (z, w) = (&mut self.z, &self.w);
            self.problem.arch.dispatch(
                #[inline(always)]
                || {
                    let pairs = z.iter_mut().zip(w);
                    pairs.for_each(|(z, w)| *z = cos * *z + sin * w);
                },
            );
        }
        has_new_active || sin > 1e-15 || cos < 0.0
    }

    /// The first local maximum of s·V along θ cos φ + τ sin φ, 0 ≤ φ < π; s·V is height cos φ + slope sin φ up
    /// to the first sign change.
    fn line_maximum(&mut self, height: f64, slope: f64) -> LineMaximum {
        let (mut c, mut s) = (height, slope);
        let mut crossed = Vec::new();
        let mut reached = None;
        loop {
            // Only sign changes before the maximum of the present piece matter: few are.
            let limit = if s > 0.0 { -c / s } else { f64::MAX };
            let next = self.sign_changes(reached, limit);
            let mut is_last = next.is_empty();
            for change in next {
                let (i, (cos, sin)) = (change.i, change.angle());
                if s * cos <= c * sin {
                    is_last = true;
                    break;
                }
                let change = -self.side[i] * self.weight(i);
                c += change * self.z[i];
                s += change * self.w[i];
                if s * cos <= c * sin {
                    let kink = Some(i);
                    return LineMaximum {
                        cos,
                        sin,
                        crossed,
                        kink,
                    };
                }
                crossed.push(i);
            }
            if is_last {
                let size = c.hypot(s);
                return LineMaximum {
                    cos: c / size,
                    sin: s.max(0.0) / size,
                    crossed,
                    kink: None,
                };
            }
            reached = Some(limit);
        }
    }

    /// The sign changes of a line search with −cot φ up to `limit`, beyond those `reached` before, in their order.
    fn sign_changes(&mut self, reached: Option<f64>, limit: f64) -> Vec<SignChange> {
        let is_before = &mut self.scratch[..];
        self.problem.arch.dispatch(
            #[inline(always)]
            || {
                let samples = self.z.iter().zip(&self.w).zip(&self.side);
                for (is_before, ((z, w), side)) in is_before.iter_mut().zip(samples) {
                    // −cot φ ≤ limit
                    let margin = limit * (side * z).max(0.0) - side * w;
                    *is_before = if margin >= 0.0 { 1.0 } else { 0.0 };
                }
            },
        );
        let mut changes = Vec::new();
        for (i, _) in self.scratch.iter().enumerate().filter(|(_, v)| **v != 0.0) {
            if self.is_active[i] {
                continue;
            }
            let (z, w, side) = (self.z[i], self.w[i], self.side[i]);
            let tiny = ROUNDING * self.problem.norms[i];
            // Turned so that z > 0; rounding may have made it 0 or negative.
            let (z, w) = ((side * z).max(0.0), side * w);
            let w = if w.abs() <= tiny { 0.0 } else { w };
            if z > tiny || w < 0.0 {
                let minus_cot = w / z;
                if minus_cot <= limit && reached.is_none_or(|reached| minus_cot > reached) {
                    changes.push(SignChange { i, minus_cot, z, w });
                }
            }
        }
        changes.sort_by(|a, b| a.minus_cot.total_cmp(&b.minus_cot));
        changes
    }

    /// Releases the active sample whose multiplier is farthest outside [0, 1]: with G = κθ + Σ b_i x_i over the
    /// active samples, θ is a local maximum if every μ_i = −b_i/q_i is in [0, 1]. Whether one was released.
    fn release(&mut self) -> bool {
        let mut b: Vec<f64> = self.basis.iter().map(|e| dot(e, &self.gradient)).collect();
        // Back substitution: x_i = Σ_k factor[i][k] e_k.
        for i in (0..b.len()).rev() {
            b[i] /= self.factor[i][i];
            for k in 0..i {
                b[k] -= self.factor[i][k] * b[i];
            }
        }
        let excess = |(k, b): (usize, f64)| {
            let mu = -b / self.weight(self.active[k]);
            (k, mu > 1.0, (mu - 1.0).max(-mu))
        };
        let worst = b.into_iter().enumerate().map(excess);
        let Some((k, side, beyond)) = worst.max_by(|a, b| a.2.total_cmp(&b.2)) else {
            return false;
        };
        let i = self.active[k];
        // Active samples have no part in V here.
        let value = dot(&self.gradient, &self.theta);
        let again = self
            .released
            .is_some_and(|(last, at)| last == i && value <= at * (1.0 + 1e-14));
        if beyond <= 1e-10 || again {
            return false;
        }
        self.released = Some((i, value));
        self.side[i] = if side { 1.0 } else { -1.0 };
        self.z[i] = 0.0;
        self.is_active[i] = false;
        let later: Vec<usize> = self.active.drain(k..).skip(1).collect();
        self.basis.truncate(k);
        self.factor.truncate(k);
        for j in later {
            self.is_active[j] = false;
            // Its part is not in the gradient, which `activate` takes out.
            if self.side[j] > 0.0 {
                self.add_to_gradient(j, 1.0);
            }
            self.activate(j);
        }
        if side {
            self.add_to_gradient(i, 1.0);
        }
        true
    }
}
