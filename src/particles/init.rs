//! The initial particles. The draw of a particle depends on (seed, index) alone, so any block can be made
//! independently of others; values are rounded to f32, the same on every engine.

use std::ops::Range;

use super::Particles;
use crate::error::{Error, Result};
use crate::experiment::{InitKind, InitSpec, Widths};
use crate::random::{Draws, Stream};

/// The key of a run's draws; together with the index it determines the draw of a particle. Runs with equal
/// keys share the draws of equal indices: with the same kind and scale, the particles of the narrower run
/// are the first ones of the wider run. Runs with different keys are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawKey {
    /// `init.seed`, else the experiment's seed.
    pub seed: u64,
    /// 0, or the width where each width has draws of its own.
    pub variant: u32,
}

impl DrawKey {
    /// The key of a run of width m in an experiment with this seed; `None` for particles from a file.
    pub fn of(init: &InitSpec, m: usize, seed: u64) -> Option<DrawKey> {
        (init.kind != InitKind::File).then(|| DrawKey {
            seed: init.seed.unwrap_or(seed),
            variant: match init.widths {
                Widths::Nested => 0,
                Widths::Disjoint => m as u32,
            },
        })
    }
}

/// The initialisation of one run.
#[derive(Debug)]
pub struct Initializer {
    kind: InitKind,
    scale_w: f64,
    scale_a: f64,
    doubled: bool,
    seed: u64,
    /// See [`DrawKey`].
    variant: u32,
    d: usize,
    /// Particles of a file.
    stored: Option<Particles>,
}

impl Initializer {
    /// Prepares m particles in dimension d, in an experiment with this seed.
    ///
    /// # Errors
    /// For kind = "file": the file cannot be read, or holds another width or dimension.
    pub fn new(init: &InitSpec, m: usize, d: usize, seed: u64) -> Result<Self> {
        let stored = match (&init.path, init.kind) {
            (Some(path), InitKind::File) => Some(super::read(path, m, d)?),
            (None, InitKind::File) => {
                return Err(Error::input(
                    "init.path",
                    "is missing",
                    "name an .npz file with w (m, d) and a (m)",
                ));
            }
            _ => None,
        };
        let DrawKey { seed, variant } =
            DrawKey::of(init, m, seed).unwrap_or(DrawKey { seed, variant: 0 });
        Ok(Initializer {
            kind: init.kind,
            scale_w: init.scale_w,
            scale_a: init.scale_a,
            doubled: init.doubled,
            seed,
            variant,
            d,
            stored,
        })
    }

    /// Whether the particles are drawn, so that no memory is needed to make a block again.
    pub fn is_drawn(&self) -> bool {
        self.stored.is_none()
    }

    /// A digest of particles from a file; `None` for particles that are drawn.
    pub fn digest(&self) -> Option<String> {
        let stored = self.stored.as_ref()?;
        let mut hasher = blake3::Hasher::new();
        for values in [&stored.w, &stored.a] {
            hasher.update(bytemuck::cast_slice(values));
        }
        Some(hasher.finalize().to_hex().to_string())
    }

    /// Particles of a range of indices.
    pub fn block(&self, range: Range<usize>) -> Particles {
        let d = self.d;
        if let Some(p) = &self.stored {
            return Particles {
                d,
                w: p.w[range.start * d..range.end * d].to_vec(),
                a: p.a[range].to_vec(),
            };
        }
        let mut block = Particles::zeros(range.len(), d);
        for (row, j) in range.enumerate() {
            let w = &mut block.w[row * d..(row + 1) * d];
            block.a[row] = self.draw(j, w);
        }
        let exact = |v: &mut f64| *v = f64::from(*v as f32);
        block.w.iter_mut().for_each(exact);
        block.a.iter_mut().for_each(exact);
        block
    }

