//! Products Σ_j u_ji v_jk of samples i and k, panel by panel, in SIMD.

use bytemuck::{Pod, Zeroable};
use pulp::{Simd, WithSimd};

use crate::engine::cpu::{LANES, add_products};

/// Number of samples of a panel: the number of lanes of the cpu engine, so that its kernels can be used.
pub const PANEL: usize = LANES;

/// One number per sample of a panel, aligned so that no vector load crosses a cache line.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C, align(128))]
pub struct PanelVector(pub [f32; PANEL]);

/// One value for every pair of samples of two panels.
pub type Tile = [PanelVector; PANEL];

/// Number of rows of both factors that fit in a first-level cache. The order of summation does not depend
/// on it.
const DEPTH: usize = 128;

/// Adds Σ_j u_j[i] v_j[k] to sum[i][k], j from first to last.
pub struct Products<'a, const W: usize> {
    /// (j, i); W is a multiple of eight.
    pub u: &'a [[f32; W]],
    /// (j, k)
    pub v: &'a [PanelVector],
    /// (i, k)
    pub sum: &'a mut [PanelVector; W],
}

impl<const W: usize> WithSimd for Products<'_, W> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let sum: &mut [S::f32s] = bytemuck::cast_slice_mut(self.sum);
        for (u, v) in self.u.chunks(DEPTH).zip(self.v.chunks(DEPTH)) {
            let v: &[S::f32s] = bytemuck::cast_slice(v);
            for row in (0..W).step_by(8) {
                // Twelve independent sums or more hide the latency of a multiply-add.
                if S::REGISTER_COUNT >= 32 {
                    add::<S, W, 8, 2>(simd, (u, row), v, sum);
                } else {
                    add::<S, W, 6, 2>(simd, (u, row), v, sum);
                    add::<S, W, 2, 4>(simd, (u, row + 6), v, sum);
                }
            }
        }
    }
}

/// Adds the products of N samples of u, from index `row` on, V vectors at a time.
#[inline(always)]
fn add<S: Simd, const W: usize, const N: usize, const V: usize>(
    simd: S,
    (u, row): (&[[f32; W]], usize),
    v: &[S::f32s],
    sum: &mut [S::f32s],
) {
    let vectors = PANEL / S::F32_LANES;
    for first in (0..vectors).step_by(V) {
        let place = |i: usize| (row + i) * vectors + first;
        let mut z = [[simd.splat_f32s(0.0); V]; N];
        for (i, z) in z.iter_mut().enumerate() {
            z.copy_from_slice(&sum[place(i)..place(i) + V]);
        }
        add_products(simd, &mut z, v, first, u, row, |v| v);
        for (i, z) in z.iter().enumerate() {
            sum[place(i)..place(i) + V].copy_from_slice(z);
        }
    }
}

/// Vectors of n samples, row-major (n, d), as panels (panels, d). The last one is padded with zeros.
pub fn in_panels(x: &[f32], d: usize) -> Vec<PanelVector> {
    let n = x.len() / d;
    let mut rows = vec![PanelVector::zeroed(); n.div_ceil(PANEL) * d];
    for (i, x) in x.chunks_exact(d).enumerate() {
        let rows = rows[i / PANEL * d..].iter_mut();
        rows.zip(x).for_each(|(row, &x)| row.0[i % PANEL] = x);
    }
    rows
}

/// Panel p, where each panel has `each` rows.
pub fn panel(rows: &[PanelVector], each: usize, p: usize) -> &[PanelVector] {
    &rows[p * each..(p + 1) * each]
}

#[cfg(test)]
mod tests {
    use pulp::Arch;

    use super::*;

    /// With small integers every sum is exact, also if it is split.
    #[test]
    fn products_are_sums_of_products() {
        let depth = DEPTH + 3;
        let number = |j: usize, i: usize| ((j * j + 31 * i) % 17) as f32 - 8.0;
        let u: Vec<[f32; 16]> = (0..depth)
            .map(|j| std::array::from_fn(|i| number(j, i)))
            .collect();
        let v: Vec<PanelVector> = (0..depth)
            .map(|j| PanelVector(std::array::from_fn(|k| number(j + 5, k))))
            .collect();
        for arch in [Arch::Scalar, Arch::new()] {
            let mut sum = [PanelVector([1.0; PANEL]); 16];
            let products = Products {
                u: &u,
                v: &v,
                sum: &mut sum,
            };
            arch.dispatch(products);
            for (i, row) in sum.iter().enumerate() {
                for (k, &got) in row.0.iter().enumerate() {
                    let want: f32 = u.iter().zip(&v).map(|(u, v)| u[i] * v.0[k]).sum();
                    assert_eq!(got, 1.0 + want, "{arch:?} {i} {k}");
                }
            }
        }
    }
}
