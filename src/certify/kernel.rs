//! γ2, the largest margin in the kernel space of output-only training: a hard-margin SVM.
//!
//! With fixed features σ(w·x), w ~ τ, output-only training moves in the space H of the kernel
//! k(x, x') = E_w~τ[σ(w·x) σ(w·x')], and
//!
//! ```text
//! γ2 = max over ‖f‖_H ≤ 1 of min_i y_i f(x_i),        γ2² = min over p in the simplex of
//!                                                             Σ_ij p_i y_i k(x_i, x_j) y_j p_j
//! ```
//!
//! For w ~ N(0, I) the kernel is the arc-cosine kernel of degree 1 (Cho & Saul 2009). A network of
//! finite width has a kernel of its own, the mean over its features: its margin_f2 stays below
//! *that* γ2.

use std::f64::consts::{PI, TAU};

use rayon::prelude::*;

use super::input_matrix::{InputMatrix, add, dot, norm};
use super::margin::{check_labels, check_simplex, normalised};
use super::{Bounds, conic};
use crate::data::Dataset;
use crate::error::Result;
use crate::particles::Particles;

/// Gaps to which the finite problems are solved, in turn.
const ACCURACIES: [f64; 4] = [0.0, 0.0, 1e-10, 1e-8];
/// Relative gap at which no further one is solved.
const CLOSED_GAP: f64 = 1e-10;

/// The law τ of the input weights w.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WeightLaw {
    /// w ~ N(0, scale² I)
    Gaussian { scale: f64 },
    /// w uniform on the sphere of this radius.
    Sphere { scale: f64 },
}

/// The kernel between the samples.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelMatrix {
    n: usize,
    /// k(x_i, x_j), row-major (n, n).
    k: Vec<f64>,
}

/// γ2 between two bounds, both certified in any dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelMargin {
    pub bounds: Bounds,
    /// Weights p (n) in the simplex: f = Σ_i p_i y_i k(x_i, ·)/norm has the lower bound as margin.
    pub p: Vec<f64>,
}

/// E[σ(w·x) σ(w·x')] for w ~ N(0, I): |x||x'|(sin θ + (π−θ) cos θ)/(2π), θ the angle between.
pub fn arc_cosine(x: &[f64], other: &[f64]) -> f64 {
    let (u, v) = (norm(x), norm(other));
    if u == 0.0 || v == 0.0 {
        return 0.0;
    }
    // From the sides of the rhombus, accurate for every angle: acos is not near 0 and π.
    let side = |sign: f64| {
        let mut side: Vec<f64> = x.iter().map(|x| x / u).collect();
        add(&mut side, sign / v, other);
        norm(&side)
    };
    let angle = 2.0 * side(-1.0).atan2(side(1.0));
    u * v * (angle.sin() + (PI - angle) * angle.cos()) / TAU
}

impl KernelMatrix {
    /// The kernel of a law of weights, in closed form.
    pub fn of_law(weights: WeightLaw, data: &Dataset) -> Self {
        let inputs = InputMatrix::new(data);
        let unit = match weights {
            WeightLaw::Gaussian { scale } => scale * scale,
            WeightLaw::Sphere { scale } => scale * scale / data.d as f64,
        };
        let row = |x: &[f64]| -> Vec<f64> {
            inputs
                .rows()
                .map(|other| unit * arc_cosine(x, other))
                .collect()
        };
        let rows: Vec<&[f64]> = inputs.rows().collect();
        KernelMatrix {
            n: inputs.n(),
            k: rows.par_iter().flat_map_iter(|x| row(x)).collect(),
        }
    }

    /// The kernel (1/m) Σ_j σ(w_j·x) σ(w_j·x') of given features; output weights play no part.
    pub fn of_features(particles: &Particles, data: &Dataset) -> Self {
        let inputs = InputMatrix::new(data);
        let m = particles.m();
        let features =
            |x: &[f64]| -> Vec<f64> { (0..m).map(|j| dot(particles.w(j), x).max(0.0)).collect() };
        let rows: Vec<&[f64]> = inputs.rows().collect();
        let features: Vec<Vec<f64>> = rows.par_iter().map(|x| features(x)).collect();
        let row = |phi: &Vec<f64>| -> Vec<f64> {
            features
                .iter()
                .map(|other| dot(phi, other) / m as f64)
                .collect()
        };
        KernelMatrix {
            n: inputs.n(),
            k: features.par_iter().flat_map_iter(row).collect(),
        }
    }

