//! Inputs whose rows or columns differ much in size: bounds hold, and close for rows of any size.

use super::tests::gaussian;
use super::*;
use crate::data::Dataset;
use crate::model::Loss;

/// Random samples with labels, each times 10^(±rows) at most, each coordinate times 10^(±columns).
fn set(seed: u64, rows: f64, columns: f64) -> Dataset {
    let d = 2 + seed as usize % 2;
    let n = 2 + seed as usize % 7;
    let exponents = gaussian(seed + 2000, n + d);
    let power = |most: f64, at: usize| 10f64.powf(most * (exponents[at] / 2.0).clamp(-1.0, 1.0));
    let x = gaussian(seed, n * d).into_iter().enumerate();
    let x = x.map(|(at, x)| (x * power(rows, at / d) * power(columns, n + at % d)) as f32);
    let labels = gaussian(seed + 1000, n)
        .into_iter()
        .map(|y| y.signum() as f32);
    Dataset {
        d,
        x: x.collect(),
        y: labels.collect(),
    }
}

fn solved(data: &Dataset) -> Certificate {
    solved_to(1e-6, data)
}

fn solved_to(tolerance: f64, data: &Dataset) -> Certificate {
    let zero = Measure::zero(data.d);
    let options = SolverOptions {
        tolerance,
        ..SolverOptions::default()
    };
    margin::solve(&Sphere::new(data), &data.y, &zero, None, &options).unwrap()
}

/// Whether the bounds follow from the measure and the weights that come with them, by the definition
/// and, for the weights, in many directions; up to what these sums in f64 round.
fn is_proved(data: &Dataset, c: &Certificate) -> bool {
    let inputs = InputMatrix::new(data);
    let terms = (c.measure.len() + data.n() + data.d) as f64;
    let rounded = |sizes: f64| 2.0 * terms * f64::EPSILON * sizes;
    let size = |t: &[f64], x: &[f64]| t.iter().zip(x).map(|(t, x)| (t * x).abs()).sum::<f64>();
    let of_sample = |x: &[f64]| -> f64 {
        let atoms = c.measure.atoms();
        atoms.map(|(theta, mass)| mass.abs() * size(theta, x)).sum()
    };
    let f = c.measure.predict(&inputs);
    let margins = f.iter().zip(&data.y).zip(inputs.rows());
    let margins = margins.map(|((f, &y), x)| f * f64::from(y) + rounded(of_sample(x)));
    let least = margins.fold(f64::INFINITY, f64::min);
    let mass = c.measure.total_variation();
    let reached = if mass > 0.0 { least / mass } else { 0.0 };
    let q: Vec<f64> = c
        .dual
        .iter()
        .zip(&data.y)
        .map(|(p, &y)| p * f64::from(y))
        .collect();
    let probes = Probes {
        given: &c.measure.theta,
        random: 200,
        seed: 1,
    };
    let directions = probes.directions(data.d, usize::MAX);
    let values = directions.chunks(data.d).map(|t| {
        let sizes = inputs.rows().zip(&q).map(|(x, q)| q.abs() * size(t, x));
        inputs.variation(&q, t).abs() - rounded(sizes.sum())
    });
    let most = values.fold(0.0, f64::max);
    c.bounds.lower <= reached * (1.0 + 1e-9) && most <= c.bounds.upper * (1.0 + 1e-9)
}

#[test]
fn rows_of_any_size_have_closed_bounds() {
    let mut caught = 0;
    for (rows, columns) in [(6.0, 0.0), (30.0, 0.0), (0.0, 3.0), (6.0, 2.0)] {
        for seed in 0..40 {
            let data = set(seed, rows, columns);
            let c = solved(&data);
            let case = format!(
                "rows {rows}, columns {columns}, seed {seed}: {:?}",
                c.bounds
            );
            assert!(c.bounds.relative_gap() <= 1e-6, "{case}");
            assert!(
                c.bounds.upper <= InputMatrix::new(&data).least_norm() * (1.0 + 1e-6),
                "{case}"
            );
            assert!(is_proved(&data, &c), "{case}");
            // The sabotage: a bound above what the measure reaches, and labels turned.
            let mut claimed = c.clone();
            claimed.bounds.lower *= 1.001;
            assert!(!is_proved(&data, &claimed), "{case}");
            let mut turned = data.clone();
            turned.y[0] = -turned.y[0];
            caught += usize::from(!is_proved(&turned, &c));
        }
    }
    assert_eq!(caught, 160);
}

