//! A pass over the particles with the short cut of [`super::arcs`].

use bytemuck::Zeroable;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::arcs;
use super::kernel::{PredictionSums, UpdateF32, moments, update_block};
use super::layout::{LANES, LINE, Line, lines_per_block};
use crate::engine::methods::circle::Circle;
use crate::model::Train;

const D: usize = 2;

/// Least number of particles per position in a chunk: each chunk has a sum for every position, whose cost
/// must be small compared with that of its particles.
const PER_POSITION: usize = 2;

/// Chunks, at most.
const CHUNKS: usize = 16;

/// Blocks of a tile.
const TILE: usize = 16;

/// A bit for each lane.
const LANE_BITS: [u32; LANES] = {
    let mut bits = [0; LANES];
    let mut lane = 0;
    while lane < LANES {
        bits[lane] = 1 << lane;
        lane += 1;
    }
    bits
};

/// The state of the short cut of a run between steps.
#[derive(Debug, Clone)]
pub struct ArcState {
    /// Position of each particle on the circle, padding included.
    positions: Vec<u32>,
    table: Vec<arcs::Arc>,
    /// Σ a_j w_j per position, chunk by chunk.
    sums: Vec<Vec<[f64; 2]>>,
    /// Their sums over all chunks.
    total: Vec<[f64; 2]>,
}

impl ArcState {
    /// For this many lines of particles, padding included; no position is known yet.
    pub fn new(circle: &Circle, lines: usize) -> Self {
        let particles = lines / lines_per_block(D) * LANES;
        let chunks = particles / (PER_POSITION * circle.arcs().max(1));
        ArcState {
            // The position of the origin has no arc, so every particle is searched for.
            positions: vec![circle.positions() as u32 - 1; particles],
            table: circle.table(),
            sums: vec![Vec::new(); chunks.clamp(1, CHUNKS)],
            total: Vec::new(),
        }
    }

    /// One pass over all particles, chunk by chunk in parallel: updates them by the residual g, if given,
    /// and predicts with the new particles.
    pub fn sweep(
        &mut self,
        circle: &Circle,
        lines: &mut [Line],
        g: &[f64],
        update: Option<&UpdateF32>,
        arch: Arch,
    ) -> PredictionSums {
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
                    update,
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
        PredictionSums {
            f: circle.predict(&self.total),
            moments,
        }
    }
}

/// One pass over a chunk of particles: updates them, if requested, finds their new arcs, and sums a_j w_j
/// over each arc.
struct ArcSweep<'a> {
    lines: &'a mut [Line],
    /// Position of each particle on the circle, padding included.
    positions: &'a mut [u32],
    circle: &'a Circle,
    /// G per position, for the update.
    table: &'a [arcs::Arc],
    update: Option<&'a UpdateF32<'a>>,
    /// Σ a_j w_j per position, to be filled: on the arcs, and on their ends if a particle is there.
    by_position: &'a mut Vec<[f64; 2]>,
}

impl WithSimd for ArcSweep<'_> {
    /// The moments.
    type Output = [f64; 3];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f64; 3] {
        self.by_position.clear();
        self.by_position.resize(self.circle.arcs(), [0.0; 2]);
        let mut sums = [0.0; 3];
        // In pieces, so that sums in f32 have few terms.
        let tiles = self.lines.chunks_mut(TILE * lines_per_block(D));
        for (tile, positions) in tiles.zip(self.positions.chunks_mut(TILE * LANES)) {
            let blocks = tile.chunks_exact_mut(lines_per_block(D));
            for (block, positions) in blocks.zip(positions.as_chunks_mut().0) {
                let arcs = gather(self.table, positions);
                if let Some(update) = self.update {
                    velocity_update(simd, block, &arcs, update);
                }
                let planes: &[f32] = bytemuck::cast_slice(block);
                let doubtful = doubtful(simd, planes, &arcs);
                look(self.circle, planes, positions, doubtful, self.by_position);
                add(planes, positions, self.by_position);
            }
            moments(simd, D, tile, &mut sums);
        }
        sums
    }
}

/// G and the bounds of keys at the positions of a block, plane by plane.
#[inline(always)]
fn gather(table: &[arcs::Arc], positions: &[u32; LANES]) -> [Line; 4 * LANES / LINE] {
    let mut lines = [Line::zeroed(); 4 * LANES / LINE];
    let planes: &mut [f32] = bytemuck::cast_slice_mut(&mut lines);
    let (planes, _) = planes.as_chunks_mut::<LANES>();
    // Four positions at a time, transposed in registers.
    for lane in (0..LANES).step_by(4) {
        let mut four = [[0.0; 4]; 4];
        for (arc, &position) in four.iter_mut().zip(&positions[lane..lane + 4]) {
            *arc = bytemuck::cast(table[position as usize]);
        }
        for (k, plane) in planes.iter_mut().enumerate() {
            for (value, arc) in plane[lane..lane + 4].iter_mut().zip(&four) {
                *value = arc[k];
            }
        }
    }
    lines
}

/// A bit for each lane whose key does not prove that the particle is still at its position.
#[inline(always)]
fn doubtful<S: Simd>(simd: S, planes: &[f32], arcs: &[Line]) -> u32 {
    let planes: &[S::f32s] = bytemuck::cast_slice(planes);
    let arcs: &[S::f32s] = bytemuck::cast_slice(arcs);
    let per_plane = LANES / S::F32_LANES;
    let bits: &[S::u32s] = bytemuck::cast_slice(&LANE_BITS);
    let mut doubtful = [0_u32; LANES];
    let found: &mut [S::u32s] = bytemuck::cast_slice_mut(&mut doubtful);
    for (v, found) in found.iter_mut().enumerate() {
        let key = arcs::keys(simd, planes[v], planes[per_plane + v]);
        let sure = simd.and_m32s(
            simd.less_than_f32s(arcs[2 * per_plane + v], key),
            simd.less_than_f32s(key, arcs[3 * per_plane + v]),
        );
        *found = simd.select_u32s(sure, simd.splat_u32s(0), bits[v]);
    }
    doubtful.iter().fold(0, |all, bit| all | bit)
}

