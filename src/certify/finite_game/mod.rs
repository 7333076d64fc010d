//! The finite zero-sum game between weights on samples and masses on atoms,
//!
//! ```text
//! min over q ≥ 0 with Σ_i b_i q_i = 1 of max over k of Σ_i q_i A_ki
//!     = max over c in the simplex of min over i of f_i/b_i,   f_i = Σ_k c_k A_ki,
//! ```
//!
//! for payoffs A, one row per atom, and shares b > 0 of which the largest is 1. It is solved by a simplex method that
//! keeps its basis: new atoms cost only the pivots that they make necessary. New samples make it begin anew.
//!
//! Payoffs of one atom may be far above the optimum, where weights have to cancel them. So rows are divided by
//! their largest payoff r_k, with masses z_k = r_k c_k and Σ_k l_k z_k = 1 for levels l_k = 1/r_k, and the
//! strategies of a basis are refined with residuals in twice the precision.

mod basis;
mod dense;
mod pivots;

use basis::Basis;
use dense::{add_rows, products};
use pivots::Perturbation;

use super::marked::{new_positions, retain_marked};
use crate::error::{Error, Result};

/// Pivots after which the inverse of the basis is computed anew.
const FRESH_AFTER: usize = 200;
/// Pivots of one solve per sample and atom, at most: about five times what occurs.
const MOST_PIVOTS: usize = 5;
/// Added to every share, of which the largest is 1: rounding errors leave no f_i below its share, however small it is.
const SURPLUS: f64 = 1e-11;
/// Rounding errors of a value.
const ROUNDED_VALUE: f64 = 1e-9;
/// Share of the masses, in units of the largest payoffs, below which a value is taken for 0.
const CANCELLED: f64 = 1e-9;

/// Pivots in turn that may leave the value where it was, beside one per tight sample: at degenerate bases they may
/// cycle.
const STALLED: usize = 50;

/// Changes of the value below this share of it, or of payoffs of order 1, are rounding errors.
const SAME_VALUE: f64 = 1e-12;
const ROUNDED_TO_ZERO: f64 = 1e-15;

/// Counts pivots that leave the value unchanged.
#[derive(Default)]
struct Stall {
    value: f64,
    pivots: usize,
}

impl Stall {
    fn is_over(&mut self, value: f64, order: usize) -> bool {
        if (value - self.value).abs() > SAME_VALUE * value.abs() + ROUNDED_TO_ZERO {
            (self.value, self.pivots) = (value, 0);
        }
        self.pivots += 1;
        self.pivots > STALLED + order
    }
}

/// Samples, atoms, and the strategies of both players.
#[derive(Debug, Clone, Default)]
pub struct FiniteGame {
    /// b
    shares: Vec<f64>,
    /// A, one row per atom, divided by its largest payoff.
    payoffs: Vec<Vec<f64>>,
    /// l
    levels: Vec<f64>,
    basis: Option<Basis>,
    /// Whether a sample is tight, and an atom basic.
    is_tight: Vec<bool>,
    is_basic: Vec<bool>,
    /// Of the constraints, while pivots cycle.
    perturbation: Option<Perturbation>,
    /// Pivots since the inverse was computed.
    pivots: usize,
}

impl FiniteGame {
    /// Number of samples and of atoms.
    pub fn size(&self) -> (usize, usize) {
        (self.shares.len(), self.payoffs.len())
    }

    /// Adds a sample with its share and its payoff for every atom. The basis is lost, as its masses may fall short for
    /// the sample.
    pub fn add_sample(&mut self, share: f64, payoffs: impl Iterator<Item = f64>) {
        self.forget();
        self.shares.push(share + SURPLUS);
        self.is_tight.push(false);
        let rows = self.payoffs.iter_mut().zip(&self.levels);
        rows.zip(payoffs)
            .for_each(|((row, level), v)| row.push(v * level));
    }

    /// Adds an atom with its payoff for every sample.
    pub fn add_atom(&mut self, payoffs: &[f64]) {
        let largest = payoffs.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let level = if largest > 0.0 { 1.0 / largest } else { 1.0 };
        self.payoffs
            .push(payoffs.iter().map(|v| v * level).collect());
        self.levels.push(level);
        self.is_basic.push(false);
    }

    /// Keeps the basic atoms, and of the others those that `keep` names by their numbers.
    pub fn retain_atoms(&mut self, keep: impl Fn(usize) -> bool) -> Vec<bool> {
        let kept: Vec<bool> = (0..self.payoffs.len())
            .map(|k| self.is_basic[k] || keep(k))
            .collect();
        if let Some(basis) = &mut self.basis {
            let positions = new_positions(kept.len(), &kept);
            basis.atoms.iter_mut().for_each(|k| *k = positions[*k]);
        }
        retain_marked(&mut self.is_basic, &kept);
        retain_marked(&mut self.payoffs, &kept);
        retain_marked(&mut self.levels, &kept);
        kept
    }

    /// The largest payoff Σ_i q_i A_ki of an atom, for any weights q (n).
    pub fn value(&self, q: &[f64]) -> f64 {
        let rows = self.payoffs.iter().map(|row| &row[..]);
        let gains = products(rows, q).into_iter().zip(&self.levels);
        let values = gains.map(|(v, level)| v / level);
        values.fold(f64::NEG_INFINITY, f64::max)
    }

