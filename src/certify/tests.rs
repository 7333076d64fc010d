//! Unit tests: the maximum over the sphere, the ascent, measures, kernels, duality.

use super::arrangement::Arrangement;
use super::input_matrix::{add, norm, unit};
use super::*;
use crate::data::Dataset;
use crate::model::Loss;
use crate::model::loss::Dual;
use crate::random::{Draws, Stream};

/// Gaussian draws of a seed.
pub(super) fn gaussian(seed: u64, count: usize) -> Vec<f64> {
    let mut values = vec![0.0; count];
    Draws::new(seed, Stream::TrainData, 0, 0, 0).fill_gaussian(&mut values);
    values
}

fn dataset(d: usize, x: &[f64]) -> Dataset {
    Dataset {
        d,
        x: x.iter().map(|&x| x as f32).collect(),
        y: vec![1.0; x.len() / d],
    }
}

/// Random inputs, and those that make the arrangement degenerate.
fn sets(d: usize) -> Vec<Dataset> {
    let mut sets: Vec<Dataset> = (0..12)
        .map(|seed| dataset(d, &gaussian(seed, d * (1 + seed as usize))))
        .collect();
    let row = |k: usize| -> Vec<f64> { gaussian(100 + k as u64, d) };
    let times = |s: f64, v: Vec<f64>| -> Vec<f64> { v.iter().map(|v| s * v).collect() };
    // Repeated, opposite and parallel samples with a zero row; collinear; nothing but zeros.
    sets.push(dataset(
        d,
        &[
            row(0),
            row(0),
            times(-1.0, row(0)),
            times(0.5, row(0)),
            vec![0.0; d],
            row(1),
            row(2),
        ]
        .concat(),
    ));
    sets.push(dataset(
        d,
        &[row(3), times(-2.0, row(3)), times(3.0, row(3))].concat(),
    ));
    sets.push(dataset(d, &vec![0.0; 2 * d]));
    // Many vertices in one point: the inputs of a lattice.
    let lattice = (0..3_usize.pow(d as u32))
        .flat_map(|k| (0..d).map(move |axis| (k / 3_usize.pow(axis as u32) % 3) as f64 - 1.0));
    sets.push(dataset(d, &lattice.collect::<Vec<f64>>()));
    if d == 3 {
        // Coplanar: rank 2.
        let plane = (0..6).flat_map(|k| [row(k)[0], row(k)[1], 0.0]);
        sets.push(dataset(3, &plane.collect::<Vec<f64>>()));
    }
    sets
}

/// Directions on a grid over the faces of a cube, k per edge.
fn grid(d: usize, k: usize) -> Vec<Vec<f64>> {
    let mut points = Vec::new();
    for face in 0..2 * d {
        for cell in 0..k.pow(d as u32 - 1) {
            let mut theta = vec![0.0; d];
            for axis in 0..d - 1 {
                let place = cell / k.pow(axis as u32) % k;
                theta[(face / 2 + 1 + axis) % d] = (2 * place + 1) as f64 / k as f64 - 1.0;
            }
            theta[face / 2] = if face % 2 == 0 { 1.0 } else { -1.0 };
            points.extend(unit(theta));
        }
    }
    points
}

/// Whether the maximum is right by the definition: |V(θ)| is its value, and no direction of the grid has more.
fn check_maximum(inputs: &InputMatrix, q: &[f64], found: &Maximum, grid: &[Vec<f64>]) -> bool {
    let at = |theta: &[f64]| inputs.variation(q, theta).abs();
    let best = grid.iter().map(|t| at(t)).fold(0.0, f64::max);
    let tiny = 1e-13 * inputs.lipschitz(q);
    (at(&found.theta) - found.value).abs() <= tiny
        && (norm(&found.theta) - 1.0).abs() <= 1e-12
        && found.bound >= best
        && found.bound <= found.value + 1e-10 * inputs.lipschitz(q)
}

#[test]
fn the_maximum_beats_every_direction() {
    for (d, k) in [(1, 1), (2, 2000), (3, 40)] {
        let grid = grid(d, k);
        for (seed, data) in sets(d).iter().enumerate() {
            let sphere = Sphere::new(data);
            let inputs = sphere.inputs();
            let q = gaussian(50 + seed as u64, data.n());
            let found = sphere.maximum(&q, Probes::default()).unwrap();
            assert!(found.proof.is_certified());
            assert!(
                check_maximum(inputs, &q, &found, &grid),
                "d {d}, set {seed}"
            );
            // The sabotage: one weight changed.
            let mut other = q.clone();
            other[0] += 1.0;
            let felt = inputs.variation(&other, &found.theta) != inputs.variation(&q, &found.theta);
            assert!(!felt || !check_maximum(inputs, &other, &found, &grid));
        }
    }
}

