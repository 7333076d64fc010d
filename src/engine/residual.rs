//! residual: g_i = ∂R/∂f_i in f64, from stored predictions. For engines that end their sums on the host.

use super::ldexp;
use crate::experiment::Loss;

/// g (n) for true predictions 2^p f̂ and targets y; the table "Risks" of MODEL.md.
///
/// However large p, no term becomes ∞ · 0: softmin scales differences of margins only.
pub fn residual(loss: Loss, f: &[f64], p: i32, y: &[f32]) -> Vec<f64> {
    let n = f.len() as f64;
    let pairs = || f.iter().zip(y).map(|(&f, &y)| (f, f64::from(y)));
    if loss == Loss::Softmin {
        let smallest = pairs().map(|(f, y)| y * f).fold(f64::INFINITY, f64::min);
        let weight = |f: f64, y: f64| ldexp(smallest - y * f, p).exp();
        let total: f64 = pairs().map(|(f, y)| weight(f, y)).sum();
        return pairs().map(|(f, y)| -y * weight(f, y) / total).collect();
    }
    pairs()
        .map(|(f, y)| {
            let f = ldexp(f, p);
            let margin = y * f;
            match loss {
                Loss::Square => (f - y) / n,
                Loss::Logistic => -y / (n * (1.0 + margin.exp())),
                Loss::Exponential | Loss::Softmin => -y * (-margin).exp() / n,
                Loss::Hinge => -y * f64::from(u8::from(margin < 1.0)) / n,
                Loss::SquaredHinge => -y * (1.0 - margin).max(0.0) / n,
            }
        })
        .collect()
}