    /// Whether the values that both strategies guarantee differ by at most this share, and the payoffs do not cancel.
    pub fn is_solved_by(&self, q: &[f64], c: &[f64], share: f64) -> bool {
        let total: f64 = q.iter().zip(&self.shares).map(|(q, b)| q * b).sum();
        let upper = self.value(q) / total;
        let mut f = vec![0.0; self.shares.len()];
        let rows = self.payoffs.iter().map(|row| &row[..]);
        let masses = c.iter().zip(&self.levels).map(|(c, level)| c / level);
        add_rows(&mut f, rows.zip(masses.clone()));
        let shares = f.iter().zip(&self.shares).map(|(f, b)| f / b);
        let lower = shares.fold(f64::INFINITY, f64::min) / c.iter().sum::<f64>();
        let size = lower.abs().max(upper.abs());
        upper - lower <= (share + ROUNDED_VALUE) * size && size > CANCELLED * masses.sum::<f64>()
    }

    /// Begins again from a basis of one atom.
    pub fn forget(&mut self) {
        self.basis = None;
        self.is_tight.fill(false);
        self.is_basic.fill(false);
    }

    /// q (n) and c (K), as near to the optimum as `wanted`, a share of the value, or as near as many pivots bring them.
    ///
    /// # Errors
    /// There are no samples or no atoms; rounding errors make a basis singular.
    pub fn solve(&mut self, wanted: f64) -> Result<(Vec<f64>, Vec<f64>)> {
        let (n, count) = self.size();
        if n == 0 || count == 0 {
            return Err(failed("there are no samples or no atoms"));
        }
        let mut basis = match self.basis.take() {
            Some(basis) => basis,
            None => self.first_basis()?,
        };
        let (mut is_fresh, mut was_perturbed) = (false, false);
        let mut candidates = Vec::new();
        let mut stall = Stall::default();
        let mut taken = 0;
        while taken < MOST_PIVOTS * (n + count) {
            let now = self.strategies(&basis);
            match self.next_pivot(&basis, &now, wanted, &mut candidates) {
                Some(_) if stall.is_over(now.value, basis.order()) => {
                    if was_perturbed {
                        break;
                    }
                    self.perturbation = Some(Perturbation::new(n, &now));
                    was_perturbed = true;
                    stall = Stall::default();
                }
                Some(pivot) => {
                    self.apply(&mut basis, &pivot);
                    taken += 1;
                    self.pivots += 1;
                    is_fresh = false;
                    if self.pivots >= FRESH_AFTER {
                        basis = self.basis_of(basis.samples, basis.atoms)?;
                    }
                }
                // Rounding errors of the inverse may hide a pivot.
                None if !is_fresh => {
                    basis = self.basis_of(basis.samples, basis.atoms)?;
                    is_fresh = true;
                }
                None if self.perturbation.is_some() => {
                    self.perturbation = None;
                    stall = Stall::default();
                }
                None => break,
            }
        }
        self.perturbation = None;
        let solution = self.solution(&basis, self.strategies(&basis));
        self.basis = Some(basis);
        Ok(solution)
    }

    /// A basis of one atom and the sample for which it does least.
    fn first_basis(&mut self) -> Result<Basis> {
        let least_of = |k: usize| {
            let shares = self.payoffs[k].iter().zip(&self.shares);
            let values = shares.map(|(v, b)| v / (b * self.levels[k])).enumerate();
            values.min_by(|a, b| a.1.total_cmp(&b.1))
        };
        let each = (0..self.payoffs.len()).filter_map(|k| Some((k, least_of(k)?)));
        let best = each.max_by(|a, b| a.1.1.total_cmp(&b.1.1));
        let (k, (i, _)) = best.ok_or_else(|| failed("payoffs are not numbers"))?;
        (self.is_tight[i], self.is_basic[k]) = (true, true);
        self.basis_of(vec![i], vec![k])
    }

    /// The basis with its inverse computed anew.
    fn basis_of(&mut self, samples: Vec<usize>, atoms: Vec<usize>) -> Result<Basis> {
        let matrix = self.matrix(&samples, &atoms);
        let basis = Basis::new(samples, atoms, &matrix);
        let mut basis = basis.map_err(|_| failed("its basis is singular"))?;
        basis.refine(&matrix);
        self.pivots = 0;
        Ok(basis)
    }

    /// M of a basis.
    fn matrix(&self, samples: &[usize], atoms: &[usize]) -> Vec<Vec<f64>> {
        let first = std::iter::once(0.0).chain(atoms.iter().map(|&k| self.levels[k]));
        let mut matrix = vec![first.collect::<Vec<f64>>()];
        matrix.extend(samples.iter().map(|&i| self.row(i, atoms)));
        matrix
    }

    /// The row of M for a sample.
    fn row(&self, i: usize, atoms: &[usize]) -> Vec<f64> {
        let payoffs = atoms.iter().map(|&k| self.payoffs[k][i]);
        std::iter::once(-self.shares[i]).chain(payoffs).collect()
    }

    /// The column of M for an atom.
    fn column(&self, k: usize, samples: &[usize]) -> Vec<f64> {
        let payoffs = samples.iter().map(|&i| self.payoffs[k][i]);
        std::iter::once(self.levels[k]).chain(payoffs).collect()
    }
}

fn failed(what: &str) -> Error {
    Error::Certificate {
        what: format!("the simplex method failed: {what}"),
        remedy: "check that the inputs are of ordinary size; if they are, report it with the data"
            .into(),
    }
}

#[cfg(test)]
mod tests;
