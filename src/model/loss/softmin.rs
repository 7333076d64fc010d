//! R = log((1/n) Σ_i e^(−y_i f_i)), whose gradient weights samples by the softmin of their margins.

use super::definition::*;
use crate::model::ldexp;

pub const LOSS: Definition = Definition {
    name: "softmin",
    parameter: None,
    targets: Targets::Labels,
    infimum: Infimum::None,
    dual: None,
    form: RiskFormula::All(All {
        risk,
        residual,
        // The weight depends on the sample's own margin and on those of the others.
        condition: |g, scale, largest| g.abs() * (1.0 + scale + largest),
        rounding,
        wgsl: Wgsl::All {
            mass: "exp_exact(behind)",
            residual: "-y * exp_exact(behind) / mass",
        },
    }),
};

/// Computed from differences of margins, so that no exponential overflows.
fn risk(pairs: &mut dyn Iterator<Item = (f64, f64)>) -> f64 {
    let margins: Vec<f64> = pairs.map(|(f, y)| y * f).collect();
    let least = margins.iter().copied().fold(f64::INFINITY, f64::min);
    if least.is_infinite() {
        return -least;
    }
    let sum: f64 = margins.iter().map(|u| (least - u).exp()).sum();
    (sum / margins.len() as f64).ln() - least
}

/// −y_i p_i with p_i = e^(−y_i f_i) / Σ_k e^(−y_k f_k).
fn residual(pairs: Pairs, p: i32) -> Vec<f64> {
    let least = least_margin(pairs);
    let weight = |f: f64, y: f64| ldexp(least - y * f, p).exp();
    let total: f64 = pairs.iter().map(|&(f, y)| weight(f, y)).sum();
    let pairs = pairs.iter();
    pairs.map(|&(f, y)| -y * weight(f, y) / total).collect()
}

fn rounding(pairs: Pairs, p: i32, depth: f64) -> Vec<Rounding> {
    let least = least_margin(pairs);
    // The weighted mean of the other samples' distances is at most log n + 1.
    let of_others = (pairs.len() as f64).ln() + 1.0 + depth;
    let relative = |&(f, y): &(f64, f64)| ldexp(y * f - least, p) + of_others;
    let of_pair = |pair| Rounding {
        relative: relative(pair),
        beside: 0.0,
    };
    pairs.iter().map(of_pair).collect()
}

/// min_i y_i f̂_i
fn least_margin(pairs: Pairs) -> f64 {
    let margins = pairs.iter().map(|(f, y)| y * f);
    margins.fold(f64::INFINITY, f64::min)
}