/// Finds the positions of the lanes in doubt, and extends the sums where a particle is on an end.
#[inline(always)]
fn look(
    circle: &Circle,
    planes: &[f32],
    positions: &mut [u32; LANES],
    mut doubtful: u32,
    by_position: &mut Vec<[f64; 2]>,
) {
    let origin = circle.positions() - 1;
    while doubtful != 0 {
        let lane = doubtful.trailing_zeros() as usize;
        doubtful &= doubtful - 1;
        let w = [planes[lane], planes[LANES + lane]];
        let position = circle.follow(positions[lane] as usize, w);
        positions[lane] = position as u32;
        if position >= by_position.len() && position < origin {
            by_position.resize(origin, [0.0; 2]);
        }
    }
}

/// Adds a w of each particle of a block to the sum of its position. The origin, where padding is too, has
/// no sum, as it contributes nothing.
#[inline(always)]
fn add(planes: &[f32], positions: &[u32; LANES], by_position: &mut [[f64; 2]]) {
    let mut terms = [[0.0; 2]; LANES];
    for (lane, term) in terms.iter_mut().enumerate() {
        let [w0, w1, a] = [0, 1, 2].map(|k| f64::from(planes[k * LANES + lane]));
        *term = [a * w0, a * w1];
    }
    for (&position, term) in positions.iter().zip(&terms) {
        if let Some(sum) = by_position.get_mut(position as usize) {
            sum[0] += term[0];
            sum[1] += term[1];
        }
    }
}

/// velocity + update of one block: G from the table instead of a sum over samples.
#[inline(always)]
fn velocity_update<S: Simd>(simd: S, block: &mut [Line], arcs: &[Line], update: &UpdateF32) {
    let mut forces = [Line::zeroed(); lines_per_block(D)];
    let (big_g, potential) = forces.split_at_mut(D * LANES / LINE);
    big_g.copy_from_slice(&arcs[..D * LANES / LINE]);
    if update.train == Train::Output {
        let w: &[f32] = bytemuck::cast_slice(block);
        let g: &[f32] = bytemuck::cast_slice(big_g);
        let potential: &mut [f32] = bytemuck::cast_slice_mut(potential);
        for (lane, w_g) in potential.iter_mut().enumerate() {
            *w_g = w[lane] * g[lane] + w[LANES + lane] * g[LANES + lane];
        }
    }
    update_block::<S, D>(simd, D, block, update, &forces);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use crate::engine::cpu::layout::Blocks;
    use crate::random::{Draws, Stream};

    fn circle() -> Circle {
        let mut x = vec![0.0; 2 * 100];
        Draws::new(1, Stream::TrainData, 0, 0, 0).fill_gaussian(&mut x);
        let mut x: Vec<f32> = x.into_iter().map(|v| v as f32).collect();
        // On the axes, where keys begin and fold, and in line with each other.
        x.extend([1.0, 0.0, 0.0, 2.0, -1.0, 0.0, x[0], x[1], -x[2], -x[3]]);
        let n = x.len() / 2;
        Circle::new(&Dataset {
            d: 2,
            x,
            y: vec![1.0; n],
        })
    }

    /// Directions on ends and as close to them as f32 has, and in between; of all sizes, and none.
    fn directions(circle: &Circle) -> Vec<[f32; 2]> {
        let mut all = vec![[0.0; 2]];
        for end in &circle.ends {
            for k in 0..2 {
                let (mut up, mut down) = (*end, *end);
                up[k] = end[k].next_up();
                down[k] = end[k].next_down();
                all.extend([*end, up, down]);
            }
        }
        let between = circle.ends.windows(2);
        all.extend(between.map(|e| [e[0][0] + e[1][0], e[0][1] + e[1][1]]));
        let sizes = [1.0, 1e-30, 3e-38, 1e-44, 1e30, 1e38];
        let sized = |w: [f32; 2]| sizes.map(|size| w.map(|w| w * size));
        all.into_iter().flat_map(sized).collect()
    }

    /// Positions of particles that point there, after they were somewhere else; whether they are
    /// right.
    fn are_found(circle: &Circle, widen: f32) -> bool {
        let directions = directions(circle);
        let m = directions.len();
        let mut blocks = Blocks::new(m, D, circle.n, 0);
        let g = vec![0.0; circle.n];
        let mut arc_state = ArcState::new(circle, blocks.lines.len());
        for arc in &mut arc_state.table {
            arc.from -= widen;
            arc.to += widen;
        }
        let mut right = true;
        // A neighbour in this list is a small move, or a jump.
        for turn in 0..3 {
            for j in 0..m {
                let w = directions[(j + turn * 7) % m];
                (0..D).for_each(|k| *blocks.at(j, k) = w[k]);
                *blocks.at(j, D) = 1.0;
            }
            arc_state.sweep(circle, &mut blocks.lines, &g, None, Arch::new());
            for j in 0..m {
                let at = circle.locate(directions[(j + turn * 7) % m]);
                right &= arc_state.positions[j] as usize == at;
            }
        }
        right
    }

    #[test]
    fn particles_are_where_they_point() {
        let circle = circle();
        assert!(are_found(&circle, 0.0));
        assert!(!are_found(&circle, 1e-6));
    }
}
