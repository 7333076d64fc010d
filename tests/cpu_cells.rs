//! The cpu engine's short cut for many particles in few dimensions: exact on kinks, at the origin
//! and at irregular sizes, with the same bits in any order of the particles.

mod common;

use std::sync::Arc;

use common::cpu_with;
use widefield::data::Dataset;
use widefield::engine::cpu::{Level, Options};
use widefield::engine::{
    Batch, Engine, Evaluation, Precision, Sample, ShortCuts, Steps, Unknown, reference,
};
use widefield::model::Run;
use widefield::model::{Loss, StateFormat, Train};
use widefield::particles::Particles;
use widefield::particles::random::{Draws, Stream};
use widefield::verify::tolerance::{compare, factor, unit};

fn options() -> Options {
    Options {
        short_cuts: ShortCuts::Always,
        ..Options::default()
    }
}

fn engine(batch: &Batch, options: Options, p: &Particles) -> Box<dyn Engine> {
    let mut engine = cpu_with(options)(batch.clone()).unwrap();
    engine.write(0, 0, p).unwrap();
    assert_eq!(engine.method(0), "cells");
    engine
}

fn batch(d: usize, data: Dataset, run: Run) -> Batch {
    Batch {
        d,
        datasets: vec![Arc::new(data)],
        runs: vec![run],
        state: StateFormat::F32,
    }
}

/// Vector i of a sequence over the integers of [−size, size]^d that begins with the origin. For a
/// small size vectors repeat, share directions, or are opposite.
fn point(i: usize, size: i64, d: usize) -> impl Iterator<Item = f64> {
    let side = 2 * size + 1;
    let mut rest = i as i64;
    (0..d as i64).map(move |k| {
        let at = (i as i64 * (1 + 2 * k) + rest + size) % side - size;
        rest /= side;
        at as f64
    })
}

/// n samples, some of them zero, repeated, or collinear.
fn kinked_samples(n: usize, d: usize) -> Dataset {
    Dataset {
        d,
        x: (0..n)
            .flat_map(|i| point(i, 2, d))
            .map(|v| v as f32)
            .collect(),
        y: (0..n).map(|i| [1.0, -1.0, 1.0][i % 3]).collect(),
    }
}

/// m particles: the first at the origin, most on kinks of the samples, of sizes down to denormal
/// numbers.
fn kinked_particles(m: usize, d: usize) -> Particles {
    let mut p = Particles::zeros(m, d);
    for j in 0..m {
        let size = [1.0, 2f64.powi(-60), 2f64.powi(40), 1.0, 2f64.powi(-140)][j % 5];
        for (w, v) in p.w[j * d..(j + 1) * d].iter_mut().zip(point(j, 4, d)) {
            *w = v * size;
        }
        p.a[j] = [0.5, -1.25, 2.0, -0.75][j % 4] * if size > 1.0 { 1.0 / size } else { 1.0 };
    }
    p
}

fn gaussian(count: usize, seed: u64) -> Vec<f64> {
    let mut values = vec![0.0; count];
    Draws::new(seed, Stream::TrainData, 0, 0, 0).fill_gaussian(&mut values);
    values
}

fn gaussian_problem(m: usize, n: usize, d: usize, run: Run) -> (Batch, Particles) {
    let data = Dataset {
        d,
        x: gaussian(n * d, 1).into_iter().map(|v| v as f32).collect(),
        y: (0..n).map(|i| [1.0, -1.0][i % 2]).collect(),
    };
    let single = |v: f64| f64::from(v as f32);
    let p = Particles {
        d,
        w: gaussian(m * d, 2).into_iter().map(single).collect(),
        a: gaussian(m, 3).into_iter().map(single).collect(),
    };
    (batch(d, data, run), p)
}

fn norm(w: &[f64]) -> f64 {
    w.iter().map(|w| w.abs()).sum()
}

/// Predictions and velocities by definition, in f64, and the rounding error allowed for each.
struct Want {
    f: Vec<f64>,
    f_bound: Vec<f64>,
    v: Particles,
    v_bound: Particles,
}

