//! γ1, the largest margin over measures of total variation 1, between two bounds.

use super::active_atoms::ActiveAtoms;
use super::column_generation::{ColumnGeneration, FIRST_ATOMS, FIRST_PROBES};
use super::conflict::Conflict;
use super::finite_game::FiniteGame;
use super::input_matrix::{InputMatrix, dot};
use super::local_ascent::Probes;
use super::matrix_game::{GameSolution, solve_game};
use super::sphere::check_weights;
use super::{Bounds, Certificate, Maximum, Measure, Proof, SolverOptions, Sphere, double_double};
use crate::error::{Error, Result};

/// New atoms per round, beside one per four samples of the finite problem.
const NEW_ATOMS: usize = 16;
/// The finite problem is solved to this share of the present relative gap, but at most [`LEAST_ACCURACY`]: atoms of
/// later rounds move the optimum far more than its error.
const ACCURACY: f64 = 0.03;
const LEAST_ACCURACY: f64 = 1e-3;
/// The same once a round adds nothing, as then only this error keeps the bounds apart.
const FULL_ACCURACY: f64 = 1e-11;
/// Gap of the simplex method's strategies, in units of the wanted one, from which they are not trusted.
const MOST_GAP: f64 = 10.0;
/// Relative gap to which the conic solver solves a finite problem: this share of the present relative gap, but at most
/// [`LEAST_CONIC_ACCURACY`].
const CONIC_ACCURACY: f64 = 1e-4;
const LEAST_CONIC_ACCURACY: f64 = 1e-6;
/// Share of the present relative gap that is accepted where it does not reach the wanted one.
const ACCEPTED: f64 = 1e-2;
/// Finite problems that miss even that, after which any solution is accepted.
const MOST_FAILURES: usize = 10;
/// Samples up to which all of them are in the finite problem. Of more, some are at first, and those are added that
/// the present measure does worst: most samples are far from the margin and never matter.
const ALL_SAMPLES: usize = 1500;
const FIRST_SAMPLES: usize = 200;
/// Samples added in a round, at most; those with a cosine above the second to one that is added wait for another
/// round, and a sample counts from the third, a share of the value, below it.
const NEW_SAMPLES: usize = 32;
const NEIGHBOUR_COSINE: f64 = 0.99;
const SHORTFALL: f64 = 1e-9;

/// γ1 ≤ max_θ |Σ_i p_i y_i σ(θ·x_i)|, from any weights p (n) in the simplex: a [`Maximum`] whose
/// bound holds for γ1.
///
/// # Errors
/// p that is not finite, not ≥ 0, or whose sum is not 1 up to rounding; labels other than ±1;
/// those of [`Sphere::maximum`].
pub fn upper_bound(sphere: &Sphere, y: &[f32], p: &[f64], probes: Probes) -> Result<Maximum> {
    check_labels(y, sphere.inputs().n())?;
    check_simplex(p, sphere.inputs().n())?;
    bound_of(sphere, y, p, probes)
}

/// γ1 ≥ min_i y_i f(x_i)/|ν| for the network f of any measure ν, and γ1 ≥ 0, by ν = 0; the result is less by a
/// bound of its rounding errors.
pub fn lower_bound(inputs: &InputMatrix, y: &[f32], nu: &Measure) -> f64 {
    lower_bound_of(inputs, y, nu, &nu.predict(inputs))
}

/// [`lower_bound`] for known predictions f (n).
fn lower_bound_of(inputs: &InputMatrix, y: &[f32], nu: &Measure, f: &[f64]) -> f64 {
    let total = nu.total_variation();
    if !(total > 0.0 && total.is_finite()) {
        return 0.0;
    }
    let terms = (nu.len() + inputs.d() + 8) as f64;
    let error = 2.0 * terms * f64::EPSILON;
    // Σ_k |c_k| |θ_k| |x|, coordinate by coordinate, is what the terms of f add up to at most.
    let mut coordinates = vec![0.0; inputs.d()];
    for (theta, c) in nu.atoms() {
        let pairs = coordinates.iter_mut().zip(theta);
        pairs.for_each(|(sum, t)| *sum += (c / total * t).abs());
    }
    let size = |x: &[f64]| -> f64 { x.iter().zip(&coordinates).map(|(x, c)| x.abs() * c).sum() };
    let margins = f.iter().zip(y).zip(inputs.rows());
    let least = margins
        .map(|((f, &y), x)| f64::from(y) * f / total - error * size(x))
        .fold(f64::INFINITY, f64::min);
    (least * (1.0 - error)).max(0.0)
}

