//! R = (1/2n) Σ_i (f_i − y_i)²

use super::definition::*;

pub const LOSS: Definition = Definition {
    name: "square",
    parameter: None,
    targets: Targets::Numbers,
    infimum: Infimum::Attained,
    dual: Some(Dual::Square),
    form: RiskFormula::Each(Each {
        value: |at| 0.5 * (at.f - at.y) * (at.f - at.y),
        residual: |at| (at.f - at.y) / at.n,
        condition: |at, _, scale| (scale + at.y.abs()) / at.n,
        rounding: |_, _| Rounding::default(),
        wgsl: Wgsl::Each("return (f - y) / n;"),
    }),
};
