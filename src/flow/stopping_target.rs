//! The value at which a run with flow.stop = { gap } stops, computed from its optimum, which is solved for
//! first.

use std::sync::Arc;

use crate::certify::description::INSEPARABLE;
use crate::certify::{
    Conflict, Measure, Optimum, SolverCaches, SolverOptions, Sphere, StartingPoint,
};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Run;
use crate::observe::MetricsRow;

/// The value at which a run stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StoppingTarget {
    /// Stop when margin_f1 is at or above this value.
    Margin(f64),
    /// Stop when the objective is at or below this value.
    Objective(f64),
}

impl StoppingTarget {
    pub fn is_reached(&self, row: &MetricsRow) -> bool {
        match self {
            StoppingTarget::Margin(target) => row.margin_f1.is_some_and(|margin| margin >= *target),
            StoppingTarget::Objective(target) => row.objective <= *target,
        }
    }
}

/// Relative gap of the solve, as a share of the run's gap.
const SHARE: f64 = 0.1;

/// The stopping targets of runs; an optimum that several runs share is solved for only once.
#[derive(Default)]
pub struct StoppingTargets(SolverCaches);

impl StoppingTargets {
    /// The target of a run on this data, for a certified gap relative to the optimum.
    ///
    /// # Errors
    /// Labels other than ±1, data that no network was found to classify right, a failure of the solver.
    pub fn of(&mut self, gap: f64, run: &Run, data: &Arc<Dataset>) -> Result<StoppingTarget> {
        let optimum = Optimum::of(run);
        let options = SolverOptions {
            tolerance: SHARE * gap,
            ..SolverOptions::default()
        };
        let cache = self.0.of(data, Sphere::new);
        let found = cache.certificate(optimum, &options, |_| true, |data, sphere| {
            if !sphere.is_exact() {
                tracing::info!(
                    "solving for the optimum that flow.stop = {{ gap }} aims at: n = {}, d = {}",
                    data.y.len(),
                    data.d
                );
            }
            let start = StartingPoint {
                measure: &Measure::zero(data.d),
                weights: None,
            };
            optimum.solve(data, sphere, start, &options)
        });
        let bounds = found?.bounds;
        if optimum == Optimum::Margin && bounds.lower <= 0.0 {
            let conflict = Conflict::find(cache.sphere().inputs(), &data.y);
            return Err(Error::input(
                "flow.stop",
                conflict.map_or(INSEPARABLE.into(), Conflict::description),
                "there is no margin to stop near: mend the data, set data.standardize = true where inputs \
                 are of very different size, or leave out flow.stop",
            ));
        }
        Ok(match optimum {
            Optimum::Penalised { .. } => {
                let value = bounds.lower + gap * bounds.lower.abs();
                StoppingTarget::Objective(value / (run.alpha * run.alpha))
            }
            Optimum::Margin => StoppingTarget::Margin(bounds.upper * (1.0 - gap)),
        })
    }
}
