//! The finite problem of the penalised risk, solved by an active-set method that goes on from its last solution.
//!
//! ```text
//! min over c ≥ 0 of Σ_i ½ h_i (Σ_k c_k A_ki + b_i)² + λ Σ_k c_k
//! ```
//!
//! With columns u_k = √h A_k/|√h A_k|, unknowns x_k = c_k |√h A_k| and prices w_k = λ/|√h A_k| it is
//! min over x ≥ 0 of ½|U x − t|² + w·x for t = −√h b: every column has length 1, whatever the sizes of samples
//! and inputs. At the optimum the residual r = t − U x has u_k·r = w_k where x_k > 0, and u_k·r ≤ w_k elsewhere.
//!
//! The atoms with x_k > 0 are the active set. Their x solves the normal equations, by a QR factorisation of
//! their columns. The atom that violates its condition most enters; the x that would become negative leave.
//! An atom in the span of the active ones changes places with one of them.
//!
//! Source: Lawson & Hanson 1974, Solving least squares problems, chapter 23 (nonnegative least squares).

mod qr;
#[cfg(test)]
mod tests;

use super::conic;
use super::input_matrix::{add, dot, norm};
use super::marked::{new_positions, retain_marked};
use crate::error::Result;
use qr::Qr;

/// Share of its price by which an atom outside the active set may violate its condition.
const VIOLATION: f64 = 1e-12;
/// Distance of a column of length 1 from the span of others below which it counts as in it.
const DEPENDENT: f64 = 1e-8;
/// Share of the value by which it must fall for a change of the active set to count as progress.
const PROGRESS: f64 = 1e-15;
/// Corrections of the residual after each solution of the normal equations.
const CORRECTIONS: usize = 2;

/// The last solution, from which the next solve goes on.
#[derive(Debug, Default)]
pub struct FiniteLasso {
    /// h (n) for which the columns were computed.
    h: Vec<f64>,
    /// u_k (K, n); zeros for an atom without effect.
    columns: Vec<Vec<f64>>,
    /// |√h A_k| (K)
    lengths: Vec<f64>,
    /// Numbers of the active atoms, in the order of the columns of `qr`.
    active: Vec<usize>,
    /// x of the active atoms, in their order.
    x: Vec<f64>,
    qr: Qr,
}

/// A solution of a finite problem.
#[derive(Debug, Clone, PartialEq)]
pub struct FiniteSolution {
    /// q_i = −h_i (Σ_k c_k A_ki + b_i) (n), with Σ_i q_i A_ki ≤ λ up to rounding.
    pub dual: Vec<f64>,
    /// c (K)
    pub masses: Vec<f64>,
}

/// A finite problem over the atoms A (K, n).
#[derive(Debug, Clone, Copy)]
pub struct FiniteProblem<'a> {
    pub rows: &'a [Vec<f64>],
    pub h: &'a [f64],
    pub b: &'a [f64],
    pub lambda: f64,
    /// The size of the minimum: gaps are shares of it.
    pub unit: f64,
}

impl FiniteProblem<'_> {
    /// The duality gap of a solution, its dual point scaled to be feasible, as a share of `unit`.
    fn gap(&self, solution: &FiniteSolution) -> f64 {
        let FiniteSolution { dual, masses } = solution;
        conic::lasso_gap(self.rows, self.h, self.b, self.lambda, dual, masses) / self.unit
    }
}

/// t and w of the problem in columns of length 1.
struct Scaled {
    /// t (n)
    target: Vec<f64>,
    /// w (K)
    prices: Vec<f64>,
}

impl FiniteLasso {
    /// Keeps the marked atoms of the last problem.
    pub fn retain(&mut self, keep: &[bool]) {
        let is_kept = |k: usize| keep.get(k).copied().unwrap_or(true);
        for j in (0..self.active.len()).rev() {
            if !is_kept(self.active[j]) {
                self.leave(j);
            }
        }
        let positions = new_positions(self.columns.len(), keep);
        self.active.iter_mut().for_each(|k| *k = positions[*k]);
        retain_marked(&mut self.columns, keep);
        retain_marked(&mut self.lengths, keep);
    }

