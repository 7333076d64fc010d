//! The finite game between weights on the samples and masses on the atoms, whatever the sizes of its payoffs.

use super::conic::{Columns, GAP, Problem, in_simplex, with_surplus};
use super::twofold;
use crate::error::Result;

/// The gap from which a game is solved again near what was found, instead of with other settings.
const ROUGH: f64 = 1e-6;
/// By how much a solution is zoomed in on, in turn.
const ZOOMS: [f64; 4] = [1e6, 1e8, 1e10, 1e12];
/// The distance of constraints, in the zoomed variables, beyond which they are moved here: they are not met.
const FAR: f64 = 1e3;

/// What both players of a [`game`] choose.
pub struct Found {
    /// Weights of the samples (n).
    pub q: Vec<f64>,
    /// Masses of the atoms (K).
    pub c: Vec<f64>,
    /// How far apart what they reach is.
    pub gap: f64,
}

/// q ≥ 0 (n) and c in the simplex (K) of the game
///
/// ```text
/// min over q ≥ 0 with Σ_i b_i q_i = 1 of max over k of Σ_i q_i A_ki
///     = max over c in the simplex of min over i of f_i/b_i,   f_i = Σ_k c_k A_ki,
/// ```
///
/// for payoffs A, one row of length n per atom, and shares b (n) of which the largest is 1, where the
/// optimum is of order 1; as near to it as `gap` says, or as [`GAP`] does where that is wider. Where the solver
/// fails to come as near, `zoomed` is enough.
///
/// Payoffs of one atom may be far above the optimum, where weights have to cancel them. So rows are divided by
/// their largest payoff r_k, z_k = r_k c_k, and each player's side is solved for again near what was found
/// (Gleixner, Steffy and Wolter 2016) until the gap is small enough.
///
/// # Errors
/// Those of [`Problem::solve`], where it finds nothing at all.
pub fn game(a: &[Vec<f64>], b: &[f64], gap: f64, zoomed: f64) -> Result<Found> {
    let n = b.len();
    let largest = |row: &Vec<f64>| row.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    let size = |row| Some(largest(row)).filter(|r| *r > 0.0).unwrap_or(1.0);
    let sizes: Vec<f64> = a.iter().map(size).collect();
    let divided = |(row, r): (&Vec<f64>, &f64)| row.iter().map(|v| v / r).collect();
    let payoffs: Vec<Vec<f64>> = a.iter().zip(&sizes).map(divided).collect();
    let of_sample = |i: usize| payoffs.iter().map(|row| -row[i]).collect();
    let turned: Vec<Vec<f64>> = (0..n).map(of_sample).collect();
    let shares = with_surplus(b, gap);
    let inverse: Vec<f64> = sizes.iter().map(|r| 1.0 / r).collect();
    let samples = Side {
        payoffs: &payoffs,
        shares: &shares,
        levels: &inverse,
    };
    let atoms = Side {
        payoffs: &turned,
        shares: &inverse,
        levels: &shares,
    };
    let enough = zoomed.max(gap).max(GAP);
    let (q, z) = samples.near(&samples.origin(), (1.0, 1.0), gap)?;
    let (mut q, mut z) = (samples.point(q), atoms.point(z));
    for zoom in ZOOMS {
        // −z.level is what the masses reach.
        let left = q.level + z.level;
        if left <= enough {
            break;
        }
        // What was found stays where the solver fails.
        if let Ok(nearer) = samples.near(&q, (zoom, left), gap) {
            q = q.or(samples.point(nearer.0));
            z = z.or(atoms.point(nearer.1));
        }
        if let Ok(nearer) = atoms.near(&z, (zoom, left), gap) {
            z = z.or(atoms.point(nearer.0));
        }
    }
    let c: Vec<f64> = z.x.iter().zip(&sizes).map(|(z, r)| z / r).collect();
    Ok(Found {
        gap: q.level + z.level,
        q: in_simplex(&q.x, b),
        c: in_simplex(&c, &vec![1.0; a.len()]),
    })
}

