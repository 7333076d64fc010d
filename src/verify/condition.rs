//! Condition scales: sums of absolute values, relative to which rounding errors are bounded.

use crate::data::Dataset;
use crate::model::Run;
use crate::particles::Particles;

/// Scales of every stage at one state.
#[derive(Debug)]
pub struct Condition {
    /// Predictions: (α/m) Σ_j |a_j| Σ_k |w_jk x_ik| over pairs that are active or near the kink
    /// (n).
    pub f: Vec<f64>,
    /// Residual, with the effect of the error of the predictions (n).
    pub g: Vec<f64>,
    /// Velocity ȧ (m).
    pub velocity_a: Vec<f64>,
    /// Velocity ẇ, as the Euclidean norm of each row (m).
    pub velocity_w: Vec<f64>,
    /// Whether a particle has a sample so near the kink of σ that rounding decides whether it is
    /// active (m).
    pub near_kink: Vec<bool>,
}

impl Condition {
    /// Scales at the state `p` with predictions `f` and residual `g`; `unit` is the unit round-off.
    pub fn new(run: &Run, p: &Particles, f: &[f64], g: &[f64], data: &Dataset, unit: f64) -> Self {
        let (n, m, d) = (data.n(), p.m(), p.d);
        let kink = 4.0 * (d as f64 + 1.0) * unit;
        let mut c = Condition {
            f: vec![0.0; n],
            g: Vec::new(),
            velocity_a: vec![0.0; m],
            velocity_w: vec![0.0; m],
            near_kink: vec![false; m],
        };
        let pair = |j: usize, i: usize| {
            let (mut z, mut size) = (0.0, 0.0);
            for (w, &x) in p.w(j).iter().zip(data.row(i)) {
                z += w * f64::from(x);
                size += (w * f64::from(x)).abs();
            }
            (z, size)
        };
        for j in 0..m {
            for i in 0..n {
                let (z, size) = pair(j, i);
                c.near_kink[j] |= z != 0.0 && z.abs() <= kink * size;
                if z > -kink * size {
                    c.f[i] += run.alpha / m as f64 * p.a[j].abs() * size;
                }
            }
        }
        c.g = run.loss.condition(f, g, &data.y, &c.f);
        let mut row = vec![0.0; d];
        for j in 0..m {
            row.fill(0.0);
            let mut force = 0.0;
            for i in 0..n {
                let (z, size) = pair(j, i);
                if z > 0.0 {
                    force += c.g[i] * size;
                    for (sum, &x) in row.iter_mut().zip(data.row(i)) {
                        *sum += c.g[i] * f64::from(x).abs();
                    }
                }
            }
            let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
            c.velocity_a[j] = force / run.alpha + run.lambda * p.a[j].abs();
            c.velocity_w[j] = p.a[j].abs() * norm(&row) / run.alpha + run.lambda * norm(p.w(j));
        }
        c
    }
}
