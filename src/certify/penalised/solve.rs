//! Column generation for the penalised risk.

use super::{DualPoint, PenalisedProblem, widened};
use crate::certify::active_atoms::ActiveAtoms;
use crate::certify::column_generation::{ColumnGeneration, FIRST_ATOMS, FIRST_PROBES};
use crate::certify::finite_lasso::{FiniteLasso, FiniteProblem};
use crate::certify::local_ascent::Probes;
use crate::certify::sphere::check_weights;
use crate::certify::{Bounds, Certificate, Measure, SolverOptions, Sphere};
use crate::error::Result;
use crate::model::loss::Dual;

/// Share of the wanted gap that a finite problem may have as its own.
const FINITE_SHARE: f64 = 1e-3;
/// New atoms per round, beside one per four samples.
const NEW_ATOMS: usize = 16;
/// Newton steps of a finite logistic problem.
const NEWTON_STEPS: usize = 30;
/// Curvatures are raised to at least this share of the largest one: at first, and the least and the largest
/// share. A sample that is large and far on the right side has almost no curvature: a large floor would keep its
/// prediction from moving, and a small one may give steps that do not lower the risk.
const CURVATURE_FLOOR: f64 = 1e-7;
const LEAST_CURVATURE_FLOOR: f64 = 1e-13;
const LARGEST_CURVATURE_FLOOR: f64 = 1e-3;

/// Brackets the optimum from a first measure: a trained network, or zero. Ends at the tolerance,
/// when no direction violates, or after the rounds allowed.
///
/// # Errors
/// A target vector that doesn't belong to the sphere's data; a failure of the finite solver.
pub fn solve(
    sphere: &Sphere,
    problem: &PenalisedProblem,
    start: &Measure,
    options: &SolverOptions,
) -> Result<Certificate> {
    let inputs = sphere.inputs();
    check_weights("targets y", &widened(problem.y), inputs.n())?;
    start.check(inputs)?;
    let mut solve = PenalisedSolve::new(sphere, *problem, start, options)?;
    solve.certificate(options)
}

pub(super) struct PenalisedSolve<'a> {
    sphere: &'a Sphere,
    problem: PenalisedProblem<'a>,
    /// Atoms whose sign is that of V: opposite to their mass.
    active_atoms: ActiveAtoms<'a>,
    finite: FiniteLasso,
    /// Relative gap of the finite problems.
    finite_gap: f64,
    masses: Vec<f64>,
    best: Measure,
    upper: f64,
    dual: DualPoint,
    /// See [`CURVATURE_FLOOR`]; adapted to the progress of the Newton steps.
    curvature_floor: f64,
}

impl<'a> PenalisedSolve<'a> {
    pub(super) fn new(
        sphere: &'a Sphere,
        problem: PenalisedProblem<'a>,
        start: &Measure,
        options: &SolverOptions,
    ) -> Result<Self> {
        let inputs = sphere.inputs();
        let mut active_atoms = ActiveAtoms::new(inputs, vec![1.0; inputs.n()]);
        let zero = Measure::zero(inputs.d());
        let candidates = [zero.clone(), start.clone(), start.merged(inputs)];
        let valued = candidates.map(|nu| (problem.value(sphere, &nu), nu));
        let best = valued.into_iter().filter(|v| v.0.is_finite());
        let (upper, best) = best
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap_or((f64::INFINITY, zero));
        active_atoms.add_measure(&best.heaviest(FIRST_ATOMS), -1.0);
        let g = problem.loss.residual(&best.predict(inputs), 0, problem.y);
        let dual = problem.dual_bound(sphere, &g, FIRST_PROBES)?;
        active_atoms.add_maxima(&dual.maximum.local_maxima, &g, problem.lambda, usize::MAX);
        Ok(PenalisedSolve {
            sphere,
            problem,
            active_atoms,
            finite: FiniteLasso::default(),
            finite_gap: FINITE_SHARE * options.tolerance,
            masses: Vec::new(),
            best,
            upper,
            dual,
            curvature_floor: CURVATURE_FLOOR,
        })
    }

