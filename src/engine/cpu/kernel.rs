//! The SIMD kernels: predict, and velocity + update in one. Vectors run over particles, a few
//! samples at a time stay in registers, and no n × m array is ever in memory.

use pulp::{Simd, WithSimd};

use super::layout::{GROUP, LANES, Line, blocks_per_tile, lines_per_block};
use crate::experiment::Train;

/// Vectors of particles in a register tile.
pub const V: usize = 2;

/// The sums that a chunk of particles contributes.
#[derive(Debug, Clone, PartialEq)]
pub struct Sums {
    /// Σ_j a_j σ(w_j·x_i), padded to whole groups.
    pub f: Vec<f64>,
    /// Σ a², Σ |w|², Σ |a||w|.
    pub moments: [f64; 3],
}

/// What velocity + update apply to each particle: θ' = scale · (keep·θ + force − decay·θ).
#[derive(Debug)]
pub struct Push<'a> {
    /// g_i in groups.
    pub g: &'a [[f32; GROUP]],
    pub train: Train,
    /// Factor of w·G in a's change: −η/α, in stored units.
    pub force_a: f32,
    /// Factor of a G in w's change.
    pub force_w: f32,
    /// ηλ
    pub decay: f32,
    /// Power of two that keeps stored values near 1, for trained layers.
    pub scale: f32,
    /// 1 for an update, 0 to leave the velocity itself in place of the particle.
    pub keep: f32,
}

/// One pass over a chunk of particles: push them, if asked, and predict with where they are then.
pub struct Sweep<'a> {
    pub lines: &'a mut [Line],
    pub d: usize,
    /// Samples in groups (groups, d), as [`super::layout::Samples`] packs them.
    pub x: &'a [[f32; GROUP]],
    pub push: Option<&'a Push<'a>>,
}

impl WithSimd for Sweep<'_> {
    type Output = Sums;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Sums {
        // Small d unrolls completely when the compiler knows it.
        match self.d {
            1 => self.run::<S, 1>(simd),
            2 => self.run::<S, 2>(simd),
            3 => self.run::<S, 3>(simd),
            4 => self.run::<S, 4>(simd),
            5 => self.run::<S, 5>(simd),
            6 => self.run::<S, 6>(simd),
            8 => self.run::<S, 8>(simd),
            10 => self.run::<S, 10>(simd),
            15 => self.run::<S, 15>(simd),
            16 => self.run::<S, 16>(simd),
            _ => self.run::<S, 0>(simd),
        }
    }
}

impl Sweep<'_> {
    /// D is d where it is known to the compiler, 0 elsewhere.
    #[inline(always)]
    fn run<S: Simd, const D: usize>(self, simd: S) -> Sums {
        let d = if D == 0 { self.d } else { D };
        let mut sums = Sums {
            f: vec![0.0; self.x.len() / d * GROUP],
            moments: [0.0; 3],
        };
        let mut big_g = vec![[simd.splat_f32s(0.0); V]; d];
        let tile = blocks_per_tile(d) * lines_per_block(d);
        for tile in self.lines.chunks_mut(tile) {
            if let Some(push) = self.push {
                for block in tile.chunks_exact_mut(lines_per_block(d)) {
                    let planes: &mut [S::f32s] = bytemuck::cast_slice_mut(block);
                    for half in 0..LANES / (V * S::F32_LANES) {
                        velocity_update::<S, D>(simd, planes, half, self.x, push, &mut big_g);
                    }
                }
            }
            predict::<S, D>(simd, tile, d, self.x, &mut sums);
        }
        sums
    }
}

/// Vectors of a plane.
pub const fn per_plane<S: Simd>() -> usize {
    LANES / S::F32_LANES
}

/// The V vectors of one half of plane k.
#[inline(always)]
pub fn at<S: Simd>(planes: &[S::f32s], k: usize, half: usize) -> [S::f32s; V] {
    let start = k * per_plane::<S>() + half * V;
    [planes[start], planes[start + 1]]
}

/// z = w·x of one group of samples: GROUP × V vectors.
#[inline(always)]
fn products<S: Simd>(
    simd: S,
    planes: &[S::f32s],
    half: usize,
    x: &[[f32; GROUP]],
) -> [[S::f32s; V]; GROUP] {
    let mut z = [[simd.splat_f32s(0.0); V]; GROUP];
    for (plane, x) in planes.chunks_exact(per_plane::<S>()).zip(x) {
        let w = [plane[half * V], plane[half * V + 1]];
        for (z, &x) in z.iter_mut().zip(x) {
            let x = simd.splat_f32s(x);
            z[0] = simd.mul_add_e_f32s(w[0], x, z[0]);
            z[1] = simd.mul_add_e_f32s(w[1], x, z[1]);
        }
    }
    z
}

/// predict: adds Σ_j a_j σ(w_j·x_i) over a tile to the sums, and the tile's moments.
#[inline(always)]
fn predict<S: Simd, const D: usize>(
    simd: S,
    tile: &[Line],
    d: usize,
    x: &[[f32; GROUP]],
    sums: &mut Sums,
) {
    let d = if D == 0 { d } else { D };
    let zero = simd.splat_f32s(0.0);
    for (x, f) in x.chunks_exact(d).zip(sums.f.chunks_exact_mut(GROUP)) {
        let mut sum = [[zero; V]; GROUP];
        for block in tile.chunks_exact(lines_per_block(d)) {
            let planes: &[S::f32s] = bytemuck::cast_slice(block);
            for half in 0..per_plane::<S>() / V {
                let z = products(simd, &planes[..d * per_plane::<S>()], half, x);
                let a = at::<S>(planes, d, half);
                for (sum, z) in sum.iter_mut().zip(z) {
                    for v in 0..V {
                        sum[v] = simd.mul_add_e_f32s(a[v], simd.max_f32s(z[v], zero), sum[v]);
                    }
                }
            }
        }
        for (f, sum) in f.iter_mut().zip(sum) {
            *f += f64::from(simd.reduce_sum_f32s(simd.add_f32s(sum[0], sum[1])));
        }
    }
    moments::<S>(simd, tile, d, sums);
}