    /// Solves a problem whose first atoms are those of the last one, to a duality gap of `wanted` as a share of
    /// `unit`. Where the active set does not get there, the interior-point solver is asked too, and the better
    /// of both solutions is returned.
    ///
    /// # Errors
    /// A failure of both.
    pub fn solve(&mut self, problem: &FiniteProblem, wanted: f64) -> Result<FiniteSolution> {
        let enough = wanted.max(conic::GAP);
        let own = self.optimise(problem);
        if problem.gap(&own) <= enough {
            return Ok(own);
        }
        // Rounding errors of the factorisation add up from solve to solve.
        self.factorise();
        let own = self.optimise(problem);
        let gap = problem.gap(&own);
        if gap <= enough {
            return Ok(own);
        }
        tracing::debug!("the active-set method ended with a relative gap of {gap:.1e}");
        let FiniteProblem {
            rows,
            h,
            b,
            lambda,
            unit,
        } = *problem;
        match conic::lasso(rows, h, b, lambda, unit) {
            Ok((dual, masses)) => {
                let other = FiniteSolution { dual, masses };
                let is_better = gap <= problem.gap(&other);
                Ok(if is_better { own } else { other })
            }
            Err(_) if gap.is_finite() => Ok(own),
            Err(error) => Err(error),
        }
    }

    /// The solution at which no atom enters any more.
    fn optimise(&mut self, problem: &FiniteProblem) -> FiniteSolution {
        self.take_columns(problem);
        let roots: Vec<f64> = problem.h.iter().map(|h| h.sqrt()).collect();
        let target: Vec<f64> = roots.iter().zip(problem.b).map(|(h, b)| -h * b).collect();
        let scaled = Scaled {
            target,
            prices: self.lengths.iter().map(|l| problem.lambda / l).collect(),
        };
        let mut residual = self.settle(&scaled);
        let mut value = self.value(&scaled);
        // Atoms that entered without progress: they wait for the next progress.
        let mut waiting = vec![false; self.columns.len()];
        for _ in 0..100 + 10 * (problem.b.len() + self.columns.len()) {
            let Some(entering) = self.entering(&residual, &scaled, &waiting) else {
                break;
            };
            self.enter(entering);
            residual = self.settle(&scaled);
            let before = value;
            value = self.value(&scaled);
            if before - value > PROGRESS * before {
                waiting.fill(false);
            } else {
                waiting[entering] = true;
            }
        }
        let mut masses = vec![0.0; self.columns.len()];
        for (&k, x) in self.active.iter().zip(&self.x) {
            masses[k] = x / self.lengths[k];
        }
        let dual = residual.iter().zip(&roots).map(|(r, h)| h * r).collect();
        FiniteSolution { dual, masses }
    }

    /// Computes the columns of new atoms, and all of them where h has changed.
    fn take_columns(&mut self, problem: &FiniteProblem) {
        let FiniteProblem { rows, h, .. } = *problem;
        let is_other = self.h != h;
        if is_other {
            self.h = h.to_vec();
            let lengths = std::mem::take(&mut self.lengths);
            self.columns.clear();
            // Masses stay; x is in units of the lengths.
            let active = self.active.iter().zip(&mut self.x);
            active.for_each(|(&k, x)| *x /= lengths[k]);
        }
        let roots: Vec<f64> = h.iter().map(|h| h.sqrt()).collect();
        for row in rows.iter().skip(self.columns.len()) {
            let mut column: Vec<f64> = row.iter().zip(&roots).map(|(a, h)| a * h).collect();
            let length = norm(&column);
            match length > 0.0 && length.is_finite() {
                true => column.iter_mut().for_each(|v| *v /= length),
                false => column.fill(0.0),
            }
            self.columns.push(column);
            self.lengths.push(length);
        }
        if is_other {
            let active = self.active.iter().zip(&mut self.x);
            active.for_each(|(&k, x)| *x *= self.lengths[k]);
            self.factorise();
        }
    }

    /// Factorises the active columns anew, the heaviest first. Dependent ones leave the active set.
    fn factorise(&mut self) {
        let mut atoms: Vec<(usize, f64)> = self.active.drain(..).zip(self.x.drain(..)).collect();
        atoms.sort_by(|(_, x), (_, other)| other.total_cmp(x));
        self.qr = Qr::default();
        for (k, x) in atoms {
            let column = self.qr.project(&self.columns[k]);
            if column.distance > DEPENDENT {
                self.push(k, column, x);
            }
        }
    }

    fn push(&mut self, k: usize, column: qr::Projected, x: f64) {
        self.qr.push(column);
        self.active.push(k);
        self.x.push(x);
    }

    /// Takes the j-th active atom out of the active set.
    fn leave(&mut self, j: usize) {
        self.qr.remove(j);
        self.active.remove(j);
        self.x.remove(j);
    }