/// Bounds hold for columns of any size. They close up to a factor of a million; far beyond it not always, as
/// weights p in f64 cannot cancel the large coordinates.
#[test]
fn columns_of_any_size_have_true_bounds() {
    let mut caught = 0;
    let cases = [
        (0.0, 6.0, 39),
        (0.0, 12.0, 32),
        (0.0, 30.0, 20),
        (6.0, 6.0, 39),
    ];
    for (rows, columns, at_least) in cases {
        let mut closed = 0;
        for seed in 0..40 {
            let data = set(seed, rows, columns);
            let c = solved(&data);
            let case = format!(
                "rows {rows}, columns {columns}, seed {seed}: {:?}",
                c.bounds
            );
            assert!(c.bounds.lower <= c.bounds.upper, "{case}");
            assert!(is_proved(&data, &c), "{case}");
            let mut claimed = c.clone();
            claimed.bounds.lower *= 1.001;
            caught += usize::from(!is_proved(&data, &claimed));
            closed += usize::from(c.bounds.relative_gap() <= 1e-6);
        }
        assert!(
            closed >= at_least,
            "rows {rows}, columns {columns}: {closed} of 40 closed"
        );
    }
    // The sabotage, but where the margin is within rounding.
    assert!(caught >= 100, "{caught}");
}

/// Seconds since 1970 beside a constant or inputs of order 1, with labels of either or neither.
#[test]
fn time_stamps_have_closed_bounds() {
    let mut closed = 0;
    for seed in 0..12 {
        let n = 20;
        let random = gaussian(seed, 3 * n);
        let rows = random.chunks_exact(3).map(|u| {
            let stamp = 1.7e9 + 1e7 * u[0];
            let label = match seed % 3 {
                0 => u[1],
                1 => (3.0 * u[0]).sin(),
                _ => u[2],
            };
            let x = match seed / 3 % 4 {
                0 => vec![stamp, 1.0],
                1 => vec![stamp, u[1]],
                2 => vec![stamp, u[1], 1.0],
                _ => vec![u[1], stamp, u[2]],
            };
            (x, label.signum())
        });
        let (x, y): (Vec<Vec<f64>>, Vec<f64>) = rows.unzip();
        let data = Dataset {
            d: x[0].len(),
            x: x.concat().into_iter().map(|x| x as f32).collect(),
            y: y.into_iter().map(|y| y as f32).collect(),
        };
        let c = solved_to(1e-3, &data);
        let case = format!("seed {seed}: {:?}", c.bounds);
        assert!(is_proved(&data, &c), "{case}");
        assert!(c.bounds.lower > 0.0, "{case}");
        assert!(c.bounds.relative_gap() <= 0.5, "{case}");
        // As near as `widefield certify` asks for by default.
        closed += usize::from(c.bounds.relative_gap() <= 1e-3);
    }
    assert!(closed >= 10, "{closed} of 12 closed");
}

