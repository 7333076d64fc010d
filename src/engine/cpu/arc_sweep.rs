//! A pass over the particles with the short cut of [`super::arcs`].

use bytemuck::Zeroable;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::arcs;
use super::kernel::{Push, Sums, moments, update};
use super::layout::{LANES, Line, lines_per_block};
use crate::engine::circle::Circle;
use crate::experiment::Train;

const D: usize = 2;

/// Particles per position in a chunk, at least: each chunk has sums of its own for every position,
/// which must cost little beside its particles.
const PER_POSITION: usize = 2;

/// Chunks, at most.
const CHUNKS: usize = 16;

/// What the short cut keeps of a run from step to step.
#[derive(Debug, Clone)]
pub struct Route {
    /// Position of each particle on the circle, padding included.
    positions: Vec<u32>,
    table: Vec<arcs::Arc>,
    /// Σ a_j w_j per position, chunk by chunk.
    sums: Vec<Vec<[f64; 2]>>,
    /// Their sums over all chunks.
    total: Vec<[f64; 2]>,
}

impl Route {
    /// For so many lines of particles, padding included; none is anywhere yet.
    pub fn new(circle: &Circle, lines: usize) -> Self {
        let particles = lines / lines_per_block(D) * LANES;
        let chunks = particles / (PER_POSITION * circle.arcs().max(1));
        Route {
            // The origin is on no arc, so every particle looks for its own.
            positions: vec![circle.positions() as u32 - 1; particles],
            table: circle.table(),
            sums: vec![Vec::new(); chunks.clamp(1, CHUNKS)],
            total: Vec::new(),
        }
    }

    /// One pass over all particles, chunk by chunk in parallel: push them by the residual g, if
    /// asked, and predict with where they are then.
    pub fn sweep(
        &mut self,
        circle: &Circle,
        lines: &mut [Line],
        g: &[f64],
        push: Option<&Push>,
        arch: Arch,
    ) -> Sums {
        circle.fill_table(g, &mut self.table);
        let table = &self.table;
        let chunk = (lines.len() / lines_per_block(D)).div_ceil(self.sums.len());
        let parts: Vec<[f64; 3]> = lines
            .par_chunks_mut(chunk * lines_per_block(D))
            .zip(self.positions.par_chunks_mut(chunk * LANES))
            .zip(&mut self.sums)
            .map(|((lines, positions), by_position)| {
                arch.dispatch(ArcSweep {
                    lines,
                    positions,
                    circle,
                    table,
                    push,
                    by_position,
                })
            })
            .collect();
        let mut moments = [0.0; 3];
        for part in parts {
            moments
                .iter_mut()
                .zip(part)
                .for_each(|(sum, add)| *sum += add);
        }
        let parts = &self.sums;
        let positions = parts.iter().map(Vec::len).max();
        self.total.clear();
        self.total.resize(positions.unwrap_or(0), [0.0; 2]);
        let piece = 4096;
        let pieces = self.total.par_chunks_mut(piece).enumerate();
        pieces.for_each(|(k, total)| {
            for part in parts.iter().filter_map(|part| part.get(k * piece..)) {
                for (sum, add) in total.iter_mut().zip(part) {
                    *sum = [sum[0] + add[0], sum[1] + add[1]];
                }
            }
        });
        Sums {
            f: circle.predict(&self.total),
            moments,
        }
    }
}

/// One pass over a chunk of particles: push them, if asked, find the arcs they are on then, and
/// sum a_j w_j over each arc.
struct ArcSweep<'a> {
    lines: &'a mut [Line],
    /// Position of each particle on the circle, padding included.
    positions: &'a mut [u32],
    circle: &'a Circle,
    /// G per position, for the push.
    table: &'a [arcs::Arc],
    push: Option<&'a Push<'a>>,
    /// Σ a_j w_j per position, to be filled: on the arcs, and on their ends if a particle is there.
    by_position: &'a mut Vec<[f64; 2]>,
}

impl WithSimd for ArcSweep<'_> {
    /// The moments.
    type Output = [f64; 3];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f64; 3] {
        let by_position = self.by_position;
        let origin = self.circle.positions() - 1;
        by_position.clear();
        by_position.resize(self.circle.arcs(), [0.0; 2]);
        let blocks = self.lines.chunks_exact_mut(lines_per_block(D));
        for (block, positions) in blocks.zip(self.positions.chunks_exact_mut(LANES)) {
            if let Some(push) = self.push {
                velocity_update(simd, block, positions, self.table, push);
            }
            let planes: &[f32] = bytemuck::cast_slice(block);
            let (w0, rest) = planes.split_at(LANES);
            let (w1, a) = rest.split_at(LANES);
            for lane in 0..LANES {
                let w = [w0[lane], w1[lane]];
                let mut position = positions[lane] as usize;
                if !Circle::is_on(&self.table[position], w) {
                    position = self.circle.follow(self.table, position, w);
                    positions[lane] = position as u32;
                    if position == origin {
                        // Padding is here, and nothing contributes.
                        continue;
                    }
                    if position >= by_position.len() {
                        by_position.resize(origin, [0.0; 2]);
                    }
                }
                let a = f64::from(a[lane]);
                let sum = &mut by_position[position];
                sum[0] += a * f64::from(w[0]);
                sum[1] += a * f64::from(w[1]);
            }
        }
        let mut sums = [0.0; 3];
        // In pieces, so that single precision sums stay short.
        for tile in self.lines.chunks(16 * lines_per_block(D)) {
            moments(simd, D, tile, &mut sums);
        }
        sums
    }
}

/// velocity + update of one block: G from the table instead of a sum over samples.
#[inline(always)]
fn velocity_update<S: Simd>(
    simd: S,
    block: &mut [Line],
    positions: &[u32],
    table: &[arcs::Arc],
    push: &Push,
) {
    let mut forces = [Line::zeroed(); lines_per_block(D)];
    let planes: &mut [f32] = bytemuck::cast_slice_mut(&mut forces);
    let (g0, rest) = planes.split_at_mut(LANES);
    let (g1, potential) = rest.split_at_mut(LANES);
    for (lane, &position) in positions.iter().enumerate() {
        let arc = &table[position as usize];
        g0[lane] = arc.g[0];
        g1[lane] = arc.g[1];
    }
    if push.train == Train::Output {
        let w: &[f32] = bytemuck::cast_slice(block);
        for (lane, w_g) in potential.iter_mut().enumerate() {
            *w_g = w[lane] * g0[lane] + w[LANES + lane] * g1[lane];
        }
    }
    update::<S, D>(simd, D, block, push, &forces);
}
