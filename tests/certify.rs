//! Certificates compared with independent values: the oracle's optima, closed forms, and brackets
//! from grids of directions.

mod common;

use std::path::{Path, PathBuf};
use std::time::Instant;

use common::bracket::{grid, margin_on_grid, small_set};
use common::oracle::{array, folder, paths};
use widefield::certify::{
    Bounds, Certificate, EngineAscent, Measure, Probes, SolverOptions, Sphere, kernel, margin,
    penalised,
};
use widefield::data::Dataset;
use widefield::engine::{Engine, cpu};
use widefield::model::Loss;

/// X and y of a case.
fn dataset(path: &PathBuf) -> Dataset {
    let (x, shape) = array(path, "X");
    let narrow = |v: Vec<f64>| v.iter().map(|&v| v as f32).collect::<Vec<f32>>();
    Dataset {
        d: shape[1],
        x: narrow(x),
        y: narrow(array(path, "y").0),
    }
}

fn scalar(path: &PathBuf, name: &str) -> f64 {
    array(path, name).0[0]
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn report(case: &str, c: &Certificate, seconds: f64) {
    println!(
        "{case}: {} .. {}, relative gap {:.1e}, {:?}, {} atoms, {} rounds, {seconds:.2} s",
        c.bounds.lower,
        c.bounds.upper,
        c.bounds.relative_gap(),
        c.proof,
        c.measure.len(),
        c.rounds,
    );
}

fn options(tolerance: f64) -> SolverOptions {
    SolverOptions {
        tolerance,
        ..SolverOptions::default()
    }
}

/// Checks lower ≤ true value ≤ upper for a true value between `least` and `most`.
fn assert_brackets(case: &str, c: &Certificate, least: f64, most: f64, within: f64) {
    let slack = 1e-9 * most.abs();
    assert!(c.bounds.lower <= most + slack, "{case}: {:?}", c.bounds);
    assert!(c.bounds.upper >= least - slack, "{case}: {:?}", c.bounds);
    assert!(c.bounds.relative_gap() <= within, "{case}: {:?}", c.bounds);
    assert!(
        (c.bounds.lower - least).abs() <= within * most.abs(),
        "{case}"
    );
}

/// Certificates beyond d = 3, with the search for large data on an engine.
#[test]
fn margins_of_the_oracle_searched_on_an_engine() {
    let mut cases = 0;
    for path in paths("margin_") {
        let data = dataset(&path);
        if data.d <= 3 {
            continue;
        }
        cases += 1;
        let ascent = EngineAscent::new(|batch| {
            let engine = cpu::Cpu::new(batch, &cpu::Options::default())?;
            Ok(Box::new(engine) as Box<dyn Engine>)
        });
        let sphere = Sphere::with_ascent(&data, Box::new(ascent));
        let zero = Measure::zero(data.d);
        let clock = Instant::now();
        let c = margin::solve(&sphere, &data.y, &zero, None, &options(1e-5)).unwrap();
        report(&name(&path), &c, clock.elapsed().as_secs_f64());
        let (least, most) = (scalar(&path, "gamma1_lower"), scalar(&path, "gamma1_upper"));
        assert_brackets(&name(&path), &c, least, most, 1e-4);
    }
    assert!(cases > 0, "no case beyond d = 3");
}

#[test]
fn margins_of_the_oracle() {
    for path in paths("margin_") {
        let data = dataset(&path);
        let exact = data.d <= 3;
        let sphere = Sphere::new(&data);
        let zero = Measure::zero(data.d);
        let clock = Instant::now();
        let tolerance = if exact { 2e-9 } else { 1e-5 };
        let c = margin::solve(&sphere, &data.y, &zero, None, &options(tolerance)).unwrap();
        report(&name(&path), &c, clock.elapsed().as_secs_f64());
        let (least, most) = (scalar(&path, "gamma1_lower"), scalar(&path, "gamma1_upper"));
        assert_brackets(
            &name(&path),
            &c,
            least,
            most,
            if exact { 1e-6 } else { 1e-4 },
        );
        assert_eq!(c.proof.is_certified(), exact);
    }
}

#[test]
fn kernel_margins_of_the_oracle() {
    for path in paths("margin_") {
        let data = dataset(&path);
        let (w, shape) = array(&path, "features_w");
        let features = widefield::particles::Particles {
            d: data.d,
            w,
            a: vec![0.0; shape[0]],
        };
        let grams = [
            (
                "gaussian",
                kernel::KernelMatrix::of_law(kernel::WeightLaw::Gaussian { scale: 1.0 }, &data),
            ),
            (
                "sphere",
                kernel::KernelMatrix::of_law(kernel::WeightLaw::Sphere { scale: 1.0 }, &data),
            ),
            (
                "features",
                kernel::KernelMatrix::of_features(&features, &data),
            ),
        ];
        for (kind, gram) in grams {
            let clock = Instant::now();
            let case = format!("{} {kind}", name(&path));
            let found = gram.hard_margin(&data.y).unwrap();
            let truth = scalar(&path, &format!("gamma2_{kind}"));
            let b = found.bounds;
            println!(
                "{case}: {:?} {truth}, relative gap {:.1e}, {:.2} s",
                b,
                b.relative_gap(),
                clock.elapsed().as_secs_f64()
            );
            assert!(
                b.lower <= truth * (1.0 + 1e-9) && b.upper >= truth * (1.0 - 1e-9),
                "{case}"
            );
            assert!(b.relative_gap() <= 1e-6, "{case}");
        }
    }
}

/// Optima of the square risk, whose value and predictions are unique, and the excess of a run with
/// few neurons.
#[test]
fn penalised_optima_of_the_oracle() {
    for path in paths("penalised_") {
        let data = dataset(&path);
        let sphere = Sphere::new(&data);
        let lambda = scalar(&path, "weight_decay");
        let problem = penalised::PenalisedProblem::new(Loss::SQUARE, &data.y, lambda).unwrap();
        let clock = Instant::now();
        let zero = Measure::zero(data.d);
        let c = penalised::solve(&sphere, &problem, &zero, &options(1e-9)).unwrap();
        report(&name(&path), &c, clock.elapsed().as_secs_f64());
        let (least, most) = (scalar(&path, "objective_lower"), scalar(&path, "objective"));
        assert_brackets(&name(&path), &c, least, most, 1e-8);
        let value = problem.value(&sphere, &c.measure);
        assert!((value - most).abs() <= 1e-8 * most);
        let f = c.measure.predict(sphere.inputs());
        let gaps = f
            .iter()
            .zip(array(&path, "f").0)
            .map(|(f, g)| (f - g).abs());
        assert!(gaps.fold(0.0, f64::max) <= 1e-4);
        // The oracle's own dual point, in its units.
        let q: Vec<f64> = array(&path, "dual_u").0;
        let q: Vec<f64> = q.iter().map(|u| u / data.n() as f64).collect();
        for sign in [1.0, -1.0] {
            let q: Vec<f64> = q.iter().map(|q| sign * q).collect();
            let dual = problem.dual_bound(&sphere, &q, Probes::default()).unwrap();
            assert!(dual.bound <= most * (1.0 + 1e-12));
        }
        if data.d == 2 {
            let run = common::oracle::OracleFlow::load(&folder().join("flow_square_decay.npz"));
            let last = run.states.last().unwrap();
            let excess = last.objective / c.bounds.lower - 1.0;
            assert!(excess > 0.0 && excess < 1e-4, "{excess}");
            let own = Measure::of_network(&last.particles, 1.0);
            assert!(problem.value(&sphere, &own) <= last.objective * (1.0 + 1e-12));
        }
    }
}

/// Square and logistic risk, from strong to weak λ, on the data sets of the margin cases.
#[test]
fn penalised_risks_close_their_gap() {
    for path in paths("margin_") {
        let data = dataset(&path);
        if data.d > 3 {
            continue;
        }
        let sphere = Sphere::new(&data);
        for loss in [Loss::SQUARE, Loss::LOGISTIC] {
            for lambda in [10.0, 1e-2, 1e-3, 1e-4, 1e-5] {
                let case = format!("{} {loss:?} {lambda}", name(&path));
                let problem = penalised::PenalisedProblem::new(loss, &data.y, lambda).unwrap();
                let clock = Instant::now();
                let zero = Measure::zero(data.d);
                let c = penalised::solve(&sphere, &problem, &zero, &options(1e-7)).unwrap();
                report(&case, &c, clock.elapsed().as_secs_f64());
                assert!(c.bounds.relative_gap() <= 1e-7, "{case}: {:?}", c.bounds);
                assert!(c.bounds.lower > 0.0);
            }
        }
    }
}

/// γ1 = 1/4 and γ2 = √(1/2 − 1/π)/2 whatever the number of coordinates.
#[test]
fn margins_of_xor() {
    for d in [2, 3, 10] {
        let h = std::f32::consts::FRAC_1_SQRT_2;
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for (s, t) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
            let mut row = vec![0.0; d];
            (row[0], row[1]) = (s * h, t * h);
            x.extend(row);
            y.push(s * t);
        }
        let data = Dataset { d, x, y };
        let sphere = Sphere::new(&data);
        let zero = Measure::zero(d);
        let c = margin::solve(&sphere, &data.y, &zero, None, &options(1e-9)).unwrap();
        report(&format!("xor d = {d}"), &c, 0.0);
        // The data has 1/√2 rounded to f32, and γ1 is proportional to it.
        let gamma1 = 0.25 * std::f64::consts::SQRT_2 * f64::from(h);
        assert_brackets("xor", &c, gamma1, gamma1, 1e-8);
        assert_eq!(c.proof.is_certified(), d <= 3);
        assert!(d <= 3 || c.proof.probes() >= 10_000);
        let weights = kernel::WeightLaw::Gaussian { scale: 1.0 };
        let gamma2 = kernel::KernelMatrix::of_law(weights, &data)
            .hard_margin(&data.y)
            .unwrap();
        let truth = (0.5 - std::f64::consts::FRAC_1_PI).sqrt() / 2.0;
        for bound in [gamma2.bounds.lower, gamma2.bounds.upper] {
            assert!((bound - truth).abs() <= 1e-6 * truth, "{:?}", gamma2.bounds);
        }
    }
}

