//! Step size schedules.

use std::f64::consts::PI;

/// How the step size changes over a run, see [`Schedule::step`].
///
/// In a file: `"constant"` (the default), `"inverse-sqrt"`, `{ power = p }` or `"cosine"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// η
    Constant,
    /// η/√(k+2): the first step is η/√2.
    InverseSqrt,
    /// η (k+1)^(−p), p ≥ 0
    Power(f64),
    /// η (1 + cos(πk/steps))/2
    Cosine,
}

impl Schedule {
    /// Size of update k = 0, 1, …, steps − 1 of a run, for the step η of the experiment:
    ///
    /// | schedule | step |
    /// |---|---|
    /// | constant | η |
    /// | inverse-sqrt | η/√(k+2) |
    /// | power p | η (k+1)^(−p) |
    /// | cosine | η (1 + cos(πk/steps))/2, 0 from k = steps on |
    ///
    /// docs/model.md writes η/√(k+1) with k counted from 1: the first step is η/√2 in both.
    /// A run extended beyond its steps continues the first three schedules; cosine is 0 by then.
    pub fn step(self, eta: f64, k: u64, steps: u64) -> f64 {
        match self {
            Schedule::Constant => eta,
            Schedule::InverseSqrt => eta / (k as f64 + 2.0).sqrt(),
            Schedule::Power(p) => eta * (k as f64 + 1.0).powf(-p),
            Schedule::Cosine if k >= steps => 0.0,
            Schedule::Cosine => eta * (1.0 + (PI * k as f64 / steps as f64).cos()) / 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: f64, expected: f64) {
        let close = (found - expected).abs() <= 1e-15 * expected.abs().max(1.0);
        assert!(close, "{found} is not {expected}");
    }

    #[test]
    fn constant_stays() {
        assert_eq!(Schedule::Constant.step(0.3, 0, 10), 0.3);
        assert_eq!(Schedule::Constant.step(0.3, 1_000_000, 10), 0.3);
    }

    #[test]
    fn inverse_sqrt_starts_at_eta_over_root_two() {
        let step = |k| Schedule::InverseSqrt.step(0.5, k, 10);
        assert_close(step(0), 0.353_553_390_593_273_8);
        assert_close(step(2), 0.25);
        assert_close(step(98), 0.05);
    }

    #[test]
    fn power_law_starts_at_eta() {
        let step = |p, k| Schedule::Power(p).step(2.0, k, 10);
        assert_close(step(0.3, 0), 2.0);
        assert_close(step(0.5, 3), 1.0);
        assert_close(step(1.0, 9), 0.2);
        assert_close(step(0.0, 9), 2.0);
    }

    #[test]
    fn cosine_goes_from_eta_to_zero() {
        let step = |k| Schedule::Cosine.step(2.0, k, 4);
        assert_close(step(0), 2.0);
        assert_close(step(1), 1.0 + 0.5_f64.sqrt());
        assert_close(step(2), 1.0);
        assert_eq!(step(4), 0.0);
        assert_eq!(step(5), 0.0);
        assert_eq!(Schedule::Cosine.step(2.0, 0, 0), 0.0);
    }
}
