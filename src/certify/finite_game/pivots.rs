//! The pivots of the simplex method. The masses' player raises the value t: an atom enters that the weights favour,
//! or the slack of a tight sample whose weight is negative, and the mass or slack that first reaches 0 leaves.

use super::FiniteGame;
use super::basis::Basis;
use super::dense::{add_rows, products};
use crate::certify::double_double;
use crate::certify::input_matrix::{add, dot};

/// Rounding errors of a sum of payoffs of order 1, in units of ε times the sum of its factors: of factors that are
/// rounded, and of a sum that is, too.
const ROUNDED_FACTORS: f64 = 8.0;
const ROUNDED_SUM: f64 = 64.0;
/// Below this share of the sum of its terms the value is taken in twice the precision.
const SMALL_VALUE: f64 = 1e-9;
/// Slack of a ratio test, in units of the payoffs, within which the largest pivot is taken.
const RATIO_SLACK: f64 = 1e-13;
/// Entries of a direction below this share of its largest do not limit a step.
const LEAST_ENTRY: f64 = 1e-9;

/// Share of the size of their terms by which constraints are perturbed.
const PERTURBATION: f64 = 1e-8;
/// Atoms that are looked at before all are.
const CANDIDATES: usize = 40;

/// What enters the basis, and what leaves it.
pub struct Pivot {
    entering: Entering,
    leaving: Leaving,
}

#[derive(Debug, Clone, Copy)]
enum Entering {
    Atom(usize),
    /// The slack of the tight sample at this position.
    Slack(usize),
}

#[derive(Debug, Clone, Copy)]
enum Leaving {
    /// The atom at this position.
    Atom(usize),
    /// The slack of this sample, which becomes tight.
    Slack(usize),
}

/// Both players' strategies in a basis.
pub struct Strategies {
    /// t
    pub value: f64,
    /// The same as the weights' player has it, which is another where constraints are perturbed.
    level: f64,
    /// Whether the payoffs that sum up to it nearly cancel.
    cancels: bool,
    /// z of the basic atoms, by position.
    masses: Vec<f64>,
    /// q (n), 0 where samples are not tight; of any sign before the end.
    weights: Vec<f64>,
    /// Σ_k A_ki z_k − b_i t (n), 0 where samples are tight.
    slacks: Vec<f64>,
}

/// A perturbation of the constraints Σ_k A_ki z_k ≥ b_i t, which are loosened by small, different amounts (n): against
/// cycling at degenerate bases, where more constraints are tight than there are variables.
#[derive(Debug, Clone)]
pub struct Perturbation(Vec<f64>);

impl Perturbation {
    /// Perturbation of up to twice a small share of the size of the terms.
    pub fn new(n: usize, now: &Strategies) -> Self {
        let size = PERTURBATION * now.masses.iter().map(|z| z.abs()).sum::<f64>();
        // Multiples of the golden ratio, modulo 1.
        let of = |i: usize| size * (1.0 + (i as f64 * 0.618_033_988_749_894_8).fract());
        Perturbation((0..n).map(of).collect())
    }
}

impl Strategies {
    /// Rounding errors of sums of payoffs with these factors.
    fn rounding(&self, factors: &[f64]) -> f64 {
        let roundings = if self.cancels {
            ROUNDED_FACTORS
        } else {
            ROUNDED_SUM
        };
        roundings * f64::EPSILON * factors.iter().map(|v| v.abs()).sum::<f64>()
    }
}

/// The variable that limits a step: the candidate of the least ratio value/rate, or, of those that are as small up
/// to the slack, the one with the largest rate.
struct RatioTest<V> {
    candidates: Vec<(V, f64, f64)>,
}

impl<V: Copy> RatioTest<V> {
    fn new() -> Self {
        RatioTest {
            candidates: Vec::new(),
        }
    }

    /// A variable at `value` ≥ 0, up to rounding, which falls at `rate`.
    fn add(&mut self, variable: V, value: f64, rate: f64) {
        if rate > 0.0 {
            self.candidates.push((variable, value.max(0.0), rate));
        }
    }

