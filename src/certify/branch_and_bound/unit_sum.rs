//! s·V in units in which its rows and weights are of order 1.

use crate::certify::input_matrix::{InputMatrix, dot};

/// s·V(θ) = unit Σ_i c_i σ(θ·u_i) with s = ±1, |u_i| = 1 and Σ_i |c_i| = 1; rows without weight are left out.
pub struct UnitSum {
    d: usize,
    /// u_i, row-major
    rows: Vec<f64>,
    weights: Vec<f64>,
    unit: f64,
}

impl UnitSum {
    pub fn new(inputs: &InputMatrix, q: &[f64], sign: f64) -> Self {
        // Products q_i |x_i| of any finite q stay finite.
        let largest = q.iter().fold(0.0_f64, |largest, q| largest.max(q.abs()));
        let size = |(q, norm): (&f64, &f64)| (q / largest).abs() * norm;
        let total: f64 = q.iter().zip(inputs.norms()).map(size).sum();
        let mut sum = UnitSum {
            d: inputs.d(),
            rows: Vec::new(),
            weights: Vec::new(),
            unit: 0.0,
        };
        // 0/0 where all q are 0.
        if total.is_nan() || total == 0.0 {
            return sum;
        }
        sum.unit = total * largest;
        for ((x, q), norm) in inputs.rows().zip(q).zip(inputs.norms()) {
            let weight = sign * (q / largest) * norm / total;
            if weight != 0.0 {
                sum.rows.extend(x.iter().map(|x| x / norm));
                sum.weights.push(weight);
            }
        }
        sum
    }

    pub fn d(&self) -> usize {
        self.d
    }

    /// Number of rows.
    pub fn n(&self) -> usize {
        self.weights.len()
    }

    pub fn row(&self, i: u32) -> &[f64] {
        let start = i as usize * self.d;
        &self.rows[start..start + self.d]
    }

    /// c_i
    pub fn weight(&self, i: u32) -> f64 {
        self.weights[i as usize]
    }

    /// Rows with c_i > 0, and those with c_i < 0.
    pub fn by_sign(&self) -> (Vec<u32>, Vec<u32>) {
        let all = 0..self.n() as u32;
        all.partition(|&i| self.weight(i) > 0.0)
    }

    /// Number of rows with c_i > 0.
    pub fn convex_samples(&self) -> usize {
        self.weights.iter().filter(|c| **c > 0.0).count()
    }

    /// Σ_i c_i σ(θ·u_i)
    pub fn value(&self, theta: &[f64]) -> f64 {
        let rows = self.rows.chunks_exact(self.d).zip(&self.weights);
        rows.map(|(u, c)| c * dot(u, theta).max(0.0)).sum()
    }

    /// The largest s·V where the sum is at most `bound`: rows and weights are rounded.
    pub fn largest_value(&self, bound: f64) -> f64 {
        let terms = (4 * self.d + self.n() + 32) as f64;
        (bound + terms * f64::EPSILON) * self.unit * (1.0 + 8.0 * f64::EPSILON)
    }

    /// Below this, bounds of cones are mostly rounding errors.
    pub fn resolution(&self) -> f64 {
        64.0 * (self.n() + self.d) as f64 * f64::EPSILON
    }
}

/// The best direction so far.
#[derive(Debug, Clone, Default)]
pub struct Best {
    /// Σ_i c_i σ(θ·u_i), at least 0
    pub value: f64,
    /// θ (d)
    pub theta: Option<Vec<f64>>,
}

impl Best {
    pub fn try_direction(&mut self, sum: &UnitSum, theta: &[f64]) {
        let value = sum.value(theta);
        if value > self.value {
            (self.value, self.theta) = (value, Some(theta.to_vec()));
        }
    }

    pub fn larger(self, other: Self) -> Self {
        match other.value > self.value {
            true => other,
            false => self,
        }
    }
}