/// One player's problem: min s subject to P_k·x ≤ s l_k for every row, x ≥ 0, Σ_i w_i x_i = 1.
struct Side<'a> {
    /// P, one row per constraint.
    payoffs: &'a [Vec<f64>],
    /// w
    shares: &'a [f64],
    /// l
    levels: &'a [f64],
}

/// A choice x of a player, and the least s that it allows.
struct Point {
    x: Vec<f64>,
    level: f64,
}

impl Point {
    /// The better one.
    fn or(self, other: Self) -> Self {
        match other.level < self.level {
            true => other,
            false => self,
        }
    }
}

impl Side<'_> {
    fn origin(&self) -> Point {
        Point {
            x: vec![0.0; self.shares.len()],
            level: 0.0,
        }
    }

    fn point(&self, x: Vec<f64>) -> Point {
        let rows = self.payoffs.iter().zip(self.levels);
        let levels = rows.map(|(row, l)| twofold::dot(0.0, row, &x) / l);
        Point {
            level: levels.fold(f64::MIN, f64::max),
            x,
        }
    }

    /// x and the multipliers of the rows, from their distances to a point, in units of 1/zoom for x and of
    /// `unit` for s: the errors of a solver are divided by as much. What is left of a constraint at the point is
    /// computed as if in twice the precision.
    fn near(
        &self,
        point: &Point,
        (zoom, unit): (f64, f64),
        gap: f64,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let (rows, n) = (self.payoffs.len(), self.shares.len());
        // The part of s in every row, which is divided by what of it exceeds 1.
        let parts: Vec<f64> = self.levels.iter().map(|l| zoom * unit * l).collect();
        let divisors: Vec<f64> = parts.iter().map(|v| v.max(1.0)).collect();
        let parts: Vec<f64> = parts.iter().zip(&divisors).map(|(v, by)| v / by).collect();
        let mut matrix = Columns::new(1 + rows + n);
        for (i, share) in self.shares.iter().enumerate() {
            matrix.push(0, *share);
            for (k, (row, divisor)) in self.payoffs.iter().zip(&divisors).enumerate() {
                matrix.push(1 + k, row[i] / divisor);
            }
            matrix.push(1 + rows + i, -1.0);
            matrix.end();
        }
        (1..)
            .zip(&parts)
            .for_each(|(k, part)| matrix.push(k, -part));
        matrix.end();
        let mut cost = vec![0.0; n];
        cost.push(1.0);
        let left = |value: f64| (zoom * value).min(FAR);
        let negative: Vec<f64> = point.x.iter().map(|x| -x).collect();
        let mut right = vec![zoom * twofold::dot(1.0, self.shares, &negative)];
        let of_rows = self.payoffs.iter().zip(self.levels).zip(&divisors);
        right.extend(of_rows.map(|((row, l), by)| {
            let distance = twofold::dot(point.level * l, row, &negative);
            left(distance / by)
        }));
        right.extend(point.x.iter().map(|x| left(*x)));
        let problem = Problem::linear(cost, matrix, right, 1);
        let read = |x: &[f64], z: &[f64]| {
            let x = point.x.iter().zip(x).map(|(at, x)| at + x / zoom);
            let x: Vec<f64> = x.collect();
            let z: Vec<f64> = z[1..1 + rows]
                .iter()
                .zip(&divisors)
                .map(|(z, by)| z / by)
                .collect();
            (in_simplex(&x, self.shares), in_simplex(&z, self.levels))
        };
        let reached = |x: &[f64], z: &[f64]| {
            let columns = (0..n).map(|i| {
                let paid = self.payoffs.iter().zip(z).map(|(row, z)| row[i] * z);
                paid.sum::<f64>() / self.shares[i]
            });
            self.point(x.to_vec()).level - columns.fold(f64::INFINITY, f64::min)
        };
        problem.solve(gap.max(ROUGH), gap, read, reached)
    }
}
