//! The SIMD kernels: predict, velocity and update. Vectors run over particles, a few samples at a time stay
//! in registers, and no (n, m) array of numbers is stored: predict stores at most one activation bit per
//! pair.

mod four_russians;
mod predict;
mod products;
mod register_tables;
mod vectors;
mod velocity;

pub use predict::moments;
pub use products::add_products;
use register_tables::RegisterTable;
use vectors::looks_up;
pub use velocity::update_block;

use bytemuck::Zeroable;
use pulp::{Arch, Simd, WithSimd};

use super::layout::{Chunk, GROUP, LANES, Line, WORD, bits_per_block, lines_per_block};
use super::rows::{Rows, by_patterns};
use crate::model::Train;

/// The sums of predict over some particles.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionSums {
    /// Σ_j a_j σ(w_j·x_i), padded to whole groups.
    pub f: Vec<f64>,
    /// Σ a², Σ |w|², Σ |a||w|.
    pub moments: [f64; 3],
}

impl PredictionSums {
    /// Sums over no particles, for this many groups of samples.
    pub fn none(groups: usize) -> Self {
        PredictionSums {
            f: vec![0.0; groups * GROUP],
            moments: [0.0; 3],
        }
    }

    pub fn add(&mut self, part: &PredictionSums) {
        self.f.iter_mut().zip(&part.f).for_each(|(f, p)| *f += p);
        let moments = self.moments.iter_mut().zip(part.moments);
        moments.for_each(|(sum, moment)| *sum += moment);
    }
}

/// What velocity + update apply to each particle: θ' = scale · (keep·θ + force − decay·θ).
#[derive(Debug)]
pub struct UpdateF32<'a> {
    /// g_i in groups.
    pub g: &'a [[f32; GROUP]],
    /// The training inputs, as velocity by patterns reads them.
    pub rows: &'a Rows,
    pub train: Train,
    /// −η/α in stored units: a changes by force · w·G, and w by force · a G.
    pub force: f32,
    /// ηλ
    pub decay: f32,
    /// Power of two that keeps stored values near 1, for trained layers.
    pub scale: f32,
    /// 1 for an update, 0 to leave the velocity itself in place of the particle.
    pub keep: f32,
}

impl UpdateF32<'_> {
    /// g of the samples whose activation bits share word number `word`.
    fn word(&self, word: usize) -> &[f32] {
        let first = word * WORD;
        self.g[first..self.g.len().min(first + WORD)].as_flattened()
    }

    /// Whether g of all of these samples is 0.
    fn is_zero(&self, word: usize) -> bool {
        self.word(word).iter().all(|&g| g == 0.0)
    }
}

/// Sums of g_i x_i by patterns of activations, made once per step for all particles; empty where the
/// kernels do not use them.
#[derive(Debug, Default)]
pub struct PatternTables {
    lookup: RegisterTable,
    patterns: Vec<Line>,
}

/// The kernels on some samples: what they need to know of these, and how the particles are cut.
#[derive(Debug, Clone, Copy)]
pub struct SampleKernels<'a> {
    pub d: usize,
    /// Samples in groups (groups, d), as [`super::layout::Samples`] packs them.
    pub x: &'a [[f32; GROUP]],
    /// Blocks of a tile, see [`super::layout::ChunkSize`].
    pub tile: usize,
    pub arch: Arch,
}

