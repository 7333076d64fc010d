//! R = (1/n) Σ_i e^(−y_i f_i)

use super::definition::*;

pub const LOSS: Definition = Definition {
    name: "exponential",
    parameter: None,
    targets: Targets::Labels,
    infimum: Infimum::Approached,
    dual: None,
    form: RiskFormula::Each(Each {
        value: |at| (-at.y * at.f).exp(),
        residual: |at| -at.y * (-(at.y * at.f)).exp() / at.n,
        // An error δf is a relative error |δf| of g.
        condition: |_, g, scale| g.abs() * (1.0 + scale),
        rounding: |at, _| Rounding {
            relative: (at.y * at.f).abs(),
            beside: 0.0,
        },
        wgsl: Wgsl::Each("return -y * exp_exact(-u) / n;"),
    }),
};