/// Brackets γ1 from a first measure (a trained network, or zero) and first weights p, if there are
/// any. Ends at the tolerance, when no direction violates, or after the rounds allowed.
/// Data that no f separates has γ1 = 0: the lower bound is 0, and the upper one 0 where a [`Conflict`]
/// shows it, or within rounding of it.
///
/// # Errors
/// Labels other than ±1; p as in [`upper_bound`]; a failure of the finite solver.
pub fn solve(
    sphere: &Sphere,
    y: &[f32],
    start: &Measure,
    p: Option<&[f64]>,
    options: &SolverOptions,
) -> Result<Certificate> {
    let inputs = sphere.inputs();
    let n = inputs.n();
    check_labels(y, n)?;
    start.check(inputs)?;
    if let Some(p) = p {
        check_simplex(p, n)?;
    }
    if let Some(conflict) = Conflict::find(inputs, y) {
        return Ok(inseparable(inputs, conflict.weights(inputs)));
    }
    let mut solve = MarginSolve::new(sphere, y, p)?;
    solve.try_measure(start, &start.predict(inputs));
    solve
        .atoms
        .add_measure(&solve.best.heaviest(FIRST_ATOMS), 1.0);
    let rounds = solve.run(options)?;
    solve.check()?;
    Ok(Certificate {
        bounds: solve.bounds(),
        proof: solve.upper.proof,
        worst_direction: solve.upper.theta,
        measure: solve.best,
        dual: solve.p,
        rounds,
    })
}

/// The finite problem is one for the directions u_i = x_i/|x_i|, whose payoffs are all of order 1
/// however different the |x_i| are: with p_i |x_i| for p_i, sample i has to have y_i f(u_i) ≥ γ1/|x_i|.
struct MarginSolve<'a> {
    sphere: &'a Sphere,
    y: &'a [f32],
    /// Rows y_i σ(θ·u_i) over the samples of the finite problem.
    atoms: ActiveAtoms<'a>,
    /// The finite problem over the same atoms and samples.
    game: FiniteGame,
    /// min |x| / |x_i| (n)
    shares: Vec<f64>,
    is_in_game: Vec<bool>,
    /// The best measure, of total variation 1, and its bound.
    best: Measure,
    lower: f64,
    /// The best weights and their bound.
    p: Vec<f64>,
    upper: Maximum,
    is_accurate: bool,
    /// Whether the conic solver had to solve the last finite problem.
    is_conic: bool,
    /// Finite problems for which the conic solver missed the accepted gap.
    failures: usize,
}

impl<'a> MarginSolve<'a> {
    fn new(sphere: &'a Sphere, y: &'a [f32], p: Option<&[f64]>) -> Result<Self> {
        let inputs = sphere.inputs();
        let (norms, least) = (inputs.norms(), inputs.least_norm());
        let shares: Vec<f64> = norms.iter().map(|r| least / r).collect();
        let factors = y.iter().zip(norms).map(|(&y, r)| f64::from(y) / r);
        let samples = first_samples(norms, p);
        let mut is_in_game = vec![false; inputs.n()];
        samples.iter().for_each(|&i| is_in_game[i] = true);
        let mut game = FiniteGame::default();
        let none = std::iter::empty;
        samples
            .iter()
            .for_each(|&i| game.add_sample(shares[i], none()));
        let mut atoms = ActiveAtoms::over(inputs, factors.collect(), samples);
        let of_game = |weights: &[f64]| {
            let pairs = weights.iter().zip(&is_in_game);
            pairs
                .map(|(w, known)| if *known { *w } else { 0.0 })
                .collect()
        };
        let even = || normalised(of_game(&shares));
        let given = p.map(of_game).filter(|p| p.iter().sum::<f64>() > 0.0);
        let mut p = given.map_or_else(even, normalised);
        let mut upper = bound_of(sphere, y, &p, FIRST_PROBES)?;
        atoms.add_maxima(&upper.local_maxima, &signed(&p, y), 0.0, usize::MAX);
        // A single sample gives a better bound than these weights.
        if upper.value > least {
            let other = even();
            let bound = bound_of(sphere, y, &other, FIRST_PROBES)?;
            atoms.add_maxima(&bound.local_maxima, &signed(&other, y), 0.0, usize::MAX);
            if bound.bound < upper.bound {
                (upper, p) = (bound, other);
            }
        }
        Ok(MarginSolve {
            sphere,
            y,
            atoms,
            game,
            shares,
            is_in_game,
            best: Measure::zero(inputs.d()),
            lower: 0.0,
            p,
            upper,
            is_accurate: false,
            is_conic: false,
            failures: 0,
        })
    }

