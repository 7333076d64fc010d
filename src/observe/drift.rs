//! How far features and tangent kernel have moved from the initialisation.

use super::tangent::{KERNEL_PARTICLES, TangentKernel};
use crate::data::Dataset;
use crate::model::Train;
use crate::model::{Run, ldexp};
use crate::particles::Particles;

/// Largest number of particles whose directions are compared, and of values kept of their initial weights.
const DIRECTION_PARTICLES: usize = 4096;
const DIRECTION_NUMBERS: usize = 1 << 20;

/// The part of a run's initialisation relative to which its drift is measured: small, so that a grid of
/// runs fits in memory.
#[derive(Debug)]
pub struct DriftBaseline {
    train: Train,
    d: usize,
    /// w of the first particles.
    w: Vec<f32>,
    /// `None` for output-only training, whose kernel is constant.
    kernel: Option<TangentKernel>,
}

/// The change since the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// ‖K_t − K_0‖_F / ‖K_0‖_F of the tangent kernel (n, n), on the first 256 samples and the
    /// first 1024 particles at most (all of a narrower run), rounding errors of about 10⁻⁶
    /// included; 0 for output-only training, whose features are fixed (Chizat, Oyallon & Bach 2019).
    pub kernel: Option<f64>,
    /// Mean of cos∠(w_j at t, w_j at the start) over the first particles, at most 4096, beyond d = 256
    /// fewer but at least 1024: 1 if no feature has turned. Weights of length 0 have no direction and are
    /// left out.
    pub direction_cosine: Option<f64>,
}

impl DriftBaseline {
    /// Number of particles, the first of a run of width m, on which drift is measured.
    pub fn particles(m: usize, d: usize) -> usize {
        let directions = DIRECTION_PARTICLES.min(DIRECTION_NUMBERS / d);
        m.min(KERNEL_PARTICLES.max(directions))
    }

    /// From the first particles of the initialisation, in true units.
    pub fn new(run: &Run, block: &Particles, data: &Dataset) -> Self {
        let moves = run.train != Train::Output;
        let directions = if moves { block.w.as_slice() } else { &[] };
        DriftBaseline {
            train: run.train,
            d: block.d,
            w: directions.iter().map(|&w| w as f32).collect(),
            kernel: moves.then(|| TangentKernel::new(run.train, block, data)),
        }
    }

    /// The drift of the same particles, given in stored units with this exponent.
    pub fn drift(&self, block: &Particles, exponent: i32, data: &Dataset) -> Drift {
        let Some(kernel) = &self.kernel else {
            return Drift {
                kernel: Some(0.0),
                direction_cosine: Some(1.0),
            };
        };
        let unit = match self.train {
            Train::Both => ldexp(1.0, 2 * exponent),
            // a is in true units, and w enters only through the activation pattern.
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
        for (w, baseline) in pairs.zip(self.w.chunks_exact(self.d)) {
            let (mut product, mut w2, mut start2) = (0.0, 0.0, 0.0);
            for (&w, &baseline) in w.iter().zip(baseline) {
                let baseline = f64::from(baseline);
                product += w * baseline;
                w2 += w * w;
                start2 += baseline * baseline;
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

    fn baseline(train: Train) -> (DriftBaseline, Particles) {
        let run = Run {
            train,
            ..Run::simple(3, Loss::SQUARE)
        };
        let block = Particles {
            d: 2,
            w: vec![1.0, 0.0, 0.0, 2.0, 0.0, 0.0],
            a: vec![1.0, 1.0, 1.0],
        };
        (DriftBaseline::new(&run, &block, &data()), block)
    }

    #[test]
    fn nothing_has_moved_at_the_start() {
        for train in [Train::Both, Train::Output, Train::Input] {
            let (baseline, block) = baseline(train);
            let drift = baseline.drift(&block, 0, &data());
            assert_eq!(drift.kernel, Some(0.0), "{train:?}");
            assert_eq!(drift.direction_cosine, Some(1.0), "{train:?}");
        }
    }

    /// One of two directions turns by 60°; the third particle has no direction.
    #[test]
    fn cosines_are_averaged() {
        let (baseline, mut block) = baseline(Train::Both);
        let (sin, cos) = 60.0_f64.to_radians().sin_cos();
        block.w[..2].copy_from_slice(&[3.0 * cos, 3.0 * sin]);
        let got = baseline.drift(&block, 0, &data()).direction_cosine.unwrap();
        assert!((got - 0.75).abs() <= 1e-12, "{got}");
    }

    /// With both layers K is homogeneous of degree 2: stored at half its size, the network has not moved.
    #[test]
    fn exponents_do_not_show() {
        let (baseline, mut block) = baseline(Train::Both);
        block
            .w
            .iter_mut()
            .chain(&mut block.a)
            .for_each(|v| *v /= 2.0);
        assert_eq!(baseline.drift(&block, 1, &data()).kernel, Some(0.0));
        assert_eq!(baseline.drift(&block, 0, &data()).kernel, Some(0.75));
    }
}