    /// The atom that violates its condition most.
    fn entering(&self, residual: &[f64], scaled: &Scaled, waiting: &[bool]) -> Option<usize> {
        let mut free: Vec<bool> = waiting.iter().map(|waits| !waits).collect();
        self.active.iter().for_each(|&k| free[k] = false);
        let candidates = (0..self.columns.len()).filter(|&k| free[k]);
        let valued = candidates.map(|k| {
            let price = scaled.prices[k];
            (k, dot(&self.columns[k], residual) - price, price)
        });
        let violating = valued.filter(|(_, excess, price)| *excess > VIOLATION * price);
        let most = violating.max_by(|(_, u, _), (_, v, _)| u.total_cmp(v));
        most.map(|(k, _, _)| k)
    }

    /// Puts an atom into the active set. While its column u is in the span of the active ones, u = U z, its x
    /// grows and theirs shrink by z until one is 0 and leaves: along that line the residual stays and the price
    /// falls.
    fn enter(&mut self, k: usize) {
        let mut own = 0.0;
        loop {
            let column = self.qr.project(&self.columns[k]);
            if column.distance > DEPENDENT {
                return self.push(k, column, own);
            }
            let z = self.qr.solve(column.coefficients);
            let shrinking = z.iter().zip(&self.x).enumerate();
            let ratios = shrinking.filter(|(_, (z, _))| **z > 0.0);
            let ratios = ratios.map(|(j, (z, x))| (j, x / z));
            let Some((j, step)) = ratios.min_by(|(_, s), (_, t)| s.total_cmp(t)) else {
                return;
            };
            add(&mut self.x, -step, &z);
            own += step;
            self.leave(j);
            self.x.iter_mut().for_each(|x| *x = x.max(0.0));
        }
    }

    /// Makes x optimal for the active atoms: moves to the solution of their normal equations, or as far as no x
    /// becomes negative; then those at 0 leave. Returns the residual.
    fn settle(&mut self, scaled: &Scaled) -> Vec<f64> {
        loop {
            let solution = self.normal_equations(scaled);
            // The share of the way at which each x becomes 0.
            let share = |(x, s): (&f64, &f64)| match *s > 0.0 {
                true => f64::INFINITY,
                false => x / (x - s).max(f64::MIN_POSITIVE),
            };
            let shares: Vec<f64> = self.x.iter().zip(&solution).map(share).collect();
            let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
            if least == f64::INFINITY {
                self.x = solution;
                return self.residual(scaled);
            }
            for (x, s) in self.x.iter_mut().zip(&solution) {
                *x = (*x + least * (s - *x)).max(0.0);
            }
            for j in (0..shares.len()).rev() {
                if shares[j] <= least {
                    self.leave(j);
                }
            }
        }
    }

    /// w of the active atoms.
    fn active_prices(&self, scaled: &Scaled) -> Vec<f64> {
        self.active.iter().map(|&k| scaled.prices[k]).collect()
    }

    /// x with UᵀU x = Uᵀt − w: R x = Qᵀt − R⁻ᵀw.
    fn normal_equations(&self, scaled: &Scaled) -> Vec<f64> {
        let mut right_side = self.qr.q_transposed(&scaled.target);
        let prices = self.qr.solve_transposed(self.active_prices(scaled));
        add(&mut right_side, -1.0, &prices);
        self.qr.solve(right_side)
    }

    /// t − U x
    fn difference(&self, scaled: &Scaled) -> Vec<f64> {
        let mut r = scaled.target.clone();
        let active = self.active.iter().zip(&self.x);
        active.for_each(|(&k, &x)| add(&mut r, -x, &self.columns[k]));
        r
    }

    /// r = t − U x for the exact x with Uᵀr = w. As a difference it would have errors as large as those of the
    /// largest entries; corrections within the span of U make small entries, of samples with a large weight,
    /// as accurate as large ones.
    fn residual(&self, scaled: &Scaled) -> Vec<f64> {
        let mut r = self.difference(scaled);
        let prices = self.active_prices(scaled);
        for _ in 0..CORRECTIONS {
            let pairs = self.active.iter().zip(&prices);
            let missing = pairs.map(|(&k, w)| w - dot(&self.columns[k], &r));
            let missing = self.qr.solve_transposed(missing.collect());
            self.qr.add_q_times(&missing, &mut r);
        }
        r
    }

    /// ½|U x − t|² + w·x
    fn value(&self, scaled: &Scaled) -> f64 {
        let r = self.difference(scaled);
        0.5 * dot(&r, &r) + dot(&self.active_prices(scaled), &self.x)
    }
}
