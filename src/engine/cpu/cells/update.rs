//! velocity + update: G_j = Σ_i g_i 1[z_ij > 0] x_i, from the samples that activate a whole region and
//! those that cut it.

use bytemuck::Zeroable;
use pulp::Simd;

use super::crossing::{Crossing, CrossingByLevel};
use super::largest::{Largest, refit_bounds};
use super::region::{Region, TOP, node, starts};
use super::wide::{self, Planes};
use super::{ByDimension, DIMENSIONS, PaddedRow, ROW};
use crate::engine::cpu::fixed_point::{FixedPoint, carries, largest};
use crate::engine::cpu::kernel::{UpdateF32, update_block};
use crate::engine::cpu::layout::{GROUP, LANES, Line, Samples, lines_per_block};
use crate::model::Train;

/// Bits of a sum over samples.
const ROOM: i32 = 52;

/// g_i x_i of the samples, in whole numbers of a unit: rows of d of them, padded to [`ROW`].
pub fn rows(samples: &Samples, d: usize, g: &[f64]) -> (Vec<f64>, FixedPoint) {
    let term = |i: usize, k: usize| g[i] * f64::from(samples.x[i / GROUP * d + k][i % GROUP]);
    let terms = (0..samples.n).flat_map(|i| (0..d).map(move |k| (i, k)));
    let sizes = terms.clone().map(|(i, k)| term(i, k));
    let unit = FixedPoint::new(largest(sizes), ROOM - carries(samples.n));
    let mut rows = vec![0.0; samples.x.len() / d * GROUP * ROW];
    for (i, k) in terms {
        rows[i * ROW + k] = unit.quantise(term(i, k));
    }
    (rows, unit)
}

/// Updates the particles of a chunk, and finds their regions anew.
pub struct UpdateChunk<'a> {
    pub lines: &'a mut [Line],
    pub regions: &'a mut [f32],
    /// All samples.
    pub all: &'a Crossing,
    /// As [`rows`] makes them.
    pub rows: &'a [f64],
    pub unit: FixedPoint,
    pub update: &'a UpdateF32<'a>,
}

impl ByDimension for UpdateChunk<'_> {
    type Output = Largest;

    #[inline(always)]
    fn run<S: Simd, const D: usize>(self, simd: S) -> Largest {
        let (rows, _) = self.rows.as_chunks::<ROW>();
        let blocks = self.lines.len() / lines_per_block(D);
        let mut cuts = CrossingByLevel::new(self.all, D);
        // Σ g_i x_i over the samples that activate all of a node, for the nodes around a block.
        let mut inside = [[0.0; ROW]; TOP + 2];
        let mut largest = Largest::default();
        let (mut wide, mut sums) = (wide::planes(), wide::planes());
        let mut forces = [Line::zeroed(); lines_per_block(*DIMENSIONS.end())];
        let forces = &mut forces[..lines_per_block(D)];
        for (b, block) in self.lines.chunks_exact_mut(lines_per_block(D)).enumerate() {
            for level in (0..=TOP).rev() {
                if !starts(level, b) {
                    continue;
                }
                let region = Region::<D>::load(self.regions, node(level, b));
                let mut sum = inside[level + 1];
                cuts.enter(level, &region, |i, on| {
                    let row = rows[i];
                    for p in 0..ROW {
                        sum[p] += on * row[p];
                    }
                });
                inside[level] = sum;
            }
            wide::widen(bytemuck::cast_slice(block), &mut wide);
            let samples = BlockSamples {
                cut: cuts.block(),
                rows,
                inside: &inside[0],
                unit: self.unit,
            };
            samples.sum::<S, D>(simd, &wide, &mut sums);
            wide::narrow(&sums[..D], bytemuck::cast_slice_mut(forces));
            if self.update.train == Train::Output {
                potential::<D>(
                    bytemuck::cast_slice(block),
                    bytemuck::cast_slice_mut(forces),
                );
            }
            update_block::<S, D>(simd, D, block, self.update, forces);
            largest = largest.or(refit_bounds::<S, D>(simd, block, self.regions, b, blocks));
        }
        largest
    }
}

/// Leaves w·G of a block in the plane of a, which is all that output-only training needs.
#[inline(always)]
fn potential<const D: usize>(planes: &[f32], forces: &mut [f32]) {
    let (g, w_g) = forces.split_at_mut(D * LANES);
    w_g.fill(0.0);
    for (w, g) in planes.chunks_exact(LANES).zip(g.chunks_exact(LANES)) {
        for j in 0..LANES {
            w_g[j] += w[j] * g[j];
        }
    }
}

/// The samples that act on a block.
struct BlockSamples<'a> {
    /// Samples that cut it.
    cut: &'a Crossing,
    /// As [`rows`] makes them, of all samples.
    rows: &'a [PaddedRow],
    /// Their sum over the samples that activate all of the block.
    inside: &'a PaddedRow,
    unit: FixedPoint,
}

/// Vectors of particles whose sums are in registers.
const V: usize = 2;

impl BlockSamples<'_> {
    /// Leaves G of the block in the planes of w.
    #[inline(always)]
    fn sum<S: Simd, const D: usize>(&self, simd: S, planes: &Planes, sums: &mut Planes) {
        let (w, sums) = (wide::vectors::<S>(planes), wide::vectors_mut::<S>(sums));
        let per_plane = wide::per_plane::<S>();
        let zero = simd.splat_f64s(0.0);
        for first in (0..per_plane).step_by(V) {
            let mut sum = [[zero; V]; D];
            for (sum, &inside) in sum.iter_mut().zip(self.inside) {
                *sum = [simd.splat_f64s(inside); V];
            }
            for s in 0..self.cut.len() {
                let (i, x) = self.cut.sample::<D>(s);
                let (mut splat, mut row) = ([zero; D], [zero; D]);
                for k in 0..D {
                    splat[k] = simd.splat_f64s(f64::from(x[k]));
                    row[k] = simd.splat_f64s(self.rows[i][k]);
                }
                for v in 0..V {
                    let z = wide::product(simd, w, first + v, &splat);
                    for (sum, &row) in sum.iter_mut().zip(&row) {
                        wide::add_active(simd, &mut sum[v], z, row);
                    }
                }
            }
            for v in 0..V {
                let mut longest = zero;
                for k in 0..D {
                    longest = simd.max_f64s(longest, simd.abs_f64s(w[k * per_plane + first + v]));
                }
                // A particle at the origin is not active on any sample.
                let anywhere = simd.less_than_f64s(zero, longest);
                for (k, sum) in sum.iter().enumerate() {
                    let g = self.unit.values(simd, sum[v]);
                    sums[k * per_plane + first + v] = simd.select_f64s(anywhere, g, zero);
                }
            }
        }
    }
}
