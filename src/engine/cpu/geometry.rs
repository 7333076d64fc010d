//! The geometry of a run on the cpu engine: one pass over the particles, in f64.

use pulp::Arch;
use rayon::prelude::*;

use super::layout::LANES;
use super::run::{Setting, State};
use crate::engine::geometry::{Tally, Units};
use crate::engine::{Geometry, Run};
use crate::particles::Particles;

/// Blocks that one thread takes at a time, at least.
const TOGETHER: usize = 8;

impl State {
    /// Notes a² − |w|² of particles at their start. Single precision, as the state: a difference
    /// below its rounding is none, see [`Look::tally`].
    pub fn set_start(&mut self, m: usize, first: usize, block: &Particles) {
        self.start.resize(m, 0.0);
        for (j, start) in self.start[first..].iter_mut().take(block.m()).enumerate() {
            let w2 = block.w(j).iter().map(|w| w * w).sum::<f64>();
            *start = (block.a[j] * block.a[j] - w2) as f32;
        }
    }
}

impl Setting<'_> {
    pub fn geometry(&self, state: &State) -> Geometry {
        let look = Look {
            run: self.run,
            d: self.d,
            rows: &self.data.x,
            units: Units::new(self.run, state.clock.exponent),
        };
        let blocks = &state.blocks;
        let one = |room: &mut Vec<f32>, index: usize| {
            let first = index * LANES;
            let count = LANES.min(self.run.m - first);
            let start = state.start.get(first..first + count);
            look.tally(self.arch, blocks.in_order(index, room), count, start)
        };
        let parts = (0..blocks.len()).into_par_iter().with_min_len(TOGETHER);
        let parts = parts.map_init(Vec::new, one);
        let mut total = Tally::default();
        parts.collect::<Vec<_>>().iter().for_each(|t| total.add(t));
        total.finish(self.run, state.clock.exponent, !state.start.is_empty())
    }
}

/// What is looked at.
struct Look<'a> {
    run: &'a Run,
    d: usize,
    /// Training inputs (n, d).
    rows: &'a [f32],
    units: Units,
}

impl Look<'_> {
    /// The first `count` particles of a block of planes w_1 … w_d and a.
    fn tally(&self, arch: Arch, planes: &[f32], count: usize, start: Option<&[f32]>) -> Tally {
        let (w, a) = planes.split_at(self.d * LANES);
        let active = arch.dispatch(|| self.active(w, count));
        let k = self.run.informative.unwrap_or(0).min(self.d);
        let mut tally = Tally::default();
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
            tally.add(&Tally {
                dead: f64::from(u8::from(!active[lane])),
                largest_a: a,
                largest_w: norm,
                drift: if none { 0.0 } else { change },
                mass: a * norm,
                informative: a * norm * share,
            });
        }
        tally
    }

    /// Which particles of a block some sample activates. Most are active on one of the first few
    /// samples. A product of two f32 is exact in f64, so no instruction set changes a bit.
    #[inline(always)]
    fn active(&self, w: &[f32], count: usize) -> [bool; LANES] {
        let mut active = [false; LANES];
        active[count..].fill(true);
        for x in self.rows.chunks_exact(self.d) {
            let mut z = [0.0_f64; LANES];
            for (w, &x) in w.chunks_exact(LANES).zip(x) {
                for (z, &w) in z.iter_mut().zip(w) {
                    *z += f64::from(w) * f64::from(x);
                }
            }
            for (active, z) in active.iter_mut().zip(z) {
                *active |= z > 0.0;
            }
            if active.iter().all(|&active| active) {
                break;
            }
        }
        active
    }
}
