//! Signed measures of finitely many atoms on the unit sphere: networks in the convex picture.

use std::cmp::Ordering;

use super::input_matrix::{InputMatrix, add, dot, norm};
use crate::error::{Error, Result};
use crate::particles::Particles;

/// Two atoms count as on the same side of x^⊥ with this slack, relative to Σ_k |θ_k||x_k|.
const SAME_SIDE: f64 = 1e-12;

/// ν = Σ_k c_k δ_(θ_k), with |θ_k| = 1, whose network is f(x) = Σ_k c_k σ(θ_k·x).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measure {
    /// Input dimension.
    pub d: usize,
    /// Directions, row-major (K, d).
    pub theta: Vec<f64>,
    /// Signed masses (K).
    pub c: Vec<f64>,
}

impl Measure {
    /// No atoms: f = 0.
    pub fn zero(d: usize) -> Self {
        Measure {
            d,
            ..Measure::default()
        }
    }

    /// The measure of a network: c_j = (α/m) a_j |w_j| at w_j/|w_j|; zero weights have no atom.
    /// Products of norms must not overflow: the caller may scale the particles, as margins do not depend on it.
    pub fn of_network(particles: &Particles, alpha: f64) -> Self {
        let m = particles.m();
        let mut nu = Measure::zero(particles.d);
        for j in 0..m {
            nu.push_scaled(alpha / m as f64 * particles.a[j], particles.w(j));
        }
        nu
    }

    /// A network of K neurons with the same f, balanced: w_k = √(K|c_k|/α) θ_k, a_k = ±|w_k|.
    pub fn to_network(&self, alpha: f64) -> Particles {
        let m = self.c.len() as f64;
        let size = |c: &f64| (m * c.abs() / alpha).sqrt();
        let rows = self.atoms().map(|(theta, c)| (theta, size(&c)));
        Particles {
            d: self.d,
            w: rows
                .flat_map(|(t, s)| t.iter().map(move |t| t * s))
                .collect(),
            a: self.c.iter().map(|c| size(c).copysign(*c)).collect(),
        }
    }

    /// Number of atoms K.
    pub fn len(&self) -> usize {
        self.c.len()
    }

    pub fn is_empty(&self) -> bool {
        self.c.is_empty()
    }

    /// Direction θ_k.
    pub fn theta(&self, k: usize) -> &[f64] {
        &self.theta[k * self.d..(k + 1) * self.d]
    }

    /// (θ_k, c_k), one by one.
    pub fn atoms(&self) -> impl Iterator<Item = (&[f64], f64)> {
        self.theta.chunks_exact(self.d).zip(self.c.iter().copied())
    }

    /// Adds an atom at a unit vector.
    pub fn push(&mut self, theta: &[f64], c: f64) {
        self.theta.extend_from_slice(theta);
        self.c.push(c);
    }

    /// Adds c |w| at w/|w|, unless that is 0 or not finite.
    fn push_scaled(&mut self, c: f64, w: &[f64]) {
        let size = norm(w);
        if c * size != 0.0 && (c * size).is_finite() {
            self.theta.extend(w.iter().map(|w| w / size));
            self.c.push(c * size);
        }
    }

    /// ν less its k-th atom.
    pub fn without(&self, k: usize) -> Self {
        let mut nu = Measure::zero(self.d);
        let kept = self.atoms().enumerate().filter(|(l, _)| *l != k);
        kept.for_each(|(_, (theta, c))| nu.push(theta, c));
        nu
    }

    /// s ν
    pub fn scaled(&self, s: f64) -> Self {
        let mut nu = self.clone();
        nu.c.iter_mut().for_each(|c| *c *= s);
        nu
    }

    /// (1 − s) ν + s ν'
    pub(super) fn mixed(&self, other: &Self, s: f64) -> Self {
        let mut nu = Measure::zero(self.d);
        for (part, s) in [(self, 1.0 - s), (other, s)] {
            let atoms = part.atoms().filter(|_| s != 0.0);
            atoms.for_each(|(theta, c)| nu.push(theta, s * c));
        }
        nu
    }