    /// The weights p (n) and the masses of the atoms that solve the finite problem. The simplex method solves it from
    /// its last basis; where rounding errors or many strategies of one value defeat it, the conic solver decides.
    fn solve_game(&mut self) -> Result<(Vec<f64>, Vec<f64>)> {
        let (_, known) = self.game.size();
        for row in &self.atoms.rows()[known..] {
            self.game.add_atom(row);
        }
        let open = self.bounds().relative_gap();
        let wanted = match self.is_accurate {
            true => FULL_ACCURACY,
            false => (ACCURACY * open).min(LEAST_ACCURACY),
        };
        let solved = self.game.solve(wanted).ok();
        let sound = solved.filter(|(q, c)| self.game.is_solved_by(q, c, MOST_GAP * wanted));
        let (q, c) = match sound {
            Some(solved) => {
                self.is_conic = false;
                solved
            }
            None => {
                self.is_conic = true;
                self.game.forget();
                self.solve_by_cones(open)?
            }
        };
        let mut p = vec![0.0; self.shares.len()];
        for (q, &i) in q.iter().zip(self.atoms.samples()) {
            p[i] = q * self.shares[i];
        }
        Ok((normalised(p), c))
    }

    /// The largest payoff of an atom for weights of the samples of the finite problem, and at least 0.
    fn value(&self, weights: &[f64]) -> f64 {
        if !self.is_conic {
            return self.game.value(weights).max(0.0);
        }
        let rows = self.atoms.rows().iter();
        let values = rows.map(|row| double_double::dot(0.0, row, weights));
        values.fold(0.0, f64::max)
    }

    /// The strategies of the finite problem by the conic solver, which ends in the middle of those of one value.
    fn solve_by_cones(&mut self, open: f64) -> Result<(Vec<f64>, Vec<f64>)> {
        let unit = (self.upper.value / self.sphere.inputs().least_norm()).min(1.0);
        let scaled = |row: &Vec<f64>| row.iter().map(|v| v / unit).collect();
        let rows: Vec<Vec<f64>> = self.atoms.rows().iter().map(scaled).collect();
        let samples = self.atoms.samples().iter();
        let shares: Vec<f64> = samples.map(|&i| self.shares[i]).collect();
        let (wanted, accepted) = match self.is_accurate {
            true => (0.0, 0.0),
            false => (
                (CONIC_ACCURACY * open).min(LEAST_CONIC_ACCURACY),
                ACCEPTED * open,
            ),
        };
        let accepts_any = self.failures >= MOST_FAILURES;
        let accepted = if accepts_any { f64::INFINITY } else { accepted };
        let GameSolution { q, c, gap } = solve_game(&rows, &shares, wanted, accepted)?;
        self.failures += usize::from(gap > accepted.max(wanted).max(LEAST_CONIC_ACCURACY));
        Ok((q, c))
    }

