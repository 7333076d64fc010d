//! The power of two that an engine in single precision starts with, for weights that a file has as they are.

use crate::engine::step::rescale_above;
use crate::model::{StateFormat, Train, ldexp};

/// Sizes of the weights of one layer, from its values in any order.
#[derive(Debug, Clone, Copy, Default)]
pub struct LayerSizes {
    /// Largest |v|.
    largest: f64,
    /// Σ v² / 4^power, where 2^power is near the largest |v|: squares of large values overflow.
    squares: f64,
    power: i32,
}

impl LayerSizes {
    /// Takes in more values.
    pub fn add(&mut self, values: &[f64]) {
        let largest = values.iter().fold(self.largest, |l, v| l.max(v.abs()));
        if largest > self.largest {
            let power = largest.log2().floor() as i32;
            self.squares = ldexp(self.squares, 2 * (self.power - power));
            (self.largest, self.power) = (largest, power);
        }
        self.squares += values
            .iter()
            .map(|v| ldexp(*v, -self.power).powi(2))
            .sum::<f64>();
    }

    /// e with (1/m) Σ v² between 4^e and 4^(e+1), or 0 where it is below the limit.
    fn exponent(&self, m: usize, limit: f64) -> i32 {
        let mean = self.squares / m as f64;
        match ldexp(mean, 2 * self.power) > limit {
            true => self.power + (mean.log2() / 2.0).floor() as i32,
            false => 0,
        }
    }
}

/// Exponent of the trained layers by the rule that engines follow in a step, from both layers of m particles;
/// `None` if f32 cannot hold what is stored then.
pub fn initial_exponent(
    (w, a): (&LayerSizes, &LayerSizes),
    m: usize,
    train: Train,
    state: StateFormat,
) -> Option<i32> {
    let limit = f64::from(rescale_above(state));
    let trained = |layer: Train| train == Train::Both || train == layer;
    let layers = [(w, trained(Train::Input)), (a, trained(Train::Output))];
    let exponents = layers.iter().filter(|(_, trains)| *trains);
    let exponent = exponents.map(|(l, _)| l.exponent(m, limit)).max()?;
    let fits = |(layer, trains): &(&LayerSizes, bool)| {
        let stored = ldexp(layer.largest, if *trains { -exponent } else { 0 });
        stored <= f64::from(f32::MAX)
    };
    layers.iter().all(fits).then_some(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(values: &[f64]) -> LayerSizes {
        let mut sizes = LayerSizes::default();
        values.iter().for_each(|v| sizes.add(&[*v]));
        sizes
    }

    #[test]
    fn large_weights_start_near_one() {
        let small = sizes(&[0.5, -3.0, 0.0]);
        let of = |w: &LayerSizes, a: &LayerSizes, train| {
            initial_exponent((w, a), 3, train, StateFormat::F32)
        };
        assert_eq!(of(&small, &small, Train::Both), Some(0));
        for power in [20, 200, 600, 1020] {
            let values = [1.0, -1.0, 0.0].map(|v| ldexp(v, power));
            let large = sizes(&values);
            // The mean of squares is 2/3 of 4^power.
            assert_eq!(of(&small, &large, Train::Both), Some(power - 1));
            assert_eq!(of(&large, &small, Train::Input), Some(power - 1));
            let fixed = of(&large, &small, Train::Output);
            assert_eq!(fixed, (power < 128).then_some(0));
        }
        // The mean decides, not the largest weight.
        let outlier = sizes(&[ldexp(1.0, 130), 1.0]);
        assert_eq!(
            initial_exponent((&small, &outlier), 1 << 40, Train::Both, StateFormat::F32),
            Some(110)
        );
    }
}
