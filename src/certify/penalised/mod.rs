//! The penalised risk min over measures ν of R(f) + λ|ν|, between a primal and a dual bound.
//!
//! A run with α = 1 minimises R(f) + (λ/2m) Σ_j (a_j² + |w_j|²), which is at least R(f) + λ|ν| of
//! its network, and equal when the layers are balanced: so its objective is an upper bound, to be
//! set beside the lower one here. With another α the same holds for α² times the objective, and αλ
//! for λ.
//!
//! The dual is −R*(q) subject to |V(θ)| ≤ λ on the sphere, V(θ) = Σ_i q_i σ(θ·x_i), with
//!
//! ```text
//! square     R*(q) = (n/2)|q|² + q·y
//! logistic   R*(q) = (1/n) Σ [t log t + (1−t) log(1−t)],   q_i = −y_i t_i/n,  t_i in [0, 1]
//! ```

mod path;
mod solve;
#[cfg(test)]
mod tests;

use super::local_ascent::Probes;
use super::margin::check_labels;
use super::sphere::check_weights;
use super::{Maximum, Measure, Sphere};
use crate::error::{Error, Result};
use crate::model::Loss;
use crate::model::loss::Dual;

pub use path::{PathPoint, lambda_max, path};
pub use solve::solve;

/// The convex problem: a risk with targets y (n) and a weight decay λ.
#[derive(Debug, Clone, Copy)]
pub struct PenalisedProblem<'a> {
    loss: Loss,
    dual: Dual,
    y: &'a [f32],
    lambda: f64,
}

/// A feasible dual point and what it proves.
#[derive(Debug, Clone, PartialEq)]
pub struct DualPoint {
    /// −R*(q), less a bound of its rounding errors: no measure has a smaller penalised risk, if
    /// the maximum is certified.
    pub bound: f64,
    /// q (n), feasible.
    pub q: Vec<f64>,
    /// The maximum of |V| for the unscaled g.
    pub maximum: Maximum,
}

impl<'a> PenalisedProblem<'a> {
    /// # Errors
    /// A loss without a [`Dual`]; λ that is not positive; with the logistic loss,
    /// targets other than ±1; targets that are not finite.
    pub fn new(loss: Loss, y: &'a [f32], lambda: f64) -> Result<Self> {
        if !(lambda > 0.0 && lambda.is_finite()) {
            return Err(Error::input(
                "risk.weight_decay",
                format!("is {lambda}"),
                "a certificate of the penalised risk needs a weight decay above 0",
            ));
        }
        let Some(dual) = loss.dual() else {
            let known = Loss::ALL.iter().filter(|loss| loss.dual().is_some());
            let known: Vec<_> = known.map(|loss| loss.name()).collect();
            return Err(Error::input(
                "risk.loss",
                format!("is {loss}"),
                format!(
                    "a certificate of the penalised risk needs {}",
                    known.join(" or ")
                ),
            ));
        };
        match loss.is_classification() {
            true => check_labels(y, y.len())?,
            false => check_weights("targets y", &widened(y), y.len())?,
        }
        Ok(PenalisedProblem {
            loss,
            dual,
            y,
            lambda,
        })
    }

    /// R(f) + λ|ν| of a measure: up to rounding, an upper bound of the optimum.
    pub fn value(&self, sphere: &Sphere, nu: &Measure) -> f64 {
        let f = nu.predict(sphere.inputs());
        self.loss.risk(f.into_iter(), self.y) + self.lambda * nu.total_variation()
    }

    /// The best feasible multiple q = s g of a residual g (n), s ≥ 0, and its bound.
    ///
    /// # Errors
    /// g of another length than n or not finite; those of [`Sphere::maximum`].
    pub fn dual_bound(&self, sphere: &Sphere, g: &[f64], probes: Probes) -> Result<DualPoint> {
        check_weights("residual g", g, self.y.len())?;
        let g = &self.in_domain(g)[..];
        let maximum = sphere.maximum(g, probes)?;
        let q = scaled(g, self.best_scale(g, self.feasible_scale(maximum.bound)));
        Ok(DualPoint {
            bound: self.dual_value(&q),
            q,
            maximum,
        })
    }

    /// The bound that a multiple of q (n) gives, feasible where |V| of q is at most `maximum` on the sphere.
    pub fn bound_of(&self, q: &[f64], maximum: f64) -> f64 {
        self.dual_value(&scaled(q, self.best_scale(q, self.feasible_scale(maximum))))
    }

