//! A basis of the finite game: which constraints are tight, which atoms have mass, and the inverse of the
//! matrix that both players' strategies come from.
//!
//! ```text
//!     M = [ 0    l_T ]   a row for Σ_k l_k z_k = 1, then one per tight sample i: Σ_k A_ki z_k − b_i t = 0
//!         [ −b_S  A  ]   a column for the value t, then one per basic atom
//! ```
//!
//! (t, z) is the first column of M⁻¹, and (t, −q) its first row.

use super::dense::{add_rows, add_to_rows, products};
use crate::certify::double_double;
use crate::certify::input_matrix::add;

/// A pivot below this makes a matrix singular; its entries are at most of order 1, or tiny where payoffs cancel.
const LEAST_PIVOT: f64 = 1e-22;

/// The basis. Positions count from 0 in `samples` and `atoms`; in M they are one higher.
#[derive(Debug, Clone)]
pub struct Basis {
    /// Tight samples.
    pub samples: Vec<usize>,
    /// Basic atoms, as many.
    pub atoms: Vec<usize>,
    /// M⁻¹, row by row: a row per column of M and a column per row of M.
    inverse: Vec<Vec<f64>>,
}

/// A matrix that has no usable inverse.
#[derive(Debug)]
pub struct Singular;

impl Basis {
    /// The basis with these tight samples and basic atoms, of the matrix M.
    ///
    /// # Errors
    /// M is singular up to rounding.
    pub fn new(
        samples: Vec<usize>,
        atoms: Vec<usize>,
        matrix: &[Vec<f64>],
    ) -> Result<Self, Singular> {
        Ok(Basis {
            samples,
            atoms,
            inverse: inverse(matrix)?,
        })
    }

    /// Order of M.
    pub fn order(&self) -> usize {
        self.inverse.len()
    }

    /// Row `r` of M⁻¹: what unknown `r` has of each right side.
    pub fn row(&self, r: usize) -> &[f64] {
        &self.inverse[r]
    }

    /// Column `c` of M⁻¹.
    pub fn column(&self, c: usize) -> Vec<f64> {
        self.inverse.iter().map(|row| row[c]).collect()
    }

    /// M⁻¹ v
    pub fn solve(&self, v: &[f64]) -> Vec<f64> {
        products(self.inverse.iter().map(|row| &row[..]), v)
    }