    /// Number of samples n.
    pub fn n(&self) -> usize {
        self.n
    }

    /// k(x_i, x_j), row-major (n, n).
    pub fn values(&self) -> &[f64] {
        &self.k
    }

    /// γ2 ≤ √(Σ_ij p_i y_i k_ij y_j p_j) for any p (n) in the simplex, and γ2 ≥ the margin of
    /// f = Σ_i p_i y_i k(x_i, ·)/‖·‖. Both allow for rounding errors.
    ///
    /// # Errors
    /// p outside the simplex, labels other than ±1.
    pub fn bounds(&self, y: &[f32], p: &[f64]) -> Result<Bounds> {
        check_labels(y, self.n)?;
        check_simplex(p, self.n)?;
        let rows = || self.k.chunks_exact(self.n);
        let q: Vec<f64> = p.iter().zip(y).map(|(p, &y)| p * f64::from(y)).collect();
        let f: Vec<f64> = rows().map(|row| dot(row, &q)).collect();
        let sizes: Vec<f64> = rows()
            .map(|row| row.iter().zip(p).map(|(k, p)| k.abs() * p).sum())
            .collect();
        let rounding = 4.0 * (self.n + 8) as f64 * f64::EPSILON;
        let upper = (dot(&f, &q).max(0.0) + rounding * dot(&sizes, p)).sqrt();
        let margins = f.iter().zip(y).zip(&sizes);
        let least = margins
            .map(|((f, &y), size)| f64::from(y) * f - rounding * size)
            .fold(f64::INFINITY, f64::min);
        let lower = if least > 0.0 { least / upper } else { 0.0 };
        Ok(Bounds { lower, upper })
    }

    /// Brackets γ2. Data that no f separates has a lower bound of 0 and an upper bound within the root of the
    /// rounding error, about 1e-7 of the smallest feature; data with a sample whose features are all 0 has both 0.
    ///
    /// # Errors
    /// Labels other than ±1; a failure of the finite solver.
    pub fn hard_margin(&self, y: &[f32]) -> Result<KernelMargin> {
        check_labels(y, self.n)?;
        let n = self.n;
        // γ2 ≤ √k_ii for every sample: with q_i = p_i √k_ii the kernel has a diagonal of 1.
        let norms: Vec<f64> = (0..n).map(|i| self.k[i * n + i].sqrt()).collect();
        let least = norms.iter().copied().fold(f64::INFINITY, f64::min);
        if let Some(i) = norms.iter().position(|&r| r == 0.0) {
            let mut p = vec![0.0; n];
            p[i] = 1.0;
            let bounds = Bounds {
                lower: 0.0,
                upper: 0.0,
            };
            return Ok(KernelMargin { bounds, p });
        }
        let shares: Vec<f64> = norms.iter().map(|r| least / r).collect();
        let mut p = normalised(shares.clone());
        let mut bounds = self.bounds(y, &p)?;
        // The unit of a solve comes from the bound before it, so that the optimum is of order 1. Where the optimum
        // is far below the smallest feature, samples with large features need a wider gap.
        for accuracy in ACCURACIES {
            if bounds.relative_gap() <= CLOSED_GAP {
                break;
            }
            let unit = (bounds.upper / least).min(1.0).powi(2);
            let signed: Vec<f64> = (0..n * n)
                .map(|at| {
                    let (i, j) = (at / n, at % n);
                    f64::from(y[i] * y[j]) * self.k[at] / norms[i] / norms[j] / unit
                })
                .collect();
            let q = conic::nearest_point(&signed, &shares, accuracy)?;
            let found = normalised(q.iter().zip(&shares).map(|(q, b)| q * b).collect());
            let better = self.bounds(y, &found)?;
            let lower = bounds.lower.max(better.lower);
            if better.upper <= bounds.upper {
                p = found;
            }
            let upper = bounds.upper.min(better.upper);
            bounds = Bounds { lower, upper };
        }
        Ok(KernelMargin { bounds, p })
    }
}
