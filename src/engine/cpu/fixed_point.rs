//! Sums that do not depend on the order of their terms: terms are rounded to whole numbers of a
//! power of two.

use pulp::Simd;

/// A power of two, as two factors: one alone may be beyond f64.
#[derive(Debug, Clone, Copy)]
pub struct FixedPoint {
    up: [f64; 2],
    down: [f64; 2],
    /// Whether some term is not finite, so that there is no sum.
    pub lost: bool,
}

/// Adding and subtracting this number rounds a number below 2^51 in absolute value to the nearest integer.
const ROUND: f64 = 6_755_399_441_055_744.0;

impl FixedPoint {
    /// The unit in which terms with this largest absolute value (NaN if one is not finite) are at most
    /// 2^bits.
    pub fn new(largest: f64, bits: i32) -> Self {
        let size = match largest {
            l if l > 0.0 => l.log2().ceil() as i32,
            _ => 0,
        };
        let halves = |power: i32| [power / 2, power - power / 2].map(|p| f64::from(p).exp2());
        FixedPoint {
            up: halves(bits - size),
            down: halves(size - bits),
            lost: largest.is_nan(),
        }
    }

    /// A term in this unit, not rounded.
    #[inline(always)]
    pub fn measure(&self, v: f64) -> f64 {
        v * self.up[0] * self.up[1]
    }

    /// A term of at most 2^51 units as a whole number of them.
    #[inline(always)]
    pub fn quantise(&self, v: f64) -> f64 {
        nearest(self.measure(v))
    }

    /// [`FixedPoint::quantise`] of a vector.
    #[inline(always)]
    pub fn quantise_vector<S: Simd>(&self, simd: S, v: S::f64s) -> S::f64s {
        let splat = |v: f64| simd.splat_f64s(v);
        let v = simd.mul_f64s(simd.mul_f64s(v, splat(self.up[0])), splat(self.up[1]));
        simd.sub_f64s(simd.add_f64s(v, splat(ROUND)), splat(ROUND))
    }

    /// [`FixedPoint::value`] of a vector.
    #[inline(always)]
    pub fn values<S: Simd>(&self, simd: S, units: S::f64s) -> S::f64s {
        let splat = |v: f64| simd.splat_f64s(v);
        simd.mul_f64s(
            simd.mul_f64s(units, splat(self.down[0])),
            splat(self.down[1]),
        )
    }

    /// The value of this many units.
    #[inline(always)]
    pub fn value(&self, units: f64) -> f64 {
        units * self.down[0] * self.down[1]
    }
}

/// The whole number nearest to one below 2^51 in absolute value.
#[inline(always)]
pub fn nearest(v: f64) -> f64 {
    (v + ROUND) - ROUND
}

/// Largest absolute value; NaN if one is not finite.
pub fn largest(mut values: impl Iterator<Item = f64>) -> f64 {
    let widest = |l: f64, v: f64| v.is_finite().then(|| l.max(v.abs()));
    values.try_fold(0.0, widest).unwrap_or(f64::NAN)
}

/// Bits that a sum of this many terms needs in addition to those of a term.
pub fn carries(terms: usize) -> i32 {
    (terms.max(1) as f64).log2().ceil() as i32
}
