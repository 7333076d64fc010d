//! The atoms of a finite problem.

use super::climb::Peak;
use super::inputs::{Inputs, dot};
use super::measure::Measure;

/// Two directions this near, squared, are one.
const SAME: f64 = 1e-20;

/// Atoms without mass that are kept, besides one per sample.
const SPARE: usize = 100;

/// Signed atoms ±δ_θ, with the row ±y_i σ(θ·x_i) (n) of each.
pub struct Pool<'a> {
    inputs: &'a Inputs,
    /// What multiplies sample i: its label, or 1.
    labels: Vec<f64>,
    /// Directions, with ±1 as masses.
    atoms: Measure,
    rows: Vec<Vec<f64>>,
}

impl<'a> Pool<'a> {
    pub fn new(inputs: &'a Inputs, labels: Vec<f64>) -> Self {
        Pool {
            inputs,
            labels,
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
        let apart = |t: &[f64]| {
            t.iter()
                .zip(theta)
                .map(|(t, u)| (t - u) * (t - u))
                .sum::<f64>()
        };
        let same = |(t, s): (&[f64], f64)| s == sign && apart(t) <= SAME;
        if self.atoms.atoms().any(same) {
            return;
        }
        let features = self.inputs.features(theta);
        let terms = features.iter().zip(&self.labels);
        self.rows.push(terms.map(|(f, y)| sign * y * f).collect());
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

    /// The measure with these masses on the signed atoms, the smallest left out.
    pub fn measure(&self, masses: &[f64]) -> Measure {
        let mut nu = self.atoms.clone();
        nu.c.iter_mut()
            .zip(masses)
            .for_each(|(c, mass)| *c *= mass.max(0.0));
        nu.pruned(1e-10)
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
