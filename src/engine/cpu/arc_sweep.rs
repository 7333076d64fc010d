//! A pass over the particles with the short cut of [`super::arcs`].

use pulp::{Simd, WithSimd};

use super::arcs::{Arc, Circle, Work};
use super::kernel::{Push, Sums, V, at, moments, per_plane, push_particles};
use super::layout::{LANES, Line, lines_per_block};
use crate::experiment::Train;

const D: usize = 2;

/// What the short cut keeps of a run from step to step.
#[derive(Debug, Clone)]
pub struct Route {
    /// Position of each particle on the circle, padding included.
    pub positions: Vec<u32>,
    pub table: Vec<Arc>,
    /// Σ a_j w_j per position, chunk by chunk.
    pub sums: Vec<Vec<[f64; 2]>>,
    pub work: Work,
}

impl Route {
    /// For this many particles, padding included, in chunks; none is anywhere yet.
    pub fn new(circle: &Circle, particles: usize, chunks: usize) -> Self {
        Route {
            // The origin is on no arc, so every particle looks for its own.
            positions: vec![circle.positions() as u32 - 1; particles],
            table: Vec::new(),
            sums: vec![Vec::new(); chunks],
            work: Work::default(),
        }
    }
}

/// One pass over a chunk of particles: push them, if asked, find the arcs they are on then, and
/// sum a_j w_j over each arc.
pub struct ArcSweep<'a> {
    pub lines: &'a mut [Line],
    /// Position of each particle on the circle, padding included.
    pub positions: &'a mut [u32],
    pub circle: &'a Circle,
    /// G per position, for the push.
    pub table: &'a [Arc],
    pub push: Option<&'a Push<'a>>,
    /// Σ a_j w_j per position, to be filled: on the arcs, and on their ends if a particle is there.
    pub by_position: &'a mut Vec<[f64; 2]>,
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
                    position = self.circle.locate(w);
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
        let mut sums = Sums {
            f: Vec::new(),
            moments: [0.0; 3],
        };
        // In pieces, so that single precision sums stay short.
        for tile in self.lines.chunks(16 * lines_per_block(D)) {
            moments::<S>(simd, tile, D, &mut sums);
        }
        sums.moments
    }
}

/// velocity + update of one block: G from the table instead of a sum over samples.
#[inline(always)]
fn velocity_update<S: Simd>(
    simd: S,
    block: &mut [Line],
    positions: &[u32],
    table: &[Arc],
    push: &Push,
) {
    let mut g = [[0.0_f32; LANES]; D];
    for (lane, &position) in positions.iter().enumerate() {
        let arc = &table[position as usize];
        g[0][lane] = arc.g[0];
        g[1][lane] = arc.g[1];
    }
    let g: [&[S::f32s]; D] = [bytemuck::cast_slice(&g[0]), bytemuck::cast_slice(&g[1])];
    let planes: &mut [S::f32s] = bytemuck::cast_slice_mut(block);
    for half in 0..per_plane::<S>() / V {
        let big_g = g.map(|plane| [plane[half * V], plane[half * V + 1]]);
        let mut force = [simd.splat_f32s(0.0); V];
        if push.train == Train::Output {
            for (k, g) in big_g.iter().enumerate() {
                let w = at::<S>(planes, k, half);
                for v in 0..V {
                    force[v] = simd.mul_add_e_f32s(w[v], g[v], force[v]);
                }
            }
        }
        push_particles(simd, planes, half, &big_g, force, push);
    }
}
