//! The inputs in f64, with the first variation V(θ) = Σ_i q_i σ(θ·x_i) of weights q and its gradient.

use crate::data::Dataset;

/// Inputs X (n, d), widened from f32 without rounding.
#[derive(Debug, Clone)]
pub struct InputMatrix {
    d: usize,
    x: Vec<f64>,
    norms: Vec<f64>,
    coordinate_scales: Vec<f64>,
}

impl InputMatrix {
    pub fn new(data: &Dataset) -> Self {
        let x: Vec<f64> = data.x.iter().map(|&x| f64::from(x)).collect();
        let norms: Vec<f64> = x.chunks_exact(data.d).map(norm).collect();
        let mut coordinate_scales = vec![0.0_f64; data.d];
        let rows = x
            .chunks_exact(data.d)
            .zip(&norms)
            .filter(|(_, r)| **r > 0.0);
        for (x, r) in rows {
            let pairs = coordinate_scales.iter_mut().zip(x);
            pairs.for_each(|(coordinate_scale, x)| {
                *coordinate_scale = coordinate_scale.max(x.abs() / r)
            });
        }
        InputMatrix {
            d: data.d,
            x,
            norms,
            coordinate_scales,
        }
    }

    /// The inputs of some samples, with the coordinate scales of all.
    pub fn select(&self, samples: &[usize]) -> Self {
        InputMatrix {
            d: self.d,
            x: samples
                .iter()
                .flat_map(|&i| self.row(i).iter().copied())
                .collect(),
            norms: samples.iter().map(|&i| self.norms[i]).collect(),
            coordinate_scales: self.coordinate_scales.clone(),
        }
    }

    /// Input dimension d.
    pub fn d(&self) -> usize {
        self.d
    }

    /// Number of samples n.
    pub fn n(&self) -> usize {
        self.norms.len()
    }

    /// The rows x_i, each of length d.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.x.chunks_exact(self.d)
    }

    /// Input i.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.x[i * self.d..(i + 1) * self.d]
    }

    /// |x_i| (n).
    pub fn norms(&self) -> &[f64] {
        &self.norms
    }

    /// The largest |x_i|.
    pub fn radius(&self) -> f64 {
        self.norms.iter().copied().fold(0.0, f64::max)
    }

    /// The least |x_i|: no margin is above it.
    pub fn least_norm(&self) -> f64 {
        self.norms.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The largest |x_ik|/|x_i| of each coordinate k (d): how much the samples depend on it.
    pub fn coordinate_scales(&self) -> &[f64] {
        &self.coordinate_scales
    }

    /// σ(θ·x_i) (n): what an atom at θ predicts.
    pub fn features(&self, theta: &[f64]) -> Vec<f64> {
        self.rows().map(|x| dot(theta, x).max(0.0)).collect()
    }

    /// σ(θ·x_i) of some samples.
    pub fn features_of(&self, samples: &[usize], theta: &[f64]) -> Vec<f64> {
        let of = |&i: &usize| dot(theta, self.row(i)).max(0.0);
        samples.iter().map(of).collect()
    }

    /// V(θ) for q (n).
    pub fn variation(&self, q: &[f64], theta: &[f64]) -> f64 {
        let terms = self.rows().zip(q);
        terms.map(|(x, q)| q * dot(theta, x).max(0.0)).sum()
    }

    /// V(θ), and its gradient G = Σ_i q_i 1[θ·x_i > 0] x_i (d) in `g`.
    pub fn gradient(&self, q: &[f64], theta: &[f64], g: &mut [f64]) -> f64 {
        g.fill(0.0);
        let mut v = 0.0;
        for (x, &q) in self.rows().zip(q) {
            let z = dot(theta, x);
            if z > 0.0 {
                v += q * z;
                add(g, q, x);
            }
        }
        v
    }

    /// Σ_i |q_i| |x_i|: a Lipschitz constant of V, and the scale of its rounding errors.
    pub fn lipschitz(&self, q: &[f64]) -> f64 {
        q.iter().zip(&self.norms).map(|(q, x)| q.abs() * x).sum()
    }

    /// Bounds the rounding error of V(θ), and of its maximum as found here: each of the n + d
    /// additions in a term or a running sum errs by at most ε times the Lipschitz constant.
    pub fn slack(&self, q: &[f64]) -> f64 {
        8.0 * (self.n() + self.d) as f64 * f64::EPSILON * self.lipschitz(q)
    }
}

/// u·v, in four running sums that are independent of each other.
pub(super) fn dot(u: &[f64], v: &[f64]) -> f64 {
    let ((u, short), (v, end)) = (u.as_chunks::<4>(), v.as_chunks::<4>());
    let mut sums = [0.0; 4];
    for (u, v) in u.iter().zip(v) {
        for ((sum, u), v) in sums.iter_mut().zip(u).zip(v) {
            *sum += u * v;
        }
    }
    let rest: f64 = short.iter().zip(end).map(|(u, v)| u * v).sum();
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
}

pub(super) fn norm(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
}

/// u += s v
pub(super) fn add(u: &mut [f64], s: f64, v: &[f64]) {
    u.iter_mut().zip(v).for_each(|(u, v)| *u += s * v);
}

/// v / |v|; `None` where |v| is 0 or not finite.
pub(super) fn unit(mut v: Vec<f64>) -> Option<Vec<f64>> {
    let size = norm(&v);
    v.iter_mut().for_each(|v| *v /= size);
    (size > 0.0 && size.is_finite()).then_some(v)
}

/// Equal for two rows of f32 numbers if and only if one is a positive multiple of the other: the coordinates divided by
/// the largest. Two ratios of f32 that differ do so by at least 2^-48 of their size, so their f64 values differ too.
pub(super) fn ray(x: &[f64]) -> Vec<u64> {
    let largest = x.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    // Adding 0 takes the sign off −0.
    x.iter().map(|x| (x / largest + 0.0).to_bits()).collect()
}
