//! Runs by the Gram matrix against the direct kernels and the reference.

mod common;

use std::sync::Arc;

use common::{cpu_with, gram_around, reference};
use widefield::data::Dataset;
use widefield::engine::cpu;
use widefield::engine::{Batch, Engine, Evaluation, Sample, ShortCuts, Steps};
use widefield::experiment::Schedule;
use widefield::model::{Loss, StateFormat, Train};
use widefield::model::{Run, ldexp};
use widefield::particles::Particles;
use widefield::particles::random::{Draws, Stream};

fn direct(batch: Batch) -> widefield::Result<Box<dyn Engine>> {
    let options = cpu::Options {
        short_cuts: ShortCuts::Never,
        ..cpu::Options::default()
    };
    cpu_with(options)(batch)
}

fn gram(batch: Batch) -> widefield::Result<Box<dyn Engine>> {
    gram_around(Box::new(direct))(batch)
}

fn gaussian(m: usize, d: usize) -> Particles {
    let mut p = Particles::zeros(m, d);
    Draws::new(3, Stream::Init, 0, m as u64, 0).fill_gaussian(&mut p.w);
    Draws::new(3, Stream::Init, 0, m as u64, 1).fill_gaussian(&mut p.a);
    let exact = |v: &mut f64| *v = f64::from(*v as f32);
    p.w.iter_mut().for_each(exact);
    p.a.iter_mut().for_each(exact);
    p
}

fn labelled(n: usize, d: usize) -> Dataset {
    let mut x = vec![0.0; n * d];
    Draws::new(4, Stream::TrainData, 0, n as u64, 0).fill_gaussian(&mut x);
    Dataset {
        d,
        x: x.iter().map(|&v| v as f32).collect(),
        y: (0..n).map(|i| [1.0, -1.0][i * i % 3 % 2]).collect(),
    }
}

/// Output-only runs on one data set of d = 3, which is also the test set, and one run of both
/// layers in the batch. One run is so wide that its features are not stored.
fn runs() -> Vec<Run> {
    let output = |m, loss| Run {
        train: Train::Output,
        test_set: Some(0),
        ..Run::simple(m, loss)
    };
    vec![
        output(50, Loss::SOFTMIN),
        Run {
            alpha: 3.0,
            lambda: 0.125,
            ..output(130, Loss::SQUARE)
        },
        Run {
            train: Train::Both,
            ..output(64, Loss::LOGISTIC)
        },
        Run {
            norm_scaled: true,
            ..output(1, Loss::SOFTMIN)
        },
        Run {
            lambda: 0.01,
            ..output(17_000, Loss::LOGISTIC)
        },
    ]
}

type Make = fn(Batch) -> widefield::Result<Box<dyn Engine>>;

fn started(make: Make, runs: &[Run], n: usize) -> Box<dyn Engine> {
    let batch = Batch {
        d: 3,
        datasets: vec![Arc::new(labelled(n, 3))],
        runs: runs.to_vec(),
        state: StateFormat::F32,
    };
    let mut engine = make(batch).unwrap();
    for (r, run) in runs.iter().enumerate() {
        engine.write(r, 0, &gaussian(run.m, 3)).unwrap();
    }
    engine
}

fn steps(runs: usize, from: u64, count: u64) -> Steps {
    let eta = |k| vec![Schedule::InverseSqrt.step(0.5, k, from + count); runs];
    Steps {
        eta: (from..from + count).flat_map(eta).collect(),
        evaluate: (from..from + count).map(|k| k % 7 == 0).collect(),
    }
}

/// The largest difference of two evaluations, relative to the largest prediction and to each
/// moment.
fn apart(got: &Evaluation, want: &Evaluation) -> f64 {
    let truth = |now: &Evaluation, e: f64| ldexp(e, now.prediction_exponent);
    let size = want
        .f
        .iter()
        .map(|f| truth(want, f.abs()))
        .fold(0.0, f64::max);
    let errors = got.f.iter().zip(&want.f);
    let f = errors.map(|(g, w)| (truth(got, *g) - truth(want, *w)).abs() / size);
    let on_a = |now: &Evaluation, v: f64, times: i32| ldexp(v, times * now.clock.exponent);
    let a2 = on_a(got, got.mean_a2, 2) / on_a(want, want.mean_a2, 2) - 1.0;
    let aw = on_a(got, got.mean_aw, 1) / on_a(want, want.mean_aw, 1) - 1.0;
    f.chain([a2.abs(), aw.abs()]).fold(0.0, larger)
}

/// The larger of two errors; NaN counts as the largest.
fn larger(worst: f64, error: f64) -> f64 {
    if error.is_nan() {
        f64::INFINITY
    } else {
        worst.max(error)
    }
}

