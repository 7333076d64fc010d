//! The laws and closed forms of the model, on every engine. Numbers as in the list "Closed forms
//! and laws to test with".

mod common;

use std::sync::Arc;

use common::{Make, engines};
use widefield::data::Dataset;
use widefield::engine::{Batch, Engine, Evaluation, Precision, Sample, Steps};
use widefield::experiment::Schedule;
use widefield::model::{Loss, StateFormat, Train};
use widefield::model::{Run, ldexp};
use widefield::observe::{BestMargins, Margins};
use widefield::particles::Particles;
use widefield::particles::random::{Draws, Stream};

/// Gaussian particles, exact in f32, drawn from this seed.
fn gaussian(seed: u64, m: usize, d: usize) -> Particles {
    let mut p = Particles::zeros(m, d);
    let mut row = vec![0.0; d + 1];
    for j in 0..m {
        Draws::new(seed, Stream::Init, 0, j as u64, 0).fill_gaussian(&mut row);
        let exact: Vec<f64> = row.iter().map(|&v| f64::from(v as f32)).collect();
        p.w[j * d..(j + 1) * d].copy_from_slice(&exact[..d]);
        p.a[j] = exact[d];
    }
    p
}

/// Gaussian inputs and targets.
fn samples(seed: u64, n: usize, d: usize) -> Dataset {
    let mut draws = Draws::new(seed, Stream::TrainData, 0, 0, 0);
    let mut values = vec![0.0; n * (d + 1)];
    draws.fill_gaussian(&mut values);
    let narrow = |v: &[f64]| v.iter().map(|&v| v as f32).collect::<Vec<f32>>();
    Dataset {
        d,
        x: narrow(&values[..n * d]),
        y: narrow(&values[n * d..]),
    }
}

/// x = (±1, ±1)/√2 padded with zeros, y = sign(x1 x2).
fn xor(d: usize) -> Dataset {
    let h = std::f32::consts::FRAC_1_SQRT_2;
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for (s, t) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
        let mut row = vec![0.0; d];
        (row[0], row[1]) = (s * h, t * h);
        x.extend(row);
        y.push(s * t);
    }
    Dataset { d, x, y }
}

fn batch(datasets: Vec<Dataset>, runs: Vec<Run>) -> Batch {
    Batch {
        d: datasets[0].d,
        datasets: datasets.into_iter().map(Arc::new).collect(),
        runs,
        state: StateFormat::F32,
    }
}

/// An engine with these particles in its runs.
fn engine(make: &Make, batch: Batch, starts: &[Particles]) -> Box<dyn Engine> {
    let mut engine = make(batch).unwrap();
    for (r, p) in starts.iter().enumerate() {
        engine.write(r, 0, p).unwrap();
    }
    engine
}

/// `count` steps of every run, without evaluations.
fn steps(engine: &dyn Engine, eta: f64, schedule: Schedule, from: u64, count: u64) -> Steps {
    let runs = engine.batch().runs.len();
    let eta = (from..from + count).flat_map(|k| vec![schedule.step(eta, k, from + count); runs]);
    Steps {
        eta: eta.collect(),
        evaluate: vec![false; count as usize],
    }
}

fn advance(engine: &mut dyn Engine, eta: f64, schedule: Schedule, count: u64) {
    let mut done = 0;
    while done < count {
        let now = 500.min(count - done);
        let steps = steps(engine, eta, schedule, done, now);
        engine.advance(&steps).unwrap();
        done += now;
    }
}

fn predictions(now: &Evaluation) -> Vec<f64> {
    now.f
        .iter()
        .map(|&f| ldexp(f, now.prediction_exponent))
        .collect()
}

/// Unit round-off of an engine's state.
fn unit(engine: &dyn Engine) -> f64 {
    widefield::verify::tolerance::unit(engine.precision())
}