    fn winner(self) -> Option<V> {
        let largest = self.candidates.iter().map(|c| c.2).fold(0.0, f64::max);
        let counted = || {
            let each = self.candidates.iter();
            each.filter(|(_, _, rate)| *rate > LEAST_ENTRY * largest)
        };
        let most = counted()
            .map(|(_, value, rate)| (value + RATIO_SLACK) / rate)
            .fold(f64::INFINITY, f64::min);
        let near = counted().filter(|(_, value, rate)| value / rate <= most);
        let best = near.max_by(|a, b| a.2.total_cmp(&b.2))?;
        Some(best.0)
    }
}

impl FiniteGame {
    /// The strategies of a basis.
    pub(super) fn strategies(&self, basis: &Basis) -> Strategies {
        let (n, _) = self.size();
        let mut masses = basis.column(0);
        if let Some(perturbation) = &self.perturbation {
            let of_samples = basis.samples.iter().map(|i| perturbation.0[*i]);
            let right_side: Vec<f64> = std::iter::once(0.0).chain(of_samples).collect();
            let moved = basis.solve(&right_side);
            masses.iter_mut().zip(moved).for_each(|(z, by)| *z -= by);
        }
        let value = masses.remove(0);
        let dual = basis.row(0);
        let level = dual[0];
        let mut weights = vec![0.0; n];
        for (i, q) in basis.samples.iter().zip(&dual[1..]) {
            weights[*i] = -q;
        }
        let cancels = value.abs() < SMALL_VALUE * masses.iter().map(|z| z.abs()).sum::<f64>();
        let slacks = self.slacks(basis, value, &masses, cancels);
        Strategies {
            value,
            level,
            cancels,
            masses,
            weights,
            slacks,
        }
    }

    /// Σ_k A_ki z_k − b_i t (n), 0 where samples are tight.
    fn slacks(&self, basis: &Basis, value: f64, masses: &[f64], cancels: bool) -> Vec<f64> {
        let mut slacks: Vec<f64> = match &self.perturbation {
            None => self.shares.iter().map(|b| -b * value).collect(),
            Some(perturbation) => {
                let pairs = self.shares.iter().zip(&perturbation.0);
                pairs.map(|(b, by)| by - b * value).collect()
            }
        };
        if cancels {
            for (i, slack) in slacks.iter_mut().enumerate() {
                let payoffs = self.row(i, &basis.atoms);
                *slack = double_double::dot(*slack, &payoffs[1..], masses);
            }
        } else {
            let rows = basis.atoms.iter().zip(masses);
            add_rows(&mut slacks, rows.map(|(k, z)| (&self.payoffs[*k][..], *z)));
        }
        basis.samples.iter().for_each(|&i| slacks[i] = 0.0);
        slacks
    }

    /// Reduced costs Σ_i q_i A_ki − l_k t of some atoms, what they gain per unit of mass; 0 of basic ones.
    fn reduced_costs(&self, now: &Strategies, atoms: &[usize]) -> Vec<f64> {
        let mut gains = if now.cancels {
            let sum = |&k: &usize| {
                double_double::dot(-self.levels[k] * now.level, &self.payoffs[k], &now.weights)
            };
            atoms.iter().map(sum).collect()
        } else {
            let rows = atoms.iter().map(|&k| &self.payoffs[k][..]);
            let mut gains = products(rows, &now.weights);
            let pairs = gains.iter_mut().zip(atoms);
            pairs.for_each(|(gain, &k)| *gain -= self.levels[k] * now.level);
            gains
        };
        let pairs = gains.iter_mut().zip(atoms);
        pairs
            .filter(|(_, k)| self.is_basic[**k])
            .for_each(|(gain, _)| *gain = 0.0);
        gains
    }

    /// q (n) and c (K), c in the simplex.
    pub(super) fn solution(&self, basis: &Basis, now: Strategies) -> (Vec<f64>, Vec<f64>) {
        let mut c = vec![0.0; self.payoffs.len()];
        for (k, z) in basis.atoms.iter().zip(&now.masses) {
            c[*k] = z.max(0.0) * self.levels[*k];
        }
        (now.weights.iter().map(|q| q.max(0.0)).collect(), c)
    }

