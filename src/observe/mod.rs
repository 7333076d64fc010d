//! Observables of a state: norms, margins, errors, drift. Equations and names as in docs/model.md.
//!
//! Norms, margins and risks come from an [`Evaluation`], n predictions and three moments, without reading
//! particles. The others come from the engine's [`crate::engine::Geometry`], and from a few thousand
//! particles that are read: the drift since the start, and at the end the number of atoms. Margins are
//! ratios of stored values and stay finite however large the norms grow.

mod atoms;
mod drift;
mod metrics_row;
mod panels;
mod tangent;

pub use atoms::{ATOM_PARTICLES, atoms};
pub use drift::{Drift, DriftBaseline};
pub use metrics_row::{BestMargins, MetricsRow, is_finite};
pub use tangent::TangentKernel;

use crate::data::Dataset;
use crate::engine::Evaluation;
use crate::model::{Run, ldexp};

/// The norms of a state in true units; infinite only if beyond 10³⁰⁸.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norms {
    /// (α/m) Σ |a_j| |w_j|
    pub tv_norm: f64,
    /// (1/m) Σ (a_j² + |w_j|²)
    pub param_norm: f64,
    /// (1/m) Σ a_j²
    pub mean_a2: f64,
}

impl Norms {
    pub fn new(run: &Run, now: &Evaluation) -> Self {
        let (on_a, on_w) = run.layer_exponents(now.clock.exponent);
        let mean_a2 = ldexp(now.mean_a2, 2 * on_a);
        Norms {
            tv_norm: run.alpha * ldexp(now.mean_aw, on_a + on_w),
            param_norm: mean_a2 + ldexp(now.mean_w2, 2 * on_w),
            mean_a2,
        }
    }
}

/// Margins: min_i y_i f(x_i) divided by a norm; `None` if the norm is 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Margins {
    /// Divided by tv_norm: at most γ1.
    pub f1: Option<f64>,
    /// Divided by param_norm.
    pub param: Option<f64>,
    /// Divided by α √((1/m) Σ a²): at most γ2 for output-only training, up to the sampling error of the
    /// features.
    pub f2: Option<f64>,
}

impl Margins {
    /// Margins on the training set; all `None` unless every target is ±1.
    pub fn new(run: &Run, data: &Dataset, now: &Evaluation) -> Self {
        if !is_labelled(data) {
            return Margins::default();
        }
        let smallest = now
            .f
            .iter()
            .zip(&data.y)
            .map(|(f, &y)| f64::from(y) * f)
            .fold(f64::INFINITY, f64::min);
        let smallest = unsigned_zero(smallest);
        let p = now.prediction_exponent;
        let (on_a, on_w) = run.layer_exponents(now.clock.exponent);
        // Both norms in units of 2^p, the unit of f, so that the ratio never overflows.
        let over = |norm: f64| (norm > 0.0).then(|| smallest / norm);
        Margins {
            f1: over(run.alpha * now.mean_aw),
            param: over(ldexp(now.mean_a2, 2 * on_a - p) + ldexp(now.mean_w2, 2 * on_w - p)),
            f2: over(run.alpha * ldexp(now.mean_a2.sqrt(), on_a - p)),
        }
    }
}

/// The value with −0 replaced by 0, so that files have no −0.
pub(crate) fn unsigned_zero(value: f64) -> f64 {
    value + 0.0
}

/// Whether every target is a label ±1, so that margins and errors are defined.
pub fn is_labelled(data: &Dataset) -> bool {
    data.y.iter().all(|y| y.abs() == 1.0)
}

/// Share of samples with y_i f(x_i) ≤ 0 (a network that outputs 0 is wrong everywhere); `None`
/// unless every target is ±1.
pub fn error(data: &Dataset, f: &[f64]) -> Option<f64> {
    // The negation counts NaN as wrong too.
    let wrong = f.iter().zip(&data.y).filter(|&(f, &y)| {
        let margin = f64::from(y) * f;
        margin.is_nan() || margin <= 0.0
    });
    is_labelled(data).then(|| wrong.count() as f64 / data.n() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Clock;
    use crate::model::{Loss, Train};

    fn labelled(y: &[f32]) -> Dataset {
        Dataset {
            d: 1,
            x: vec![1.0; y.len()],
            y: y.to_vec(),
        }
    }

    #[test]
    fn zero_is_an_error() {
        assert_eq!(error(&labelled(&[1.0, -1.0]), &[0.0, 0.0]), Some(1.0));
        assert_eq!(error(&labelled(&[1.0, -1.0]), &[0.5, f64::NAN]), Some(0.5));
        assert_eq!(error(&labelled(&[1.0, 0.5]), &[0.0, 0.0]), None);
    }

    /// A network that outputs 0, as a network of twins does at initialisation.
    #[test]
    fn a_margin_of_zero_has_no_sign() {
        let run = Run::simple(2, Loss::SOFTMIN);
        let now = Evaluation {
            clock: Clock::default(),
            f: vec![0.0, -0.0, 0.0],
            prediction_exponent: 0,
            mean_a2: 1.0,
            mean_w2: 1.0,
            mean_aw: 1.0,
        };
        let data = labelled(&[1.0, 1.0, -1.0]);
        let row = MetricsRow::new(0, &run, (&data, &now), None);
        assert_eq!(row.margin_f1, Some(0.0));
        let mut best = BestMargins::default();
        best.update(&run, &data, &now);
        for written in [
            serde_json::to_string(&row).unwrap(),
            serde_json::to_string(&best).unwrap(),
        ] {
            assert!(
                written.contains("0.0") && !written.contains("-0"),
                "{written}"
            );
        }
    }

    /// The same network stored with different powers of two has the same observables.
    #[test]
    fn exponents_do_not_show() {
        for train in [Train::Both, Train::Output, Train::Input] {
            let mut run = Run::simple(4, Loss::SOFTMIN);
            run.train = train;
            run.alpha = 3.0;
            let (on_a, on_w): (i32, i32) = match train {
                Train::Both => (5, 5),
                Train::Output => (5, 0),
                Train::Input => (0, 5),
            };
            let plain = Evaluation {
                clock: Clock::default(),
                f: vec![2.0, -1.0],
                prediction_exponent: 0,
                mean_a2: 3.0,
                mean_w2: 5.0,
                mean_aw: 2.0,
            };
            let mut stored = plain.clone();
            stored.clock.exponent = 5;
            stored.prediction_exponent = on_a + on_w;
            stored.f = plain.f.iter().map(|f| ldexp(*f, -on_a - on_w)).collect();
            stored.mean_a2 = ldexp(3.0, -2 * on_a);
            stored.mean_w2 = ldexp(5.0, -2 * on_w);
            stored.mean_aw = ldexp(2.0, -on_a - on_w);
            let data = labelled(&[1.0, -1.0]);
            assert_eq!(
                Margins::new(&run, &data, &plain),
                Margins::new(&run, &data, &stored)
            );
            assert_eq!(Norms::new(&run, &plain), Norms::new(&run, &stored));
        }
    }
}
