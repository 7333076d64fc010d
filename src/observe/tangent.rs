//! The neural tangent kernel on the training samples, in single precision.
//!
//! K_ik = (1/m) Σ_j [σ(z_ij)σ(z_kj) + a_j² 1[z_ij > 0] 1[z_kj > 0] x_i·x_k], z_ij = w_j·x_i: the first
//! term for the gradient in a, the second for that in w (Jacot, Gabriel & Hongler 2018).

use std::cell::RefCell;
use std::ops::Range;

use gemm::{Parallelism, gemm};
use rayon::prelude::*;

use crate::data::Dataset;
use crate::experiment::Train;
use crate::particles::Particles;

/// Samples and particles that enter, at most: the first ones.
pub const KERNEL_SAMPLES: usize = 256;
pub const KERNEL_PARTICLES: usize = 1024;

/// Particles, and rows of K, that one thread takes at a time. They decide no order of summation.
const TOGETHER: usize = 128;
const ROWS: usize = 32;

thread_local! {
    /// Room for the features and gates of a kernel, kept from one to the next: to clear it anew each
    /// time takes a tenth of what a kernel takes.
    static ROOM: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// K (n, n), row-major, what is right of the diagonal as well as it comes: entries (i, k) with
/// k ≤ i are complete.
#[derive(Debug, Clone, PartialEq)]
pub struct TangentKernel {
    n: usize,
    entries: Vec<f32>,
}

impl TangentKernel {
    /// Of particles in any units, for the layers that train.
    pub fn new(train: Train, p: &Particles, data: &Dataset) -> Self {
        let (m, d) = (p.m().min(KERNEL_PARTICLES), data.d);
        let n = data.n().min(KERNEL_SAMPLES);
        let x = &data.x[..n * d];
        let w: Vec<f32> = p.w[..m * d].iter().map(|&w| w as f32).collect();
        let a: Vec<f32> = p.a[..m].iter().map(|&a| a as f32).collect();
        let mut room = ROOM.take();
        // What it holds is written over.
        room.resize(2 * m * n, 0.0);
        let (features, gates) = room.split_at_mut(m * n);
        let kernel = TangentKernel::by(train, (&w, &a), x, d, (features, gates));
        ROOM.set(room);
        kernel
    }

    /// With room for the features σ(z) and the gates a 1[z > 0], both row-major (m, n): what a product
    /// packs lies side by side.
    fn by(
        train: Train,
        (w, a): (&[f32], &[f32]),
        x: &[f32],
        d: usize,
        (features, gates): (&mut [f32], &mut [f32]),
    ) -> Self {
        let (m, n) = (a.len(), x.len() / d);
        (features.par_chunks_mut(TOGETHER * n))
            .zip(gates.par_chunks_mut(TOGETHER * n))
            .zip(w.par_chunks(TOGETHER * d).zip(a.par_chunks(TOGETHER)))
            .for_each(|((features, gates), (w, a))| {
                multiply(
                    Factor::rows(w, d),
                    Factor::rows(x, d),
                    features,
                    n,
                    Onto::Nothing,
                );
                let rows = features.chunks_exact_mut(n).zip(gates.chunks_exact_mut(n));
                for ((features, gates), &a) in rows.zip(a) {
                    for (z, gate) in features.iter_mut().zip(gates) {
                        *gate = if *z > 0.0 { a } else { 0.0 };
                        *z = z.max(0.0);
                    }
                }
            });
        let mut entries = vec![0.0; n * n];
        let blocks = entries.par_chunks_mut(ROWS * n).enumerate();
        // One by one: later blocks take longer.
        blocks.with_max_len(1).for_each(|(block, rows)| {
            let first = block * ROWS;
            let end = first + rows.len() / n;
            if train != Train::Output {
                let mut inputs = vec![0.0; rows.len()];
                let own = Factor::rows(&x[first * d..end * d], d);
                let all = Factor::rows(&x[..end * d], d);
                multiply(own, all, &mut inputs, n, Onto::Nothing);
                let own = Factor::columns(gates, n, first..end);
                let all = Factor::columns(gates, n, 0..end);
                multiply(own, all, rows, n, Onto::Nothing);
                rows.iter_mut().zip(&inputs).for_each(|(k, xx)| *k *= xx);
            }
            if train != Train::Input {
                let own = Factor::columns(features, n, first..end);
                let all = Factor::columns(features, n, 0..end);
                multiply(own, all, rows, n, Onto::Sum);
            }
        });
        let each = 1.0 / m as f32;
        entries.iter_mut().for_each(|k| *k *= each);
        TangentKernel { n, entries }
    }

    /// ‖s K − K_0‖ / ‖K_0‖ in the Frobenius norm; `None` where K_0 = 0.
    pub fn change(&self, s: f64, start: &TangentKernel) -> Option<f64> {
        let (mut change, mut size) = (0.0, 0.0);
        for i in 0..self.n {
            let row = i * self.n..i * self.n + i + 1;
            let pairs = self.entries[row.clone()].iter().zip(&start.entries[row]);
            for (k, (&now, &before)) in pairs.enumerate() {
                // Each entry off the diagonal stands for two.
                let weight = if k < i { 2.0 } else { 1.0 };
                let before = f64::from(before);
                change += weight * (s * f64::from(now) - before).powi(2);
                size += weight * before * before;
            }
        }
        (size > 0.0).then(|| (change / size).sqrt())
    }
}

/// Vectors whose products with others are wanted.
#[derive(Clone, Copy)]
struct Factor<'a> {
    values: &'a [f32],
    count: usize,
    depth: usize,
    /// Numbers from one vector to the next, and from one of its entries to the next.
    across: usize,
    along: usize,
}

impl<'a> Factor<'a> {
    /// The rows of a row-major matrix (·, depth).
    fn rows(values: &'a [f32], depth: usize) -> Self {
        Factor {
            values,
            count: values.len() / depth,
            depth,
            across: depth,
            along: 1,
        }
    }

    /// Some columns of a row-major matrix (·, stride).
    fn columns(values: &'a [f32], stride: usize, range: Range<usize>) -> Self {
        Factor {
            values: &values[range.start..],
            count: range.len(),
            depth: values.len() / stride,
            across: 1,
            along: stride,
        }
    }

    /// Whether its last entry is among its values.
    fn is_within(&self) -> bool {
        let last = self.count.saturating_sub(1) * self.across;
        last + self.depth.saturating_sub(1) * self.along < self.values.len()
    }
}

/// What products are added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onto {
    Nothing,
    /// The sum so far.
    Sum,
}

/// out (a.count, stride): the products of each of a's vectors with each of b's.
fn multiply(a: Factor, b: Factor, out: &mut [f32], stride: usize, onto: Onto) {
    assert!(a.is_within() && b.is_within() && a.depth == b.depth);
    assert!(b.count <= stride && a.count * stride <= out.len());
    // SAFETY: the pointers cover all vectors and a.count × stride numbers, as asserted, and `out`
    // is borrowed mutably.
    unsafe {
        gemm(
            a.count,
            b.count,
            a.depth,
            out.as_mut_ptr(),
            1,
            stride as isize,
            onto == Onto::Sum,
            a.values.as_ptr(),
            a.along as isize,
            a.across as isize,
            b.values.as_ptr(),
            b.across as isize,
            b.along as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
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
                    let got = kernel.entries[i * data.n() + k];
                    assert_eq!(f64::from(got), want, "{train:?} {i} {k}");
                }
            }
        }
    }

    /// Twice the network is four times the kernel: a change of 3.
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
