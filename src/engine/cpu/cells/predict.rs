//! predict: T_i = Σ_j 1[z_ij > 0] a_j w_j for f_i = x_i·T_i, and the moments.

use bytemuck::Zeroable;
use pulp::Simd;

use super::crossing::{Crossing, CrossingByLevel};
use super::largest::FixedPoints;
use super::region::{NODES, Region, TOP, node, starts};
use super::wide::{self, Planes};
use super::{ByDimension, PaddedRow, ROW};
use crate::engine::cpu::fixed_point::FixedPoint;
use crate::engine::cpu::kernel::PredictionSums;
use crate::engine::cpu::layout::{GROUP, LANES, Line, Samples, lines_per_block};

/// Sums over chunks, in whole numbers.
#[derive(Debug)]
pub struct Total {
    /// T, a row for each sample, padded to whole groups.
    t: Vec<i64>,
    /// Σ a², Σ |w|², Σ |a||w|
    moments: [i64; 3],
    /// Samples that cut a block, summed over the blocks.
    pub cut: u64,
}

impl Total {
    pub fn none(groups: usize) -> Self {
        Total {
            t: vec![0; groups * GROUP * ROW],
            moments: [0; 3],
            cut: 0,
        }
    }

    pub fn and(mut self, other: Total) -> Total {
        self.t.iter_mut().zip(other.t).for_each(|(t, o)| *t += o);
        let moments = self.moments.iter_mut().zip(other.moments);
        moments.for_each(|(sum, moment)| *sum += moment);
        self.cut += other.cut;
        self
    }

    /// Predictions and moments. NaN if a term was not finite, so that the run detects the divergence.
    pub fn sums(&self, d: usize, samples: &Samples, units: FixedPoints) -> PredictionSums {
        let lost = if units.aw.lost { f64::NAN } else { 0.0 };
        let f = |i: usize| {
            let t = &self.t[i * ROW..];
            let x = |k: usize| f64::from(samples.x[i / GROUP * d + k][i % GROUP]);
            (0..d)
                .map(|k| x(k) * units.aw.value(t[k] as f64))
                .sum::<f64>()
                + lost
        };
        let moment = |of: usize| units.moments[of].value(self.moments[of] as f64) + lost;
        PredictionSums {
            f: (0..samples.n).map(f).collect(),
            moments: std::array::from_fn(moment),
        }
    }
}

/// Adds what a chunk contributes to a total.
pub struct Predict<'a> {
    pub lines: &'a [Line],
    pub regions: &'a [f32],
    /// All samples.
    pub all: &'a Crossing,
    pub units: FixedPoints,
    pub total: &'a mut Total,
}

impl ByDimension for Predict<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const D: usize>(self, simd: S) {
        let per_block = lines_per_block(D);
        let mut sums = vec![[0.0; ROW]; NODES];
        let mut moments = [simd.splat_f64s(0.0); 3];
        let mut wide = wide::planes();
        for (b, block) in self.lines.chunks_exact(per_block).enumerate() {
            add_moments::<S, D>(simd, block, &mut wide, &self.units, &mut moments);
            wide::widen(bytemuck::cast_slice(block), &mut wide);
            let sum = block_sum::<S, D>(simd, &wide, self.units.aw);
            for level in 0..=TOP {
                let node = &mut sums[node(level, b)];
                for p in 0..ROW {
                    node[p] += sum[p];
                }
            }
        }
        let mut t = vec![[0.0; ROW]; self.total.t.len() / ROW];
        let mut cuts = CrossingByLevel::new(self.all, D);
        for (b, block) in self.lines.chunks_exact(per_block).enumerate() {
            for level in (0..=TOP).rev() {
                if !starts(level, b) {
                    continue;
                }
                let region = Region::<D>::load(self.regions, node(level, b));
                let sum = sums[node(level, b)];
                cuts.enter(level, &region, |i, on| {
                    let mut row = t[i];
                    for p in 0..ROW {
                        row[p] += on * sum[p];
                    }
                    t[i] = row;
                });
            }
            let cut = cuts.block();
            self.total.cut += cut.len() as u64;
            if cut.len() > 0 {
                wide::widen(bytemuck::cast_slice(block), &mut wide);
                pairs::<S, D>(simd, &wide, cut, self.units.aw, &mut t);
            }
        }
        // The sums are whole numbers below 2^53, so nothing is rounded.
        let total = self.total.t.iter_mut().zip(t.as_flattened());
        total.for_each(|(total, &t)| *total += t as i64);
        for (total, moment) in self.total.moments.iter_mut().zip(moments) {
            *total += simd.reduce_sum_f64s(moment) as i64;
        }
    }
}