    /// Adds the samples for which a measure of mass 1 with predictions f (n) does worst to the finite problem, whose
    /// value it is over the samples that are there; their number.
    fn add_samples(&mut self, f: &[f64]) -> usize {
        let inputs = self.sphere.inputs();
        let reached = |i: usize| f64::from(self.y[i]) * f[i];
        let known = self.atoms.samples().iter();
        let value = known.map(|&i| reached(i)).fold(f64::INFINITY, f64::min);
        let below = value - SHORTFALL * value.abs();
        let mut short: Vec<usize> = (0..inputs.n())
            .filter(|&i| !self.is_in_game[i] && reached(i) < below)
            .collect();
        short.sort_by(|&i, &j| reached(i).total_cmp(&reached(j)));
        let mut new: Vec<usize> = Vec::new();
        for i in short {
            let is_near = |&j: &usize| {
                let cosine =
                    dot(inputs.row(i), inputs.row(j)) / inputs.norms()[i] / inputs.norms()[j];
                cosine > NEIGHBOUR_COSINE
            };
            if new.len() < NEW_SAMPLES && !new.iter().any(is_near) {
                new.push(i);
            }
        }
        for &i in &new {
            self.is_in_game[i] = true;
            self.atoms.add_sample(i);
            let rows = self.atoms.rows().iter();
            self.game
                .add_sample(self.shares[i], rows.filter_map(|row| row.last().copied()));
        }
        new.len()
    }

    /// Checks that proved bounds do not contradict each other.
    fn check(&self) -> Result<()> {
        if self.upper.bound >= self.lower || !self.upper.proof.is_certified() {
            return Ok(());
        }
        Err(Error::Certificate {
            what: format!(
                "the bounds of the largest margin exclude each other: at least {:e}, at most {:e}",
                self.lower, self.upper.bound
            ),
            remedy: "bring the inputs to one scale (data.standardize = true), and report it with the data"
                .into(),
        })
    }

    /// Keeps a measure with predictions f (n), or its merged form, if it is the best so far.
    fn try_measure(&mut self, nu: &Measure, f: &[f64]) {
        let inputs = self.sphere.inputs();
        let merged = nu.merged(inputs);
        let of_merged = lower_bound(inputs, self.y, &merged);
        let of_given = lower_bound_of(inputs, self.y, nu, f);
        for (nu, lower) in [(&merged, of_merged), (nu, of_given)] {
            if lower > self.lower {
                self.lower = lower;
                self.best = nu.scaled(1.0 / nu.total_variation());
            }
        }
    }
}

impl ColumnGeneration for MarginSolve<'_> {
    fn sphere(&self) -> &Sphere {
        self.sphere
    }

    fn bounds(&self) -> Bounds {
        // By strong duality lower ≤ γ1 ≤ upper; a failed search may have put upper below.
        Bounds {
            lower: self.lower,
            upper: self.upper.bound.max(self.lower),
        }
    }

    fn is_zero(&self) -> bool {
        self.upper.is_rounding()
    }

    fn round(&mut self, probes: Probes) -> Result<bool> {
        let inputs = self.sphere.inputs();
        let (p, c) = self.solve_game()?;
        let least = inputs.least_norm();
        let unit = (self.upper.value / least).min(1.0);
        let of_game = self.atoms.samples().iter();
        let sizes: Vec<f64> = of_game.map(|&i| self.shares[i] * unit).collect();
        let nu = self.atoms.measure(&c, &sizes);
        let f = nu.predict(inputs);
        self.try_measure(&nu, &f);
        let given = &nu.theta;
        let upper = bound_of(self.sphere, self.y, &p, Probes { given, ..probes })?;
        let signed = signed(&p, self.y);
        let weights = self.atoms.samples().iter();
        let weights: Vec<f64> = weights.map(|&i| p[i] * inputs.norms()[i]).collect();
        let keep = self.atoms.worth_keeping(&c, &weights);
        let kept = self.game.retain_atoms(|k| keep[k]);
        self.atoms.retain(&kept);
        let level = self.value(&weights) * (1.0 + 1e-12);
        let most = NEW_ATOMS + weights.len() / 4;
        let local_maxima = &upper.local_maxima;
        let mut added = self.atoms.add_maxima(local_maxima, &signed, level, most);
        self.atoms.add_measure(&nu.merged(inputs), 1.0);
        added += self.add_samples(&f);
        if upper.bound < self.upper.bound {
            (self.upper, self.p) = (upper, p);
        }
        let was_accurate = std::mem::replace(&mut self.is_accurate, added == 0);
        Ok(added > 0 || !was_accurate)
    }

    fn search_thoroughly(&mut self, probes: Probes) -> Result<()> {
        let given = self.atoms.directions();
        self.upper = bound_of(self.sphere, self.y, &self.p, Probes { given, ..probes })?;
        let q = signed(&self.p, self.y);
        let local_maxima = &self.upper.local_maxima;
        self.atoms
            .add_maxima(local_maxima, &q, self.lower, usize::MAX);
        Ok(())
    }
}

