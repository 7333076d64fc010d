//! Ascent of s·V on the sphere that follows its ridges.
//!
//! V is linear on each cell of the arrangement of the hyperplanes x_i^⊥ and has a crease on each.
//! With s q_i > 0 the crease is a valley, which an ascent crosses; with s q_i < 0 it is a ridge, on
//! which maxima lie and where a plain gradient step jumps to and fro. Here a sample whose ridge
//! stops the ascent becomes *active*: the ascent goes on within x_i^⊥, and leaves it where one side
//! pulls harder than the ridge holds. Lines searched are great circles, exactly: along one, V is
//! sinusoidal between the samples' sign changes.

use super::inputs::{Inputs, add, dot, norm, unit};

/// Turns of the ascent: each is one line search or one release of a ridge.
const TURNS: usize = 400;
/// Sizes below this share of the Lipschitz constant are rounding errors.
const NOTHING: f64 = 1e-13;

/// Climbs from θ to a local maximum of |V|.
pub fn ascend(inputs: &Inputs, q: &[f64], theta: &[f64]) -> (f64, Vec<f64>) {
    let sign = inputs.variation(q, theta).signum();
    let q: Vec<f64> = q.iter().map(|q| q * sign).collect();
    let mut ascent = Ascent::new(inputs, &q, theta);
    let start = inputs.variation(&q, theta);
    for _ in 0..TURNS {
        if !(ascent.search() || ascent.release()) {
            break;
        }
    }
    let end = inputs.variation(&q, &ascent.theta);
    if end > start {
        (end, ascent.theta)
    } else {
        (start, theta.to_vec())
    }
}

struct Ascent<'a> {
    inputs: &'a Inputs,
    q: &'a [f64],
    lipschitz: f64,
    theta: Vec<f64>,
    /// Whether sample i counts as θ·x_i > 0.
    side: Vec<bool>,
    /// Samples whose ridge the ascent stays on, in order and by sample.
    active: Vec<usize>,
    held: Vec<bool>,
    /// Orthonormal basis of their span, and for each of them its row of the triangular factor.
    basis: Vec<Vec<f64>>,
    factor: Vec<Vec<f64>>,
    /// The ridge just left, and the value there: leaving it again needs a gain.
    released: Option<(usize, f64)>,
}

/// The end of a line search: its angle, the samples crossed on the way, and the one whose ridge it
/// is on, if it is on one.
struct Line {
    cos: f64,
    sin: f64,
    crossed: Vec<usize>,
    ridge: Option<usize>,
}

/// The place where a sample changes its side, by −cot φ = w/z, which rises with φ.
struct Change {
    i: usize,
    place: f64,
    z: f64,
    w: f64,
}

impl Change {
    /// cos φ and sin φ, asked of few.
    fn angle(&self) -> (f64, f64) {
        let size = self.z.hypot(self.w);
        (-self.w / size, self.z / size)
    }
}

impl<'a> Ascent<'a> {
    fn new(inputs: &'a Inputs, q: &'a [f64], theta: &[f64]) -> Self {
        let side = inputs.rows().map(|x| dot(theta, x) > 0.0).collect();
        Ascent {
            inputs,
            q,
            lipschitz: inputs.lipschitz(q),
            theta: theta.to_vec(),
            side,
            active: Vec::new(),
            held: vec![false; q.len()],
            basis: Vec::new(),
            factor: Vec::new(),
            released: None,
        }
    }

    /// G of the samples on their side, the active ones left out.
    fn gradient(&self) -> Vec<f64> {
        let mut g = vec![0.0; self.inputs.d()];
        let samples = self.inputs.rows().zip(self.q).zip(&self.side).enumerate();
        for (i, ((x, &q), &side)) in samples {
            if side && !self.held[i] {
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

    /// Holds the ridge of sample i; false where it depends on those already held.
    fn hold(&mut self, i: usize) -> bool {
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
        self.held[i] = true;
        true
    }

    /// One exact line search towards the gradient; whether it moved or took up a ridge.
    fn search(&mut self) -> bool {
        let mut g = self.gradient();
        self.project(&mut g);
        let height = dot(&g, &self.theta);
        add(&mut g, -height, &self.theta.clone());
        let slope = norm(&g);
        if slope <= NOTHING * self.lipschitz {
            return false;
        }
        g.iter_mut().for_each(|g| *g /= slope);
        let Line {
            cos,
            sin,
            crossed,
            ridge,
        } = self.line(height, slope, &g);
        for i in crossed {
            self.side[i] = !self.side[i];
        }
        let mut theta: Vec<f64> = self.theta.iter().map(|t| t * cos).collect();
        add(&mut theta, sin, &g);
        let held = ridge.is_some_and(|i| self.hold(i));
        self.project(&mut theta);
        match unit(theta) {
            Some(theta) => self.theta = theta,
            None => return false,
        }
        held || sin > 1e-15 || cos < 0.0
    }

    /// The maximum nearest along θ cos φ + τ sin φ, 0 ≤ φ < π, of s·V, which is
    /// height cos φ + slope sin φ up to the first sample that changes its side.
    fn line(&self, height: f64, slope: f64, tau: &[f64]) -> Line {
        let (mut c, mut s) = (height, slope);
        let mut crossed = Vec::new();
        let mut ahead = self.changes(tau);
        loop {
            // Only changes before the maximum of the present piece matter: most are behind it.
            let limit = if s > 0.0 { -c / s } else { f64::INFINITY };
            let (mut next, later): (Vec<Change>, _) =
                ahead.into_iter().partition(|change| change.place <= limit);
            next.sort_by(|a, b| a.place.total_cmp(&b.place));
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
                    let ridge = Some(i);
                    return Line {
                        cos,
                        sin,
                        crossed,
                        ridge,
                    };
                }
                crossed.push(i);
            }
            if none {
                let size = c.hypot(s);
                return Line {
                    cos: c / size,
                    sin: s.max(0.0) / size,
                    crossed,
                    ridge: None,
                };
            }
            ahead = later;
        }
    }

    /// Where along a great circle samples change their sides.
    fn changes(&self, tau: &[f64]) -> Vec<Change> {
        let mut changes = Vec::new();
        for (i, x) in self.inputs.rows().enumerate() {
            if self.q[i] == 0.0 || self.held[i] {
                continue;
            }
            let (z, w) = (dot(&self.theta, x), dot(tau, x));
            let tiny = NOTHING * self.inputs.norms()[i];
            // On its own side z is positive; rounding may have put it at the border or beyond.
            let (z, w) = if self.side[i] { (z, w) } else { (-z, -w) };
            let (z, w) = (z.max(0.0), if w.abs() <= tiny { 0.0 } else { w });
            if z > tiny || w < 0.0 {
                let place = w / z;
                changes.push(Change { i, place, z, w });
            }
        }
        changes
    }

    /// Leaves the ridge that holds least: with G = κθ + Σ b_i x_i over the active samples, θ is a
    /// local maximum if every μ_i = −b_i/q_i is in [0, 1]. Whether one was left.
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
        self.held.fill(false);
        self.basis.clear();
        self.factor.clear();
        for j in kept {
            self.hold(j);
        }
        true
    }
}