fn assert_close(what: &str, got: &[f64], want: &[f64], bound: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (got - want).abs();
        assert!(
            error <= bound,
            "{what}: entry {i} is {got}, should be {want} within {bound:e}"
        );
    }
}

/// Law 1: with a_j = σ(w_j·x0), f(x) is a mean of σ(w·x0) σ(w·x): the arc-cosine kernel.
#[test]
fn arc_cosine_kernel() {
    let (m, d) = (40_000, 3);
    let data = samples(1, 8, d);
    let x0 = [0.6, -0.3, 1.1];
    let mut p = gaussian(2, m, d);
    for j in 0..m {
        let z: f64 = p.w(j).iter().zip(&x0).map(|(w, x)| w * x).sum();
        p.a[j] = f64::from(z.max(0.0) as f32);
    }
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    for (name, make) in engines() {
        let b = batch(vec![data.clone()], vec![Run::simple(m, Loss::SQUARE)]);
        let f = engine(&make, b, std::slice::from_ref(&p))
            .predict(Sample::Train)
            .unwrap();
        for (i, got) in predictions(&f[0]).into_iter().enumerate() {
            let x: Vec<f64> = data.row(i).iter().map(|&x| f64::from(x)).collect();
            let size = norm(&x) * norm(&x0);
            let dot: f64 = x.iter().zip(&x0).map(|(a, b)| a * b).sum();
            let angle = (dot / size).clamp(-1.0, 1.0).acos();
            let pi = std::f64::consts::PI;
            let kernel = size * (angle.sin() + (pi - angle) * angle.cos()) / (2.0 * pi);
            // Var ≤ E[σ²σ²] ≤ 3 |x|²|x0|² / 2 by Gaussian moments; five standard errors.
            let noise = size * (1.5 / m as f64).sqrt();
            assert!(
                (got - kernel).abs() <= 5.0 * noise,
                "{name}: {got} {kernel}"
            );
        }
    }
}

/// Law 2: output only, square risk: f − y after k steps is (I − (η/n) K)^k (f_0 − y).
#[test]
fn output_only_follows_the_gram_matrix() {
    let (m, d, n, eta) = (65, 3, 7, 0.25);
    let data = samples(3, n, d);
    let start = gaussian(4, m, d);
    let features: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            let z = |j: usize| -> f64 {
                start
                    .w(j)
                    .iter()
                    .zip(data.row(i))
                    .map(|(w, &x)| w * f64::from(x))
                    .sum()
            };
            (0..m).map(|j| z(j).max(0.0)).collect()
        })
        .collect();
    let gram = |i: usize, k: usize| -> f64 {
        features[i]
            .iter()
            .zip(&features[k])
            .map(|(a, b)| a * b)
            .sum::<f64>()
            / m as f64
    };
    for (name, make) in engines() {
        let run = Run {
            train: Train::Output,
            ..Run::simple(m, Loss::SQUARE)
        };
        let b = batch(vec![data.clone()], vec![run]);
        let mut engine = engine(&make, b, std::slice::from_ref(&start));
        let y: Vec<f64> = data.y.iter().map(|&y| f64::from(y)).collect();
        let mut want: Vec<f64> = (0..n)
            .map(|i| {
                features[i]
                    .iter()
                    .zip(&start.a)
                    .map(|(s, a)| s * a)
                    .sum::<f64>()
                    / m as f64
            })
            .zip(&y)
            .map(|(f, y)| f - y)
            .collect();
        for _ in 0..30 {
            want = (0..n)
                .map(|i| {
                    let pull: f64 = (0..n).map(|k| gram(i, k) * want[k]).sum();
                    want[i] - eta / n as f64 * pull
                })
                .collect();
        }
        advance(&mut *engine, eta, Schedule::Constant, 30);
        let f = predictions(&engine.predict(Sample::Train).unwrap()[0]);
        let got: Vec<f64> = f.iter().zip(&y).map(|(f, y)| f - y).collect();
        let scale = 30.0 * 16.0 * unit(&*engine) * 4.0;
        assert_close(name, &got, &want, scale);
    }
}

