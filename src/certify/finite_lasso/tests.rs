//! Solutions against their optimality conditions and against the interior-point solver, from no active set and
//! from that of another problem.

use super::*;
use crate::certify::tests::gaussian;

/// A finite problem with its own arrays.
#[derive(Clone)]
struct Case {
    rows: Vec<Vec<f64>>,
    h: Vec<f64>,
    b: Vec<f64>,
    lambda: f64,
}

impl Case {
    /// Random neurons on random inputs, as rows of either sign; `curved`: curvatures that differ by up to 10⁶.
    fn new(seed: u64, n: usize, atoms: usize, curved: bool) -> Self {
        let d = 3;
        let x = gaussian(seed, n * d);
        let row = |k: usize| -> Vec<f64> {
            let theta = gaussian(seed * 1000 + k as u64, d + 1);
            let z = x.chunks_exact(d).map(|x| dot(x, &theta[..d]));
            z.map(|z| theta[d].signum() * z.max(0.0)).collect()
        };
        let exponents = gaussian(seed + 500, n);
        let curvature = |u: &f64| match curved {
            true => 10f64.powf(-3.0 + 3.0 * (u / 2.0).clamp(-1.0, 1.0)) / n as f64,
            false => 1.0 / n as f64,
        };
        Case {
            rows: (0..atoms).map(row).collect(),
            h: exponents.iter().map(curvature).collect(),
            b: gaussian(seed + 600, n),
            lambda: 10f64.powf(-3.0 + gaussian(seed + 700, 1)[0].clamp(-2.0, 2.0)),
        }
    }

    /// The problem, in units of its value without atoms.
    fn problem(&self) -> FiniteProblem<'_> {
        let terms = self.h.iter().zip(&self.b).map(|(h, b)| 0.5 * h * b * b);
        FiniteProblem {
            rows: &self.rows,
            h: &self.h,
            b: &self.b,
            lambda: self.lambda,
            unit: terms.sum(),
        }
    }

    /// ½ Σ h (Ac + b)² + λ Σ c
    fn value(&self, masses: &[f64]) -> f64 {
        let mut r = self.b.clone();
        let atoms = self.rows.iter().zip(masses);
        atoms.for_each(|(row, &c)| add(&mut r, c, row));
        let risk: f64 = r.iter().zip(&self.h).map(|(r, h)| 0.5 * h * r * r).sum();
        risk + self.lambda * masses.iter().sum::<f64>()
    }

    /// Whether the masses are not negative, the dual point is theirs and feasible, and the constraint of every
    /// atom with mass is tight; up to 10⁻⁹.
    fn is_optimal(&self, solution: &FiniteSolution) -> bool {
        let FiniteSolution { dual, masses } = solution;
        let mut r = self.b.clone();
        let atoms = self.rows.iter().zip(masses);
        atoms.for_each(|(row, &c)| add(&mut r, c, row));
        let size = r.iter().zip(&self.h).map(|(r, h)| (r * h).abs());
        let size = size.fold(0.0, f64::max);
        let is_dual = |((r, h), q): ((&f64, &f64), &f64)| (-h * r - q).abs() <= 1e-9 * size;
        let holds = |(row, &c): (&Vec<f64>, &f64)| {
            let share = dot(row, dual) / self.lambda;
            c >= 0.0 && share <= 1.0 + 1e-9 && (c == 0.0 || share >= 1.0 - 1e-9)
        };
        r.iter().zip(&self.h).zip(dual).all(is_dual) && self.rows.iter().zip(masses).all(holds)
    }
}

/// The solution of the active-set method alone.
fn solved(finite: &mut FiniteLasso, case: &Case) -> FiniteSolution {
    let found = finite.optimise(&case.problem());
    let gap = case.problem().gap(&found);
    assert!(gap <= conic::GAP, "{gap:.1e}");
    found
}

#[test]
fn solutions_meet_their_conditions() {
    for seed in 0..60 {
        let n = 1 + seed as usize % 20;
        let case = Case::new(seed, n, 1 + (seed as usize * 7) % 60, seed % 2 == 1);
        let found = solved(&mut FiniteLasso::default(), &case);
        assert!(case.is_optimal(&found), "seed {seed}");
        let problem = case.problem();
        let (dual, masses) = conic::lasso(
            problem.rows,
            problem.h,
            problem.b,
            problem.lambda,
            problem.unit,
        )
        .unwrap();
        let (own, other) = (case.value(&found.masses), case.value(&masses));
        assert!(
            (own - other).abs() <= 1e-10 * problem.unit,
            "seed {seed}: {own} {other}"
        );
        // The risk is strictly convex in q: the dual point is unique, and as far as the root of the gap.
        let largest = found.dual.iter().fold(0.0_f64, |m, q| m.max(q.abs()));
        for (p, q) in found.dual.iter().zip(&dual) {
            assert!((p - q).abs() <= 1e-4 * largest, "seed {seed}: {p} {q}");
        }
        // The sabotage: a mass, and an entry of the dual point.
        if let Some(k) = found.masses.iter().position(|c| *c > 0.0) {
            let mut wrong = found.clone();
            wrong.masses[k] *= 1.001;
            assert!(!case.is_optimal(&wrong), "seed {seed}");
        }
        let at = found.dual.iter().position(|q| q.abs() == largest).unwrap();
        let mut wrong = found.clone();
        wrong.dual[at] *= 1.001;
        assert!(!case.is_optimal(&wrong), "seed {seed}");
    }
}

