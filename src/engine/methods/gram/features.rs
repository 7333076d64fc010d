//! Features σ(w_j·x_i) in f64, chunk by chunk, and the products with them.

use gemm_common::Parallelism;
use gemm_f64::gemm::f64::get_gemm_fn;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::data::Dataset;
use crate::particles::Particles;

/// Particles of a chunk: its features on a few hundred samples stay in a second-level cache.
pub const CHUNK: usize = 512;
/// Rows per task of a thread. The order of summation does not depend on it.
const ROWS: usize = 32;
/// Rows that [`combine`] adds at a time.
const TOGETHER: usize = 4;

/// The training inputs X (n, d).
#[derive(Debug)]
pub struct TrainingInputs {
    pub n: usize,
    d: usize,
    x: Vec<f64>,
}

/// Features of b particles on n samples, row-major (n, b).
#[derive(Debug)]
pub struct Features {
    pub phi: Vec<f64>,
    /// b
    pub width: usize,
}

impl TrainingInputs {
    pub fn new(data: &Dataset) -> Self {
        TrainingInputs {
            n: data.n(),
            d: data.d,
            x: data.x.iter().map(|&x| f64::from(x)).collect(),
        }
    }

    /// Features of particles `first..first + width` of a block.
    pub fn features(&self, block: &Particles, first: usize, width: usize) -> Features {
        let w = &block.w[first * self.d..(first + width) * self.d];
        let mut phi = vec![0.0; self.n * width];
        let rows = phi.par_chunks_mut(ROWS * width);
        rows.zip(self.x.par_chunks(ROWS * self.d))
            .for_each(|(phi, x)| {
                multiply(x, w, self.d, phi, width);
                phi.iter_mut().for_each(|z| *z = z.max(0.0));
            });
        Features { phi, width }
    }
}

/// K += φ φᵀ below the diagonal and some way above it; K is row-major (n, n).
pub fn add_products(features: &Features, kernel: &mut [f64], n: usize) {
    let Features { phi, width } = features;
    let blocks = kernel.par_chunks_mut(ROWS * n).enumerate();
    blocks.for_each(|(block, rows)| {
        let first = block * ROWS;
        let count = rows.len() / n;
        let own = &phi[first * width..(first + count) * width];
        let columns = &phi[..(first + count) * width];
        multiply(own, columns, *width, rows, n);
    });
}

/// Fills a symmetric matrix from its lower triangle, multiplied by a factor.
pub fn mirror(kernel: &mut [f64], n: usize, factor: f64) {
    for i in 0..n {
        for k in 0..=i {
            kernel[i * n + k] *= factor;
            kernel[k * n + i] = kernel[i * n + k];
        }
    }
}

/// out (rows, stride) += A Bᵀ for row-major A (·, depth) and B (·, depth).
fn multiply(a: &[f64], b: &[f64], depth: usize, out: &mut [f64], stride: usize) {
    let (rows, columns) = (a.len() / depth, b.len() / depth);
    assert!(columns <= stride && rows * stride <= out.len());
    let (step, stride) = (depth as isize, stride as isize);
    // SAFETY: the pointers cover rows × depth, columns × depth and rows × stride numbers, as
    // asserted, and `out` is borrowed mutably.
    unsafe {
        get_gemm_fn()(
            rows,
            columns,
            depth,
            out.as_mut_ptr(),
            1,
            stride,
            true,
            a.as_ptr(),
            1,
            step,
            b.as_ptr(),
            step,
            1,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Columns of a row-major matrix: `out.len()` of `stride` from `first` on.
pub struct Columns<'a> {
    pub rows: &'a [f64],
    pub stride: usize,
    pub first: usize,
}

/// out += Σ_r c_r row_r, in the order of the rows.
pub fn combine(arch: Arch, c: &[f64], columns: Columns, out: &mut [f64]) {
    arch.dispatch(Combine { c, columns, out });
}

struct Combine<'a> {
    c: &'a [f64],
    columns: Columns<'a>,
    out: &'a mut [f64],
}

impl WithSimd for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Columns {
            rows,
            stride,
            first,
        } = self.columns;
        let width = self.out.len();
        let row = |r: usize| &rows[r * stride + first..][..width];
        for (block, c) in self.c.chunks(TOGETHER).enumerate() {
            let r = block * TOGETHER;
            if let &[c0, c1, c2, c3] = c {
                let (r0, r1, r2, r3) = (row(r), row(r + 1), row(r + 2), row(r + 3));
                let each = self.out.iter_mut().zip(r0).zip(r1).zip(r2).zip(r3);
                for ((((out, v0), v1), v2), v3) in each {
                    *out += (c0 * v0 + c1 * v1) + (c2 * v2 + c3 * v3);
                }
            } else {
                for (k, c) in c.iter().enumerate() {
                    let each = self.out.iter_mut().zip(row(r + k));
                    each.for_each(|(out, v)| *out += c * v);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Dataset {
        let n = 70;
        let x = (0..2 * n).map(|k| ((k * 37) % 19) as f32 - 9.0);
        Dataset {
            d: 2,
            x: x.collect(),
            y: vec![1.0; n],
        }
    }

    /// Integers: every sum is exact.
    #[test]
    fn products_of_features_by_definition() {
        let data = data();
        let n = data.n();
        let block = Particles {
            d: 2,
            w: (0..10).map(|k| f64::from(k * k % 7) - 3.0).collect(),
            a: vec![0.0; 5],
        };
        let features = TrainingInputs::new(&data).features(&block, 1, 3);
        let phi = |i: usize, j: usize| {
            let x = data.row(i);
            (block.w(j)[0] * f64::from(x[0]) + block.w(j)[1] * f64::from(x[1])).max(0.0)
        };
        let mut kernel = vec![0.0; n * n];
        add_products(&features, &mut kernel, n);
        mirror(&mut kernel, n, 0.5);
        for i in 0..n {
            for j in 0..3 {
                assert_eq!(features.phi[i * 3 + j], phi(i, j + 1));
            }
            for k in 0..n {
                let want: f64 = (1..4).map(|j| 0.5 * phi(i, j) * phi(k, j)).sum();
                assert_eq!(kernel[i * n + k], want, "{i} {k}");
            }
        }
    }

    #[test]
    fn rows_combine() {
        let rows: Vec<f64> = (0..7 * 5).map(f64::from).collect();
        let c: Vec<f64> = (0..7).map(|r| f64::from(r) - 3.0).collect();
        let mut out = vec![1.0; 3];
        let columns = Columns {
            rows: &rows,
            stride: 5,
            first: 1,
        };
        combine(Arch::new(), &c, columns, &mut out);
        for (v, out) in out.iter().enumerate() {
            let want: f64 = (0..7).map(|r| c[r] * rows[r * 5 + v + 1]).sum();
            assert_eq!(*out, 1.0 + want);
        }
    }
}