/// Law 3: one Euler step changes a² − |w|² by exactly η² (ȧ² − |ẇ|²).
#[test]
fn balance() {
    let (m, d, n, eta) = (17, 5, 11, 0.125);
    let start = gaussian(5, m, d);
    for (name, make) in engines() {
        let b = batch(vec![samples(6, n, d)], vec![Run::simple(m, Loss::SQUARE)]);
        let mut engine = engine(&make, b, std::slice::from_ref(&start));
        let v = engine.velocity(0).unwrap();
        advance(&mut *engine, eta, Schedule::Constant, 1);
        let end = engine.read(0, 0..m).unwrap();
        let square = |p: &Particles, j: usize| {
            let w: f64 = p.w(j).iter().map(|w| w * w).sum();
            (p.a[j] * p.a[j] - w, p.a[j] * p.a[j] + w)
        };
        for j in 0..m {
            let (before, size) = square(&start, j);
            let want = eta * eta * square(&v, j).0;
            let bound = 64.0 * unit(&*engine) * (size + square(&v, j).1);
            assert_close(name, &[square(&end, j).0 - before], &[want], bound);
        }
    }
}

/// Law 4: one sample with |x| = 1: u ± a grow by (1 ∓ ηg) at each step, e^{±s} in the flow with
/// ds = −g dt, where u = w·x > 0.
#[test]
fn one_sample_is_hyperbolic_motion() {
    let data = Dataset {
        d: 2,
        // |x| = 1 exactly, in f32 too.
        x: vec![0.0, 1.0],
        y: vec![2.0],
    };
    let start = Particles {
        d: 2,
        w: vec![0.5, 0.25, 0.25, 1.0],
        a: vec![0.5, -0.25],
    };
    let modes = |p: &Particles| -> Vec<f64> {
        let u = |j: usize| p.w(j)[1];
        (0..2)
            .flat_map(|j| [u(j) + p.a[j], u(j) - p.a[j]])
            .collect()
    };
    for (name, make) in engines() {
        let b = batch(vec![data.clone()], vec![Run::simple(2, Loss::SQUARE)]);
        let mut engine = engine(&make, b, std::slice::from_ref(&start));
        let mut want = modes(&start);
        let (mut s, eta) = (0.0, 1.0 / 1024.0);
        for _ in 0..400 {
            let g = engine.residual(0).unwrap()[0];
            want.iter_mut().enumerate().for_each(|(k, mode)| {
                *mode *= if k % 2 == 0 {
                    1.0 - eta * g
                } else {
                    1.0 + eta * g
                };
            });
            s -= eta * g;
            advance(&mut *engine, eta, Schedule::Constant, 1);
        }
        let got = modes(&engine.read(0, 0..2).unwrap());
        assert_close(name, &got, &want, 400.0 * 4.0 * unit(&*engine));
        let flow: Vec<f64> = modes(&start)
            .iter()
            .enumerate()
            .map(|(k, mode)| mode * if k % 2 == 0 { s } else { -s }.exp())
            .collect();
        assert!(s > 0.2, "the motion must be seen: {s}");
        assert_close(name, &got, &flow, 2.0 * eta);
    }
}