fn want(run: &Run, p: &Particles, g: &[f64], data: &Dataset) -> Want {
    let u = unit(Precision::F32);
    let size = |i: usize| data.row(i).iter().map(|x| f64::from(x.abs())).sum::<f64>();
    let mass = (0..p.m()).map(|j| p.a[j].abs() * norm(p.w(j))).sum::<f64>() / p.m() as f64;
    let f_bound = (0..data.n()).map(|i| factor(p.m()) * u * mass * size(i) + 1e-30);
    let pull = (0..data.n()).map(|i| g[i].abs() * size(i)).sum::<f64>();
    let bound = factor(data.n()) * u;
    let on_a = |j: usize| bound * (norm(p.w(j)) * pull + run.lambda * p.a[j].abs()) + 1e-30;
    let on_w = |j: usize| bound * (p.a[j].abs() * pull + run.lambda * norm(p.w(j))) + 1e-30;
    Want {
        f: reference::predict(run, p, data),
        f_bound: f_bound.collect(),
        v: reference::velocity(run, p, g, data),
        v_bound: Particles {
            d: p.d,
            a: (0..p.m()).map(on_a).collect(),
            w: (0..p.m()).flat_map(|j| vec![on_w(j); p.d]).collect(),
        },
    }
}

impl Want {
    fn agrees(&self, f: &[f64], v: &Particles) -> bool {
        compare(f, &self.f, &self.f_bound).passes()
            && compare(&v.a, &self.v.a, &self.v_bound.a).passes()
            && compare(&v.w, &self.v.w, &self.v_bound.w).passes()
    }
}

/// No pair is missed: a particle on the kink of a sample is not active on it, and a particle at the
/// origin is active on none.
#[test]
fn particles_on_kinks_agree_with_the_reference() {
    let sizes = [
        (1, 1),
        (31, 2),
        (33, 65),
        (1021, 127),
        (16_385, 9),
        (20_011, 40),
    ];
    let trains = [Train::Both, Train::Input, Train::Output];
    let mut twins = 0;
    for ((m, n), d) in sizes.into_iter().flat_map(|size| [(size, 3), (size, 4)]) {
        for train in trains {
            let run = Run {
                train,
                lambda: 0.125,
                ..Run::simple(m, Loss::LOGISTIC)
            };
            let what = format!("m = {m}, n = {n}, d = {d}, {train:?}");
            let (data, p) = (kinked_samples(n, d), kinked_particles(m, d));
            let mut engine = engine(&batch(d, data.clone(), run.clone()), options(), &p);
            let seen = engine.predict(Sample::Train).unwrap().remove(0);
            let g = engine.residual(0).unwrap();
            let v = engine.velocity(0).unwrap();
            assert!(want(&run, &p, &g, &data).agrees(&seen.f, &v), "{what}");
            assert_eq!(engine.read(0, 0..m).unwrap(), p, "{what}");

            // The sabotage twin: moving a particle off its kink changes the result.
            let pairs = (0..m).flat_map(|j| (0..n).map(move |i| (j, i)));
            let of_row = |i| data.row(i).iter().map(|&x| f64::from(x));
            let on_kink = |&(j, i): &(usize, usize)| {
                let z: f64 = p.w(j).iter().zip(of_row(i)).map(|(w, x)| w * x).sum();
                z == 0.0 && of_row(i).any(|x| x != 0.0) && (1e-6..1e3).contains(&norm(p.w(j)))
            };
            if let Some((j, i)) = pairs.filter(on_kink).find(|_| train == Train::Both) {
                let mut other = p.clone();
                let off = other.w[j * d..].iter_mut().zip(of_row(i));
                off.for_each(|(w, x)| *w += 1e-9 * x);
                let other = want(&run, &other, &g, &data);
                assert!(!other.agrees(&seen.f, &v), "{what}: the twin passed");
                twins += 1;
            }
        }
    }
    assert!(twins > 6, "{twins} twins");
}

