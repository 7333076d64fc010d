//! The atoms of a finite problem.

use super::climb::Peak;
use super::inputs::{Inputs, dot};
use super::measure::Measure;

/// Two directions this near, squared and as the samples see them, are one.
const SAME: f64 = 1e-20;

/// Share of what is much for a sample from which an atom matters.
const MATTERS: f64 = 1e-10;

/// Atoms without mass that are kept, besides one per sample.
const SPARE: usize = 100;

/// Signed atoms ±δ_θ, with the row ±κ_i σ(θ·x_i) (n) of each for given factors κ.
pub struct Pool<'a> {
    inputs: &'a Inputs,
    /// What multiplies the row's entry of sample i.
    factors: Vec<f64>,
    /// Directions, with ±1 as masses.
    atoms: Measure,
    rows: Vec<Vec<f64>>,
}

impl<'a> Pool<'a> {
    pub fn new(inputs: &'a Inputs, factors: Vec<f64>) -> Self {
        Pool {
            inputs,
            factors,
            atoms: Measure::zero(inputs.d()),
            rows: Vec::new(),
        }
    }

    pub fn rows(&self) -> &[Vec<f64>] {
        &self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Directions, row-major (K, d).
    pub fn directions(&self) -> &[f64] {
        &self.atoms.theta
    }

    /// Adds an atom, unless it is there.
    pub fn add(&mut self, theta: &[f64], sign: f64) {
        let felt = |(v, column): (f64, &f64)| (v * column).powi(2);
        let columns = self.inputs.columns();
        let size: f64 = theta.iter().copied().zip(columns).map(felt).sum();
        let apart = |t: &[f64]| -> f64 {
            let differences = t.iter().zip(theta).map(|(t, u)| t - u);
            differences.zip(columns).map(felt).sum()
        };
        let same = |(t, s): (&[f64], f64)| s == sign && apart(t) <= SAME * size;
        if self.atoms.atoms().any(same) {
            return;
        }
        let features = self.inputs.features(theta);
        let terms = features.iter().zip(&self.factors);
        self.rows
            .push(terms.map(|(f, factor)| sign * factor * f).collect());
        self.atoms.push(theta, sign);
    }

    /// Adds the atoms of a measure, with their signs times this one.
    pub fn add_measure(&mut self, nu: &Measure, sign: f64) {
        nu.atoms().for_each(|(t, c)| self.add(t, sign * c.signum()));
    }

    /// Adds the peaks of V for q (n) that are above `level`, at most `most`; their number.
    pub fn add_peaks(&mut self, peaks: &[Peak], q: &[f64], level: f64, most: usize) -> usize {
        let above = peaks.iter().take_while(|p| p.0 > level).take(most);
        let mut added = 0;
        for (_, theta) in above {
            let sign = self.inputs.variation(q, theta).signum();
            self.add(theta, sign);
            added += 1;
        }
        added
    }

    /// The measure with these masses on the signed atoms, without those that matter for no sample:
    /// `sizes` (n) says what is much in the rows.
    pub fn measure(&self, masses: &[f64], sizes: &[f64]) -> Measure {
        let mut nu = Measure::zero(self.atoms.d);
        let atoms = self.atoms.atoms().zip(&self.rows).zip(masses);
        for (((theta, sign), row), mass) in atoms {
            let much = |(v, size): (&f64, &f64)| mass * v.abs() > MATTERS * size;
            if row.iter().zip(sizes).any(much) {
                nu.push(theta, sign * mass);
            }
        }
        nu
    }

    /// Keeps the atoms with mass, and of the others those whose rows are nearest to tight for the
    /// dual point (n), which multiplies the rows.
    pub fn forget(&mut self, masses: &[f64], dual: &[f64]) {
        let spare = SPARE + self.inputs.n();
        if self.rows.len() <= spare {
            return;
        }
        let heaviest = masses.iter().copied().fold(0.0, f64::max);
        let massive = |k: usize| masses.get(k).is_some_and(|&c| c > 1e-9 * heaviest);
        let values: Vec<f64> = self.rows.iter().map(|row| dot(row, dual)).collect();
        let mut others: Vec<usize> = (0..self.rows.len()).filter(|&k| !massive(k)).collect();
        others.sort_by(|&k, &l| values[l].total_cmp(&values[k]));
        let mut keep: Vec<bool> = (0..self.rows.len()).map(massive).collect();
        others.iter().take(spare).for_each(|&k| keep[k] = true);
        let mut kept = Measure::zero(self.atoms.d);
        let atoms = self.atoms.atoms().zip(&keep).filter(|(_, keep)| **keep);
        atoms.for_each(|((theta, sign), _)| kept.push(theta, sign));
        self.atoms = kept;
        let mut keep = keep.into_iter();
        self.rows.retain(|_| keep.next() == Some(true));
    }
}