    /// v M⁻¹
    pub fn solve_transposed(&self, v: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.order()];
        let rows = self.inverse.iter().zip(v);
        add_rows(&mut sum, rows.map(|(row, v)| (&row[..], *v)));
        sum
    }

    /// The atom at this position makes room for another, with w = M⁻¹ v of its column v.
    pub fn replace_atom(&mut self, position: usize, atom: usize, w: &[f64]) {
        self.atoms[position] = atom;
        let r = position + 1;
        let mut pivot_row = std::mem::take(&mut self.inverse[r]);
        pivot_row.iter_mut().for_each(|v| *v /= w[r]);
        let rows = self.inverse.iter_mut().zip(w);
        add_to_rows(rows.map(|(row, w)| (row, -w)), &pivot_row);
        self.inverse[r] = pivot_row;
    }

    /// The tight sample at this position makes room for another, with ρ = v M⁻¹ of its row v.
    pub fn replace_sample(&mut self, position: usize, sample: usize, rho: &[f64]) {
        self.samples[position] = sample;
        let c = position + 1;
        let pivots: Vec<f64> = self.inverse.iter().map(|row| row[c] / rho[c]).collect();
        let rows = self.inverse.iter_mut().zip(&pivots);
        add_to_rows(rows.map(|(row, pivot)| (row, -pivot)), rho);
        let rows = self.inverse.iter_mut().zip(pivots);
        rows.for_each(|(row, pivot)| row[c] = pivot);
    }

    /// A sample becomes tight and an atom basic: ρ = r M⁻¹ of its row r, w = M⁻¹ v of its column v, and
    /// `complement` is r's entry in that column less r M⁻¹ v.
    pub fn grow(&mut self, sample: usize, atom: usize, rho: &[f64], w: &[f64], complement: f64) {
        self.samples.push(sample);
        self.atoms.push(atom);
        let rows = self.inverse.iter_mut().zip(w);
        add_to_rows(rows.map(|(row, w)| (row, w / complement)), rho);
        let rows = self.inverse.iter_mut().zip(w);
        rows.for_each(|(row, w)| row.push(-w / complement));
        let mut last: Vec<f64> = rho.iter().map(|v| -v / complement).collect();
        last.push(1.0 / complement);
        self.inverse.push(last);
    }

    /// A sample stops being tight and an atom being basic.
    pub fn shrink(&mut self, sample_position: usize, atom_position: usize) {
        let (r, c) = (atom_position + 1, sample_position + 1);
        self.atoms.swap_remove(atom_position);
        self.samples.swap_remove(sample_position);
        let mut left = self.inverse.swap_remove(r);
        let pivot = left[c];
        left.swap_remove(c);
        let entries = self.inverse.iter_mut().map(|row| row.swap_remove(c));
        let factors: Vec<f64> = entries.map(|v| v / pivot).collect();
        let rows = self.inverse.iter_mut().zip(factors);
        add_to_rows(rows.map(|(row, factor)| (row, -factor)), &left);
    }

    /// Corrects the first column and the first row of M⁻¹, by residuals in twice the precision, until corrections
    /// no longer shrink.
    pub fn refine(&mut self, matrix: &[Vec<f64>]) {
        let first = refined(self.column(0), matrix, |residual| self.solve(residual));
        let rows = self.inverse.iter_mut().zip(&first);
        rows.for_each(|(row, v)| row[0] = *v);
        let column = |c: usize| matrix.iter().map(|row| row[c]).collect();
        let transposed: Vec<Vec<f64>> = (0..self.order()).map(column).collect();
        let first = self.inverse[0].clone();
        self.inverse[0] = refined(first, &transposed, |residual| {
            self.solve_transposed(residual)
        });
    }
}

/// v with M v = (1, 0, …), from a first one and an approximate inverse of M.
fn refined(mut v: Vec<f64>, matrix: &[Vec<f64>], solve: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let mut size = f64::INFINITY;
    loop {
        let negative: Vec<f64> = v.iter().map(|v| -v).collect();
        let residual = matrix.iter().enumerate().map(|(r, row)| {
            let wanted = f64::from(u8::from(r == 0));
            double_double::dot(wanted, row, &negative)
        });
        let correction = solve(&residual.collect::<Vec<f64>>());
        let now = relative_size(&correction, &v);
        if now.is_nan() || now >= 0.5 * size {
            return v;
        }
        size = now;
        add(&mut v, 1.0, &correction);
        if now < f64::EPSILON {
            return v;
        }
    }
}

/// The largest entry of a correction, relative to the largest of what it corrects.
fn relative_size(correction: &[f64], of: &[f64]) -> f64 {
    let largest = |v: &[f64]| v.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    largest(correction) / largest(of)
}

/// Gauss–Jordan elimination with the largest pivot of each column.
fn inverse(matrix: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, Singular> {
    let order = matrix.len();
    let mut rows: Vec<Vec<f64>> = matrix.to_vec();
    for (r, row) in rows.iter_mut().enumerate() {
        row.resize(2 * order, 0.0);
        row[order + r] = 1.0;
    }
    for c in 0..order {
        let largest = (c..order).max_by(|&a, &b| rows[a][c].abs().total_cmp(&rows[b][c].abs()));
        let Some(pivot) = largest else {
            return Err(Singular);
        };
        rows.swap(c, pivot);
        let mut row = std::mem::take(&mut rows[c]);
        let by = row[c];
        if by.is_nan() || by.abs() <= LEAST_PIVOT {
            return Err(Singular);
        }
        row.iter_mut().for_each(|v| *v /= by);
        // Entries left of c, and right of those of the first c rows of the identity, are 0.
        let factors: Vec<f64> = rows
            .iter()
            .map(|row| row.get(c).map_or(0.0, |v| -v))
            .collect();
        add_to_rows(rows.iter_mut().zip(factors), &row);
        rows[c] = row;
    }
    rows.iter_mut().for_each(|row| {
        row.drain(..order);
    });
    Ok(rows)
}
