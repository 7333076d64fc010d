//! The neural tangent kernel on the training samples, in single precision.
//!
//! K_ik = (1/m) Σ_j [σ(z_ij)σ(z_kj) + a_j² 1[z_ij > 0] 1[z_kj > 0] x_i·x_k], z_ij = w_j·x_i: the first
//! term for the gradient in a, the second for that in w (Jacot, Gabriel & Hongler 2018).

use std::cell::RefCell;

use bytemuck::Zeroable;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::panels::{PANEL, PanelVector, Products, Tile, in_panels, panel};
use crate::data::Dataset;
use crate::model::Train;
use crate::particles::Particles;

/// Largest numbers of samples and particles used: the first ones.
pub const KERNEL_SAMPLES: usize = 256;
pub const KERNEL_PARTICLES: usize = 1024;

/// Number of particles of a group, which share a pass over the coordinates, and least number of groups per
/// task. The order of summation does not depend on them.
const GROUP: usize = 8;
const TOGETHER: usize = 16;

thread_local! {
    /// Buffer of features and gates, reused by the next kernel: allocating it takes a tenth of a kernel's time.
    static BUFFER: RefCell<Vec<PanelVector>> = const { RefCell::new(Vec::new()) };
}

/// K (n, n) in tiles, one per pair of panels (p, q ≤ p). Rows and columns beyond n are zero.
#[derive(Debug, Clone, PartialEq)]
pub struct TangentKernel {
    tiles: Vec<Tile>,
}

impl TangentKernel {
    /// The kernel of particles in any units, for the trained layers.
    pub fn new(train: Train, p: &Particles, data: &Dataset) -> Self {
        let (m, d) = (p.m().min(KERNEL_PARTICLES), data.d);
        let n = data.n().min(KERNEL_SAMPLES);
        let x = in_panels(&data.x[..n * d], d);
        let (w, a) = in_groups(p, m);
        let rows = a.len() * GROUP;
        let size = n.div_ceil(PANEL) * rows;
        let mut buffer = BUFFER.take();
        // All of the buffer is overwritten.
        buffer.resize(2 * size, PanelVector::zeroed());
        let (features, gates) = buffer.split_at_mut(size);
        let arch = Arch::new();
        (features.par_chunks_exact_mut(rows))
            .zip(gates.par_chunks_exact_mut(rows))
            .zip(x.par_chunks_exact(d))
            .for_each(|((features, gates), x)| {
                (w.par_chunks_exact(d).zip(&a))
                    .zip(features.as_chunks_mut().0)
                    .zip(gates.as_chunks_mut().0)
                    .with_min_len(TOGETHER)
                    .for_each(|(((w, a), features), gates)| {
                        arch.dispatch(Activate {
                            w,
                            a,
                            x,
                            features,
                            gates,
                        });
                    });
            });
        let (features, gates) = (&*features, &*gates);
        let pairs = (0..n.div_ceil(PANEL)).flat_map(|p| (0..=p).map(move |q| [p, q]));
        let pairs: Vec<[usize; 2]> = pairs.collect();
        let mut tiles = vec![Tile::zeroed(); pairs.len()];
        tiles.par_iter_mut().zip(pairs).for_each(|(k, pair)| {
            arch.dispatch(Entries {
                k,
                train,
                features: pair.map(|p| panel(features, rows, p)),
                gates: pair.map(|p| panel(gates, rows, p)),
                x: pair.map(|p| panel(&x, d, p)),
                each: 1.0 / m as f32,
            });
        });
        BUFFER.set(buffer);
        TangentKernel { tiles }
    }

    /// ‖s K − K_0‖ / ‖K_0‖ in the Frobenius norm; `None` where K_0 = 0.
    pub fn change(&self, s: f64, start: &TangentKernel) -> Option<f64> {
        let [change, size] = Arch::new().dispatch(Squares {
            s,
            now: &self.tiles,
            start: &start.tiles,
        });
        (size > 0.0).then(|| (change / size).sqrt())
    }
}

/// w (groups, d) and a (groups) of the first m particles. The last group is padded with particles
/// at the origin, which contribute nothing.
fn in_groups(p: &Particles, m: usize) -> (Vec<[f32; GROUP]>, Vec<[f32; GROUP]>) {
    let groups = m.div_ceil(GROUP);
    let mut w = vec![[0.0; GROUP]; groups * p.d];
    let mut a = vec![[0.0; GROUP]; groups];
    for j in 0..m {
        let (group, lane) = (j / GROUP, j % GROUP);
        a[group][lane] = p.a[j] as f32;
        let rows = w[group * p.d..].iter_mut();
        rows.zip(p.w(j)).for_each(|(row, &w)| row[lane] = w as f32);
    }
    (w, a)
}

/// The features σ(z) and the gates a 1[z > 0] of a group of particles on a panel of samples.
struct Activate<'a> {
    w: &'a [[f32; GROUP]],
    a: &'a [f32; GROUP],
    x: &'a [PanelVector],
    features: &'a mut [PanelVector; GROUP],
    gates: &'a mut [PanelVector; GROUP],
}

impl WithSimd for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        *self.features = Zeroable::zeroed();
        let products = Products {
            u: self.w,
            v: self.x,
            sum: self.features,
        };
        products.with_simd(simd);
        for ((z, gate), &a) in self.features.iter_mut().zip(self.gates).zip(self.a) {
            for (z, gate) in z.0.iter_mut().zip(&mut gate.0) {
                *gate = if *z > 0.0 { a } else { 0.0 };
                *z = z.max(0.0);
            }
        }
    }
}

