//! γ1, the largest margin over measures of total variation 1, between two bounds.

use super::climb::Probes;
use super::inputs::{Inputs, dot};
use super::pool::Pool;
use super::progress::{ColumnGeneration, FIRST_ATOMS, FIRST_PROBES};
use super::sphere::check_weights;
use super::{Bounds, Certificate, Effort, Maximum, Measure, Proof, Sphere, conic};
use crate::error::{Error, Result};

/// New atoms in a round, besides one per four samples.
const NEW_ATOMS: usize = 16;
/// How near to its optimum a finite problem is solved: a share of the present relative gap, at most.
const NEAR: f64 = 1e-4;
const NEAR_MOST: f64 = 1e-6;
/// A margin below this share of the largest |x_i| is 0 up to rounding.
const NOTHING: f64 = 1e-11;

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

/// γ1 ≥ min_i y_i f(x_i)/|ν| for the network f of any measure ν; and ≥ 0, by ν = 0. Less a bound
/// of the rounding errors.
pub fn lower_bound(inputs: &Inputs, y: &[f32], nu: &Measure) -> f64 {
    let total = nu.total_variation();
    if !(total > 0.0 && total.is_finite()) {
        return 0.0;
    }
    let terms = (nu.len() + inputs.d() + 8) as f64;
    let error = 2.0 * terms * f64::EPSILON;
    let margins = nu.predict(inputs).into_iter().zip(y).zip(inputs.norms());
    let least = margins
        .map(|((f, &y), x)| f64::from(y) * f / total - error * x)
        .fold(f64::INFINITY, f64::min);
    (least * (1.0 - error)).max(0.0)
}

/// Brackets γ1 from a first measure (a trained network, or zero) and first weights p, if there are
/// any. Ends at the tolerance, when no direction violates, or after the rounds allowed.
/// Data that no f separates has γ1 = 0: the lower bound is 0, and the upper one 0 or within
/// rounding of it.
///
/// # Errors
/// Labels other than ±1; p as in [`upper_bound`]; a failure of the finite solver.
pub fn solve(
    sphere: &Sphere,
    y: &[f32],
    start: &Measure,
    p: Option<&[f64]>,
    effort: &Effort,
) -> Result<Certificate> {
    let inputs = sphere.inputs();
    let n = inputs.n();
    check_labels(y, n)?;
    start.check(inputs)?;
    if let Some(p) = p {
        check_simplex(p, n)?;
    }
    if let Some(p) = conflict(inputs, y) {
        return Ok(inseparable(inputs, p));
    }
    let p = p.map_or_else(|| vec![1.0 / n as f64; n], <[f64]>::to_vec);
    let mut solve = Solve::new(sphere, y, p)?;
    solve.offer(start);
    solve
        .pool
        .add_measure(&solve.best.heaviest(FIRST_ATOMS), 1.0);
    let rounds = solve.run(effort)?;
    Ok(Certificate {
        bounds: solve.bounds(),
        proof: solve.upper.proof,
        worst_direction: solve.upper.theta,
        measure: solve.best,
        dual: solve.p,
        rounds,
    })
}

struct Solve<'a> {
    sphere: &'a Sphere,
    y: &'a [f32],
    pool: Pool<'a>,
    /// The best measure, of total variation 1, and its bound.
    best: Measure,
    lower: f64,
    /// The best weights and their bound.
    p: Vec<f64>,
    upper: Maximum,
}

impl<'a> Solve<'a> {
    fn new(sphere: &'a Sphere, y: &'a [f32], p: Vec<f64>) -> Result<Self> {
        let upper = bound_of(sphere, y, &p, FIRST_PROBES)?;
        let labels = y.iter().map(|&y| f64::from(y)).collect();
        let mut pool = Pool::new(sphere.inputs(), labels);
        pool.add_peaks(&upper.peaks, &signed(&p, y), 0.0, usize::MAX);
        Ok(Solve {
            sphere,
            y,
            pool,
            best: Measure::zero(sphere.inputs().d()),
            lower: 0.0,
            p,
            upper,
        })
    }