/// The cells alone, without a search, find the same maximum as ascents from a grid.
#[test]
fn cells_and_ascents_agree() {
    for (d, k) in [(1, 1), (2, 40), (3, 10)] {
        for (seed, data) in sets(d).iter().enumerate() {
            let inputs = InputMatrix::new(data);
            let q = gaussian(50 + seed as u64, data.n());
            let cells = Arrangement::new(&inputs).maximum(&q, None);
            if let Some(theta) = &cells.theta {
                assert_eq!(theta.len(), d);
                let value = inputs.variation(&q, theta).abs();
                assert!((value - cells.value).abs() <= inputs.slack(&q));
            }
            assert!(cells.value <= cells.bound && cells.bound <= cells.value * (1.0 + 1e-12));
            let cells = cells.value;
            let ascents = grid(d, k)
                .into_iter()
                .map(|t| kink_ascent::ascend(&inputs, &q, &t).value);
            let best = ascents.fold(0.0, f64::max);
            let slack = inputs.slack(&q);
            assert!(
                (cells - best).abs() <= slack,
                "d {d}, set {seed}: {cells} {best}"
            );
        }
    }
}

/// No small step leads higher from where an ascent ends.
#[test]
fn ascents_end_at_local_maxima() {
    for d in [2, 3, 6, 15] {
        let data = dataset(d, &gaussian(d as u64, d * 40));
        let inputs = InputMatrix::new(&data);
        let q = gaussian(9, 40);
        for seed in 0..20 {
            let start = unit(gaussian(1000 + seed, d)).unwrap();
            let LocalMaximum { value, theta } = kink_ascent::ascend(&inputs, &q, &start);
            assert!(value >= inputs.variation(&q, &start).abs());
            for step in 0..200 {
                let mut near = theta.clone();
                add(&mut near, 1e-4, &gaussian(2000 + step, d));
                let near = unit(near).unwrap();
                let reached = inputs.variation(&q, &near).abs();
                assert!(
                    reached <= value + inputs.slack(&q),
                    "d {d}: {value} {reached}"
                );
            }
        }
    }
}

/// d = 3 at the size that `widefield certify` promises.
#[test]
fn many_samples_on_the_sphere() {
    let n = 512;
    let data = dataset(3, &gaussian(1, 3 * n));
    let sphere = Sphere::new(&data);
    let q = gaussian(2, n);
    let found = sphere.maximum(&q, Probes::default()).unwrap();
    assert!(check_maximum(sphere.inputs(), &q, &found, &grid(3, 30)));
}

#[test]
fn merging_keeps_the_predictions_and_no_more_mass() {
    let data = dataset(2, &gaussian(3, 10));
    let inputs = InputMatrix::new(&data);
    let mut nu = Measure::zero(2);
    for (k, c) in gaussian(4, 60).into_iter().enumerate() {
        nu.push(&unit(gaussian(500 + k as u64, 2)).unwrap(), c);
    }
    let merged = nu.merged(&inputs);
    assert!(merged.len() < nu.len());
    assert!(merged.total_variation() <= nu.total_variation());
    let (f, g) = (nu.predict(&inputs), merged.predict(&inputs));
    let same = |f: &[f64]| f.iter().zip(&g).all(|(f, g)| (f - g).abs() <= 1e-12);
    assert!(same(&f));
    assert!(!same(&nu.scaled(1.001).predict(&inputs)));
    // At most one atom of each sign in each of the 2n cells.
    assert!(merged.len() <= 4 * data.n());
}

#[test]
fn networks_and_measures_are_the_same_functions() {
    let data = dataset(3, &gaussian(5, 21));
    let inputs = InputMatrix::new(&data);
    let particles = crate::particles::Particles {
        d: 3,
        w: gaussian(6, 30),
        a: gaussian(7, 10),
    };
    for alpha in [1.0, 3.0] {
        let run = crate::model::Run {
            alpha,
            ..crate::model::Run::simple(10, Loss::SQUARE)
        };
        let nu = Measure::of_network(&particles, alpha);
        let f = crate::engine::reference::predict(&run, &particles, &data);
        let back = nu.to_network(alpha);
        let g = crate::engine::reference::predict(&run, &back, &data);
        for ((f, g), h) in f.iter().zip(&g).zip(nu.predict(&inputs)) {
            assert!((f - g).abs() <= 1e-13 && (f - h).abs() <= 1e-13);
        }
        assert!((0..back.m()).all(|j| (norm(back.w(j)) - back.a[j].abs()).abs() <= 1e-13));
    }
}

