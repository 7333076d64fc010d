//! R = (1/n) Σ_i log(1 + e^(−y_i f_i))

use super::definition::*;

pub const LOSS: Definition = Definition {
    name: "logistic",
    parameter: None,
    targets: Targets::Labels,
    infimum: Infimum::Approached,
    dual: Some(Dual::Logistic),
    form: RiskFormula::Each(Each {
        // Computed without overflow.
        value: |at| {
            let u = -at.y * at.f;
            u.max(0.0) + (-u.abs()).exp().ln_1p()
        },
        residual: |at| -at.y / (at.n * (1.0 + (at.y * at.f).exp())),
        // g is an exponential of the margin up to bounded factors: an error δf is a relative error |δf| of
        // g.
        condition: |_, g, scale| g.abs() * (1.0 + scale),
        rounding: |at, _| Rounding {
            relative: (at.y * at.f).abs(),
            beside: 0.0,
        },
        wgsl: Wgsl::Each("return -y / (n * (1.0 + exp_exact(u)));"),
    }),
};