/// Adds Σ a², Σ |w|² and Σ |a||w| over a tile to the sums.
#[inline(always)]
pub fn moments<S: Simd>(simd: S, tile: &[Line], d: usize, sums: &mut Sums) {
    let zero = simd.splat_f32s(0.0);
    let mut moments = [zero; 3];
    for block in tile.chunks_exact(lines_per_block(d)) {
        let planes: &[S::f32s] = bytemuck::cast_slice(block);
        let (w, a) = planes.split_at(d * per_plane::<S>());
        for (v, &a) in a.iter().enumerate() {
            let mut w2 = zero;
            for plane in w.chunks_exact(per_plane::<S>()) {
                w2 = simd.mul_add_e_f32s(plane[v], plane[v], w2);
            }
            let norms = simd.mul_f32s(simd.abs_f32s(a), simd.sqrt_f32s(w2));
            moments[0] = simd.mul_add_e_f32s(a, a, moments[0]);
            moments[1] = simd.add_f32s(moments[1], w2);
            moments[2] = simd.add_f32s(moments[2], norms);
        }
    }
    for (sum, moment) in sums.moments.iter_mut().zip(moments) {
        *sum += f64::from(simd.reduce_sum_f32s(moment));
    }
}

/// velocity + update of V vectors of particles: G = Σ_i g_i 1[z_i > 0] x_i, then the push.
#[inline(always)]
fn velocity_update<S: Simd, const D: usize>(
    simd: S,
    planes: &mut [S::f32s],
    half: usize,
    x: &[[f32; GROUP]],
    push: &Push,
    big_g: &mut [[S::f32s; V]],
) {
    let d = if D == 0 { big_g.len() } else { D };
    let big_g = &mut big_g[..d];
    let zero = simd.splat_f32s(0.0);
    let weights = d * per_plane::<S>();
    big_g.fill([zero; V]);
    // Σ_i g_i σ(z_i) = w·G: all that output-only training needs.
    let mut force = [zero; V];
    for (x, g) in x.chunks_exact(d).zip(push.g) {
        let z = products(simd, &planes[..weights], half, x);
        let mut active = [[zero; V]; GROUP];
        for s in 0..GROUP {
            let g = simd.splat_f32s(g[s]);
            for v in 0..V {
                let on = simd.greater_than_f32s(z[s][v], zero);
                active[s][v] = simd.select_f32s(on, g, zero);
            }
        }
        if push.train == Train::Output {
            for s in 0..GROUP {
                for v in 0..V {
                    force[v] = simd.mul_add_e_f32s(active[s][v], z[s][v], force[v]);
                }
            }
        } else {
            for (sum, x) in big_g.iter_mut().zip(x) {
                for v in 0..V {
                    let mut add = sum[v];
                    for s in 0..GROUP {
                        add = simd.mul_add_e_f32s(active[s][v], simd.splat_f32s(x[s]), add);
                    }
                    sum[v] = add;
                }
            }
        }
    }
    push_particles(simd, planes, half, big_g, force, push);
}

/// update of V vectors of particles, given their G and, for output-only training, w·G as `force`
/// (0 otherwise).
#[inline(always)]
pub fn push_particles<S: Simd>(
    simd: S,
    planes: &mut [S::f32s],
    half: usize,
    big_g: &[[S::f32s; V]],
    mut force: [S::f32s; V],
    push: &Push,
) {
    let d = big_g.len();
    let weights = d * per_plane::<S>();
    let zero = simd.splat_f32s(0.0);
    let a = at::<S>(planes, d, half);
    let splat = |v: f32| simd.splat_f32s(v);
    // keep − decay may round: the two are applied apart, as η(ȧ) is formed before it is added.
    let moved = |theta: S::f32s, force: S::f32s| {
        let change = simd.mul_add_e_f32s(splat(-push.decay), theta, force);
        let moved = simd.mul_add_e_f32s(splat(push.keep), theta, change);
        simd.mul_f32s(splat(push.scale), moved)
    };
    if push.train != Train::Output {
        for (k, g) in big_g.iter().enumerate() {
            let w = at::<S>(planes, k, half);
            for v in 0..V {
                force[v] = simd.mul_add_e_f32s(w[v], g[v], force[v]);
                let pull = simd.mul_f32s(splat(push.force_w), simd.mul_f32s(a[v], g[v]));
                planes[k * per_plane::<S>() + half * V + v] = moved(w[v], pull);
            }
        }
    }
    for v in 0..V {
        if push.train != Train::Input {
            let pull = simd.mul_f32s(splat(push.force_a), force[v]);
            planes[weights + half * V + v] = moved(a[v], pull);
        } else if push.keep == 0.0 {
            planes[weights + half * V + v] = zero;
        }
    }
    if push.train == Train::Output && push.keep == 0.0 {
        for k in 0..d {
            for v in 0..V {
                planes[k * per_plane::<S>() + half * V + v] = zero;
            }
        }
    }
}