/// The bound of p, which is in the simplex up to rounding.
fn bound_of(sphere: &Sphere, y: &[f32], p: &[f64], probes: Probes) -> Result<Maximum> {
    let mut maximum = sphere.maximum(&signed(p, y), probes)?;
    let total: f64 = p.iter().sum();
    maximum.bound = maximum.bound / total * (1.0 + f64::EPSILON);
    Ok(maximum)
}

/// q = p∘y
fn signed(p: &[f64], y: &[f32]) -> Vec<f64> {
    p.iter().zip(y).map(|(p, &y)| p * f64::from(y)).collect()
}

/// Weights ≥ 0, divided by their sum.
pub(super) fn normalised(mut p: Vec<f64>) -> Vec<f64> {
    let total: f64 = p.iter().sum();
    p.iter_mut().for_each(|p| *p /= total);
    p
}

/// The samples of the first finite problem: all, or, of many, those with the largest weights p (n) if there are any
/// and some that are spread over the rows.
fn first_samples(norms: &[f64], p: Option<&[f64]>) -> Vec<usize> {
    let n = norms.len();
    if n <= ALL_SAMPLES {
        return (0..n).collect();
    }
    let mut samples: Vec<usize> = Vec::new();
    if let Some(p) = p {
        samples.extend((0..n).filter(|&i| p[i] > 0.0));
        samples.sort_by(|&i, &j| p[j].total_cmp(&p[i]));
        samples.truncate(FIRST_SAMPLES);
    }
    samples.extend((0..FIRST_SAMPLES).map(|k| k * n / FIRST_SAMPLES));
    // No margin is above the least |x|.
    samples.extend((0..n).min_by(|&i, &j| norms[i].total_cmp(&norms[j])));
    samples.sort_unstable();
    samples.dedup();
    samples
}

/// γ1 = 0 exactly, for every d.
fn inseparable(inputs: &InputMatrix, p: Vec<f64>) -> Certificate {
    let mut first = vec![0.0; inputs.d()];
    first[0] = 1.0;
    Certificate {
        bounds: Bounds {
            lower: 0.0,
            upper: 0.0,
        },
        proof: Proof::Certified,
        worst_direction: first,
        measure: Measure::zero(inputs.d()),
        dual: p,
        rounds: 0,
    }
}

/// Refuses weights outside the simplex.
pub(super) fn check_simplex(p: &[f64], n: usize) -> Result<()> {
    let place = "dual weights p";
    check_weights(place, p, n)?;
    let remedy =
        "a bound needs weights ≥ 0 with sum 1: normalise them, and check where they come from";
    if let Some(i) = p.iter().position(|&p| p < 0.0) {
        let what = format!("number {i} is negative: {}", p[i]);
        return Err(Error::input(place, what, remedy));
    }
    let total: f64 = p.iter().sum();
    if (total - 1.0).abs() <= 4.0 * (n + 8) as f64 * f64::EPSILON {
        return Ok(());
    }
    let what = format!("their sum is {total}, not 1");
    Err(Error::input(place, what, remedy))
}

/// Refuses targets other than ±1.
pub(super) fn check_labels(y: &[f32], n: usize) -> Result<()> {
    let wrong = y.iter().position(|y| y.abs() != 1.0);
    let what = match wrong {
        Some(i) => format!("number {i} is {}", y[i]),
        None if y.len() != n => format!("there are {} for {n} samples", y.len()),
        None => return Ok(()),
    };
    let remedy = "a margin needs a label +1 or −1 for every sample";
    Err(Error::input("targets y", what, remedy))
}
