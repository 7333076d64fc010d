//! Powers of two: conversion of stored values to true values.

/// v · 2^e without intermediate overflow: 2^e alone may overflow or underflow where v · 2^e does not.
pub fn ldexp(v: f64, e: i32) -> f64 {
    const STEP: i32 = 1000;
    // Beyond five factors every number except 0 has overflowed or underflowed.
    let mut left = e.clamp(-5 * STEP, 5 * STEP);
    let mut v = v;
    while left != 0 {
        let now = left.clamp(-STEP, STEP);
        v *= f64::from(now).exp2();
        left -= now;
    }
    v
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldexp_passes_through_the_whole_range() {
        assert_eq!(ldexp(1.5, 4), 24.0);
        assert_eq!(ldexp(2.0_f64.powi(-1000), 2000), 2.0_f64.powi(1000));
        assert_eq!(ldexp(2.0_f64.powi(600), -1200), 2.0_f64.powi(-600));
        assert_eq!(ldexp(0.0, 4000), 0.0);
    }
}
