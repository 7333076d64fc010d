//! R = (1/n) Σ_i h(f_i − y_i), h(r) = r²/2 for |r| ≤ δ and δ (|r| − δ/2) beyond.

use super::definition::*;

pub const LOSS: Definition = Definition {
    name: "huber",
    parameter: Some(Parameter {
        letter: "δ",
        example: 0.5,
    }),
    targets: Targets::Numbers,
    infimum: Infimum::Attained,
    dual: None,
    form: RiskFormula::Each(Each {
        value: |at| {
            let (r, delta) = ((at.f - at.y).abs(), at.parameter);
            if r <= delta {
                0.5 * r * r
            } else {
                delta * (r - 0.5 * delta)
            }
        },
        residual: |at| (at.f - at.y).max(-at.parameter).min(at.parameter) / at.n,
        // The slope of h changes by at most the change of f.
        condition: |at, _, scale| (scale + at.y.abs()) / at.n,
        rounding: |_, _| Rounding::default(),
        wgsl: Wgsl::Each("return clamp(f - y, -parameter, parameter) / n;"),
    }),
};
