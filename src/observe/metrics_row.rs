//! Rows of metrics and the best values over a run.

use serde::{Deserialize, Serialize};

use super::{Drift, Margins, Norms, error, unsigned_zero};
use crate::data::Dataset;
use crate::engine::{Evaluation, Geometry};
use crate::model::{Run, ldexp};

/// One row of metrics.csv: the observables of one run at one step. `None` where not defined
/// (margins and errors need labels ±1, test values a test set).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MetricsRow {
    pub run: usize,
    /// Updates done.
    pub step: u64,
    /// Mean-field time, the sum of the steps.
    pub time: f64,
    /// R(f)
    pub risk: f64,
    /// (1/α²) R(f) + (λ/2m) Σ (a² + |w|²)
    pub objective: f64,
    /// R(f) on the test set.
    pub risk_test: Option<f64>,
    pub error_train: Option<f64>,
    pub error_test: Option<f64>,
    pub tv_norm: f64,
    pub param_norm: f64,
    pub margin_f1: Option<f64>,
    pub margin_param: Option<f64>,
    pub margin_f2: Option<f64>,
    /// Share of dead neurons, see [`Geometry::dead`].
    pub dead: Option<f64>,
    /// max_j max(|a_j|, |w_j|)
    pub largest_weight: Option<f64>,
    /// max_j |(a_j² − |w_j|²) − its initial value|
    pub balance_drift: Option<f64>,
    /// Share of the features' mass in the first k coordinates, see [`Geometry::informative`];
    /// without `data.informative` there is none.
    pub informative: Option<f64>,
    /// Relative change of the tangent kernel since the start, see [`Drift::kernel`].
    pub kernel_drift: Option<f64>,
    /// Mean cosine of the features' directions with those at the start, see
    /// [`Drift::direction_cosine`].
    pub direction_cosine: Option<f64>,
}

impl MetricsRow {
    /// Observables of run number `index` from its evaluation on the training set and, where there
    /// is one, on the test set.
    pub fn new(
        index: usize,
        run: &Run,
        train: (&Dataset, &Evaluation),
        test: Option<(&Dataset, &Evaluation)>,
    ) -> Self {
        let on = |(data, now): (&Dataset, &Evaluation)| run.loss.risk(predictions(now), &data.y);
        let (data, now) = train;
        let norms = Norms::new(run, now);
        let margins = Margins::new(run, data, now);
        let risk = unsigned_zero(on(train));
        MetricsRow {
            run: index,
            step: now.clock.step,
            time: now.clock.time,
            risk,
            objective: objective(run, risk, &norms),
            risk_test: test.map(on).map(unsigned_zero),
            error_train: error(data, &now.f),
            error_test: test.and_then(|(data, now)| error(data, &now.f)),
            tv_norm: norms.tv_norm,
            param_norm: norms.param_norm,
            margin_f1: margins.f1,
            margin_param: margins.param,
            margin_f2: margins.f2,
            dead: None,
            largest_weight: None,
            balance_drift: None,
            informative: None,
            kernel_drift: None,
            direction_cosine: None,
        }
    }

    /// The same row with the observables of the particles.
    ///
    /// Squares and fourth powers of weights may overflow f64 where the weights do not: such values are `None`.
    pub fn with(self, geometry: &Geometry, drift: Option<&Drift>) -> Self {
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        MetricsRow {
            dead: Some(geometry.dead),
            largest_weight: finite(Some(geometry.largest_weight)),
            balance_drift: finite(geometry.balance_drift),
            informative: finite(geometry.informative),
            kernel_drift: finite(drift.and_then(|drift| drift.kernel)),
            direction_cosine: finite(drift.and_then(|drift| drift.direction_cosine)),
            ..self
        }
    }
}

/// f (n) in true units.
fn predictions(now: &Evaluation) -> impl Iterator<Item = f64> {
    let p = now.prediction_exponent;
    now.f.iter().map(move |&f| ldexp(f, p))
}

/// F = (1/α²) R(f) + (λ/2m) Σ (a² + |w|²); with λ = 0 the norms are not used, as they may be infinite.
fn objective(run: &Run, risk: f64, norms: &Norms) -> f64 {
    let decay = match run.lambda {
        0.0 => 0.0,
        lambda => lambda / 2.0 * norms.param_norm,
    };
    risk / (run.alpha * run.alpha) + decay
}

/// Whether the stored numbers, the predictions, R(f) and F are finite, the latter three in true
/// units: f64 ends at 1.8·10³⁰⁸.
pub fn is_finite(run: &Run, data: &Dataset, now: &Evaluation) -> bool {
    now.is_finite() && predictions(now).all(f64::is_finite) && {
        let risk = run.loss.risk(predictions(now), &data.y);
        objective(run, risk, &Norms::new(run, now)).is_finite()
    }
}

/// The largest margins over all evaluations of a run (at least one every 50 steps): the last iterate
/// oscillates by some percent, as in a subgradient method.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BestMargins {
    pub best_margin_f1: Option<f64>,
    pub best_margin_param: Option<f64>,
    pub best_margin_f2: Option<f64>,
    /// Step of the best margin_f1.
    pub best_step: Option<u64>,
}

impl BestMargins {
    /// Updates the best margins with an evaluation.
    pub fn update(&mut self, run: &Run, data: &Dataset, now: &Evaluation) {
        let margins = Margins::new(run, data, now);
        let beats = |new: Option<f64>, old: Option<f64>| match (new, old) {
            (Some(new), Some(old)) => new > old,
            (Some(new), None) => new.is_finite(),
            _ => false,
        };
        if beats(margins.f1, self.best_margin_f1) {
            self.best_margin_f1 = margins.f1;
            self.best_step = Some(now.clock.step);
        }
        if beats(margins.param, self.best_margin_param) {
            self.best_margin_param = margins.param;
        }
        if beats(margins.f2, self.best_margin_f2) {
            self.best_margin_f2 = margins.f2;
        }
    }
}
