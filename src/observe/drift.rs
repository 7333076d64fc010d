//! How far features and tangent kernel have moved since the start.

use super::tangent::{KERNEL_PARTICLES, TangentKernel};
use crate::data::Dataset;
use crate::model::Train;
use crate::model::{Run, ldexp};
use crate::particles::Particles;

/// Particles whose directions are compared, and numbers that their start takes, at most.
const DIRECTION_PARTICLES: usize = 4096;
const DIRECTION_NUMBERS: usize = 1 << 20;

/// What is kept of the start of a run, to measure from it: little, so that a grid of runs fits.
#[derive(Debug)]
pub struct Start {
    train: Train,
    d: usize,
    /// w of the first particles.
    w: Vec<f32>,
    /// Where the kernel can move at all.
    kernel: Option<TangentKernel>,
}

/// The change since the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// ‖K_t − K_0‖_F / ‖K_0‖_F of the tangent kernel (n, n), on the first 256 samples and the
    /// first 1024 particles at most (all of a narrower run), rounding errors of about 10⁻⁶
    /// included; 0 for output-only training, whose features are fixed (Chizat, Oyallon & Bach 2019).
    pub kernel: Option<f64>,
    /// Mean of cos∠(w_j at t, w_j at the start) over the first 4096 particles at most (fewer beyond
    /// d = 256, but 1024): 1 where no feature has turned. Weights of length 0 have no
    /// direction and do not count.
    pub direction_cosine: Option<f64>,
}

impl Start {
    /// Particles that must be known, at the start and later, of a run of width m: the first ones.
    pub fn particles(m: usize, d: usize) -> usize {
        let directions = DIRECTION_PARTICLES.min(DIRECTION_NUMBERS / d);
        m.min(KERNEL_PARTICLES.max(directions))
    }

    /// From these particles of the initialisation, in true units.
    pub fn new(run: &Run, block: &Particles, data: &Dataset) -> Self {
        let moves = run.train != Train::Output;
        let directions = if moves { block.w.as_slice() } else { &[] };
        Start {
            train: run.train,
            d: block.d,
            w: directions.iter().map(|&w| w as f32).collect(),
            kernel: moves.then(|| TangentKernel::new(run.train, block, data)),
        }
    }

    /// The drift of the same particles in stored units, at this exponent.
    pub fn drift(&self, block: &Particles, exponent: i32, data: &Dataset) -> Drift {
        let Some(kernel) = &self.kernel else {
            return Drift {
                kernel: Some(0.0),
                direction_cosine: Some(1.0),
            };
        };
        let unit = match self.train {
            Train::Both => ldexp(1.0, 2 * exponent),
            // a is in true units, and of w only the pattern of activations enters.
            Train::Output | Train::Input => 1.0,
        };
        let now = TangentKernel::new(self.train, block, data);
        Drift {
            kernel: now.change(unit, kernel),
            direction_cosine: self.cosine(block),
        }
    }

    fn cosine(&self, block: &Particles) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        let pairs = block.w.chunks_exact(self.d);
        for (w, start) in pairs.zip(self.w.chunks_exact(self.d)) {
            let (mut product, mut w2, mut start2) = (0.0, 0.0, 0.0);
            for (&w, &start) in w.iter().zip(start) {
                let start = f64::from(start);
                product += w * start;
                w2 += w * w;
                start2 += start * start;
            }
            if w2 > 0.0 && start2 > 0.0 {
                sum += product / (w2.sqrt() * start2.sqrt());
                count += 1.0;
            }
        }
        (count > 0.0).then(|| sum / count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Loss;

    fn data() -> Dataset {
        Dataset {
            d: 2,
            x: vec![1.0, 0.0, 0.0, 1.0],
            y: vec![1.0; 2],
        }
    }

    fn start(train: Train) -> (Start, Particles) {
        let run = Run {
            train,
            ..Run::simple(3, Loss::SQUARE)
        };
        let block = Particles {
            d: 2,
            w: vec![1.0, 0.0, 0.0, 2.0, 0.0, 0.0],
            a: vec![1.0, 1.0, 1.0],
        };
        (Start::new(&run, &block, &data()), block)
    }

    #[test]
    fn nothing_has_moved_at_the_start() {
        for train in [Train::Both, Train::Output, Train::Input] {
            let (start, block) = start(train);
            let drift = start.drift(&block, 0, &data());
            assert_eq!(drift.kernel, Some(0.0), "{train:?}");
            assert_eq!(drift.direction_cosine, Some(1.0), "{train:?}");
        }
    }

    /// One of two directions turns by 60°; the third has none.
    #[test]
    fn cosines_are_averaged() {
        let (start, mut block) = start(Train::Both);
        let (sin, cos) = 60.0_f64.to_radians().sin_cos();
        block.w[..2].copy_from_slice(&[3.0 * cos, 3.0 * sin]);
        let got = start.drift(&block, 0, &data()).direction_cosine.unwrap();
        assert!((got - 0.75).abs() <= 1e-12, "{got}");
    }

    /// With both layers K is of degree 2: stored at half its size it has not moved.
    #[test]
    fn exponents_do_not_show() {
        let (start, mut block) = start(Train::Both);
        block
            .w
            .iter_mut()
            .chain(&mut block.a)
            .for_each(|v| *v /= 2.0);
        assert_eq!(start.drift(&block, 1, &data()).kernel, Some(0.0));
        assert_eq!(start.drift(&block, 0, &data()).kernel, Some(0.75));
    }
}
