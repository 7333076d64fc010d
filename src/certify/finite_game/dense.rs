//! Products of dense rows, on the widest vectors that the processor has.

use pulp::Arch;

/// Running sums of a product.
const SUMS: usize = 16;

#[inline(always)]
fn dot(u: &[f64], v: &[f64]) -> f64 {
    let ((u, u_end), (v, v_end)) = (u.as_chunks::<SUMS>(), v.as_chunks::<SUMS>());
    let mut sums = [0.0; SUMS];
    for (u, v) in u.iter().zip(v) {
        for ((sum, u), v) in sums.iter_mut().zip(u).zip(v) {
            *sum += u * v;
        }
    }
    let rest: f64 = u_end.iter().zip(v_end).map(|(u, v)| u * v).sum();
    sums.iter().sum::<f64>() + rest
}

#[inline(always)]
fn add(u: &mut [f64], s: f64, v: &[f64]) {
    u.iter_mut().zip(v).for_each(|(u, v)| *u += s * v);
}

/// The products of rows with a vector.
pub fn products<'a>(rows: impl Iterator<Item = &'a [f64]>, v: &[f64]) -> Vec<f64> {
    Arch::new().dispatch(
        #[inline(always)]
        || rows.map(|row| dot(row, v)).collect(),
    )
}

/// sum += Σ_k c_k row_k
pub fn add_rows<'a>(sum: &mut [f64], rows: impl Iterator<Item = (&'a [f64], f64)>) {
    Arch::new().dispatch(
        #[inline(always)]
        || rows.for_each(|(row, c)| add(sum, c, row)),
    );
}

/// row_k += c_k v for every row with c_k ≠ 0.
pub fn add_to_rows<'a>(rows: impl Iterator<Item = (&'a mut Vec<f64>, f64)>, v: &[f64]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            rows.filter(|(_, c)| *c != 0.0)
                .for_each(|(row, c)| add(row, c, v));
        },
    );
}
