//! The exact short cut for many particles in few dimensions.
//!
//! Particles are kept sorted, so that those of a block have similar directions. A box around these
//! directions shows for most samples that they activate all particles of the block or none: such a sample
//! costs the block one sum, and only samples that cut the box are computed pair by pair. On each of three
//! levels above the blocks, a box encloses eight boxes of the level below: so most samples are decided for
//! many blocks at once.
//!
//! predict needs T_i, the sum of a_j w_j over the particles that are active on sample i, for f_i = x_i·T_i,
//! and velocity needs G_j, the sum of g_i x_i over the samples on which particle j is active. Terms are
//! rounded to integers in a fixed unit (see [`FixedPoint`]), whose sums are exact. So no bit depends on how
//! or when particles are sorted, and a checkpoint need not store the order.

mod crossing;
mod largest;
mod predict;
mod region;
mod share_cut;
mod sort;
mod update;
mod wide;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

#[cfg(doc)]
use super::fixed_point::FixedPoint;
use super::kernel::{PredictionSums, UpdateF32};
use super::layout::{Blocks, LANES, Line, Samples, lines_per_block};
use crossing::Crossing;
use largest::{Largest, RefitBounds};
use predict::{Predict, Total};
use region::NODES;
pub use share_cut::share_cut;
use update::{UpdateChunk, rows};

/// Blocks of a chunk, the unit of parallel work: one node of the highest level.
pub const CHUNK: usize = region::span(region::TOP);

/// Input dimensions that the short cut is made for.
const DIMENSIONS: std::ops::RangeInclusive<usize> = 3..=ROW;

/// What sorting costs, in samples that cut a block. Measured: 200 ns per particle, and 3.5 ns per
/// particle and sample.
const SORT_COST: f64 = 60.0;

/// The regions of a run's particles, and whether the particles should be sorted again.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    /// Regions of all nodes, chunk by chunk.
    regions: Vec<f32>,
    largest: Largest,
    /// Samples that cut a block, summed over the blocks, in the first prediction after the particles were
    /// sorted.
    fresh: Option<u64>,
    /// How many more have cut a block since, on average over the blocks and summed over the predictions.
    excess: f64,
}

impl Cells {
    /// Sorts the particles and finds their regions.
    pub fn new(blocks: &mut Blocks, arch: Arch) -> Self {
        let mut cells = Cells::default();
        cells.sort(blocks, arch);
        cells
    }

    /// Sorts the particles again. The memory of the regions is freed for the sort.
    fn sort(&mut self, blocks: &mut Blocks, arch: Arch) {
        *self = Cells::default();
        sort::sort(blocks);
        let (d, chunks) = (blocks.d, blocks.len().div_ceil(CHUNK));
        self.regions = vec![0.0; chunks * NODES * 2 * d];
        self.largest = self
            .chunks(blocks)
            .map(|(lines, regions)| arch.dispatch(For(d, RefitBounds { lines, regions })))
            .reduce(Largest::default, Largest::or);
    }

