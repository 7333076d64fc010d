//! Numbers and sums as if in twice the precision of f64 (Dekker 1971; Ogita, Rump and Oishi 2005): weights
//! that cancel large coordinates leave little of a sum.

/// The sum of two f64 that do not overlap.
#[derive(Debug, Clone, Copy, Default)]
pub struct Twofold {
    high: f64,
    low: f64,
}

impl Twofold {
    /// a b, exactly.
    pub fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        Twofold {
            high,
            low: a.mul_add(b, -high),
        }
    }

    pub fn plus(self, other: Self) -> Self {
        let (sum, error) = two_sum(self.high, other.high);
        let low = error + (self.low + other.low);
        let high = sum + low;
        Twofold {
            high,
            low: low - (high - sum),
        }
    }

    pub fn minus(self, other: Self) -> Self {
        self.plus(Twofold {
            high: -other.high,
            low: -other.low,
        })
    }

    /// s times it, to the precision of f64 for a term of a sum.
    pub fn times(self, s: f64) -> Self {
        let Twofold { high, low } = Twofold::product(self.high, s);
        Twofold {
            high,
            low: low + self.low * s,
        }
    }

    pub fn value(self) -> f64 {
        self.high + self.low
    }
}

impl From<f64> for Twofold {
    fn from(high: f64) -> Self {
        Twofold { high, low: 0.0 }
    }
}

/// a + b and what it rounds off.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

/// start + u·v
pub fn dot(start: f64, u: &[f64], v: &[f64]) -> f64 {
    let terms = u.iter().zip(v).map(|(u, v)| Twofold::product(*u, *v));
    terms.fold(start.into(), Twofold::plus).value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cancels_leaves_the_rest() {
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
        let square = Twofold::product(third, third);
        assert_eq!(square.value(), third * third);
        assert_ne!(square.minus((third * third).into()).value(), 0.0);
        assert_eq!(
            square
                .times(4.0)
                .minus(Twofold::product(2.0 * third, 2.0 * third))
                .value(),
            0.0
        );
    }
}