/// Σ a_j w_j of a block in whole numbers, padded.
#[inline(always)]
fn block_sum<S: Simd, const D: usize>(simd: S, planes: &Planes, unit: FixedPoint) -> PaddedRow {
    let (planes, per_plane) = (wide::vectors::<S>(planes), wide::per_plane::<S>());
    let a = &planes[D * per_plane..][..per_plane];
    let mut sum = [0.0; ROW];
    for k in 0..D {
        let w = &planes[k * per_plane..][..per_plane];
        let mut terms = simd.splat_f64s(0.0);
        for v in 0..per_plane {
            let term = unit.quantise_vector(simd, simd.mul_f64s(a[v], w[v]));
            terms = simd.add_f64s(terms, term);
        }
        sum[k] = simd.reduce_sum_f64s(terms);
    }
    sum
}

/// Adds the moments of a block; `wide` is scratch memory.
#[inline(always)]
fn add_moments<S: Simd, const D: usize>(
    simd: S,
    block: &[Line],
    wide: &mut Planes,
    units: &FixedPoints,
    moments: &mut [S::f64s; 3],
) {
    let planes: &[S::f32s] = bytemuck::cast_slice(block);
    let per_plane = LANES / S::F32_LANES;
    let mut all = [Line::zeroed(); 3 * LANES / 16];
    let all: &mut [S::f32s] = bytemuck::cast_slice_mut(&mut all);
    for v in 0..per_plane {
        let mut w2 = simd.splat_f32s(0.0);
        for k in 0..D {
            let w = planes[k * per_plane + v];
            w2 = simd.mul_add_e_f32s(w, w, w2);
        }
        let a = planes[D * per_plane + v];
        all[v] = simd.mul_f32s(a, a);
        all[per_plane + v] = w2;
        all[2 * per_plane + v] = simd.mul_f32s(simd.abs_f32s(a), simd.sqrt_f32s(w2));
    }
    wide::widen(bytemuck::cast_slice(all), &mut wide[..3]);
    let wide = wide::vectors::<S>(wide);
    for of in 0..3 {
        for v in 0..wide::per_plane::<S>() {
            let moment = wide[of * wide::per_plane::<S>() + v];
            moments[of] =
                simd.add_f64s(moments[of], units.moments[of].quantise_vector(simd, moment));
        }
    }
}

/// The pairs of a block and the samples that cut it.
#[inline(always)]
fn pairs<S: Simd, const D: usize>(
    simd: S,
    planes: &Planes,
    cut: &Crossing,
    unit: FixedPoint,
    t: &mut [PaddedRow],
) {
    let per_plane = wide::per_plane::<S>();
    let mut terms = wide::planes();
    let w = wide::vectors::<S>(planes);
    let terms = wide::vectors_mut::<S>(&mut terms);
    for k in 0..D {
        for v in 0..per_plane {
            let at = k * per_plane + v;
            terms[at] = unit.quantise_vector(simd, simd.mul_f64s(w[D * per_plane + v], w[at]));
        }
    }
    let zero = simd.splat_f64s(0.0);
    for s in 0..cut.len() {
        let (i, x) = cut.sample::<D>(s);
        let mut splat = [zero; D];
        for k in 0..D {
            splat[k] = simd.splat_f64s(f64::from(x[k]));
        }
        let mut sums = [zero; D];
        for v in 0..per_plane {
            let z = wide::product(simd, w, v, &splat);
            for k in 0..D {
                wide::add_active(simd, &mut sums[k], z, terms[k * per_plane + v]);
            }
        }
        for k in 0..D {
            t[i][k] += simd.reduce_sum_f64s(sums[k]);
        }
    }
}
