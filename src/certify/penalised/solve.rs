//! Column generation for the penalised risk.

use super::{DualPoint, Problem, widened};
use crate::certify::climb::Probes;
use crate::certify::pool::Pool;
use crate::certify::progress::{ColumnGeneration, FIRST_ATOMS, FIRST_PROBES};
use crate::certify::sphere::check_weights;
use crate::certify::{Bounds, Certificate, Effort, Measure, Sphere, conic};
use crate::error::Result;
use crate::model::loss::Dual;

/// New atoms in a round, besides one per four samples.
const NEW_ATOMS: usize = 16;
/// Newton steps of a finite logistic problem.
const NEWTON: usize = 30;
/// Shares of the largest curvature below which a smaller one counts as this: at first, and the least and
/// largest. Where a sample is large and right by far, its curvature is next to nothing, and a large share
/// would hold its prediction in place; where a step leads nowhere, it has to be held.
const FLAT: f64 = 1e-7;
const FLATTEST: f64 = 1e-13;
const STEEPEST: f64 = 1e-3;

/// Brackets the optimum from a first measure: a trained network, or zero. Ends at the tolerance,
/// when no direction violates, or after the rounds allowed.
///
/// # Errors
/// A target vector that doesn't belong to the sphere's data; a failure of the finite solver.
pub fn solve(
    sphere: &Sphere,
    problem: &Problem,
    start: &Measure,
    effort: &Effort,
) -> Result<Certificate> {
    let inputs = sphere.inputs();
    check_weights("targets y", &widened(problem.y), inputs.n())?;
    start.check(inputs)?;
    let mut solve = Solve::new(sphere, problem, start)?;
    let rounds = solve.run(effort)?;
    Ok(Certificate {
        bounds: solve.bounds(),
        proof: solve.dual.maximum.proof,
        worst_direction: solve.dual.maximum.theta,
        measure: solve.best,
        dual: solve.dual.q,
        rounds,
    })
}

struct Solve<'a> {
    sphere: &'a Sphere,
    problem: &'a Problem<'a>,
    /// Atoms whose sign is that of V: opposite to their mass.
    pool: Pool<'a>,
    masses: Vec<f64>,
    best: Measure,
    upper: f64,
    dual: DualPoint,
    /// The present share of the largest curvature.
    flat: f64,
}

impl<'a> Solve<'a> {
    fn new(sphere: &'a Sphere, problem: &'a Problem<'a>, start: &Measure) -> Result<Self> {
        let inputs = sphere.inputs();
        let mut pool = Pool::new(inputs, vec![1.0; inputs.n()]);
        let zero = Measure::zero(inputs.d());
        let candidates = [zero.clone(), start.clone(), start.merged(inputs)];
        let valued = candidates.map(|nu| (problem.value(sphere, &nu), nu));
        let best = valued.into_iter().filter(|v| v.0.is_finite());
        let (upper, best) = best
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap_or((f64::INFINITY, zero));
        pool.add_measure(&best.heaviest(FIRST_ATOMS), -1.0);
        let g = problem.loss.residual(&best.predict(inputs), 0, problem.y);
        let dual = problem.dual_bound(sphere, &g, FIRST_PROBES)?;
        pool.add_peaks(&dual.maximum.peaks, &g, problem.lambda, usize::MAX);
        Ok(Solve {
            sphere,
            problem,
            pool,
            masses: Vec::new(),
            best,
            upper,
            dual,
            flat: FLAT,
        })
    }

    /// Solves the finite problem over the pool: one quadratic problem for the square risk, some
    /// Newton steps for the logistic one. Its own dual point, if there are atoms: near the optimum
    /// that is more accurate than the residual of the measure, whose value shows only the square
    /// of an error.
    fn optimise(&mut self) -> Result<Option<Vec<f64>>> {
        if self.pool.is_empty() {
            return Ok(None);
        }
        let inputs = self.sphere.inputs();
        let mut dual = None;
        let size = self
            .problem
            .y
            .iter()
            .fold(0.0_f32, |size, y| size.max(y.abs()));
        let sizes = vec![f64::from(size); inputs.n()];
        for _ in 0..NEWTON {
            let (h, b) = self.problem.model(&self.best.predict(inputs), self.flat);
            let rows = self.pool.rows();
            let (q, masses) = conic::lasso(rows, &h, &b, self.problem.lambda, self.upper)?;
            let target = self.pool.measure(&masses, &sizes).scaled(-1.0);
            (self.masses, dual) = (masses, Some(q));
            let before = self.upper;
            let mut step = 1.0;
            // A step that overshoots is halved; the quadratic risk takes the whole one.
            while step > 1e-3 && !self.offer(&self.best.mixed(&target, step)) {
                step *= 0.5;
            }
            let gained = before - self.upper > 1e-13 * before;
            if self.problem.dual == Dual::Square || (!gained && self.flat >= STEEPEST) {
                break;
            }
            match step {
                _ if !gained => self.flat *= 1e3,
                1.0 => self.flat = FLATTEST.max(1e-2 * self.flat),
                _ => {}
            }
        }
        Ok(dual)
    }

    /// Takes a measure, or its merged form, if that is the best so far.
    fn offer(&mut self, nu: &Measure) -> bool {
        let merged = nu.merged(self.sphere.inputs());
        let mut taken = false;
        for nu in [merged, nu.clone()] {
            let value = self.problem.value(self.sphere, &nu);
            if value < self.upper {
                (self.upper, self.best, taken) = (value, nu, true);
            }
        }
        taken
    }
}

impl ColumnGeneration for Solve<'_> {
    fn sphere(&self) -> &Sphere {
        self.sphere
    }

    fn bounds(&self) -> Bounds {
        let n = self.sphere.inputs().n() + self.best.len() + self.best.d;
        let upper = self.upper * (1.0 + 4.0 * n as f64 * f64::EPSILON);
        Bounds {
            lower: self.dual.bound.min(upper),
            upper,
        }
    }

    fn is_nothing(&self) -> bool {
        self.upper == 0.0
    }

    fn round(&mut self, probes: Probes) -> Result<bool> {
        let inputs = self.sphere.inputs();
        let q = match self.optimise()? {
            Some(q) => q,
            None => {
                let f = self.best.predict(inputs);
                self.problem.loss.residual(&f, 0, self.problem.y)
            }
        };
        self.pool.forget(&self.masses, &q);
        self.pool.add_measure(&self.best, -1.0);
        let probes = Probes {
            given: &self.best.theta,
            ..probes
        };
        let dual = self.problem.dual_bound(self.sphere, &q, probes)?;
        let level = self.problem.lambda * (1.0 + 1e-11);
        let most = NEW_ATOMS + inputs.n() / 4;
        let added = self.pool.add_peaks(&dual.maximum.peaks, &q, level, most);
        if dual.bound > self.dual.bound {
            self.dual = dual;
        }
        Ok(added > 0)
    }

    fn search_again(&mut self, probes: Probes) -> Result<()> {
        let given = self.pool.directions();
        let q = self.dual.q.clone();
        self.dual = self
            .problem
            .dual_bound(self.sphere, &q, Probes { given, ..probes })?;
        let peaks = &self.dual.maximum.peaks;
        self.pool
            .add_peaks(peaks, &q, self.problem.lambda, usize::MAX);
        Ok(())
    }
}