    /// The next pivot; none where no atom gains and no weight is below 0 by more than wanted, a share of the value. `candidates` are atoms that gained when all were last looked at.
    pub(super) fn next_pivot(
        &self,
        basis: &Basis,
        now: &Strategies,
        wanted: f64,
        candidates: &mut Vec<usize>,
    ) -> Option<Pivot> {
        let near = wanted * now.value.abs();
        let rounding = now.rounding(&now.weights);
        let gaining = |atoms: &[usize]| -> Vec<(usize, f64)> {
            let costs = self.reduced_costs(now, atoms).into_iter();
            let pairs = atoms.iter().copied().zip(costs);
            let counts = |(k, gain): &(usize, f64)| *gain > near * self.levels[*k] + rounding;
            pairs.filter(counts).collect()
        };
        let mut found = gaining(candidates);
        if found.is_empty() {
            let all: Vec<usize> = (0..self.payoffs.len()).collect();
            found = gaining(&all);
            found.sort_by(|a, b| b.1.total_cmp(&a.1));
            found.truncate(CANDIDATES);
        }
        *candidates = found.iter().map(|(k, _)| *k).collect();
        let atoms = found.into_iter().map(|(k, gain)| (Entering::Atom(k), gain));
        let negative = (basis.samples.iter().enumerate())
            .map(|(j, i)| (Entering::Slack(j), -now.weights[*i]))
            .filter(|(_, gain)| *gain > rounding);
        let best = atoms.chain(negative).max_by(|a, b| a.1.total_cmp(&b.1))?;
        let leaving = self.leaving(basis, now, best.0)?;
        Some(Pivot {
            entering: best.0,
            leaving,
        })
    }

    /// What leaves: the mass or slack that first reaches 0.
    fn leaving(&self, basis: &Basis, now: &Strategies, entering: Entering) -> Option<Leaving> {
        // The changes of (t, z) and of the slacks, per unit of what enters.
        let (change, mut slacks) = match entering {
            Entering::Atom(k) => {
                let w = basis.solve(&self.column(k, &basis.samples));
                let change: Vec<f64> = w.iter().map(|w| -w).collect();
                (change, self.payoffs[k].clone())
            }
            Entering::Slack(j) => (basis.column(j + 1), vec![0.0; self.shares.len()]),
        };
        add(&mut slacks, -change[0], &self.shares);
        let rows = basis.atoms.iter().zip(&change[1..]);
        add_rows(
            &mut slacks,
            rows.map(|(k, change)| (&self.payoffs[*k][..], *change)),
        );
        let mut test = RatioTest::new();
        for (l, (z, change)) in now.masses.iter().zip(&change[1..]).enumerate() {
            test.add(Leaving::Atom(l), *z, -change);
        }
        for (i, (slack, change)) in now.slacks.iter().zip(&slacks).enumerate() {
            if !self.is_tight[i] {
                test.add(Leaving::Slack(i), *slack, -change);
            }
        }
        test.winner()
    }

    /// Changes the basis.
    pub(super) fn apply(&mut self, basis: &mut Basis, pivot: &Pivot) {
        let Pivot { entering, leaving } = *pivot;
        match (entering, leaving) {
            (Entering::Atom(k), Leaving::Atom(l)) => {
                let w = basis.solve(&self.column(k, &basis.samples));
                self.is_basic[basis.atoms[l]] = false;
                self.is_basic[k] = true;
                basis.replace_atom(l, k, &w);
            }
            (Entering::Atom(k), Leaving::Slack(i)) => {
                let row = self.row(i, &basis.atoms);
                let w = basis.solve(&self.column(k, &basis.samples));
                let rho = basis.solve_transposed(&row);
                let complement = self.payoffs[k][i] - dot(&row, &w);
                self.is_basic[k] = true;
                self.is_tight[i] = true;
                basis.grow(i, k, &rho, &w, complement);
            }
            (Entering::Slack(j), Leaving::Atom(l)) => {
                self.is_tight[basis.samples[j]] = false;
                self.is_basic[basis.atoms[l]] = false;
                basis.shrink(j, l);
            }
            (Entering::Slack(j), Leaving::Slack(i)) => {
                let rho = basis.solve_transposed(&self.row(i, &basis.atoms));
                self.is_tight[basis.samples[j]] = false;
                self.is_tight[i] = true;
                basis.replace_sample(j, i, &rho);
            }
        }
    }
}