/// Of samples along the axes γ1 is known: those of one sign of the label share a direction.
#[test]
fn samples_along_the_axes() {
    for seed in 0..60 {
        let d = 2 + seed as usize % 2;
        let sizes: Vec<f32> = (gaussian(seed, d).into_iter())
            .map(|u| 10f64.powf(30.0 * (u / 2.0).clamp(-1.0, 1.0)) as f32)
            .collect();
        let y: Vec<f32> = (gaussian(seed + 7, d).into_iter())
            .map(|y| y.signum() as f32)
            .collect();
        let mut x = vec![0.0; d * d];
        (0..d).for_each(|i| x[i * d + i] = sizes[i]);
        let group = |sign: f32| {
            let of = sizes.iter().zip(&y).filter(|(_, y)| **y == sign);
            of.map(|(&r, _)| f64::from(r).powi(-2)).sum::<f64>().sqrt()
        };
        let truth = 1.0 / (group(1.0) + group(-1.0));
        let c = solved(&Dataset { d, x, y });
        let case = format!("seed {seed}: {:?} {truth}", c.bounds);
        assert!(c.bounds.relative_gap() <= 1e-6, "{case}");
        let slack = 1e-12 * truth;
        assert!(
            c.bounds.lower <= truth + slack && truth - slack <= c.bounds.upper,
            "{case}"
        );
    }
}

/// γ1(c X) = c γ1(X).
#[test]
fn margins_are_in_the_units_of_the_inputs() {
    for seed in 0..20 {
        let data = set(seed, 1.0, 0.0);
        let own = solved(&data).bounds;
        for power in [-100, -30, 30, 100] {
            let unit = 2f64.powi(power);
            let x = data
                .x
                .iter()
                .map(|x| (f64::from(*x) * unit) as f32)
                .collect();
            let other = solved(&Dataset { x, ..data.clone() }).bounds;
            let case = format!("seed {seed}, 2^{power}: {own:?} {other:?}");
            assert!(other.relative_gap() <= 1e-6, "{case}");
            assert!(
                other.lower / unit <= own.upper && own.lower <= other.upper / unit,
                "{case}"
            );
        }
    }
}

#[test]
fn a_small_row_beside_a_large_one() {
    let data = Dataset {
        d: 2,
        x: vec![1e6, 0.0, 0.0, 1e-6],
        y: vec![1.0, -1.0],
    };
    let c = solved(&data);
    let small = f64::from(1e-6_f32);
    let truth = 1.0 / (1e-6 + 1.0 / small);
    assert!(c.bounds.relative_gap() <= 1e-6, "{:?}", c.bounds);
    assert!(
        c.bounds.lower <= truth && truth <= c.bounds.upper,
        "{:?}",
        c.bounds
    );
    assert!((c.bounds.lower / 1e-6 - 1.0).abs() <= 1e-6);
}

#[test]
fn penalised_risks_of_rows_of_any_size() {
    for loss in [Loss::SQUARE, Loss::LOGISTIC] {
        for spread in [2.0, 6.0] {
            for seed in 0..30 {
                let data = set(seed, spread, 0.0);
                let sphere = Sphere::new(&data);
                let lambda = 10f64.powf(-3.0 + (gaussian(seed, 1)[0]).clamp(-2.0, 2.0));
                let problem = penalised::PenalisedProblem::new(loss, &data.y, lambda).unwrap();
                let zero = Measure::zero(data.d);
                let c =
                    penalised::solve(&sphere, &problem, &zero, &SolverOptions::default()).unwrap();
                let case = format!(
                    "{loss:?}, {spread}, seed {seed}, λ {lambda}: {:?}",
                    c.bounds
                );
                assert!(c.bounds.relative_gap() <= 1e-6, "{case}");
                let value = problem.value(&sphere, &c.measure);
                assert!(value <= c.bounds.upper && c.bounds.lower <= value, "{case}");
            }
        }
    }
}

#[test]
fn kernel_margins_of_rows_of_any_size() {
    for rows in [0.0, 6.0, 30.0] {
        for seed in 0..40 {
            let data = set(seed, rows, 0.0);
            let law = kernel::WeightLaw::Gaussian { scale: 1.0 };
            let gram = kernel::KernelMatrix::of_law(law, &data);
            let found = gram.hard_margin(&data.y).unwrap();
            let case = format!("rows {rows}, seed {seed}: {:?}", found.bounds);
            assert!(found.bounds.relative_gap() <= 1e-5, "{case}");
            let again = gram.bounds(&data.y, &found.p).unwrap();
            assert!(
                again.upper == found.bounds.upper && again.lower <= again.upper,
                "{case}"
            );
        }
    }
}
