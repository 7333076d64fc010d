//! Optima along a range of weight decays.

use super::solve::PenalisedSolve;
use super::{PenalisedProblem, widened};
use crate::certify::local_ascent::Probes;
use crate::certify::sphere::check_weights;
use crate::certify::{Certificate, Measure, SolverOptions, Sphere};
use crate::error::Result;
use crate::model::Loss;

/// The optimum at one weight decay of a path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathPoint {
    /// λ
    pub lambda: f64,
    /// Its measure has the neurons of the optimum, and their total variation.
    pub certificate: Certificate,
}

/// The λ from which on the optimum has no neurons: max over θ of |V(θ)| for the residual of the network f = 0.
/// Exact where the maximum over the sphere is, else the largest value found.
///
/// # Errors
/// Those of [`PenalisedProblem::new`] and [`Sphere::maximum`].
pub fn lambda_max(sphere: &Sphere, loss: Loss, y: &[f32]) -> Result<f64> {
    // Checks the loss and the targets; any λ will do.
    PenalisedProblem::new(loss, y, 1.0)?;
    check_weights("targets y", &widened(y), sphere.inputs().n())?;
    let residual = loss.residual(&vec![0.0; y.len()], 0, y);
    Ok(sphere.maximum(&residual, Probes::default())?.value)
}

/// The least penalised risks for every λ given, in their order. They are solved from the largest λ to the
/// least: each starts from the atoms and the masses of the one before.
///
/// # Errors
/// Those of [`PenalisedProblem::new`] and [`super::solve()`].
pub fn path(
    sphere: &Sphere,
    loss: Loss,
    y: &[f32],
    lambdas: &[f64],
    options: &SolverOptions,
) -> Result<Vec<PathPoint>> {
    check_weights("targets y", &widened(y), sphere.inputs().n())?;
    let problems = lambdas
        .iter()
        .map(|&lambda| PenalisedProblem::new(loss, y, lambda));
    let problems = problems.collect::<Result<Vec<_>>>()?;
    let mut order: Vec<usize> = (0..lambdas.len()).collect();
    order.sort_by(|&k, &l| lambdas[l].total_cmp(&lambdas[k]));
    let mut solve: Option<PenalisedSolve> = None;
    let mut points = Vec::with_capacity(order.len());
    for k in order {
        let present = match solve.take() {
            Some(mut before) => {
                before.lower_lambda(problems[k])?;
                before
            }
            None => {
                let zero = Measure::zero(sphere.inputs().d());
                PenalisedSolve::new(sphere, problems[k], &zero, options)?
            }
        };
        let certificate = solve.insert(present).certificate(options)?;
        let lambda = lambdas[k];
        points.push((
            k,
            PathPoint {
                lambda,
                certificate,
            },
        ));
    }
    points.sort_by_key(|(k, _)| *k);
    Ok(points.into_iter().map(|(_, point)| point).collect())
}
