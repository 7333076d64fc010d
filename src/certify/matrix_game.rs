//! The finite zero-sum game between weights on the samples and masses on the atoms, for payoffs of any size.

use super::conic::{ConicProblem, GAP, SparseColumns, in_simplex, with_surplus};
use super::double_double;
use crate::error::Result;

/// Below this gap a solution is refined (see [`Player::refine`]) instead of solved for with other settings.
const REFINED_FROM: f64 = 1e-6;
/// Factors by which the errors of a solution are scaled up in its refinements, in turn.
const REFINEMENTS: [f64; 4] = [1e6, 1e8, 1e10, 1e12];
/// Distances of constraints in the scaled variables are cut to this: such constraints are inactive.
const INACTIVE: f64 = 1e3;

/// The strategies of both players, see [`solve_game`].
pub struct GameSolution {
    /// Weights of the samples (n).
    pub q: Vec<f64>,
    /// Masses of the atoms (K).
    pub c: Vec<f64>,
    /// Difference of the values that they guarantee.
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
/// optimum is of order 1. The wanted gap is `gap`, or [`GAP`] if that is larger; where the solver fails to reach
/// it, `accepted` is enough.
///
/// Payoffs of one atom may be far above the optimum, where weights have to cancel them. So rows are divided by
/// their largest payoff r_k, z_k = r_k c_k, and solutions are improved by iterative refinement (Gleixner, Steffy
/// and Wolter 2016) until the gap is small enough.
///
/// # Errors
/// Those of [`ConicProblem::solve`], where it finds nothing at all.
pub fn solve_game(a: &[Vec<f64>], b: &[f64], gap: f64, accepted: f64) -> Result<GameSolution> {
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
    let sample_player = Player {
        payoffs: &payoffs,
        shares: &shares,
        levels: &inverse,
    };
    let atom_player = Player {
        payoffs: &turned,
        shares: &inverse,
        levels: &shares,
    };
    let enough = accepted.max(gap).max(GAP);
    let (q, z) = sample_player.refine(&sample_player.origin(), CorrectionScale::ONE, gap)?;
    let (mut q, mut z) = (sample_player.point(q), atom_player.point(z));
    for factor in REFINEMENTS {
        // −z.level is the value that the masses guarantee.
        let gap_left = q.level + z.level;
        if gap_left <= enough {
            break;
        }
        let scale = CorrectionScale {
            factor,
            unit: gap_left,
        };
        // Where the solver fails, the solution stays as it is.
        if let Ok(nearer) = sample_player.refine(&q, scale, gap) {
            q = q.better_of(sample_player.point(nearer.0));
            z = z.better_of(atom_player.point(nearer.1));
        }
        if let Ok(nearer) = atom_player.refine(&z, scale, gap) {
            z = z.better_of(atom_player.point(nearer.0));
        }
    }
    let c: Vec<f64> = z.x.iter().zip(&sizes).map(|(z, r)| z / r).collect();
    Ok(GameSolution {
        gap: q.level + z.level,
        q: in_simplex(&q.x, b),
        c: in_simplex(&c, &vec![1.0; a.len()]),
    })
}

/// One player's problem: min s subject to P_k·x ≤ s l_k for every row, x ≥ 0, Σ_i w_i x_i = 1.
struct Player<'a> {
    /// P, one row per constraint.
    payoffs: &'a [Vec<f64>],
    /// w
    shares: &'a [f64],
    /// l
    levels: &'a [f64],
}

/// A strategy x, and the least s for which it is feasible.
struct Point {
    x: Vec<f64>,
    level: f64,
}

/// How the correction of a point is scaled for the solver.
#[derive(Clone, Copy)]
struct CorrectionScale {
    /// The solver's x is `factor` times the correction of x.
    factor: f64,
    /// The solver's s is the correction of s divided by `unit`, about the largest that is expected.
    unit: f64,
}

impl CorrectionScale {
    const ONE: Self = CorrectionScale {
        factor: 1.0,
        unit: 1.0,
    };
}

impl Point {
    /// The one with the lower level.
    fn better_of(self, other: Self) -> Self {
        match other.level < self.level {
            true => other,
            false => self,
        }
    }
}

impl Player<'_> {
    fn origin(&self) -> Point {
        Point {
            x: vec![0.0; self.shares.len()],
            level: 0.0,
        }
    }

    fn point(&self, x: Vec<f64>) -> Point {
        let rows = self.payoffs.iter().zip(self.levels);
        let levels = rows.map(|(row, l)| double_double::dot(0.0, row, &x) / l);
        Point {
            level: levels.fold(f64::MIN, f64::max),
            x,
        }
    }

    /// One step of iterative refinement: x and the multipliers of the rows, solved for as a correction of a
    /// point. The solver works on the scaled correction, so that its errors are divided by the scale; residuals
    /// of the constraints are computed in double-double arithmetic.
    fn refine(
        &self,
        point: &Point,
        CorrectionScale { factor, unit }: CorrectionScale,
        gap: f64,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let (rows, n) = (self.payoffs.len(), self.shares.len());
        // The coefficient of s in every row; rows in which it exceeds 1 are divided by it.
        let parts: Vec<f64> = self.levels.iter().map(|l| factor * unit * l).collect();
        let divisors: Vec<f64> = parts.iter().map(|v| v.max(1.0)).collect();
        let parts: Vec<f64> = parts.iter().zip(&divisors).map(|(v, by)| v / by).collect();
        let mut matrix = SparseColumns::new(1 + rows + n);
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
        let slack = |value: f64| (factor * value).min(INACTIVE);
        let negative: Vec<f64> = point.x.iter().map(|x| -x).collect();
        let mut right_side = vec![factor * double_double::dot(1.0, self.shares, &negative)];
        let of_rows = self.payoffs.iter().zip(self.levels).zip(&divisors);
        right_side.extend(of_rows.map(|((row, l), by)| {
            let distance = double_double::dot(point.level * l, row, &negative);
            slack(distance / by)
        }));
        right_side.extend(point.x.iter().map(|x| slack(*x)));
        let problem = ConicProblem::linear(cost, matrix, right_side, 1);
        let read = |x: &[f64], z: &[f64]| {
            let x = point.x.iter().zip(x).map(|(at, x)| at + x / factor);
            let x: Vec<f64> = x.collect();
            let z: Vec<f64> = z[1..1 + rows]
                .iter()
                .zip(&divisors)
                .map(|(z, by)| z / by)
                .collect();
            (in_simplex(&x, self.shares), in_simplex(&z, self.levels))
        };
        let gap_of = |x: &[f64], z: &[f64]| {
            let columns = (0..n).map(|i| {
                let paid = self.payoffs.iter().zip(z).map(|(row, z)| row[i] * z);
                paid.sum::<f64>() / self.shares[i]
            });
            self.point(x.to_vec()).level - columns.fold(f64::INFINITY, f64::min)
        };
        problem.solve(gap.max(REFINED_FROM), gap, read, gap_of)
    }
}
