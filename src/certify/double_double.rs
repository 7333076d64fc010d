//! Double-double arithmetic (Dekker 1971; Ogita, Rump and Oishi 2005), for sums whose terms nearly cancel.

/// The sum of two f64 that do not overlap.
#[derive(Debug, Clone, Copy, Default)]
pub struct DoubleDouble {
    high: f64,
    low: f64,
}

impl DoubleDouble {
    /// a b, exactly.
    pub fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        DoubleDouble {
            high,
            low: a.mul_add(b, -high),
        }
    }

    pub fn plus(self, other: Self) -> Self {
        let (sum, error) = two_sum(self.high, other.high);
        let low = error + (self.low + other.low);
        let high = sum + low;
        DoubleDouble {
            high,
            low: low - (high - sum),
        }
    }

    pub fn minus(self, other: Self) -> Self {
        self.plus(DoubleDouble {
            high: -other.high,
            low: -other.low,
        })
    }

    /// Its product with s; the error is that of f64 relative to `low`.
    pub fn times(self, s: f64) -> Self {
        let DoubleDouble { high, low } = DoubleDouble::product(self.high, s);
        DoubleDouble {
            high,
            low: low + self.low * s,
        }
    }

    pub fn value(self) -> f64 {
        self.high + self.low
    }
}

impl From<f64> for DoubleDouble {
    fn from(high: f64) -> Self {
        DoubleDouble { high, low: 0.0 }
    }
}

/// a + b rounded, and its rounding error.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

/// start + u·v
pub fn dot(start: f64, u: &[f64], v: &[f64]) -> f64 {
    let terms = u.iter().zip(v).map(|(u, v)| DoubleDouble::product(*u, *v));
    terms.fold(start.into(), DoubleDouble::plus).value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_that_cancel_are_exact() {
        // 2⁻⁴⁰ from terms of 2⁶⁰, in any order.
        let (large, small) = (2f64.powi(60), 2f64.powi(-40));
        for terms in [
            [large, 1.0, -large, small],
            [small, large, 1.0, -large],
            [1.0, small, -large, large],
        ] {
            let ones = [1.0; 4];
            assert_eq!(dot(-1.0, &terms, &ones), small, "{terms:?}");
            // The sabotage: a plain sum.
            assert_ne!(-1.0 + terms.iter().sum::<f64>(), small);
        }
        let third = 1.0 / 3.0;
        let square = DoubleDouble::product(third, third);
        assert_eq!(square.value(), third * third);
        assert_ne!(square.minus((third * third).into()).value(), 0.0);
        assert_eq!(
            square
                .times(4.0)
                .minus(DoubleDouble::product(2.0 * third, 2.0 * third))
                .value(),
            0.0
        );
    }
}
