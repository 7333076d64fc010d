//! R = (1/2n) Σ_i max(0, 1 − y_i f_i)²

use super::definition::*;

pub const LOSS: Definition = Definition {
    name: "squared_hinge",
    parameter: None,
    targets: Targets::Labels,
    infimum: Infimum::Attained,
    dual: None,
    form: RiskFormula::Each(Each {
        value: |at| 0.5 * (1.0 - at.y * at.f).max(0.0).powi(2),
        residual: |at| -at.y * (1.0 - at.y * at.f).max(0.0) / at.n,
        // Beyond the kink g is 0, with or without rounding; near the kink, either side is accepted.
        condition: |at, _, scale| {
            if at.y * at.f < 1.0 + 1e-4 * (1.0 + scale) {
                (1.0 + scale) / at.n
            } else {
                0.0
            }
        },
        rounding: |at, near| Rounding {
            relative: 0.0,
            beside: if at.y * at.f < 1.0 + near {
                near * at.y.abs() / at.n
            } else {
                0.0
            },
        },
        wgsl: Wgsl::Each("return -y * max(0.0, 1.0 - u) / n;"),
    }),
};