    /// Lines and regions of every chunk.
    fn chunks<'a>(
        &'a mut self,
        blocks: &'a mut Blocks,
    ) -> impl IndexedParallelIterator<Item = (&'a mut [Line], &'a mut [f32])> {
        let d = blocks.d;
        let lines = blocks.lines.par_chunks_mut(CHUNK * lines_per_block(d));
        lines.zip(self.regions.par_chunks_mut(NODES * 2 * d))
    }

    /// velocity + update by a residual g (n) on these samples.
    pub fn update(
        &mut self,
        blocks: &mut Blocks,
        samples: &Samples,
        g: &[f64],
        update: &UpdateF32,
        arch: Arch,
    ) {
        let d = blocks.d;
        let (rows, unit) = rows(samples, d, g);
        let all = Crossing::all(&samples.x, d);
        let pull = |(lines, regions)| {
            arch.dispatch(For(
                d,
                UpdateChunk {
                    lines,
                    regions,
                    all: &all,
                    rows: &rows,
                    unit,
                    update,
                },
            ))
        };
        self.largest = self
            .chunks(blocks)
            .map(pull)
            .reduce(Largest::default, Largest::or);
    }

    /// predict on these samples.
    pub fn predict(
        &mut self,
        blocks: &mut Blocks,
        samples: &Samples,
        arch: Arch,
    ) -> PredictionSums {
        self.total(blocks, samples, arch).0
    }

    /// predict on the training set. Sorts the particles again if they have moved so far that this pays.
    pub fn predict_on_train(
        &mut self,
        blocks: &mut Blocks,
        samples: &Samples,
        arch: Arch,
    ) -> PredictionSums {
        let (sums, cut) = self.total(blocks, samples, arch);
        let fresh = *self.fresh.get_or_insert(cut);
        self.excess += cut.saturating_sub(fresh) as f64 / blocks.len().max(1) as f64;
        if self.excess > SORT_COST {
            self.sort(blocks, arch);
        }
        sums
    }

    fn total(
        &mut self,
        blocks: &mut Blocks,
        samples: &Samples,
        arch: Arch,
    ) -> (PredictionSums, u64) {
        let (d, m) = (blocks.d, blocks.len() * LANES);
        let units = self.largest.units(m);
        let all = Crossing::all(&samples.x, d);
        let none = || Total::none(samples.x.len() / d);
        let total = self
            .chunks(blocks)
            .fold(none, |mut total, (lines, regions)| {
                arch.dispatch(For(
                    d,
                    Predict {
                        lines,
                        regions,
                        all: &all,
                        units,
                        total: &mut total,
                    },
                ));
                total
            })
            .reduce(none, Total::and);
        (total.sums(d, samples, units), total.cut)
    }
}

/// Work on a chunk whose d is known to the compiler.
trait ByDimension {
    type Output;

    fn run<S: Simd, const D: usize>(self, simd: S) -> Self::Output;
}

/// Work, with the d of its particles.
struct For<W>(usize, W);

impl<W: ByDimension> WithSimd for For<W> {
    type Output = W::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> W::Output {
        match self.0 {
            3 => self.1.run::<S, 3>(simd),
            _ => self.1.run::<S, 4>(simd),
        }
    }
}

/// Length of a row of whole numbers: d of them, padded to the largest d.
const ROW: usize = 4;

/// A row of whole numbers.
type PaddedRow = [f64; ROW];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use crate::engine::cpu::layout::grouped;
    use crate::model::Train;
    use crate::random::{Draws, Stream};

    fn gaussian(count: usize, seed: u64) -> Vec<f32> {
        let mut values = vec![0.0; count];
        Draws::new(seed, Stream::TrainData, 0, 0, 0).fill_gaussian(&mut values);
        values.into_iter().map(|v| v as f32).collect()
    }

    /// Particles that have moved past each other are sorted again, and then few samples cut their blocks;
    /// predictions do not change.
    #[test]
    fn they_are_sorted_again_when_that_pays() {
        let (m, n, d) = (20_000, 64, 3);
        let data = Dataset {
            d,
            x: gaussian(n * d, 1),
            y: vec![1.0; n],
        };
        let samples = Samples::new(&data, false);
        let mut blocks = Blocks::new(m, d, n, 0);
        let mut weights = gaussian(m * (d + 1), 2).into_iter();
        for j in 0..m {
            (0..=d).for_each(|k| *blocks.at(j, k) = weights.next().unwrap());
        }
        let arch = Arch::new();
        let mut cells = Cells::new(&mut blocks, arch);
        cells.predict_on_train(&mut blocks, &samples, arch);
        let fresh = cells.fresh.unwrap();

        let g = vec![1.0; n];
        let update = UpdateF32 {
            g: &grouped(g.iter().map(|&g| g as f32), n),
            rows: &samples.rows,
            train: Train::Both,
            force: 0.1,
            decay: 0.0,
            scale: 1.0,
            keep: 1.0,
        };
        cells.update(&mut blocks, &samples, &g, &update, arch);
        let (moved, cut) = cells.total(&mut blocks, &samples, arch);
        assert!(cut > 2 * fresh, "{cut} after {fresh}");
        let places = blocks.places.clone();
        let mut predictions = 0;
        while blocks.places == places {
            assert_eq!(cells.predict_on_train(&mut blocks, &samples, arch), moved);
            predictions += 1;
            assert!(predictions < 100, "never sorted again");
        }
        assert!(predictions > 1, "sorted at once, before it paid");
        let (same, again) = cells.total(&mut blocks, &samples, arch);
        assert!(again < cut / 2, "{again} after {cut}");
        assert_eq!(same, moved);
    }
}