/// Copies, copies up to a small difference, sums of others, multiples, and rows of zeros.
#[test]
fn dependent_atoms() {
    for seed in 0..40 {
        let mut case = Case::new(seed, 8, 12, seed % 2 == 1);
        let rows = case.rows.clone();
        let times = |row: &[f64], s: f64| -> Vec<f64> { row.iter().map(|v| v * s).collect() };
        case.rows.push(vec![0.0; 8]);
        for (k, row) in rows.iter().enumerate() {
            case.rows.push(row.clone());
            case.rows.push(times(row, 3.0));
            case.rows.push(times(row, 1e-6));
            for apart in [1e-14, 1e-9, 1e-7, 1e-5] {
                let noise = gaussian(seed + 31 * k as u64, 8);
                let near = row.iter().zip(noise).map(|(v, u)| v + apart * u);
                case.rows.push(near.collect());
            }
            let mut sum = row.clone();
            add(&mut sum, 1.0, &rows[(k + 1) % rows.len()]);
            case.rows.push(sum);
        }
        let found = solved(&mut FiniteLasso::default(), &case);
        assert!(case.is_optimal(&found), "seed {seed}");
    }
}

/// Problems that change by a few atoms, by their penalty and by their curvatures: the solution is that of a
/// solve from nothing.
#[test]
fn a_warm_start_changes_no_solution() {
    for seed in 0..30 {
        let whole = Case::new(seed, 15, 80, false);
        let other = Case::new(seed, 15, 80, true);
        let mut finite = FiniteLasso::default();
        let mut case = whole.clone();
        case.rows.truncate(10);
        for step in 0..12 {
            let first = 10 + 5 * step;
            case.rows.extend_from_slice(&whole.rows[first..first + 5]);
            match step % 4 {
                1 => case.lambda *= 0.5,
                2 => case.h = other.h.clone(),
                3 => case.h = whole.h.clone(),
                _ => case.b[step] += 0.1,
            }
            let warm = solved(&mut finite, &case);
            let cold = solved(&mut FiniteLasso::default(), &case);
            assert!(case.is_optimal(&warm), "seed {seed}, step {step}");
            let (warm_value, cold_value) = (case.value(&warm.masses), case.value(&cold.masses));
            assert!((warm_value - cold_value).abs() <= 1e-12 * case.problem().unit);
            for (p, q) in warm.dual.iter().zip(&cold.dual) {
                assert!((p - q).abs() <= 1e-10, "seed {seed}, step {step}: {p} {q}");
            }
            // Some atoms go, with mass or without; a state that keeps them is of another problem.
            let keep: Vec<bool> = (0..case.rows.len()).map(|k| k % 7 != step % 7).collect();
            let mut marks = keep.iter();
            case.rows.retain(|_| marks.next() == Some(&true));
            finite.retain(&keep);
        }
    }
}

/// The sabotage of a warm start: with the columns of another problem the conditions do not hold.
#[test]
fn columns_of_another_problem_give_no_solution() {
    let mut caught = 0;
    for seed in 0..10 {
        let mut case = Case::new(seed, 15, 40, false);
        case.lambda = 1e-3;
        let mut finite = FiniteLasso::default();
        solved(&mut finite, &case);
        case.rows.rotate_left(1);
        caught += usize::from(!case.is_optimal(&finite.optimise(&case.problem())));
    }
    assert_eq!(caught, 10);
}

/// Samples and atoms of any size: the active set alone where the samples differ by up to 10⁶, and never
/// worse than the interior-point solver beyond.
#[test]
fn samples_and_atoms_of_any_size() {
    for (spread, alone) in [(2.0, true), (6.0, false), (30.0, false)] {
        for seed in 0..20 {
            let mut case = Case::new(seed, 6, 20, false);
            let exponents = gaussian(seed + 9, 26);
            let power = |at: usize| 10f64.powf(spread * (exponents[at] / 2.0).clamp(-1.0, 1.0));
            for (k, row) in case.rows.iter_mut().enumerate() {
                let values = row.iter_mut().enumerate();
                values.for_each(|(i, v)| *v *= power(i) * power(6 + k));
            }
            let problem = case.problem();
            let own = FiniteLasso::default().optimise(&problem);
            let gap = problem.gap(&own);
            assert!(!alone || gap <= 1e-9, "{spread}, seed {seed}: {gap:.1e}");
            let found = FiniteLasso::default().solve(&problem, 0.0).unwrap();
            let (dual, masses) = conic::lasso(
                problem.rows,
                problem.h,
                problem.b,
                problem.lambda,
                problem.unit,
            )
            .unwrap();
            let referee = problem.gap(&FiniteSolution { dual, masses });
            assert!(
                problem.gap(&found) <= referee.max(conic::GAP),
                "{spread}, seed {seed}: {:.1e} {referee:.1e}",
                problem.gap(&found)
            );
        }
    }
}
