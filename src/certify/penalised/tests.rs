//! Paths of weight decays.

use super::*;
use crate::certify::SolverOptions;
use crate::certify::tests::gaussian;
use crate::data::Dataset;

/// Random inputs with labels ±1.
fn set(seed: u64, n: usize, d: usize) -> Dataset {
    let narrow = |values: Vec<f64>| values.into_iter().map(|v| v as f32);
    Dataset {
        d,
        x: narrow(gaussian(seed, n * d)).collect(),
        y: narrow(gaussian(seed + 1, n)).map(f32::signum).collect(),
    }
}

/// Every point is that of a solve of its own, found in fewer rounds.
#[test]
fn a_path_is_made_of_optima() {
    let options = SolverOptions {
        tolerance: 1e-7,
        ..SolverOptions::default()
    };
    for (seed, d) in [(1, 2), (2, 3)] {
        let data = set(seed, 20, d);
        let sphere = Sphere::new(&data);
        for loss in [Loss::SQUARE, Loss::LOGISTIC] {
            let largest = lambda_max(&sphere, loss, &data.y).unwrap();
            let lambdas: Vec<f64> = (0..20)
                .map(|k| largest * 10f64.powf(0.1 - 0.15 * f64::from(k)))
                .collect();
            let points = path(&sphere, loss, &data.y, &lambdas, &options).unwrap();
            let (mut own_rounds, mut rounds, mut told_apart) = (0, 0, 0);
            for (k, (point, &lambda)) in points.iter().zip(&lambdas).enumerate() {
                let case = format!("{loss:?}, d {d}, λ {lambda}");
                assert_eq!(point.lambda, lambda);
                let problem = PenalisedProblem::new(loss, &data.y, lambda).unwrap();
                let zero = Measure::zero(d);
                let own = solve(&sphere, &problem, &zero, &options).unwrap();
                let found = &point.certificate;
                assert!(found.bounds.relative_gap() <= 1e-7, "{case}");
                let (a, b) = (found.bounds, own.bounds);
                assert!((a.upper - b.upper).abs() <= 1e-6 * b.upper, "{case}");
                assert!((a.lower - b.lower).abs() <= 1e-6 * b.upper, "{case}");
                let value = problem.value(&sphere, &found.measure);
                assert!(a.lower <= value && value <= a.upper, "{case}");
                // Neurons only below the largest λ.
                assert_eq!(found.measure.is_empty(), lambda >= largest, "{case}");
                own_rounds += own.rounds;
                rounds += found.rounds;
                if k > 0 {
                    let before = &points[k - 1].certificate;
                    let (less, more) = (&before.measure, &found.measure);
                    let slack = 1e-3 * more.total_variation();
                    assert!(less.total_variation() <= more.total_variation() + slack);
                    // The sabotage: the optimum of the λ before is another.
                    let other = problem.value(&sphere, less);
                    told_apart += usize::from(other > b.upper * (1.0 + 1e-6));
                }
            }
            assert!(
                rounds < own_rounds,
                "{loss:?}, d {d}: {rounds} {own_rounds}"
            );
            assert!(told_apart >= 18, "{told_apart}");
        }
    }
}

#[test]
fn a_path_keeps_the_order_given() {
    let data = set(3, 10, 2);
    let sphere = Sphere::new(&data);
    let options = SolverOptions::default();
    let of = |lambdas: &[f64]| path(&sphere, Loss::SQUARE, &data.y, lambdas, &options);
    let falling = of(&[1e-1, 1e-2, 1e-3]).unwrap();
    let mixed = of(&[1e-2, 1e-3, 1e-1]).unwrap();
    assert_eq!(
        mixed,
        [1, 2, 0].map(|k| falling[k].clone()),
        "the order in which they are given changes nothing else"
    );
    assert_eq!(of(&[]).unwrap(), []);
    assert!(of(&[1e-2, 0.0]).is_err());
    let few = path(&sphere, Loss::SQUARE, &data.y[1..], &[0.1], &options);
    assert!(few.is_err());
}
