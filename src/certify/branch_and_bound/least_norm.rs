//! The shortest vector g + Σ_j y_j a_j with coefficients between bounds.

use crate::certify::input_matrix::{add, dot, norm};

/// Part of the way to the wanted length below which a sweep ends the descent.
const LEAST_PROGRESS: f64 = 0.02;
/// Squared distance of a unit vector from the span of others below which it counts as one of them.
const SINGULAR: f64 = 1e-14;

/// A column a_j (d) of unit length and its coefficient y in [0, most].
pub struct Column<'a> {
    pub a: &'a [f64],
    /// ±1: the column is sign·a.
    pub sign: f64,
    pub y: f64,
    pub most: f64,
}

/// Lowers |r|, r = g + Σ_j y_j a_j, a coefficient at a time, until |r| ≤ `enough`, or until the sweeps left would
/// hardly reach that, or after `sweeps` of them.
pub fn sweep(r: &mut [f64], columns: &mut [Column], enough: f64, sweeps: usize) {
    let mut last = norm(r);
    for _ in 0..sweeps {
        for column in columns.iter_mut() {
            let new = (column.y - column.sign * dot(r, column.a)).clamp(0.0, column.most);
            let change = new - column.y;
            if change != 0.0 {
                column.y = new;
                add(r, change * column.sign, column.a);
            }
        }
        let now = norm(r);
        if now <= enough || last - now < LEAST_PROGRESS * (now - enough) {
            return;
        }
        last = now;
    }
}

/// Lowers |r|, r = g + Σ_j y_j a_j, by an active-set method (bounded-variable least squares, Stark and Parker
/// 1995) from the coefficients given, in at most `steps` steps. Coefficients stay within their bounds whatever
/// rounding does; r is kept up to rounding.
pub fn shorten(r: &mut [f64], columns: &mut [Column], steps: usize) {
    let d = r.len();
    let scale = dot(r, r).sqrt();
    let mut free: Vec<usize> = Vec::with_capacity(d);
    for (j, column) in columns.iter().enumerate() {
        if column.y > 0.0 && column.y < column.most && free.len() < d {
            free.push(j);
        }
    }
    let mut factor = vec![0.0; d * d];
    let mut y = vec![0.0; d];
    let mut skipped = usize::MAX;
    for step in 0..steps {
        if step > 0 || free.is_empty() {
            // The column whose slope at its bound points inside, most of all.
            let mut entering = (1e-13 * scale, usize::MAX);
            for (j, column) in columns.iter().enumerate() {
                if free.contains(&j) || j == skipped {
                    continue;
                }
                let slope = column.sign * dot(r, column.a);
                let gain = if column.y < column.most { -slope } else { 0.0 };
                let gain = gain.max(if column.y > 0.0 { slope } else { 0.0 });
                if gain > entering.0 {
                    entering = (gain, j);
                }
            }
            if entering.1 == usize::MAX || free.len() == d {
                return;
            }
            free.push(entering.1);
        }
        loop {
            let m = free.len();
            if m == 0 || !solve(r, columns, &free, &mut factor, &mut y) {
                // The newest column depends on the others.
                skipped = free.pop().unwrap_or(usize::MAX);
                break;
            }
            skipped = usize::MAX;
            // The change as far as the first bound that it meets.
            let (mut share, mut leaving) = (1.0, usize::MAX);
            for (k, &j) in free.iter().enumerate() {
                let Column { y: from, most, .. } = columns[j];
                let room = if y[k] < 0.0 { -from } else { most - from };
                if y[k] != 0.0 && room / y[k] < share {
                    (share, leaving) = (room / y[k], k);
                }
            }
            for (k, &j) in free.iter().enumerate() {
                let column = &mut columns[j];
                let new = match k == leaving {
                    true if y[k] < 0.0 => 0.0,
                    true => column.most,
                    false => (column.y + share * y[k]).clamp(0.0, column.most),
                };
                add(r, (new - column.y) * column.sign, column.a);
                column.y = new;
            }
            if leaving == usize::MAX {
                break;
            }
            let left = free.remove(leaving);
            if share == 0.0 {
                skipped = left;
            }
            if free.is_empty() {
                break;
            }
        }
    }
}

/// Changes y of the free coefficients that make r shortest; false where they are not unique.
fn solve(r: &[f64], columns: &[Column], free: &[usize], factor: &mut [f64], y: &mut [f64]) -> bool {
    for (y, &k) in y.iter_mut().zip(free) {
        *y = -columns[k].sign * dot(columns[k].a, r);
    }
    let inner = |i: usize, j: usize| {
        let (one, other) = (&columns[free[i]], &columns[free[j]]);
        one.sign * other.sign * dot(one.a, other.a)
    };
    solve_gram(inner, factor, &mut y[..free.len()])
}

/// Solves Σ_j gram_ij y_j = b_i for the b (m) given in `y`, by a Cholesky factor, kept in `factor` (m²); false
/// where the gram matrix of m unit vectors is singular up to rounding.
pub fn solve_gram(gram: impl Fn(usize, usize) -> f64, factor: &mut [f64], y: &mut [f64]) -> bool {
    let m = y.len();
    for i in 0..m {
        for j in 0..=i {
            let (before, own) = factor.split_at_mut(i * m);
            let (row, at) = own[..=i].split_at_mut(j);
            let v = gram(i, j);
            if i > j {
                let other = &before[j * m..=j * m + j];
                at[0] = (v - dot(row, &other[..j])) / other[j];
                continue;
            }
            let v = v - dot(row, row);
            if v <= SINGULAR {
                return false;
            }
            at[0] = v.sqrt();
        }
        let row = &factor[i * m..=i * m + i];
        y[i] = (y[i] - dot(&row[..i], &y[..i])) / row[i];
    }
    for i in (0..m).rev() {
        let below: f64 = (i + 1..m).map(|k| factor[k * m + i] * y[k]).sum();
        y[i] = (y[i] - below) / factor[i * m + i];
    }
    true
}