/// A tile of K, initially zero, with the features and gates of its rows and columns.
struct Entries<'a> {
    k: &'a mut Tile,
    train: Train,
    features: [&'a [PanelVector]; 2],
    gates: [&'a [PanelVector]; 2],
    x: [&'a [PanelVector]; 2],
    /// 1/m
    each: f32,
}

impl WithSimd for Entries<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Entries { k, each, .. } = self;
        if self.train != Train::Output {
            let mut inner = Tile::zeroed();
            add(simd, self.gates, k);
            add(simd, self.x, &mut inner);
            let inner: &[f32] = bytemuck::cast_slice(&inner);
            let entries: &mut [f32] = bytemuck::cast_slice_mut(k);
            entries.iter_mut().zip(inner).for_each(|(k, xx)| *k *= xx);
        }
        if self.train != Train::Input {
            add(simd, self.features, k);
        }
        let entries: &mut [f32] = bytemuck::cast_slice_mut(k);
        entries.iter_mut().for_each(|k| *k *= each);
    }
}

/// Adds the products of the samples of two panels.
#[inline(always)]
fn add<S: Simd>(simd: S, [u, v]: [&[PanelVector]; 2], sum: &mut Tile) {
    let u: &[[f32; PANEL]] = bytemuck::cast_slice(u);
    Products { u, v, sum }.with_simd(simd);
}

/// Σ (s K − K_0)² and Σ K_0² over all entries.
struct Squares<'a> {
    s: f64,
    now: &'a [Tile],
    start: &'a [Tile],
}

impl WithSimd for Squares<'_> {
    type Output = [f64; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; 2] {
        let (mut change, mut size) = (0.0, 0.0);
        // A tile off the diagonal counts twice, as K is symmetric.
        let weights = (0..).flat_map(|p| (0..=p).map(move |q| if q < p { 2.0 } else { 1.0 }));
        for ((now, start), weight) in self.now.iter().zip(self.start).zip(weights) {
            let (mut changes, mut sizes) = ([0.0; PANEL], [0.0; PANEL]);
            for (now, start) in now.iter().zip(start) {
                for k in 0..PANEL {
                    let before = f64::from(start.0[k]);
                    let moved = self.s * f64::from(now.0[k]) - before;
                    changes[k] += moved * moved;
                    sizes[k] += before * before;
                }
            }
            change += weight * changes.iter().sum::<f64>();
            size += weight * sizes.iter().sum::<f64>();
        }
        [change, size]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small integers: every sum is exact.
    fn example() -> (Particles, Dataset) {
        let (m, d, n) = (4, 3, 70);
        let p = Particles {
            d,
            w: (0..m * d)
                .map(|k| f64::from((k * k % 7) as u8) - 3.0)
                .collect(),
            a: vec![1.0, -2.0, 3.0, 0.0],
        };
        let x = (0..n * d).map(|k| ((k * 37) % 19) as f32 - 9.0).collect();
        (
            p,
            Dataset {
                d,
                x,
                y: vec![1.0; n],
            },
        )
    }

    fn entry(kernel: &TangentKernel, i: usize, k: usize) -> f32 {
        let (p, q) = (i / PANEL, k / PANEL);
        kernel.tiles[p * (p + 1) / 2 + q][i % PANEL].0[k % PANEL]
    }

    #[test]
    fn the_kernel_by_definition() {
        let (p, data) = example();
        let dot =
            |w: &[f64], x: &[f32]| -> f64 { w.iter().zip(x).map(|(w, x)| w * f64::from(*x)).sum() };
        for train in [Train::Both, Train::Output, Train::Input] {
            let kernel = TangentKernel::new(train, &p, &data);
            for i in 0..data.n() {
                for k in 0..=i {
                    let (x, y) = (data.row(i), data.row(k));
                    let inner: f64 = x.iter().zip(y).map(|(x, y)| f64::from(x * y)).sum();
                    let term = |j: usize| {
                        let (z, u) = (dot(p.w(j), x), dot(p.w(j), y));
                        let both = if z > 0.0 && u > 0.0 { 1.0 } else { 0.0 };
                        let output = z.max(0.0) * u.max(0.0);
                        let input = p.a[j] * p.a[j] * both * inner;
                        match train {
                            Train::Both => output + input,
                            Train::Output => output,
                            Train::Input => input,
                        }
                    };
                    let want = (0..4).map(term).sum::<f64>() / 4.0;
                    let got = entry(&kernel, i, k);
                    assert_eq!(f64::from(got), want, "{train:?} {i} {k}");
                }
            }
        }
    }

    /// Doubling the network multiplies the kernel by four: a relative change of 3.
    #[test]
    fn a_scaled_kernel_has_changed_by_its_factor() {
        let (mut p, data) = example();
        let start = TangentKernel::new(Train::Both, &p, &data);
        assert_eq!(start.change(1.0, &start), Some(0.0));
        assert_eq!(start.change(4.0, &start), Some(3.0));
        p.w.iter_mut().chain(&mut p.a).for_each(|v| *v *= 2.0);
        let now = TangentKernel::new(Train::Both, &p, &data);
        assert_eq!(now.change(1.0, &start), Some(3.0));
        let nothing = TangentKernel::new(Train::Both, &Particles::zeros(4, 3), &data);
        assert_eq!(now.change(1.0, &nothing), None);
    }
}
