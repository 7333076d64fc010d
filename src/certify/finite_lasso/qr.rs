//! The QR factorisation of a matrix to which columns are added, and from which they are taken.

use crate::certify::input_matrix::{add, dot, norm};

/// U = Q R with orthonormal Q (n, p) and an upper triangular R (p, p) with a positive diagonal.
#[derive(Debug, Clone, Default)]
pub struct Qr {
    /// The columns of Q.
    q: Vec<Vec<f64>>,
    /// The columns of R down to the diagonal: column j has j + 1 entries.
    r: Vec<Vec<f64>>,
}

/// A column u = Q c + e, with e orthogonal to Q.
pub struct Projected {
    /// c (p)
    pub coefficients: Vec<f64>,
    /// e (n)
    remainder: Vec<f64>,
    /// |e|
    pub distance: f64,
}

impl Qr {
    /// Splits a column u (n) into its part in the span of U and the rest. The projection is done twice, so that
    /// the rest is orthogonal to Q up to rounding even where it is small.
    pub fn project(&self, u: &[f64]) -> Projected {
        let mut remainder = u.to_vec();
        let mut coefficients = vec![0.0; self.q.len()];
        for _ in 0..2 {
            let parts = self.q_transposed(&remainder);
            let along = self.q.iter().zip(&parts);
            along.for_each(|(q, part)| add(&mut remainder, -part, q));
            add(&mut coefficients, 1.0, &parts);
        }
        Projected {
            coefficients,
            distance: norm(&remainder),
            remainder,
        }
    }

    /// Adds the column that was projected, whose distance must be above 0.
    pub fn push(&mut self, column: Projected) {
        let Projected {
            mut coefficients,
            mut remainder,
            distance,
        } = column;
        coefficients.push(distance);
        remainder.iter_mut().for_each(|v| *v /= distance);
        self.r.push(coefficients);
        self.q.push(remainder);
    }

    /// Takes column j away, and makes R triangular again by rotations of neighbouring rows.
    pub fn remove(&mut self, j: usize) {
        self.r.remove(j);
        for i in j..self.r.len() {
            let (above, below) = (self.r[i][i], self.r[i][i + 1]);
            let size = above.hypot(below);
            let (cos, sin) = match size > 0.0 {
                true => (above / size, below / size),
                false => (1.0, 0.0),
            };
            for column in &mut self.r[i..] {
                let (a, b) = (column[i], column[i + 1]);
                (column[i], column[i + 1]) = (cos * a + sin * b, cos * b - sin * a);
            }
            self.r[i].truncate(i + 1);
            let (left, right) = self.q.split_at_mut(i + 1);
            for (a, b) in left[i].iter_mut().zip(&mut right[0]) {
                (*a, *b) = (cos * *a + sin * *b, cos * *b - sin * *a);
            }
        }
        self.q.pop();
    }

    /// Qᵀ v (p)
    pub fn q_transposed(&self, v: &[f64]) -> Vec<f64> {
        self.q.iter().map(|q| dot(q, v)).collect()
    }

    /// v += Q y
    pub fn add_q_times(&self, y: &[f64], v: &mut [f64]) {
        self.q.iter().zip(y).for_each(|(q, &y)| add(v, y, q));
    }

    /// R⁻¹ y (p)
    pub fn solve(&self, mut y: Vec<f64>) -> Vec<f64> {
        for (j, column) in self.r.iter().enumerate().rev() {
            y[j] /= column[j];
            let (before, rest) = y.split_at_mut(j);
            add(before, -rest[0], column);
        }
        y
    }

    /// R⁻ᵀ y (p)
    pub fn solve_transposed(&self, mut y: Vec<f64>) -> Vec<f64> {
        for (j, column) in self.r.iter().enumerate() {
            y[j] = (y[j] - dot(&column[..j], &y[..j])) / column[j];
        }
        y
    }
}