/// Law 5: every particle twice, or particles and samples in another order: f and the velocities
/// stay the same.
#[test]
fn duplication_and_permutation() {
    let (m, d, n) = (67, 4, 13);
    let data = samples(7, n, d);
    let p = gaussian(8, m, d);
    let twice = Particles {
        d,
        w: [&p.w[..], &p.w[..]].concat(),
        a: [&p.a[..], &p.a[..]].concat(),
    };
    let mut turned = Particles::zeros(m, d);
    for j in 0..m {
        turned.a[j] = p.a[m - 1 - j];
        turned.w[j * d..(j + 1) * d].copy_from_slice(p.w(m - 1 - j));
    }
    let mut other = data.clone();
    for i in 0..n {
        other.y[i] = data.y[n - 1 - i];
        other.x[i * d..(i + 1) * d].copy_from_slice(data.row(n - 1 - i));
    }
    let runs = vec![
        Run::simple(m, Loss::SQUARE),
        Run::simple(2 * m, Loss::SQUARE),
        Run {
            train_set: 1,
            ..Run::simple(m, Loss::SQUARE)
        },
    ];
    for (name, make) in engines() {
        let b = batch(vec![data.clone(), other.clone()], runs.clone());
        let mut engine = engine(&make, b, &[p.clone(), twice.clone(), turned.clone()]);
        let f: Vec<Vec<f64>> = engine
            .predict(Sample::Train)
            .unwrap()
            .iter()
            .map(predictions)
            .collect();
        let bound = 256.0 * unit(&*engine);
        assert_close(name, &f[1], &f[0], bound);
        let back: Vec<f64> = f[2].iter().rev().copied().collect();
        assert_close(name, &back, &f[0], bound);
        let v = engine.velocity(0).unwrap();
        let doubled = engine.velocity(1).unwrap();
        let reversed = engine.velocity(2).unwrap();
        for j in 0..m {
            for (other, k) in [(&doubled, j), (&doubled, m + j), (&reversed, m - 1 - j)] {
                assert_close(name, other.w(k), v.w(j), bound);
                assert_close(name, &[other.a[k]], &[v.a[j]], bound);
            }
        }
    }
}

fn margins(engine: &mut dyn Engine, r: usize) -> Margins {
    let now = engine.predict(Sample::Train).unwrap().swap_remove(r);
    let run = &engine.batch().runs[r];
    Margins::new(run, &engine.batch().datasets[run.train_set], &now)
}

/// Law 6: XOR has γ1 = 1/4, so margin_param goes to 1/8, and γ2 = √(1/2 − 1/π)/2 = 0.21313.
///
/// The last iterate oscillates by a percent and the best margin depends on the draw (0.1243 to
/// 0.1249 over seeds and initialisations in float64), so the best of four seeds must reach 0.1245.
#[test]
fn xor_margins() {
    let (m, seeds) = (1024, 4);
    let data = xor(2);
    for (name, make) in engines() {
        let run = Run::simple(m, Loss::SOFTMIN);
        let b = batch(vec![data.clone()], vec![run.clone(); seeds]);
        let starts: Vec<Particles> = (0..seeds).map(|s| gaussian(9 + s as u64, m, 2)).collect();
        let mut both = engine(&make, b, &starts);
        let mut best = vec![BestMargins::default(); seeds];
        for from in (0..20_000).step_by(500) {
            let mut steps = steps(&*both, 0.5, Schedule::InverseSqrt, from, 500);
            steps.evaluate = (0..500).map(|k| k % 50 == 0).collect();
            for now in both.advance(&steps).unwrap() {
                best.iter_mut()
                    .zip(&now)
                    .for_each(|(b, now)| b.update(&run, &data, now));
            }
        }
        let param: Vec<f64> = best.iter().map(|b| b.best_margin_param.unwrap()).collect();
        let highest = param.iter().copied().fold(0.0, f64::max);
        assert!(
            param.iter().all(|p| (0.124..=0.125).contains(p)),
            "{name}: {param:?}"
        );
        assert!(highest >= 0.1245, "{name}: {param:?}");
        for (r, best) in best.iter().enumerate() {
            let last = margins(&mut *both, r).param.unwrap();
            assert!((0.1225..=0.125).contains(&last), "{name}: {last}");
            let f1 = best.best_margin_f1.unwrap();
            assert!((0.248..=0.25 + 1e-6).contains(&f1), "{name}: {f1}");
        }

        let m = 4096;
        let output = Run {
            train: Train::Output,
            ..Run::simple(m, Loss::SOFTMIN)
        };
        let mut start = gaussian(10, m, 2);
        start.a.fill(0.0);
        let mut engine = engine(&make, batch(vec![data.clone()], vec![output]), &[start]);
        advance(&mut *engine, 4.0, Schedule::InverseSqrt, 2_000);
        let f2 = margins(&mut *engine, 0).f2.unwrap();
        // The kernel of m random features is off by about 1/√m.
        let noise = 2.0 / (m as f64).sqrt() * 0.21313;
        assert!((f2 - 0.21313).abs() <= noise, "{name}: margin_f2 {f2}");
    }
}

