//! Ascent of s·V on the sphere, s = ±1, by an active-set method.
//!
//! V is linear on each cell of the arrangement of the hyperplanes x_i^⊥ and has a kink on each of them. With
//! s q_i > 0 the kink is convex, and an ascent crosses it; with s q_i < 0 it is concave: local maxima lie on
//! such kinks, and plain gradient steps jump to and fro across them. So a sample at whose concave kink a line
//! search ends becomes *active*: the ascent goes on within x_i^⊥ and leaves it when its multiplier is outside
//! [0, 1]. Line searches are exact: along a great circle V is sinusoidal between the sign changes of θ·x_i.

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

/// The local maximum of |V| that an ascent from θ reaches.
pub fn ascend(inputs: &InputMatrix, q: &[f64], theta: &[f64]) -> LocalMaximum {
    let sign = inputs.variation(q, theta).signum();
    let q: Vec<f64> = q.iter().map(|q| q * sign).collect();
    let mut ascent = Ascent::new(inputs, &q, theta);
    let start = inputs.variation(&q, theta);
    for _ in 0..ITERATIONS {
        if !(ascent.line_search() || ascent.release()) {
            break;
        }
    }
    let end = inputs.variation(&q, &ascent.theta);
    if end > start {
        LocalMaximum {
            value: end,
            theta: ascent.theta,
        }
    } else {
        LocalMaximum {
            value: start,
            theta: theta.to_vec(),
        }
    }
}