impl SampleKernels<'_> {
    fn groups(&self) -> usize {
        self.x.len() / self.d
    }

    /// predict: the sums over the particles of `lines`. Writes their activation bits to `active`, unless
    /// it is empty.
    pub fn predict(self, lines: &mut [Line], active: &mut [Line]) -> PredictionSums {
        self.sweep(lines, active, None)
    }

    /// The tables that [`SampleKernels::velocity_update_predict`] uses for an update.
    pub fn tabulate(self, update: &UpdateF32) -> PatternTables {
        match update.train {
            Train::Output => PatternTables::default(),
            Train::Both | Train::Input => self.arch.dispatch(Tabulate {
                kernels: self,
                update,
            }),
        }
    }

    /// velocity + update + predict in one pass over a chunk: updates its particles, and predicts
    /// with the updated ones. The chunk's activation bits must be those of the last prediction on
    /// these samples.
    pub fn velocity_update_predict(
        self,
        chunk: Chunk,
        update: &UpdateF32,
        by_pattern: &PatternTables,
    ) -> PredictionSums {
        self.sweep(chunk.lines, chunk.active, Some((update, by_pattern)))
    }

    /// Runs the kernels that are compiled for d, in which the compiler unrolls the loops over coordinates,
    /// or else those for any d.
    fn sweep(
        self,
        lines: &mut [Line],
        active: &mut [Line],
        update: Option<UpdateWithTables>,
    ) -> PredictionSums {
        match self.d {
            1 => self.sweep_in::<1>(lines, active, update),
            2 => self.sweep_in::<2>(lines, active, update),
            3 => self.sweep_in::<3>(lines, active, update),
            4 => self.sweep_in::<4>(lines, active, update),
            5 => self.sweep_in::<5>(lines, active, update),
            6 => self.sweep_in::<6>(lines, active, update),
            7 => self.sweep_in::<7>(lines, active, update),
            8 => self.sweep_in::<8>(lines, active, update),
            10 => self.sweep_in::<10>(lines, active, update),
            15 => self.sweep_in::<15>(lines, active, update),
            16 => self.sweep_in::<16>(lines, active, update),
            _ => self.sweep_in::<0>(lines, active, update),
        }
    }

    /// D is d if it is known at compile time, else 0: one function for each D, as a single one for all
    /// would take minutes to compile.
    fn sweep_in<const D: usize>(
        self,
        lines: &mut [Line],
        active: &mut [Line],
        update: Option<UpdateWithTables>,
    ) -> PredictionSums {
        self.arch.dispatch(Sweep::<D> {
            kernels: self,
            lines,
            active,
            update,
        })
    }
}

struct Tabulate<'a> {
    kernels: SampleKernels<'a>,
    update: &'a UpdateF32<'a>,
}

impl WithSimd for Tabulate<'_> {
    type Output = PatternTables;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> PatternTables {
        let Tabulate { kernels, update } = self;
        let lookup = match kernels.d {
            1 => RegisterTable::new::<S, 1>(simd, kernels.x, update),
            2 => RegisterTable::new::<S, 2>(simd, kernels.x, update),
            3 => RegisterTable::new::<S, 3>(simd, kernels.x, update),
            4 => RegisterTable::new::<S, 4>(simd, kernels.x, update),
            5 => RegisterTable::new::<S, 5>(simd, kernels.x, update),
            6 => RegisterTable::new::<S, 6>(simd, kernels.x, update),
            7 => RegisterTable::new::<S, 7>(simd, kernels.x, update),
            8 => RegisterTable::new::<S, 8>(simd, kernels.x, update),
            _ => RegisterTable::default(),
        };
        let patterns = match by_patterns(kernels.d) {
            true => four_russians::tabulate(simd, kernels.d, update),
            false => Vec::new(),
        };
        PatternTables { lookup, patterns }
    }
}

/// An update, with the tables that were made of it for all particles.
type UpdateWithTables<'a> = (&'a UpdateF32<'a>, &'a PatternTables);

struct Sweep<'a, const D: usize> {
    kernels: SampleKernels<'a>,
    lines: &'a mut [Line],
    /// Activation bits, which velocity reads and predict writes; empty where they are not kept.
    active: &'a mut [Line],
    update: Option<UpdateWithTables<'a>>,
}

impl<const D: usize> WithSimd for Sweep<'_, D> {
    type Output = PredictionSums;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> PredictionSums {
        // Samples and vectors of particles in predict's register tile. With two vectors a sample's
        // coordinate is loaded once for both. AVX-512 reads it from memory as part of a
        // multiplication, at no cost, so one vector is enough.
        if const { S::REGISTER_COUNT >= 32 } {
            match self.active.is_empty() {
                true => self.tiles::<S, 8, 1, false>(simd),
                false => self.tiles::<S, 8, 1, true>(simd),
            }
        } else {
            match self.active.is_empty() {
                true => self.tiles::<S, 4, 2, false>(simd),
                false => self.tiles::<S, 4, 2, true>(simd),
            }
        }
    }
}

