//! R = (1/n) Σ_i max(0, 1 − y_i f_i)

use super::definition::*;

pub const LOSS: Definition = Definition {
    name: "hinge",
    parameter: None,
    targets: Targets::Labels,
    infimum: Infimum::Attained,
    dual: None,
    form: RiskFormula::Each(Each {
        value: |at| (1.0 - at.y * at.f).max(0.0),
        residual: |at| -at.y * f64::from(u8::from(at.y * at.f < 1.0)) / at.n,
        condition: |_, g, _| g.abs(),
        // Near the kink the values of either side are accepted.
        rounding: |at, near| {
            let either = (1.0 - at.y * at.f).abs() <= near;
            Rounding {
                relative: 0.0,
                beside: f64::from(u8::from(either)) * at.y.abs() / at.n,
            }
        },
        wgsl: Wgsl::Each("return select(0.0, -y / n, u < 1.0);"),
    }),
};
