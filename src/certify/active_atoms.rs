//! The atoms of the finite problems of column generation.

use super::input_matrix::{InputMatrix, dot};
use super::local_ascent::LocalMaximum;
use super::marked::retain_marked;
use super::measure::Measure;

/// Two directions are one below this squared distance, relative and with scaled coordinates.
const SAME_ATOM: f64 = 1e-20;

/// Share of a sample's size below which an atom's part in its prediction is negligible.
const NEGLIGIBLE: f64 = 1e-10;

/// Atoms without mass that are kept beside one per sample.
const SPARE_ATOMS: usize = 100;

/// Signed atoms ±δ_θ, with the row ±κ_i σ(θ·x_i) of each over some samples, for given factors κ.
pub struct ActiveAtoms<'a> {
    inputs: &'a InputMatrix,
    /// κ (n)
    factors: Vec<f64>,
    /// The samples of the rows.
    samples: Vec<usize>,
    /// Directions, with ±1 as masses.
    atoms: Measure,
    rows: Vec<Vec<f64>>,
}

impl<'a> ActiveAtoms<'a> {
    /// No atoms, with rows over all samples.
    pub fn new(inputs: &'a InputMatrix, factors: Vec<f64>) -> Self {
        ActiveAtoms::over(inputs, factors, (0..inputs.n()).collect())
    }

    /// No atoms, with rows over these samples.
    pub fn over(inputs: &'a InputMatrix, factors: Vec<f64>, samples: Vec<usize>) -> Self {
        ActiveAtoms {
            inputs,
            factors,
            samples,
            atoms: Measure::zero(inputs.d()),
            rows: Vec::new(),
        }
    }

    pub fn rows(&self) -> &[Vec<f64>] {
        &self.rows
    }

    /// The samples of the rows.
    pub fn samples(&self) -> &[usize] {
        &self.samples
    }

    /// Adds a sample to all rows.
    pub fn add_sample(&mut self, i: usize) {
        let (x, factor) = (self.inputs.row(i), self.factors[i]);
        for (row, (theta, sign)) in self.rows.iter_mut().zip(self.atoms.atoms()) {
            row.push(sign * factor * dot(theta, x).max(0.0));
        }
        self.samples.push(i);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Directions, row-major (K, d).
    pub fn directions(&self) -> &[f64] {
        &self.atoms.theta
    }

    /// Adds an atom, unless it is there already.
    pub fn add(&mut self, theta: &[f64], sign: f64) {
        let scaled_square = |(v, coordinate_scale): (f64, &f64)| (v * coordinate_scale).powi(2);
        let coordinate_scales = self.inputs.coordinate_scales();
        let size: f64 = theta
            .iter()
            .copied()
            .zip(coordinate_scales)
            .map(scaled_square)
            .sum();
        let apart = |t: &[f64]| -> f64 {
            let differences = t.iter().zip(theta).map(|(t, u)| t - u);
            differences.zip(coordinate_scales).map(scaled_square).sum()
        };
        let same = |(t, s): (&[f64], f64)| s == sign && apart(t) <= SAME_ATOM * size;
        if self.atoms.atoms().any(same) {
            return;
        }
        let features = self.inputs.features_of(&self.samples, theta);
        let terms = features.iter().zip(&self.samples);
        self.rows
            .push(terms.map(|(f, &i)| sign * self.factors[i] * f).collect());
        self.atoms.push(theta, sign);
    }

    /// Adds the atoms of a measure, their signs multiplied by `sign`.
    pub fn add_measure(&mut self, nu: &Measure, sign: f64) {
        nu.atoms().for_each(|(t, c)| self.add(t, sign * c.signum()));
    }

    /// Adds the local maxima of |V| for q (n) that are above `level`, best first, at most `most`; their number.
    pub fn add_maxima(
        &mut self,
        maxima: &[LocalMaximum],
        q: &[f64],
        level: f64,
        most: usize,
    ) -> usize {
        let above = maxima.iter().take_while(|p| p.value > level).take(most);
        let mut added = 0;
        for LocalMaximum { theta, .. } in above {
            let sign = self.inputs.variation(q, theta).signum();
            self.add(theta, sign);
            added += 1;
        }
        added
    }

    /// The measure with these masses on the signed atoms, without those whose part is negligible for every
    /// sample of the rows, relative to the `sizes` of these.
    pub fn measure(&self, masses: &[f64], sizes: &[f64]) -> Measure {
        let mut nu = Measure::zero(self.atoms.d);
        let atoms = self.atoms.atoms().zip(&self.rows).zip(masses);
        for (((theta, sign), row), mass) in atoms {
            let counts = |(v, size): (&f64, &f64)| mass * v.abs() > NEGLIGIBLE * size;
            if row.iter().zip(sizes).any(counts) {
                nu.push(theta, sign * mass);
            }
        }
        nu
    }

    /// Whether to keep each atom: those with mass and, of the others, those whose dual constraint row·dual is
    /// nearest to tight.
    pub fn worth_keeping(&self, masses: &[f64], dual: &[f64]) -> Vec<bool> {
        let most_spare = SPARE_ATOMS + self.samples.len();
        if self.rows.len() <= most_spare {
            return vec![true; self.rows.len()];
        }
        let heaviest = masses.iter().copied().fold(0.0, f64::max);
        let massive = |k: usize| masses.get(k).is_some_and(|&c| c > 1e-9 * heaviest);
        let values: Vec<f64> = self.rows.iter().map(|row| dot(row, dual)).collect();
        let mut others: Vec<usize> = (0..self.rows.len()).filter(|&k| !massive(k)).collect();
        others.sort_by(|&k, &l| values[l].total_cmp(&values[k]));
        let mut keep: Vec<bool> = (0..self.rows.len()).map(massive).collect();
        others.iter().take(most_spare).for_each(|&k| keep[k] = true);
        keep
    }

    /// Keeps the atoms that are marked.
    pub fn retain(&mut self, keep: &[bool]) {
        let mut kept = Measure::zero(self.atoms.d);
        let atoms = self.atoms.atoms().zip(keep).filter(|(_, keep)| **keep);
        atoms.for_each(|((theta, sign), _)| kept.push(theta, sign));
        self.atoms = kept;
        retain_marked(&mut self.rows, keep);
    }
}