    /// Turns to a weight decay below the present one, from the measure, the dual point and the atoms at hand.
    pub(super) fn lower_lambda(&mut self, problem: PenalisedProblem<'a>) -> Result<()> {
        self.problem = problem;
        self.upper = problem.value(self.sphere, &self.best);
        let probes = Probes {
            given: &self.best.theta,
            ..FIRST_PROBES
        };
        let q = std::mem::take(&mut self.dual.q);
        self.dual = problem.dual_bound(self.sphere, &q, probes)?;
        let local_maxima = &self.dual.maximum.local_maxima;
        self.active_atoms
            .add_maxima(local_maxima, &q, problem.lambda, usize::MAX);
        Ok(())
    }

    /// The certificate after all rounds.
    pub(super) fn certificate(&mut self, options: &SolverOptions) -> Result<Certificate> {
        let rounds = self.run(options)?;
        Ok(Certificate {
            bounds: self.bounds(),
            proof: self.dual.maximum.proof,
            worst_direction: self.dual.maximum.theta.clone(),
            measure: self.best.clone(),
            dual: self.dual.q.clone(),
            rounds,
        })
    }

    /// Solves the finite problem over the active atoms: one quadratic problem for the square risk, some Newton
    /// steps for the logistic one. Returns its dual point, if there are atoms: near the optimum it is more accurate
    /// than the residual of the measure, since the risk depends on the square of an error only.
    fn optimise(&mut self) -> Result<Option<Vec<f64>>> {
        if self.active_atoms.is_empty() {
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
        for _ in 0..NEWTON_STEPS {
            let (h, b) = self
                .problem
                .quadratic_model(&self.best.predict(inputs), self.curvature_floor);
            let finite = FiniteProblem {
                rows: self.active_atoms.rows(),
                h: &h,
                b: &b,
                lambda: self.problem.lambda,
                unit: self.upper,
            };
            let found = self.finite.solve(&finite, self.finite_gap)?;
            let target = self.active_atoms.measure(&found.masses, &sizes);
            let target = target.scaled(-1.0);
            (self.masses, dual) = (found.masses, Some(found.dual));
            let before = self.upper;
            let mut step = 1.0;
            // A step that raises the risk is halved; for the square risk the full step is right.
            while step > 1e-3 && !self.try_measure(&self.best.mixed(&target, step)) {
                step *= 0.5;
            }
            let gained = before - self.upper > 1e-13 * before;
            if self.problem.dual == Dual::Square
                || (!gained && self.curvature_floor >= LARGEST_CURVATURE_FLOOR)
            {
                break;
            }
            match step {
                _ if !gained => self.curvature_floor *= 1e3,
                1.0 => {
                    self.curvature_floor = LEAST_CURVATURE_FLOOR.max(1e-2 * self.curvature_floor)
                }
                _ => {}
            }
        }
        Ok(dual)
    }

    /// Keeps a measure, or its merged form, if it is the best so far; whether it was kept.
    fn try_measure(&mut self, nu: &Measure) -> bool {
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

impl ColumnGeneration for PenalisedSolve<'_> {
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

    fn is_zero(&self) -> bool {
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
        let keep = self.active_atoms.worth_keeping(&self.masses, &q);
        self.active_atoms.retain(&keep);
        self.finite.retain(&keep);
        self.active_atoms.add_measure(&self.best, -1.0);
        let probes = Probes {
            given: &self.best.theta,
            ..probes
        };
        let dual = self.problem.dual_bound(self.sphere, &q, probes)?;
        let level = self.problem.lambda * (1.0 + 1e-11);
        let most = NEW_ATOMS + inputs.n() / 4;
        let added = self
            .active_atoms
            .add_maxima(&dual.maximum.local_maxima, &q, level, most);
        if dual.bound > self.dual.bound {
            self.dual = dual;
        }
        Ok(added > 0)
    }

    fn search_thoroughly(&mut self, probes: Probes) -> Result<()> {
        let given = self.active_atoms.directions();
        let q = self.dual.q.clone();
        self.dual = self
            .problem
            .dual_bound(self.sphere, &q, Probes { given, ..probes })?;
        let local_maxima = &self.dual.maximum.local_maxima;
        self.active_atoms
            .add_maxima(local_maxima, &q, self.problem.lambda, usize::MAX);
        Ok(())
    }
}