/// An engine that starts from the state of another one sorts the particles anew; one thread adds in
/// another order than two.
#[test]
fn no_bit_depends_on_how_particles_are_sorted() {
    let (m, n, steps) = (20_011, 40, 12);
    for d in [3, 4] {
        let run = Run {
            norm_scaled: true,
            lambda: 0.01,
            ..Run::simple(m, Loss::LOGISTIC)
        };
        let (batch, p) = gaussian_problem(m, n, d, run);
        let one = Steps {
            eta: vec![2.0],
            evaluate: vec![true],
        };
        let threads = |count| Options {
            threads: Some(count),
            ..options()
        };
        let mut straight = engine(&batch, threads(1), &p);
        let mut other = engine(&batch, threads(2), &p);
        let mut moved = Vec::<Evaluation>::new();
        for _ in 0..steps {
            let seen = straight.advance(&one).unwrap().remove(0);
            assert_eq!(other.advance(&one).unwrap().remove(0), seen);
            let at = straight.read(0, 0..m).unwrap();
            assert_eq!(other.read(0, 0..m).unwrap(), at);
            // A fresh start.
            let clock = other.clock(0);
            other = engine(&batch, threads(2), &at);
            other.set_clock(0, clock).unwrap();
            moved.extend(seen);
        }
        assert_ne!(moved[0].f, moved[steps - 1].f);
        // The geometry is reported in the original order of the particles.
        let geometry = straight.geometry(&Unknown).unwrap();
        assert_eq!(other.geometry(&Unknown).unwrap(), geometry);
    }
}

/// All levels of vector instructions give the same activations, and numbers equal up to rounding.
#[test]
fn every_level_agrees() {
    let (batch, p) = gaussian_problem(3001, 70, 3, Run::simple(3001, Loss::SQUARE));
    let run = batch.runs[0].clone();
    for level in Level::available() {
        let of_level = Options {
            level: Some(level),
            ..options()
        };
        let mut engine = engine(&batch, of_level, &p);
        let f = engine.predict(Sample::Train).unwrap().remove(0).f;
        let (g, v) = (engine.residual(0).unwrap(), engine.velocity(0).unwrap());
        let want = want(&run, &p, &g, &batch.datasets[0]);
        assert!(want.agrees(&f, &v), "{level:?}");
    }
}

/// Equal particles stay equal wherever they are sorted to, and a particle that is active on no
/// sample does not move.
#[test]
fn equal_particles_stay_equal_and_dead_ones_still() {
    let (m, n, d) = (2000, 30, 3);
    let (mut batch, mut p) = gaussian_problem(m, n, d, Run::simple(m, Loss::LOGISTIC));
    let mut data = (*batch.datasets[0]).clone();
    // All samples are on one side of the third coordinate.
    data.x
        .iter_mut()
        .skip(2)
        .step_by(d)
        .for_each(|x| *x = x.abs());
    batch.datasets = vec![Arc::new(data)];
    for j in 0..m / 2 {
        let (w, a) = (p.w(j).to_vec(), p.a[j]);
        p.w[(j + m / 2) * d..][..d].copy_from_slice(&w);
        p.a[j + m / 2] = a;
    }
    p.w[..d].copy_from_slice(&[0.0, 0.0, -1.0]);
    let mut engine = engine(&batch, options(), &p);
    let steps = Steps {
        eta: vec![1.0; 20],
        evaluate: vec![false; 20],
    };
    engine.advance(&steps).unwrap();
    let now = engine.read(0, 0..m).unwrap();
    assert_eq!((now.w(0), now.a[0]), (p.w(0), p.a[0]));
    for j in 1..m / 2 {
        assert_eq!((now.w(j), now.a[j]), (now.w(j + m / 2), now.a[j + m / 2]));
    }
    let moved = (0..m).filter(|&j| now.a[j] != p.a[j]).count();
    assert!(moved > m / 2, "{moved} of {m} moved");
}

#[test]
fn what_is_not_finite_is_noticed() {
    for bad in [f64::NAN, f64::INFINITY] {
        let (batch, mut p) = gaussian_problem(100, 8, 3, Run::simple(100, Loss::SQUARE));
        p.w[17] = bad;
        let mut engine = engine(&batch, options(), &p);
        assert!(!engine.predict(Sample::Train).unwrap()[0].is_finite());
        let steps = Steps {
            eta: vec![0.1; 3],
            evaluate: vec![false; 3],
        };
        engine.advance(&steps).unwrap();
        assert_eq!(engine.clock(0).diverged, Some(0));
    }
}

#[test]
fn large_runs_in_few_dimensions_take_it() {
    for (m, n, d, method) in [
        (1_000_000, 256, 3, "cells"),
        (1000, 256, 3, "direct"),
        (1_000_000, 256, 15, "direct"),
    ] {
        let (batch, _) = gaussian_problem(1, n, d, Run::simple(m, Loss::SQUARE));
        let engine = cpu_with(Options::default())(batch).unwrap();
        assert_eq!(engine.method(0), method, "({m}, {n}, {d})");
    }
}