    /// The largest s for which |V| of s q is at most λ, where that of q is at most `maximum`.
    fn feasible_scale(&self, maximum: f64) -> f64 {
        match maximum > 0.0 {
            true => self.lambda / maximum * (1.0 - 2.0 * f64::EPSILON),
            false => f64::INFINITY,
        }
    }

    /// s ≥ 0, at most `most`, that makes −R*(s g) largest.
    fn best_scale(&self, g: &[f64], most: f64) -> f64 {
        let n = self.y.len() as f64;
        match self.dual {
            Dual::Logistic => {
                let t = self.shares(g);
                let largest = t.iter().copied().fold(0.0, f64::max);
                if largest == 0.0 {
                    return 0.0;
                }
                let slope = |s: f64| -> f64 {
                    let terms = t.iter().filter(|&&t| t > 0.0);
                    terms.map(|&t| -t * (s * t / (1.0 - s * t)).ln()).sum()
                };
                let (mut low, mut high) = (0.0, most.min(1.0 / largest));
                if slope(high) >= 0.0 {
                    return high;
                }
                for _ in 0..100 {
                    let middle = 0.5 * (low + high);
                    match slope(middle) >= 0.0 {
                        true => low = middle,
                        false => high = middle,
                    }
                }
                low
            }
            Dual::Square => {
                let gg: f64 = g.iter().map(|g| g * g).sum();
                let gy: f64 = g.iter().zip(self.y).map(|(g, &y)| g * f64::from(y)).sum();
                if gg == 0.0 {
                    return 0.0;
                }
                (-gy / (n * gg)).clamp(0.0, most)
            }
        }
    }

    /// g with R*(s g) finite for some s > 0: a logistic g_i of the wrong sign, which rounding makes of a sample
    /// with negligible weight, is set to 0.
    fn in_domain(&self, g: &[f64]) -> Vec<f64> {
        let pairs = g.iter().zip(self.y);
        let wrong = |g: f64, y: f32| self.dual == Dual::Logistic && g * f64::from(y) > 0.0;
        pairs
            .map(|(&g, &y)| if wrong(g, y) { 0.0 } else { g })
            .collect()
    }

    /// t_i = −n y_i q_i of the logistic conjugate.
    fn shares(&self, q: &[f64]) -> Vec<f64> {
        let n = self.y.len() as f64;
        let pairs = q.iter().zip(self.y);
        pairs.map(|(q, &y)| -n * f64::from(y) * q).collect()
    }

    /// −R*(q), less a bound of its rounding errors.
    fn dual_value(&self, q: &[f64]) -> f64 {
        let n = q.len() as f64;
        let terms: Vec<f64> = match self.dual {
            Dual::Logistic => {
                let entropy = |t: f64| if t > 0.0 { t * t.ln() } else { 0.0 };
                let of = |t: f64| -(entropy(t) + entropy(1.0 - t)) / n;
                self.shares(q).into_iter().map(of).collect()
            }
            Dual::Square => {
                let pairs = q.iter().zip(self.y);
                let of = |(q, &y): (&f64, &f32)| [-0.5 * n * q * q, -q * f64::from(y)];
                pairs.flat_map(of).collect()
            }
        };
        let size: f64 = terms.iter().map(|t| t.abs()).sum();
        terms.iter().sum::<f64>() - 4.0 * (n + 8.0) * f64::EPSILON * size
    }

    /// Curvatures h (n) and targets b (n) of the quadratic model Σ_i ½ h_i (f_i − b_i)² of R at
    /// the predictions f: R itself for the square risk. A logistic curvature is raised to at least the share
    /// `curvature_floor` of the largest, which makes steps shorter than Newton's.
    fn quadratic_model(&self, f: &[f64], curvature_floor: f64) -> (Vec<f64>, Vec<f64>) {
        let n = self.y.len() as f64;
        if self.dual == Dual::Square {
            return (vec![1.0 / n; f.len()], widened(self.y));
        }
        let g = self.loss.residual(f, 0, self.y);
        let curvature = |t: f64| t * (1.0 - t) / n;
        let mut h: Vec<f64> = self.shares(&g).into_iter().map(curvature).collect();
        let floor = curvature_floor * h.iter().copied().fold(curvature_floor / n, f64::max);
        h.iter_mut().for_each(|h| *h = h.max(floor));
        let b = f.iter().zip(&g).zip(&h).map(|((f, g), h)| f - g / h);
        let b = b.collect();
        (h, b)
    }
}

fn scaled(v: &[f64], s: f64) -> Vec<f64> {
    v.iter().map(|v| s * v).collect()
}

fn widened(y: &[f32]) -> Vec<f64> {
    y.iter().map(|&y| f64::from(y)).collect()
}
