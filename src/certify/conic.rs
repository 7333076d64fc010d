//! The finite convex problems, in the form of the conic solver. Callers get approximate primal and dual
//! variables, and compute their own bounds from them.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{
    DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SupportedConeT, ZeroConeT,
};

use super::input_matrix::{add, dot};
use crate::error::{Error, Result};

/// Tolerance given to the solver, which stops earlier where it cannot reach it.
const TOLERANCE: f64 = 1e-13;
/// The same as a share of the wanted gap.
const TOLERANCE_SHARE: f64 = 1e-2;
/// The gap, as computed here, at which a solution is accepted; problems are of order 1.
pub(super) const GAP: f64 = 1e-11;
/// Settings to try in turn, (regularisation, equilibration): with atoms close to each other each of them fails
/// now and then, but seldom two on one problem.
const ATTEMPTS: [(f64, bool); 4] = [(1e-10, true), (1e-10, false), (1e-12, false), (1e-14, true)];

/// Part of the wanted gap that is added to every share b_i, so that the solver's errors leave no f_i below its
/// share, however small the share is.
const SURPLUS: f64 = 0.1;

/// q (n) and multipliers c ≥ 0 (K) of
///
/// ```text
/// min over q of Σ_i (q_i²/(2 h_i) + q_i b_i)   subject to   Σ_i q_i A_ki ≤ λ for every k,
/// ```
///
/// the masses of min over c ≥ 0 of Σ_i ½ h_i (Σ_k c_k A_ki + b_i)² + λ Σ_k c_k. `unit` is the
/// size of that minimum.
pub fn lasso(
    a: &[Vec<f64>],
    h: &[f64],
    b: &[f64],
    lambda: f64,
    unit: f64,
) -> Result<(Vec<f64>, Vec<f64>)> {
    // In v_i = q_i/size_i, with every constraint divided by λ: then coefficients and v are of order 1, whether
    // the curvature or, for large inputs, the constraints limit q_i.
    let n = b.len();
    let largest = |i: usize| a.iter().map(|row| row[i].abs()).fold(0.0, f64::max);
    let size = |(i, h): (usize, &f64)| (unit * h).sqrt().min(lambda / largest(i));
    let size: Vec<f64> = h.iter().enumerate().map(size).collect();
    let mut quadratic = SparseColumns::new(n);
    let mut matrix = SparseColumns::new(a.len());
    for (i, (size, h)) in size.iter().zip(h).enumerate() {
        quadratic.push(i, size * size / (unit * h));
        quadratic.end();
        matrix.push_payoffs(0, a, i, size / lambda);
        matrix.end();
    }
    let problem = ConicProblem {
        quadratic: quadratic.into_csc(),
        cost: b.iter().zip(&size).map(|(b, s)| b * s / unit).collect(),
        matrix: matrix.into_csc(),
        right_side: vec![1.0; a.len()],
        cones: vec![NonnegativeConeT(a.len())],
    };
    problem.solve(
        GAP,
        GAP,
        |v, z| {
            let q = v.iter().zip(&size).map(|(v, s)| v * s).collect();
            let c = z.iter().map(|z| z.max(0.0) * unit / lambda).collect();
            (q, c)
        },
        |q, c| lasso_gap(a, h, b, lambda, q, c) / unit,
    )
}

/// The duality gap of q, scaled to be feasible, and masses c ≥ 0 in the problems of [`lasso`].
pub(super) fn lasso_gap(
    a: &[Vec<f64>],
    h: &[f64],
    b: &[f64],
    lambda: f64,
    q: &[f64],
    c: &[f64],
) -> f64 {
    let r = mixture(a, c, b.to_vec());
    let risk: f64 = r.iter().zip(h).map(|(r, h)| 0.5 * h * r * r).sum();
    let primal = risk + lambda * c.iter().sum::<f64>();
    let most = a.iter().map(|row| dot(row, q)).fold(lambda, f64::max);
    let feasible: Vec<f64> = q.iter().map(|q| q * lambda / most).collect();
    let quadratic: f64 = feasible.iter().zip(h).map(|(q, h)| q * q / (2.0 * h)).sum();
    primal + quadratic + dot(&feasible, b)
}

/// q ≥ 0 (n) with Σ_i b_i q_i = 1 that makes qᵀ K q smallest, for a positive semidefinite K (n, n) of
/// order 1 and shares b (n) of which the largest is 1: then qᵀ K q = min over i of (K q)_i/b_i. As near to
/// that as `gap` says for shares much below it, and else as [`GAP`] does.
pub fn nearest_point(k: &[f64], b: &[f64], gap: f64) -> Result<Vec<f64>> {
    let n = b.len();
    let mut quadratic = SparseColumns::new(n);
    for j in 0..n {
        (0..=j).for_each(|i| quadratic.push(i, k[i * n + j]));
        quadratic.end();
    }
    let mut matrix = SparseColumns::new(1 + n);
    for (i, share) in with_surplus(b, gap).iter().enumerate() {
        matrix.push(0, *share);
        matrix.push(1 + i, -1.0);
        matrix.end();
    }
    let mut right_side = vec![0.0; 1 + n];
    right_side[0] = 1.0;
    let problem = ConicProblem {
        quadratic: quadratic.into_csc(),
        cost: vec![0.0; n],
        matrix: matrix.into_csc(),
        right_side,
        cones: vec![ZeroConeT(1), NonnegativeConeT(n)],
    };
    let (q, _) = problem.solve(
        GAP,
        GAP,
        |q, _| (in_simplex(q, b), Vec::new()),
        |q, _| {
            let slopes: Vec<f64> = k.chunks_exact(n).map(|row| dot(row, q)).collect();
            dot(&slopes, q) - least_share(&slopes, b)
        },
    )?;
    Ok(q)
}