/// Law 7: too few neurons fail on XOR: the share of seeds with margin_param > 0.1 after 2000
/// steps rises from 0 (m = 2) through 0.62 (m = 6) to 1 (m = 16).
#[test]
fn too_few_neurons_fail() {
    let seeds = 60;
    for (name, make) in engines() {
        let share = |m: usize| {
            let runs = vec![Run::simple(m, Loss::SOFTMIN); seeds];
            let starts: Vec<Particles> =
                (0..seeds).map(|s| gaussian(100 + s as u64, m, 2)).collect();
            let mut engine = engine(&make, batch(vec![xor(2)], runs), &starts);
            advance(&mut *engine, 0.5, Schedule::InverseSqrt, 2_000);
            let good =
                (0..seeds).filter(|&r| margins(&mut *engine, r).param.is_some_and(|v| v > 0.1));
            good.count() as f64 / seeds as f64
        };
        assert_eq!(share(2), 0.0, "{name}");
        let six = share(6);
        // Three standard errors of a share of 0.62 over 60 seeds.
        assert!((six - 0.62).abs() <= 0.19, "{name}: {six}");
        assert!(share(16) >= 0.95, "{name}");
    }
}

/// Law 8: across independent seeds the prediction's variance falls like 1/m.
#[test]
fn propagation_of_chaos() {
    let (seeds, d) = (48, 3);
    let data = samples(11, 10, d);
    for (name, make) in engines() {
        let variance = |m: usize| {
            let runs = vec![Run::simple(m, Loss::SQUARE); seeds];
            let starts: Vec<Particles> = (0..seeds)
                .map(|s| gaussian((1000 * m + s) as u64, m, d))
                .collect();
            let mut engine = engine(&make, batch(vec![data.clone()], runs), &starts);
            advance(&mut *engine, 0.1, Schedule::Constant, 10);
            let all = engine.predict(Sample::Train).unwrap();
            let f: Vec<Vec<f64>> = all.iter().map(predictions).collect();
            let n = data.n();
            let spread = |i: usize| {
                let mean = f.iter().map(|f| f[i]).sum::<f64>() / seeds as f64;
                f.iter().map(|f| (f[i] - mean).powi(2)).sum::<f64>() / (seeds - 1) as f64
            };
            (0..n).map(spread).sum::<f64>() / n as f64
        };
        let exponent = (variance(512) / variance(32)).ln() / 16.0_f64.ln();
        // The variance of a variance over 48 seeds is 2/47; samples share particles, so no more
        // is gained from them: 0.29 on the logarithm of the ratio, two of them on the exponent.
        assert!(
            (exponent + 1.0).abs() <= 2.0 * 0.29 / 16.0_f64.ln(),
            "{name}: {exponent}"
        );
    }
}

/// All states on which the laws are tested come from one function.
#[test]
fn precision_is_known() {
    let names: Vec<&str> = engines().iter().map(|(name, _)| *name).collect();
    assert!(names.contains(&"reference"));
    let b = batch(vec![xor(2)], vec![Run::simple(1, Loss::SOFTMIN)]);
    for (name, make) in engines() {
        let precision = make(b.clone()).unwrap().precision();
        assert_eq!(precision == Precision::F64, name == "reference");
    }
}