impl<const D: usize> Sweep<'_, D> {
    /// N samples and V vectors of particles are predict's register tile. KEPT says whether activation bits
    /// are kept from predict to velocity.
    #[inline(always)]
    fn tiles<S: Simd, const N: usize, const V: usize, const KEPT: bool>(
        self,
        simd: S,
    ) -> PredictionSums {
        let d = if D == 0 { self.kernels.d } else { D };
        let groups = self.kernels.groups();
        let mut sums = PredictionSums::none(groups);
        let lines = self.kernels.tile * lines_per_block(d);
        let per_block = bits_per_block(groups);
        let bits = self.kernels.tile * per_block;
        let finds = self
            .update
            .is_some_and(|(update, _)| !KEPT && update.train != Train::Output);
        let mut found = vec![Line::zeroed(); if finds { bits } else { 0 }];
        let mut forces = match self.update {
            Some(_) => vec![Line::zeroed(); lines.min(self.lines.len())],
            None => Vec::new(),
        };
        for (t, lines) in self.lines.chunks_mut(lines).enumerate() {
            let active = if KEPT {
                let end = self.active.len().min((t + 1) * bits);
                &mut self.active[t * bits..end]
            } else {
                &mut []
            };
            if let Some((update, by_pattern)) = self.update {
                let forces = &mut forces[..lines.len()];
                let x = self.kernels.x;
                let active = if KEPT {
                    &*active
                } else if finds {
                    // They are not kept: computed again, for this tile.
                    let found = &mut found[..lines.len() / lines_per_block(d) * per_block];
                    predict::activations::<S, D, N, V>(simd, d, lines, x, found);
                    &*found
                } else {
                    &*active
                };
                if update.train == Train::Output {
                    velocity::potential::<S, D>(simd, d, lines, x, update, forces);
                } else if const { is_small::<D>() && looks_up::<S>() } {
                    let table = &by_pattern.lookup;
                    table.velocity::<S, D>(simd, groups, active, forces);
                } else if const { is_small::<D>() } {
                    velocity::velocity::<S, D>(simd, x, update, active, forces);
                } else {
                    four_russians::velocity(simd, d, update, &by_pattern.patterns, active, forces);
                }
                velocity::update_block::<S, D>(simd, d, lines, update, forces);
            }
            predict::predict::<S, D, N, V, KEPT>(
                simd,
                d,
                lines,
                self.kernels.x,
                active,
                &mut sums.f,
            );
            predict::moments(simd, d, lines, &mut sums.moments);
        }
        sums
    }
}

/// Whether d = D is known and so small that w and G of a vector of particles fit in registers.
const fn is_small<const D: usize>() -> bool {
    D > 0 && !by_patterns(D)
}

/// Vectors of a plane.
const fn per_plane<S: Simd>() -> usize {
    LANES / S::F32_LANES
}

/// V vectors of plane k, from number `first` on.
#[inline(always)]
fn at<S: Simd, T: Copy, const V: usize>(planes: &[T], k: usize, first: usize) -> [T; V] {
    let start = k * per_plane::<S>() + first;
    let planes = &planes[start..start + V];
    std::array::from_fn(|v| planes[v])
}

/// Adds to V vectors of plane k, from number `first` on.
#[inline(always)]
fn add_plane<S: Simd, const V: usize>(
    simd: S,
    planes: &mut [S::f32s],
    k: usize,
    first: usize,
    sum: [S::f32s; V],
) {
    let start = k * per_plane::<S>() + first;
    for (plane, sum) in planes[start..start + V].iter_mut().zip(sum) {
        *plane = simd.add_f32s(*plane, sum);
    }
}