/// b_i, and a surplus for the errors of a solution with this gap.
pub(super) fn with_surplus(b: &[f64], gap: f64) -> Vec<f64> {
    let surplus = SURPLUS * gap.max(GAP);
    b.iter().map(|b| b + surplus).collect()
}

/// min over i of f_i/b_i
fn least_share(f: &[f64], b: &[f64]) -> f64 {
    let shares = f.iter().zip(b).map(|(f, b)| f / b);
    shares.fold(f64::INFINITY, f64::min)
}

/// start + Σ_k c_k A_k
fn mixture(a: &[Vec<f64>], c: &[f64], start: Vec<f64>) -> Vec<f64> {
    let mut sum = start;
    a.iter().zip(c).for_each(|(row, &c)| add(&mut sum, c, row));
    sum
}

/// Negative entries set to 0, the rest scaled to Σ_i b_i q_i = 1.
pub(super) fn in_simplex(q: &[f64], b: &[f64]) -> Vec<f64> {
    let total: f64 = q.iter().zip(b).map(|(q, b)| q.max(0.0) * b).sum();
    q.iter().map(|q| q.max(0.0) / total).collect()
}

/// min ½ xᵀ P x + cost·x subject to right_side − A x in the cones.
pub(super) struct ConicProblem {
    quadratic: CscMatrix<f64>,
    cost: Vec<f64>,
    matrix: CscMatrix<f64>,
    right_side: Vec<f64>,
    cones: Vec<SupportedConeT<f64>>,
}

impl ConicProblem {
    /// min cost·x subject to A x = right_side in the first `equal` rows and A x ≤ right_side in the others.
    pub(super) fn linear(
        cost: Vec<f64>,
        matrix: SparseColumns,
        right_side: Vec<f64>,
        equal: usize,
    ) -> Self {
        ConicProblem {
            quadratic: CscMatrix::zeros((cost.len(), cost.len())),
            cones: vec![ZeroConeT(equal), NonnegativeConeT(right_side.len() - equal)],
            matrix: matrix.into_csc(),
            cost,
            right_side,
        }
    }

    /// What `read` makes of x and the multipliers. The settings are tried in turn until `gap` of the result is
    /// at most `enough`; the result with the least gap is returned. The solver's own status is ignored.
    ///
    /// # Errors
    /// A failure of the solver with every setting.
    pub(super) fn solve(
        &self,
        enough: f64,
        wanted: f64,
        read: impl Fn(&[f64], &[f64]) -> (Vec<f64>, Vec<f64>),
        gap: impl Fn(&[f64], &[f64]) -> f64,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let enough = enough.max(GAP);
        let tolerance = TOLERANCE.max(TOLERANCE_SHARE * wanted.max(GAP));
        let mut best = (f64::INFINITY, None);
        for (regularisation, equilibrate) in ATTEMPTS {
            let settings = DefaultSettings {
                verbose: false,
                tol_gap_abs: tolerance,
                tol_gap_rel: tolerance,
                tol_feas: tolerance,
                static_regularization_constant: regularisation,
                equilibrate_enable: equilibrate,
                ..DefaultSettings::default()
            };
            let ConicProblem {
                quadratic,
                cost,
                matrix,
                right_side,
                cones,
            } = self;
            let mut solver =
                DefaultSolver::new(quadratic, cost, matrix, right_side, cones, settings)
                    .map_err(|e| failed(&e.to_string()))?;
            solver.solve();
            let found = read(&solver.solution.x, &solver.solution.z);
            let finite = found.0.iter().chain(&found.1).all(|v| v.is_finite());
            let size = gap(&found.0, &found.1);
            // A NaN is never the best.
            if finite && size < best.0 {
                best = (size, Some(found));
            }
            if best.0 <= enough {
                break;
            }
        }
        best.1.ok_or_else(|| failed("it found no finite point"))
    }
}

fn failed(what: &str) -> Error {
    Error::Certificate {
        what: format!("the convex solver failed: {what}"),
        remedy: "check that the inputs are of ordinary size; if they are, report it with the data"
            .into(),
    }
}

/// A sparse matrix built column by column.
pub(super) struct SparseColumns {
    rows: usize,
    starts: Vec<usize>,
    row_indices: Vec<usize>,
    values: Vec<f64>,
}

impl SparseColumns {
    pub(super) fn new(rows: usize) -> Self {
        SparseColumns {
            rows,
            starts: vec![0],
            row_indices: Vec::new(),
            values: Vec::new(),
        }
    }

    /// An entry of the present column, in a row below that of its last one.
    pub(super) fn push(&mut self, row: usize, value: f64) {
        if value != 0.0 {
            self.row_indices.push(row);
            self.values.push(value);
        }
    }

    /// scale A_ki of every atom k, from row `first` on.
    fn push_payoffs(&mut self, first: usize, a: &[Vec<f64>], i: usize, scale: f64) {
        for (k, row) in a.iter().enumerate() {
            self.push(first + k, scale * row[i]);
        }
    }

    pub(super) fn end(&mut self) {
        self.starts.push(self.row_indices.len());
    }

    fn into_csc(self) -> CscMatrix<f64> {
        let columns = self.starts.len() - 1;
        CscMatrix::new(
            self.rows,
            columns,
            self.starts,
            self.row_indices,
            self.values,
        )
    }
}