/// The value does not depend on the start: atoms of a trained network, or a first p. The sabotaged
/// p is refused.
#[test]
fn a_solve_starts_anywhere() {
    let path = &paths("margin_d3a")[0];
    let data = dataset(path);
    let sphere = Sphere::new(&data);
    let optimum = Measure {
        d: data.d,
        theta: array(path, "theta").0,
        c: array(path, "c").0,
    };
    let p = array(path, "p").0;
    let total: f64 = p.iter().sum();
    let mut p: Vec<f64> = p.iter().map(|p| p / total).collect();
    let least = scalar(path, "gamma1_lower");
    let own = margin::lower_bound(sphere.inputs(), &data.y, &optimum);
    assert!((own - least).abs() <= 1e-9 * least);
    let bound = margin::upper_bound(&sphere, &data.y, &p, Probes::default()).unwrap();
    assert!(bound.bound >= least && bound.bound <= least * (1.0 + 1e-9));
    let solve = |start: &Measure, p: &[f64]| {
        margin::solve(&sphere, &data.y, start, Some(p), &options(1e-6))
    };
    // The optimum itself needs no round; part of it, of any scale, some.
    assert_eq!(solve(&optimum, &p).unwrap().rounds, 0);
    let part = Measure {
        d: data.d,
        theta: optimum.theta[..2 * data.d].to_vec(),
        c: vec![1e30, -1e30],
    };
    let uniform = vec![1.0 / data.n() as f64; data.n()];
    let c = solve(&part, &uniform).unwrap();
    assert!(c.rounds > 0 && c.bounds.relative_gap() <= 1e-6);
    p[0] += 1e-3;
    assert!(solve(&optimum, &p).unwrap_err().to_string().contains("sum"));
}