    /// Takes a measure, and its merged form, if it is the best so far.
    fn offer(&mut self, nu: &Measure) {
        let inputs = self.sphere.inputs();
        for nu in [nu.merged(inputs), nu.clone()] {
            let lower = lower_bound(inputs, self.y, &nu);
            if lower > self.lower {
                let total = nu.total_variation();
                self.lower = lower;
                self.best = nu.scaled(1.0 / total);
            }
        }
    }
}

impl ColumnGeneration for Solve<'_> {
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

    fn is_nothing(&self) -> bool {
        self.upper.bound <= NOTHING * self.sphere.inputs().radius()
    }

    fn round(&mut self, probes: Probes) -> Result<bool> {
        let inputs = self.sphere.inputs();
        let n = inputs.n();
        let unit = self.upper.value;
        let scaled = |row: &Vec<f64>| row.iter().map(|v| v / unit).collect();
        let rows: Vec<Vec<f64>> = self.pool.rows().iter().map(scaled).collect();
        // Atoms that are still to come move the optimum far more.
        let near = (NEAR * self.bounds().relative_gap()).min(NEAR_MOST);
        let (p, c) = conic::game(&rows, n, near)?;
        let nu = self.pool.measure(&c);
        self.offer(&nu);
        let upper = bound_of(
            self.sphere,
            self.y,
            &p,
            Probes {
                given: &nu.theta,
                ..probes
            },
        )?;
        self.pool.forget(&c, &p);
        let values = self.pool.rows().iter().map(|row| dot(row, &p));
        let level = values.fold(0.0, f64::max) * (1.0 + 1e-12);
        let most = NEW_ATOMS + n / 4;
        let q = signed(&p, self.y);
        let added = self.pool.add_peaks(&upper.peaks, &q, level, most);
        self.pool.add_measure(&nu.merged(inputs), 1.0);
        if upper.bound < self.upper.bound {
            (self.upper, self.p) = (upper, p);
        }
        Ok(added > 0)
    }

    fn search_again(&mut self, probes: Probes) -> Result<()> {
        let given = self.pool.directions();
        self.upper = bound_of(self.sphere, self.y, &self.p, Probes { given, ..probes })?;
        let q = signed(&self.p, self.y);
        let peaks = &self.upper.peaks;
        self.pool.add_peaks(peaks, &q, self.lower, usize::MAX);
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

/// Weights with V = 0 where the labels of samples on one ray differ, or a sample is 0: f(κx) =
/// κ f(x), so no f separates them.
fn conflict(inputs: &Inputs, y: &[f32]) -> Option<Vec<f64>> {
    let n = inputs.n();
    let weights = |pairs: &[(usize, f64)]| {
        let total: f64 = pairs.iter().map(|(_, p)| p).sum();
        let mut p = vec![0.0; n];
        pairs.iter().for_each(|&(i, w)| p[i] = w / total);
        p
    };
    if let Some(i) = inputs.norms().iter().position(|&x| x == 0.0) {
        return Some(weights(&[(i, 1.0)]));
    }
    // On one ray all ratios to the largest coordinate agree: products of two f32 are exact.
    let pivot = |x: &[f64]| (0..x.len()).max_by(|&a, &b| x[a].abs().total_cmp(&x[b].abs()));
    let same_ray = |i: usize, j: usize| {
        let (u, v) = (inputs.row(i), inputs.row(j));
        pivot(u).is_some_and(|k| {
            u[k] * v[k] > 0.0 && u.iter().zip(v).all(|(a, b)| a * v[k] == b * u[k])
        })
    };
    let mut pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
    let (i, j) = pairs.find(|&(i, j)| y[i] != y[j] && same_ray(i, j))?;
    let norms = inputs.norms();
    Some(weights(&[(i, norms[j]), (j, norms[i])]))
}

/// γ1 = 0 exactly, for every d.
fn inseparable(inputs: &Inputs, p: Vec<f64>) -> Certificate {
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
