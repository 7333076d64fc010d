//! The geometry of a run on the cpu engine: one pass over the particles, in f64.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::layout::{GROUP, LANES};
use super::run::{CpuRunState, Setting};
use crate::engine::geometry::BalanceUnits;
use crate::engine::{Origins, PartialGeometry};
use crate::model::Run;

/// Particles of a piece: what they add is summed in order, then that of the pieces.
const PIECE: usize = 64 * LANES;

/// The initial balance is kept for up to this many particles, or for more if each particle has this many
/// values. Otherwise it is requested each time, which costs as much as a few steps.
const KEPT: usize = 1 << 20;
const NUMBERS: usize = 10;

/// Number of groups of samples on which all particles of a block are tested together.
const TOGETHER: usize = 1;

/// The start of these particles. Single precision, as the state: a difference below its rounding is
/// none, see [`GeometryPass::sums`].
fn start_of(origins: &dyn Origins, run: usize, range: Range<usize>) -> Option<Vec<f32>> {
    let balance = origins.balance(run, range)?;
    Some(balance.into_iter().map(|b| b as f32).collect())
}

impl Setting<'_> {
    /// What the particles contribute to the geometry of the run at its present state.
    pub fn partial_geometry(
        &self,
        state: &mut CpuRunState,
        origins: &dyn Origins,
    ) -> PartialGeometry {
        let (held, index) = (self.run.held(), self.index);
        let (m, first) = (held.len(), held.start);
        let started = origins.balance(index, 0..0).is_some();
        let kept = m <= KEPT || self.context.d + 1 >= NUMBERS;
        if started && kept && state.start.is_empty() {
            state.start = vec![0.0; m];
            let pieces = state.start.par_chunks_mut(PIECE).enumerate();
            pieces.for_each(|(k, part)| {
                let range = first + k * PIECE..first + k * PIECE + part.len();
                let starts = start_of(origins, index, range).unwrap_or_default();
                part.iter_mut()
                    .zip(starts)
                    .for_each(|(p, start)| *p = start);
            });
        }
        let pass = GeometryPass {
            run: self.run,
            d: self.context.d,
            x: &self.context.train.x,
            units: BalanceUnits::new(self.run, state.clock.exponent),
        };
        let blocks = &state.blocks;
        let piece = |piece: usize| {
            let end = m.min(piece + PIECE);
            let fresh = match kept {
                true => None,
                false => start_of(origins, index, first + piece..first + end),
            };
            let starts = fresh.as_deref().or_else(|| state.start.get(piece..end));
            let (mut sums, mut room) = (PartialGeometry::default(), Vec::new());
            for at in (piece..end).step_by(LANES) {
                let count = LANES.min(m - at);
                let start = starts.map(|s| &s[at - piece..][..count]);
                let planes = blocks.in_order(at / LANES, &mut room);
                sums.add(&pass.sums(self.context.arch, planes, count, start));
            }
            sums
        };
        let pieces = (0..m).into_par_iter().step_by(PIECE);
        let each: Vec<PartialGeometry> = pieces.map(piece).collect();
        let mut total = PartialGeometry::default();
        each.iter().for_each(|part| total.add(part));
        total
    }
}

/// [`GeometryPass::active`] with the vectors of the machine: a closure would be compiled without them.
struct Active<'a> {
    pass: &'a GeometryPass<'a>,
    w: &'a [f32],
    count: usize,
}

impl WithSimd for Active<'_> {
    type Output = [bool; LANES];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [bool; LANES] {
        self.pass.active(self.w, self.count)
    }
}

/// What is looked at.
struct GeometryPass<'a> {
    run: &'a Run,
    d: usize,
    /// Training inputs in groups (groups, d).
    x: &'a [[f32; GROUP]],
    units: BalanceUnits,
}

impl GeometryPass<'_> {
    /// The first `count` particles of a block of planes w_1 … w_d and a.
    fn sums(
        &self,
        arch: Arch,
        planes: &[f32],
        count: usize,
        start: Option<&[f32]>,
    ) -> PartialGeometry {
        let (w, a) = planes.split_at(self.d * LANES);
        let active = arch.dispatch(Active {
            pass: self,
            w,
            count,
        });
        let k = self.run.informative.unwrap_or(0).min(self.d);
        let mut sums = PartialGeometry::default();
        for lane in 0..count {
            let squares = |planes: &[f32]| {
                let of = planes.iter().skip(lane).step_by(LANES);
                of.map(|&w| f64::from(w) * f64::from(w)).sum::<f64>()
            };
            let (a, w2) = (f64::from(a[lane]).abs(), squares(w));
            let norm = w2.sqrt();
            let balance = a * a * self.units.a - w2 * self.units.w;
            let before = start.map_or(balance, |start| f64::from(start[lane]) * self.units.start);
            let change = (balance - before).abs();
            let none = balance as f32 == before as f32;
            let share = if w2 > 0.0 {
                squares(&w[..k * LANES]) / w2
            } else {
                0.0
            };
            sums.add(&PartialGeometry {
                dead: f64::from(u8::from(!active[lane])),
                largest_a: a,
                largest_w: norm,
                drift: if none { 0.0 } else { change },
                mass: a * norm,
                informative: a * norm * share,
            });
        }
        sums
    }

    /// Which particles of a block some sample activates. A product of two f32 is exact in f64, so no
    /// instruction set and no order of samples changes a bit.
    #[inline(always)]
    fn active(&self, w: &[f32], count: usize) -> [bool; LANES] {
        let mut active = [false; LANES];
        active[count..].fill(true);
        let mut groups = self.x.chunks_exact(self.d);
        // Most particles are active on one of the first few samples.
        for x in groups.by_ref().take(TOGETHER) {
            for sample in 0..GROUP {
                let mut z = [0.0_f64; LANES];
                for (w, x) in w.chunks_exact(LANES).zip(x) {
                    let x = f64::from(x[sample]);
                    for (z, &w) in z.iter_mut().zip(w) {
                        *z += f64::from(w) * x;
                    }
                }
                for (active, z) in active.iter_mut().zip(z) {
                    *active |= z > 0.0;
                }
            }
            if active.iter().all(|&active| active) {
                return active;
            }
        }
        // The remaining particles are tested one by one.
        for (lane, active) in active
            .iter_mut()
            .enumerate()
            .filter(|(_, active)| !**active)
        {
            for x in groups.clone() {
                let mut z = [0.0_f64; GROUP];
                for (w, x) in w.chunks_exact(LANES).zip(x) {
                    let w = f64::from(w[lane]);
                    for (z, &x) in z.iter_mut().zip(x) {
                        *z += w * f64::from(x);
                    }
                }
                let mut largest = 0.0_f64;
                for z in z {
                    largest = largest.max(z);
                }
                if largest > 0.0 {
                    *active = true;
                    break;
                }
            }
        }
        active
    }
}