#[test]
fn weights_outside_the_simplex_are_refused() {
    let data = dataset(2, &gaussian(8, 8));
    let sphere = Sphere::new(&data);
    let with = |p: &[f64]| margin::upper_bound(&sphere, &data.y, p, Probes::default());
    assert!(with(&[0.25; 4]).is_ok());
    assert!(with(&[0.0, 0.5, 0.5, 0.0]).is_ok());
    let wrong: [(&[f64], &str); 6] = [
        (&[0.25, 0.25, 0.25, 0.250001], "sum"),
        (&[0.25, 0.25, 0.25, 0.249999], "sum"),
        (&[0.5, 0.5, 0.25, -0.25], "negative"),
        (&[0.25, 0.25, 0.25, f64::NAN], "NaN"),
        (&[f64::INFINITY, 0.0, 0.0, 0.0], "inf"),
        (&[0.5, 0.5], "4 samples"),
    ];
    for (p, word) in wrong {
        let said = with(p).unwrap_err().to_string();
        assert!(said.contains(word), "{said}");
    }
    let labels = margin::upper_bound(
        &sphere,
        &[1.0, 1.0, 0.5, 1.0],
        &[0.25; 4],
        Probes::default(),
    );
    assert!(labels.unwrap_err().to_string().contains("0.5"));
}

/// E[σ(w·x)σ(w·x')] by a mean over directions of the plane, at every angle.
#[test]
fn the_arc_cosine_kernel_is_an_expectation() {
    let count = 20_000;
    for angle in [0.0, 1e-9, 0.3, 1.5, 3.0, std::f64::consts::PI] {
        let (x, other) = ([1.0, 0.0], [2.0 * f64::cos(angle), 2.0 * f64::sin(angle)]);
        // |w|² is 2 in the mean, independent of the direction.
        let mean: f64 = (0..count)
            .map(|k| {
                let (sin, cos) = (std::f64::consts::TAU * k as f64 / count as f64).sin_cos();
                let on = |v: [f64; 2]| (v[0] * cos + v[1] * sin).max(0.0);
                2.0 * on(x) * on(other) / count as f64
            })
            .sum();
        let kernel = kernel::arc_cosine(&x, &other);
        assert!((kernel - mean).abs() <= 1e-7, "{angle}: {kernel} {mean}");
    }
}

/// Any dual point is below any measure, for both risks; the conjugates are written out twice.
#[test]
fn weak_duality() {
    for (seed, loss) in [Loss::SQUARE, Loss::LOGISTIC]
        .into_iter()
        .cycle()
        .take(40)
        .enumerate()
    {
        let seed = seed as u64;
        let mut data = dataset(3, &gaussian(seed, 18));
        let signs = gaussian(seed + 50, 6);
        data.y = signs.iter().map(|s| s.signum() as f32).collect();
        let sphere = Sphere::new(&data);
        let problem = penalised::PenalisedProblem::new(loss, &data.y, 0.01).unwrap();
        let mut nu = Measure::zero(3);
        for k in 0..4 {
            let theta = unit(gaussian(seed * 10 + k, 3)).unwrap();
            nu.push(&theta, gaussian(seed * 10 + k + 7, 1)[0]);
        }
        let g = loss.residual(&nu.predict(sphere.inputs()), 0, &data.y);
        let dual = problem.dual_bound(&sphere, &g, Probes::default()).unwrap();
        let feasible = sphere.maximum(&dual.q, Probes::default()).unwrap().value;
        assert!(feasible <= 0.01 * (1.0 + 1e-12));
        assert!(dual.bound >= 0.0);
        let start = problem.value(&sphere, &nu);
        let c = penalised::solve(&sphere, &problem, &nu, &SolverOptions::default()).unwrap();
        assert!(dual.bound <= c.bounds.upper && c.bounds.upper <= start);
        assert!(
            c.bounds.relative_gap() <= 1e-6,
            "{loss:?} {seed}: {:?}",
            c.bounds
        );
        // No other multiple of g that is feasible proves more.
        for share in [0.999, 0.9, 0.5] {
            let less: Vec<f64> = dual.q.iter().map(|q| share * q).collect();
            let conjugate: f64 = less
                .iter()
                .zip(&data.y)
                .map(|(q, &y)| {
                    let (n, y) = (6.0, f64::from(y));
                    let t = -n * y * q;
                    match loss.dual() {
                        Some(Dual::Square) => n / 2.0 * q * q + q * y,
                        _ => (t * t.ln() + (1.0 - t) * (1.0 - t).ln()) / n,
                    }
                })
                .sum();
            assert!(-conjugate <= dual.bound + 1e-12);
        }
    }
}

#[test]
fn penalised_problems_that_make_no_sense_are_refused() {
    let of =
        |loss, y: &[f32], lambda| penalised::PenalisedProblem::new(loss, y, lambda).map(|_| ());
    let (good, values) = ([1.0_f32, -1.0], [0.5_f32, 2.0]);
    assert!(of(Loss::SQUARE, &values, 0.1).is_ok());
    assert!(of(Loss::LOGISTIC, &good, 0.1).is_ok());
    assert!(of(Loss::LOGISTIC, &values, 0.1).is_err());
    assert!(of(Loss::SQUARE, &[f32::NAN], 0.1).is_err());
    assert!(of(Loss::SOFTMIN, &good, 0.1).is_err());
    for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(of(Loss::SQUARE, &good, lambda).is_err());
    }
}