/// The Gram matrix is in f64, and so nearer to the reference than the direct kernels in f32.
#[test]
fn agrees_with_the_reference_and_the_direct_kernels() {
    let (n, count) = (40, 210);
    for run in runs().into_iter().filter(|run| run.train == Train::Output) {
        let runs = [run];
        let seen = |make: Make| {
            let mut engine = started(make, &runs, n);
            let mut seen = engine.advance(&steps(1, 0, count)).unwrap();
            seen.push(engine.predict(Sample::Train).unwrap());
            seen.push(engine.predict(Sample::Test).unwrap());
            (
                seen.into_iter().flatten().collect::<Vec<_>>(),
                engine.method(0),
            )
        };
        let (want, _) = seen(reference);
        let (got, method) = seen(gram);
        assert_eq!(method, "gram");
        let (plain, method) = seen(direct);
        assert_eq!(method, "direct");
        let worst = |got: &[Evaluation]| {
            let pairs = got.iter().zip(&want).take(want.len() - 1);
            pairs.map(|(g, w)| apart(g, w)).fold(0.0, larger)
        };
        let what = format!("{runs:?}: {:e}, {:e}", worst(&got), worst(&plain));
        // a is rounded to f32 where its moments are taken; f is not.
        assert!(worst(&got) <= 1e-6, "{what}");
        assert!(worst(&plain) <= 2e-4, "{what}");
        for (g, w) in got.iter().zip(&want).take(got.len() - 1) {
            let size = w.f.iter().fold(0.0_f64, |s, f| s.max(f.abs()));
            let off = g.f.iter().zip(&w.f).map(|(g, w)| ldexp(*g, 0) - w);
            let most = off.fold(0.0_f64, |s, e| s.max(e.abs()));
            assert!(
                most <= 1e-11 * size || g.prediction_exponent != 0,
                "{most:e} {size:e}"
            );
        }
        // On the test set, which is the training set here, the inner engine predicts with a as f32.
        let last = got.len() - 1;
        assert!(apart(&got[last], &want[last]) <= 2e-5, "{what}");
        // The sabotage twin: slightly more decay.
        let mut other = runs.clone();
        other[0].lambda += 1e-3;
        let mut engine = started(gram, &other, n);
        let twin = engine.advance(&steps(1, 0, count)).unwrap();
        let twin: Vec<_> = twin.into_iter().flatten().collect();
        assert!(worst(&twin) > 1e-6, "the twin passed");
    }
}

/// State and evaluation of every run.
fn outcome(engine: &mut dyn Engine, runs: &[Run]) -> Vec<(Particles, Evaluation)> {
    let now = engine.predict(Sample::Train).unwrap();
    let each = runs.iter().enumerate().zip(now);
    each.map(|((r, run), now)| (engine.read(r, 0..run.m).unwrap(), now))
        .collect()
}

/// Reading the state, the number of threads, and a resume from a checkpoint do not change the bits.
#[test]
fn what_must_not_change_a_bit() {
    let (runs, n) = (runs(), 33);
    let count = runs.len();
    let whole = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let mut engine = started(gram, &runs, n);
            engine.advance(&steps(count, 0, 23)).unwrap();
            outcome(&mut *engine, &runs)
        })
    };
    let want = whole(1);
    assert!(want == whole(3), "threads");
    let mut engine = started(gram, &runs, n);
    engine.advance(&steps(count, 0, 9)).unwrap();
    engine.predict(Sample::Test).unwrap();
    let mut resumed = started(gram, &runs, n);
    let mut forgetful = started(gram, &runs, n);
    for (r, run) in runs.iter().enumerate() {
        let state = engine.read(r, 0..run.m).unwrap();
        for other in [&mut resumed, &mut forgetful] {
            other.write(r, 0, &state).unwrap();
            other.set_clock(r, engine.clock(r)).unwrap();
        }
        if let Some(state) = engine.dual_state(r) {
            resumed.set_dual_state(r, state).unwrap();
        }
        assert_eq!(engine.dual_state(r).is_some(), run.train == Train::Output);
    }
    for engine in [&mut engine, &mut resumed, &mut forgetful] {
        engine.advance(&steps(count, 9, 14)).unwrap();
    }
    assert!(want == outcome(&mut *engine, &runs), "reads");
    assert!(want == outcome(&mut *resumed, &runs), "resume");
    assert!(want != outcome(&mut *forgetful, &runs), "the twin passed");
}

/// Particles that are written in the middle of a run take effect from then on; the others keep
/// their values.
#[test]
fn particles_may_be_written_at_any_time() {
    let runs = [Run {
        train: Train::Output,
        ..Run::simple(50, Loss::LOGISTIC)
    }];
    let end = |make: Make| {
        let mut engine = started(make, &runs, 20);
        engine.advance(&steps(1, 0, 30)).unwrap();
        engine.write(0, 10, &gaussian(5, 3)).unwrap();
        engine.advance(&steps(1, 30, 30)).unwrap();
        engine.read(0, 0..50).unwrap()
    };
    let (got, want) = (end(gram), end(reference));
    assert_eq!(got.w, want.w);
    let off = |got: &Particles| {
        let each = got.a.iter().zip(&want.a).map(|(g, w)| (g - w).abs());
        each.fold(0.0, larger)
    };
    assert!(off(&got) <= 1e-5, "{}", off(&got));
    let untouched = {
        let mut engine = started(gram, &runs, 20);
        engine.advance(&steps(1, 0, 60)).unwrap();
        engine.read(0, 0..50).unwrap()
    };
    assert!(off(&untouched) > 1e-2, "the twin passed");
}

/// Norms beyond f32 increase the exponent, and values that are not finite are detected.
#[test]
fn growth_and_divergence() {
    let output = |loss| Run {
        train: Train::Output,
        ..Run::simple(50, loss)
    };
    let wild = |loss, eta: f64, lambda: f64| {
        let run = Run {
            lambda,
            ..output(loss)
        };
        let mut engine = started(gram, &[run], 10);
        let steps = Steps {
            eta: vec![eta; 400],
            evaluate: vec![true; 400],
        };
        let seen = engine.advance(&steps).unwrap();
        (engine.clock(0), seen.last().unwrap()[0].is_finite())
    };
    // Decay that overshoots: a is multiplied by −19 at each step.
    let (clock, finite) = wild(Loss::SOFTMIN, 10.0, 2.0);
    assert!(
        finite && clock.exponent > 1000 && clock.diverged.is_none(),
        "{clock:?}"
    );
    let (clock, finite) = wild(Loss::SQUARE, 1e6, 0.0);
    assert!(!finite && clock.diverged == Some(clock.step), "{clock:?}");
}