#[test]
fn bounds_hold_against_a_grid() {
    let (mut separable, mut not, mut felt) = (0, 0, 0);
    for d in [2, 3] {
        let (directions, half) = grid(d);
        for seed in 0..96 {
            let data = small_set(seed, d);
            let on_grid = margin_on_grid(&data, &directions);
            let radius = (0..data.n())
                .map(|i| {
                    data.row(i)
                        .iter()
                        .map(|&x| f64::from(x).powi(2))
                        .sum::<f64>()
                })
                .fold(0.0, f64::max)
                .sqrt();
            let sphere = Sphere::new(&data);
            let zero = Measure::zero(d);
            let c = margin::solve(&sphere, &data.y, &zero, None, &options(1e-6)).unwrap();
            let case = format!("d {d}, set {seed}: {:?}, grid {on_grid}", c.bounds);
            let tiny = 1e-7 * radius;
            let holds =
                |b: Bounds| b.upper >= on_grid - tiny && b.lower <= on_grid + half * radius + tiny;
            assert!(holds(c.bounds), "{case}");
            // Inputs that are collinear but for their rounding have a γ1 as small as the errors of
            // the finite solver.
            let nothing = c.bounds.gap() <= 1e-11 * radius;
            assert!(nothing || c.bounds.relative_gap() <= 1e-6, "{case}");
            assert!(c.proof.is_certified());
            (separable, not) = match c.bounds.lower > 0.0 {
                true => (separable + 1, not),
                false => (separable, not + 1),
            };
            // The sabotage twin: bounds of data with one label flipped.
            let mut other = data.clone();
            other.y[0] = -other.y[0];
            let c = margin::solve(&sphere, &other.y, &zero, None, &options(1e-6)).unwrap();
            felt += usize::from(!holds(c.bounds));
        }
    }
    println!("{separable} separable, {not} not, {felt} sabotages felt");
    assert!(separable > 100 && not > 10 && felt > 20);
}

/// With half of the atoms of an optimal network the upper bound stays above the margin, and the
/// certificate gives a missing direction.
#[test]
fn a_missing_half_is_pointed_at() {
    let path = &paths("margin_d2a")[0];
    let data = dataset(path);
    let sphere = Sphere::new(&data);
    let theta = array(path, "theta").0;
    let mut half = Measure::zero(data.d);
    for (theta, &c) in theta.chunks(data.d).zip(&array(path, "c").0) {
        if theta[0] > 0.0 {
            half.push(theta, c);
        }
    }
    let own = margin::lower_bound(sphere.inputs(), &data.y, &half);
    let p = vec![1.0 / data.n() as f64; data.n()];
    let options = SolverOptions {
        rounds: 0,
        ..options(1e-6)
    };
    let c = margin::solve(&sphere, &data.y, &half, Some(&p), &options).unwrap();
    assert_eq!(c.bounds.lower, own);
    assert!(c.bounds.relative_gap() > 0.1);
    assert_eq!(c.worst_direction.len(), data.d);
}
