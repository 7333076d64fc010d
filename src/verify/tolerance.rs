//! The tolerances of all comparisons with the reference.
//!
//! Every bound is `factor · u · scale`: u is the unit round-off of the engine, `scale` the sum of
//! the absolute values of the terms (see [`super::condition`]), and the factor accounts for the
//! depth of the sums. A first-order analysis of plain summation over d ≤ 64 products, blocked sums
//! over particles and a residual accurate to a few ulp gives factors below 16.

use crate::engine::Precision;
use crate::model::StateFormat;

/// Multiple of u · scale that a stage may deviate by.
pub const FACTOR: f64 = 16.0;

/// Absolute floor of a bound, for values so small that f32 loses digits.
pub const FLOOR: f64 = 1e-30;

/// Unit round-off of an engine's sums.
pub fn unit(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => f64::from(f32::EPSILON) / 2.0,
        Precision::F64 => f64::EPSILON / 2.0,
    }
}

/// Bounds on the error of storing an updated weight: relative and absolute. For f32 they are 0, as
/// [`unit()`] includes it; f16 rounds to either neighbour, with 10 bits of mantissa down to 2^-14.
pub fn spacing(state: StateFormat) -> (f64, f64) {
    match state {
        StateFormat::F32 => (0.0, 0.0),
        StateFormat::F16 => (2f64.powi(-10), 2f64.powi(-24)),
    }
}

/// Factor of a bound for sums of `terms` products: FACTOR up to 64 terms, 2√terms beyond, since
/// rounding errors of long sums add up like a random walk.
pub fn factor(terms: usize) -> f64 {
    FACTOR.max(2.0 * (terms as f64).sqrt())
}

/// The largest error of a comparison, relative to the allowed error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worst {
    /// Error divided by the allowed error; NaN and infinity count as infinite.
    pub ratio: f64,
    /// Position of the worst entry.
    pub index: usize,
    pub got: f64,
    pub want: f64,
}

impl Worst {
    /// Whether every error is allowed. NaN never is.
    pub fn passes(&self) -> bool {
        self.ratio <= 1.0
    }
}

/// Compares entry by entry: |got − want| ≤ allowed. Different lengths never pass.
pub fn compare(got: &[f64], want: &[f64], allowed: &[f64]) -> Worst {
    let mut worst = Worst {
        ratio: 0.0,
        index: 0,
        got: f64::NAN,
        want: f64::NAN,
    };
    if got.len() != want.len() || got.len() != allowed.len() {
        worst.ratio = f64::INFINITY;
        return worst;
    }
    for (index, ((&got, &want), &allowed)) in got.iter().zip(want).zip(allowed).enumerate() {
        let error = (got - want).abs();
        let ratio = if error <= allowed {
            if allowed > 0.0 { error / allowed } else { 0.0 }
        } else if allowed > 0.0 && error.is_finite() {
            error / allowed
        } else {
            f64::INFINITY
        };
        if ratio > worst.ratio || worst.got.is_nan() {
            worst = Worst {
                ratio,
                index,
                got,
                want,
            };
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_never_passes() {
        assert!(!compare(&[f64::NAN], &[0.0], &[1.0]).passes());
        assert!(!compare(&[0.0], &[f64::NAN], &[1.0]).passes());
        assert!(!compare(&[0.0], &[0.0], &[f64::NAN]).passes());
        assert!(!compare(&[f64::INFINITY], &[0.0], &[1.0]).passes());
        assert!(!compare(&[0.0, 0.0], &[0.0], &[1.0]).passes());
        assert!(compare(&[1.0, 2.0], &[1.5, 2.0], &[0.5, 0.0]).passes());
    }

    #[test]
    fn the_worst_index_is_named() {
        let worst = compare(&[1.0, 2.0, 3.0], &[1.0, 2.5, 3.1], &[1.0, 1.0, 0.1]);
        assert_eq!(worst.index, 2);
    }
}