    /// Draws w of particle j and returns its a.
    fn draw(&self, j: usize, w: &mut [f64]) -> f64 {
        // Twins share the draws of their pair and have opposite signs of a.
        let (index, twin) = if self.doubled { (j / 2, j % 2) } else { (j, 0) };
        let mut draws = Draws::new(self.seed, Stream::Init, self.variant, index as u64, 0);
        let sign = if index % 2 == 0 { 1.0 } else { -1.0 };
        let a = match self.kind {
            InitKind::Sphere | InitKind::HalfSpace | InitKind::File => {
                draws.fill_sphere(w);
                sign * self.scale_a
            }
            InitKind::Gaussian | InitKind::OneSign | InitKind::Balanced => {
                draws.fill_gaussian(w);
                self.scale_a * draws.gaussian_pair()[0]
            }
        };
        w.iter_mut().for_each(|w| *w *= self.scale_w);
        let a = match self.kind {
            InitKind::HalfSpace => {
                // Only directions with w_1 > 0.
                w[0] = w[0].abs();
                a
            }
            InitKind::OneSign => a.abs(),
            InitKind::Balanced => sign * w.iter().map(|w| w * w).sum::<f64>().sqrt(),
            _ => a,
        };
        if twin == 1 { -a } else { a }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init(kind: InitKind) -> InitSpec {
        InitSpec {
            kind,
            scale_w: 2.0,
            scale_a: 0.5,
            doubled: false,
            widths: Widths::Nested,
            seed: None,
            path: None,
        }
    }

    fn all(init: &InitSpec, m: usize) -> Particles {
        Initializer::new(init, m, 3, 5).unwrap().block(0..m)
    }

    fn norm(w: &[f64]) -> f64 {
        w.iter().map(|w| w * w).sum::<f64>().sqrt()
    }

    #[test]
    fn kinds_are_what_they_say() {
        let m = 64;
        let p = all(&init(InitKind::Sphere), m);
        assert!((0..m).all(|j| (norm(p.w(j)) - 2.0).abs() < 1e-6 && p.a[j].abs() == 0.5));
        assert_eq!(p.a.iter().sum::<f64>(), 0.0);
        let p = all(&init(InitKind::HalfSpace), m);
        assert!((0..m).all(|j| p.w(j)[0] > 0.0));
        let p = all(&init(InitKind::OneSign), m);
        assert!(p.a.iter().all(|&a| a > 0.0));
        let p = all(&init(InitKind::Balanced), m);
        assert!((0..m).all(|j| (norm(p.w(j)) - p.a[j].abs()).abs() < 1e-6));
        assert!(p.a.iter().any(|&a| a < 0.0));
        let p = all(&init(InitKind::Gaussian), 20_000);
        let mean = p.a.iter().map(|a| a * a).sum::<f64>() / 20_000.0;
        assert!((mean - 0.25).abs() < 5.0 * 0.25 * (2.0 / 20_000.0_f64).sqrt());
    }

    #[test]
    fn blocks_make_the_whole_and_widths_nest() {
        for kind in [InitKind::Sphere, InitKind::Gaussian, InitKind::Balanced] {
            let init = init(kind);
            let whole = all(&init, 40);
            let part = Initializer::new(&init, 40, 3, 5).unwrap().block(17..31);
            assert_eq!(part.a, whole.a[17..31]);
            assert_eq!(part.w, whole.w[17 * 3..31 * 3]);
            assert_eq!(all(&init, 20).a, whole.a[..20]);
            let own = InitSpec {
                widths: Widths::Disjoint,
                ..init
            };
            assert_ne!(all(&own, 20).w, all(&own, 40).w[..60]);
        }
    }

    #[test]
    fn a_seed_of_its_own_replaces_the_experiments() {
        let own = InitSpec {
            seed: Some(6),
            ..init(InitKind::Gaussian)
        };
        let drawn = |init: &InitSpec, seed| Initializer::new(init, 9, 3, seed).unwrap().block(0..9);
        assert_eq!(drawn(&own, 5), drawn(&init(InitKind::Gaussian), 6));
        assert_ne!(drawn(&own, 5), drawn(&init(InitKind::Gaussian), 5));
    }

    #[test]
    fn doubled_is_zero_at_the_start() {
        for kind in [
            InitKind::Sphere,
            InitKind::Gaussian,
            InitKind::Balanced,
            InitKind::HalfSpace,
            InitKind::OneSign,
        ] {
            let p = all(
                &InitSpec {
                    doubled: true,
                    ..init(kind)
                },
                10,
            );
            for j in (0..10).step_by(2) {
                assert_eq!(p.w(j), p.w(j + 1));
                assert_eq!(p.a[j], -p.a[j + 1]);
            }
        }
    }
}