struct Ascent<'a> {
    inputs: &'a InputMatrix,
    q: &'a [f64],
    lipschitz: f64,
    theta: Vec<f64>,
    /// Whether θ·x_i > 0 (n); kept beside θ, as θ lies on the kinks of active samples.
    side: Vec<bool>,
    /// Samples whose kink the ascent stays on: in the order in which they became active, and by sample (n).
    active: Vec<usize>,
    is_active: Vec<bool>,
    /// Orthonormal basis of the active inputs, and the rows of the triangular factor: x_i = Σ_k factor[i][k] e_k.
    basis: Vec<Vec<f64>>,
    factor: Vec<Vec<f64>>,
    /// The sample released last and the value then: the same one is released again only after a gain.
    released: Option<(usize, f64)>,
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
    fn new(inputs: &'a InputMatrix, q: &'a [f64], theta: &[f64]) -> Self {
        let side = inputs.rows().map(|x| dot(theta, x) > 0.0).collect();
        Ascent {
            inputs,
            q,
            lipschitz: inputs.lipschitz(q),
            theta: theta.to_vec(),
            side,
            active: Vec::new(),
            is_active: vec![false; q.len()],
            basis: Vec::new(),
            factor: Vec::new(),
            released: None,
        }
    }

    /// G without the active samples.
    fn gradient(&self) -> Vec<f64> {
        let mut g = vec![0.0; self.inputs.d()];
        let samples = self.inputs.rows().zip(self.q).zip(&self.side).enumerate();
        for (i, ((x, &q), &side)) in samples {
            if side && !self.is_active[i] {
                add(&mut g, q, x);
            }
        }
        g
    }

    /// v less its part in the span of the active samples.
    fn project(&self, v: &mut [f64]) {
        for b in &self.basis {
            add(v, -dot(b, v), b);
        }
    }

    /// Makes sample i active; false where x_i depends on the inputs already active.
    fn activate(&mut self, i: usize) -> bool {
        let mut x = self.inputs.row(i).to_vec();
        let mut row = Vec::new();
        for b in &self.basis {
            let part = dot(b, &x);
            add(&mut x, -part, b);
            row.push(part);
        }
        let rest = norm(&x);
        if rest <= 1e-9 * self.inputs.norms()[i] {
            return false;
        }
        x.iter_mut().for_each(|x| *x /= rest);
        row.push(rest);
        self.basis.push(x);
        self.factor.push(row);
        self.active.push(i);
        self.is_active[i] = true;
        true
    }

    /// One exact line search along the projected gradient; whether it moved θ or made a sample active.
    fn line_search(&mut self) -> bool {
        let mut g = self.gradient();
        self.project(&mut g);
        let height = dot(&g, &self.theta);
        add(&mut g, -height, &self.theta.clone());
        let slope = norm(&g);
        if slope <= ROUNDING * self.lipschitz {
            return false;
        }
        g.iter_mut().for_each(|g| *g /= slope);
        let LineMaximum {
            cos,
            sin,
            crossed,
            kink,
        } = self.line_maximum(height, slope, &g);
        for i in crossed {
            self.side[i] = !self.side[i];
        }
        let mut theta: Vec<f64> = self.theta.iter().map(|t| t * cos).collect();
        add(&mut theta, sin, &g);
        let has_new_active = kink.is_some_and(|i| self.activate(i));
        self.project(&mut theta);
        match unit(theta) {
            Some(theta) => self.theta = theta,
            None => return false,
        }
        has_new_active || sin > 1e-15 || cos < 0.0
    }

    /// The first local maximum of s·V along θ cos φ + τ sin φ, 0 ≤ φ < π; s·V is height cos φ + slope sin φ up
    /// to the first sign change.
    fn line_maximum(&self, height: f64, slope: f64, tau: &[f64]) -> LineMaximum {
        let (mut c, mut s) = (height, slope);
        let mut crossed = Vec::new();
        let mut ahead = self.sign_changes(tau);
        loop {
            // Only sign changes before the maximum of the present piece matter: few are.
            let limit = if s > 0.0 { -c / s } else { f64::INFINITY };
            let (mut next, later): (Vec<SignChange>, _) = ahead
                .into_iter()
                .partition(|change| change.minus_cot <= limit);
            next.sort_by(|a, b| a.minus_cot.total_cmp(&b.minus_cot));
            let none = next.is_empty();
            for change in next {
                let (i, (cos, sin)) = (change.i, change.angle());
                if s * cos <= c * sin {
                    break;
                }
                let x = self.inputs.row(i);
                let change = if self.side[i] { -self.q[i] } else { self.q[i] };
                c += change * dot(&self.theta, x);
                s += change * dot(tau, x);
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
            if none {
                let size = c.hypot(s);
                return LineMaximum {
                    cos: c / size,
                    sin: s.max(0.0) / size,
                    crossed,
                    kink: None,
                };
            }
            ahead = later;
        }
    }

    /// The sign changes along a great circle.
    fn sign_changes(&self, tau: &[f64]) -> Vec<SignChange> {
        let mut sign_changes = Vec::new();
        for (i, x) in self.inputs.rows().enumerate() {
            if self.q[i] == 0.0 || self.is_active[i] {
                continue;
            }
            let (z, w) = (dot(&self.theta, x), dot(tau, x));
            let tiny = ROUNDING * self.inputs.norms()[i];
            // Turned so that z > 0; rounding may have made it 0 or negative.
            let (z, w) = if self.side[i] { (z, w) } else { (-z, -w) };
            let (z, w) = (z.max(0.0), if w.abs() <= tiny { 0.0 } else { w });
            if z > tiny || w < 0.0 {
                let minus_cot = w / z;
                sign_changes.push(SignChange { i, minus_cot, z, w });
            }
        }
        sign_changes
    }

    /// Releases the active sample whose multiplier is farthest outside [0, 1]: with G = κθ + Σ b_i x_i over the
    /// active samples, θ is a local maximum if every μ_i = −b_i/q_i is in [0, 1]. Whether one was released.
    fn release(&mut self) -> bool {
        let g = self.gradient();
        let mut b: Vec<f64> = self.basis.iter().map(|e| dot(e, &g)).collect();
        // Back substitution: x_i = Σ_k factor[i][k] e_k.
        for i in (0..b.len()).rev() {
            b[i] /= self.factor[i][i];
            for k in 0..i {
                b[k] -= self.factor[i][k] * b[i];
            }
        }
        let excess = |(k, b): (usize, f64)| {
            let mu = -b / self.q[self.active[k]];
            (k, mu > 1.0, (mu - 1.0).max(-mu))
        };
        let worst = b.into_iter().enumerate().map(excess);
        let Some((k, side, beyond)) = worst.max_by(|a, b| a.2.total_cmp(&b.2)) else {
            return false;
        };
        let i = self.active[k];
        let value = self.inputs.variation(self.q, &self.theta);
        let again = self
            .released
            .is_some_and(|(last, at)| last == i && value <= at * (1.0 + 1e-14));
        if beyond <= 1e-10 || again {
            return false;
        }
        self.released = Some((i, value));
        self.side[i] = side;
        let kept: Vec<usize> = self.active.iter().copied().filter(|&j| j != i).collect();
        self.active.clear();
        self.is_active.fill(false);
        self.basis.clear();
        self.factor.clear();
        for j in kept {
            self.activate(j);
        }
        true
    }
}
