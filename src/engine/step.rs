//! The scalars of one step, in stored units: the same rule for every engine.
//!
//! ```text
//! a ← 2^(−shift) (a + force w·G − decay a),   w ← 2^(−shift) (w + force a G − decay w)
//! ```
//!
//! for the layers that train; G_j = Σ_i g_i 1[w_j·x_i > 0] x_i. The gpu engine has the same rule in
//! `shaders/lib/step.wgsl`, with η apart from force and decay.

use crate::model::{Run, ldexp};
use crate::model::{StateFormat, Train};

/// Mean square of a trained layer above which its exponent grows: far below the overflow of squares and,
/// for f16, low enough that weights of thousands of times its root still fit.
pub const fn rescale_above(state: StateFormat) -> f32 {
    match state {
        StateFormat::F32 => 4_294_967_296.0,
        StateFormat::F16 => 256.0,
    }
}

/// What a step applies to every particle of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepScalars {
    /// The step taken, see [`step_size`].
    pub eta: f64,
    /// −η/α. With both layers stored divided by 2^e, velocities scale in the same way, as f is homogeneous
    /// of degree 2; if one layer trains alone, its force has an additional factor 2^−e.
    pub force: f64,
    /// ηλ
    pub decay: f64,
    /// Increase of the exponent of the trained layers.
    pub shift: i32,
}

/// Mean squares of the stored layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanSquares {
    /// (1/m) Σ â²
    pub a: f64,
    /// (1/m) Σ |ŵ|²
    pub w: f64,
}

impl StepScalars {
    /// The scalars of a step of size η from a state with this exponent.
    pub fn new(
        run: &Run,
        exponent: i32,
        eta: f64,
        squares: MeanSquares,
        state: StateFormat,
    ) -> Self {
        let eta = step_size(run, exponent, eta, squares.a);
        let unit = match run.train {
            Train::Both => 1.0,
            Train::Output | Train::Input => ldexp(1.0, -exponent),
        };
        let largest = match run.train {
            Train::Both => squares.a.max(squares.w),
            Train::Output => squares.a,
            Train::Input => squares.w,
        };
        StepScalars {
            eta,
            force: -eta / run.alpha * unit,
            decay: eta * run.lambda,
            shift: match largest > f64::from(rescale_above(state)) {
                // About the square root, as a power of two.
                true => binary_exponent(largest) / 2,
                false => 0,
            },
        }
    }

    /// 2^(−shift)
    pub fn scale(&self) -> f64 {
        ldexp(1.0, -self.shift)
    }
}

/// The step taken from stored layers of this exponent: η, times max(1, √((1/m) Σ a²)) in true units
/// where the run is `norm_scaled`.
pub fn step_size(run: &Run, exponent: i32, eta: f64, mean_a2: f64) -> f64 {
    let (on_a, _) = run.layer_exponents(exponent);
    match run.norm_scaled {
        true => eta * ldexp(mean_a2.sqrt(), on_a).max(1.0),
        false => eta,
    }
}

/// u, for engines whose numbers are f32: they store η divided by 2^u, and force and decay times 2^u. Where a
/// trains alone and steps grow with its norm, η leaves the range of f32 while its product with the force,
/// which has a factor 2^−e, does not: u = e there, and 0 elsewhere.
pub fn eta_exponent(run: &Run, exponent: i32) -> i32 {
    match run.norm_scaled && run.train == Train::Output {
        true => exponent,
        false => 0,
    }
}

/// ⌊log₂ v⌋ of a normal number v > 0.
fn binary_exponent(v: f64) -> i32 {
    (v.to_bits() >> 52) as i32 - 1023
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Loss;

    fn run(train: Train) -> Run {
        Run {
            train,
            alpha: 3.0,
            lambda: 0.25,
            ..Run::simple(10, Loss::SQUARE)
        }
    }

    fn scalars(run: &Run, exponent: i32, a: f64, w: f64) -> StepScalars {
        StepScalars::new(run, exponent, 0.5, MeanSquares { a, w }, StateFormat::F32)
    }

    #[test]
    fn a_layer_that_trains_alone_feels_less_force() {
        let both = scalars(&run(Train::Both), 4, 1.0, 1.0);
        assert_eq!((both.force, both.decay), (-0.5 / 3.0, 0.125));
        for train in [Train::Output, Train::Input] {
            let alone = scalars(&run(train), 4, 1.0, 1.0);
            assert_eq!((alone.force, alone.decay), (-0.5 / 3.0 / 16.0, 0.125));
        }
    }

    #[test]
    fn steps_grow_with_the_true_norm_of_a() {
        let scaled = |train| Run {
            norm_scaled: true,
            ..run(train)
        };
        assert_eq!(scalars(&scaled(Train::Output), 1, 9.0, 1.0).eta, 3.0);
        // If only w is trained, a is stored in true units.
        assert_eq!(scalars(&scaled(Train::Input), 1, 9.0, 1.0).eta, 1.5);
        assert_eq!(scalars(&scaled(Train::Both), 0, 0.25, 1.0).eta, 0.5);
        assert_eq!(scalars(&run(Train::Both), 0, 9.0, 1.0).eta, 0.5);
    }

    #[test]
    fn the_larger_of_the_trained_layers_decides_the_shift() {
        let above = 2f64.powi(32) * 1.5;
        let below = 2f64.powi(32);
        for (train, a, w, shift) in [
            (Train::Both, above, 0.0, 16),
            (Train::Both, 0.0, above, 16),
            (Train::Both, below, below, 0),
            (Train::Output, 0.0, above, 0),
            (Train::Input, above, 0.0, 0),
            (Train::Output, 2f64.powi(37), 0.0, 18),
        ] {
            let found = scalars(&run(train), 0, a, w);
            assert_eq!(found.shift, shift, "{train:?} {a} {w}");
            assert_eq!(found.scale(), 2f64.powi(-shift));
        }
    }
}