    /// Refuses a measure on another space than the inputs'.
    pub(super) fn check(&self, inputs: &InputMatrix) -> Result<()> {
        if self.d == inputs.d() && self.theta.len() == self.d * self.len() {
            return Ok(());
        }
        Err(Error::input(
            "the first measure",
            format!(
                "has {} coordinates of {} atoms with d = {}",
                self.theta.len(),
                self.len(),
                self.d
            ),
            format!("the data set has d = {}: give atoms of as many", inputs.d()),
        ))
    }

    /// |ν| = Σ_k |c_k| |θ_k|, with the norms as they are after rounding.
    pub fn total_variation(&self) -> f64 {
        self.atoms().map(|(theta, c)| c.abs() * norm(theta)).sum()
    }

    /// Predictions f (n).
    pub fn predict(&self, inputs: &InputMatrix) -> Vec<f64> {
        let mut f = vec![0.0; inputs.n()];
        for (theta, c) in self.atoms() {
            add(&mut f, c, &inputs.features(theta));
        }
        f
    }

    /// Without the atoms whose mass is below this share of the largest.
    pub fn pruned(&self, share: f64) -> Self {
        let largest = self.c.iter().fold(0.0_f64, |l, c| l.max(c.abs()));
        let mut kept = Measure::zero(self.d);
        for (theta, c) in self.atoms().filter(|(_, c)| c.abs() > share * largest) {
            kept.push(theta, c);
        }
        kept
    }

    /// The heaviest atoms, at most `most`.
    pub(super) fn heaviest(&self, most: usize) -> Self {
        let mut heaviest = Measure::zero(self.d);
        for k in self.by_mass().into_iter().take(most) {
            heaviest.push(self.theta(k), self.c[k]);
        }
        heaviest
    }

    /// Numbers of the atoms, the heaviest first.
    fn by_mass(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|&k, &l| self.c[l].abs().total_cmp(&self.c[k].abs()));
        order
    }

    /// With atoms of one sign that no sample separates merged into one: σ is linear on their cell, so that
    /// c_1 θ_1 + c_2 θ_2 predicts the same on the samples, with no more mass.
    pub fn merged(&self, inputs: &InputMatrix) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for k in self.by_mass() {
            let atom = Group::new(inputs, self.theta(k), self.c[k]);
            match groups.iter_mut().find(|g| g.accepts(&atom)) {
                Some(group) => group.merge(atom, inputs),
                None => groups.push(atom),
            }
        }
        let mut merged = Measure::zero(self.d);
        for group in groups {
            merged.push_scaled(group.sign, &group.sum);
        }
        merged
    }
}

/// Merged atoms: their sum v = Σ |c| θ, and the sign of v·x_i (n), `Equal` where it is 0 up to rounding.
struct Group {
    sign: f64,
    sum: Vec<f64>,
    sides: Vec<Ordering>,
}

impl Group {
    fn new(inputs: &InputMatrix, theta: &[f64], c: f64) -> Self {
        let sum: Vec<f64> = theta.iter().map(|t| c.abs() * t).collect();
        Group {
            sign: c.signum(),
            sides: sides(&sum, inputs),
            sum,
        }
    }

    fn accepts(&self, other: &Group) -> bool {
        let mut sides = self.sides.iter().zip(&other.sides);
        self.sign == other.sign && sides.all(|(a, b)| a.reverse() != *b || a.is_eq())
    }

    fn merge(&mut self, other: Group, inputs: &InputMatrix) {
        add(&mut self.sum, 1.0, &other.sum);
        self.sides = sides(&self.sum, inputs);
    }
}

/// The sign of θ·x_i (n), `Equal` where it is 0 up to rounding.
fn sides(theta: &[f64], inputs: &InputMatrix) -> Vec<Ordering> {
    let side = |x: &[f64]| {
        let slack: f64 = x.iter().zip(theta).map(|(x, t)| (x * t).abs()).sum();
        match dot(theta, x) {
            z if z > SAME_SIDE * slack => Ordering::Greater,
            z if z < -SAME_SIDE * slack => Ordering::Less,
            _ => Ordering::Equal,
        }
    };
    inputs.rows().map(side).collect()
}
