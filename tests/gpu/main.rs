//! The gpu engine beyond agreement with the reference: the bits of a run depend on nothing but the
//! run.

#[path = "../common/mod.rs"]
mod common;
mod exponents;
mod naive;
mod tiled;

use std::sync::Arc;
use std::time::Duration;

use common::{gpu_adapter, gpu_with, reference};
use widefield::data::Dataset;
use widefield::engine::gpu::{D_MOST, Gpu, NAIVE, Options, adapters, select};
use widefield::engine::{Batch, Clock, Engine, Evaluation, Sample, ShortCuts, Steps, Unknown};
use widefield::model::Run;
use widefield::model::{Loss, StateFormat, Train};
use widefield::particles::Particles;
use widefield::verify::cases::{self, VerifyCase, VerifyRun};
use widefield::verify::{verdict, verify_case};

/// Runs of these (m, n, loss, train) with the data and particles of `verify`.
fn case(d: usize, sizes: &[(usize, usize, Loss, Train)]) -> VerifyCase {
    let runs = sizes.iter().enumerate();
    let runs = runs.map(|(index, &(m, n, loss, train))| VerifyRun {
        n,
        run: Run {
            train_set: index,
            train,
            lambda: 0.01,
            ..Run::simple(m, loss)
        },
    });
    VerifyCase {
        name: String::new(),
        d,
        runs: runs.collect(),
        eta: 0.1,
        state: StateFormat::F32,
    }
}

fn mixed() -> VerifyCase {
    mixed_of(3, StateFormat::F32)
}

fn mixed_of(d: usize, state: StateFormat) -> VerifyCase {
    let sizes = [
        (5000, 37, Loss::SOFTMIN, Train::Both),
        (1, 1, Loss::SQUARE, Train::Both),
        (129, 300, Loss::LOGISTIC, Train::Output),
        (2049, 64, Loss::HINGE, Train::Input),
    ];
    VerifyCase {
        state,
        ..case(d, &sizes)
    }
}

/// The direct kernels on d = 3, and the short cut for d = 2: options and d.
fn methods() -> [(Options, usize); 2] {
    let arcs = Options {
        short_cuts: ShortCuts::Always,
        ..Options::default()
    };
    [(Options::default(), 3), (arcs, 2)]
}

/// [`methods`] with particles in f32, and the direct kernels with particles in f16.
fn forms() -> impl Iterator<Item = (Options, VerifyCase)> {
    let of = |(options, d)| (options, mixed_of(d, StateFormat::F32));
    let halves = (Options::default(), mixed_of(3, StateFormat::F16));
    methods().into_iter().map(of).chain([halves])
}

fn start(engine: &mut dyn Engine, case: &VerifyCase) {
    for run in 0..case.runs.len() {
        engine.write(run, 0, &case.particles(run)).unwrap();
    }
}

fn steps(runs: usize, count: usize, eta: f64) -> Steps {
    Steps {
        eta: vec![eta; runs * count],
        evaluate: (0..count).map(|step| step % 3 == 0).collect(),
    }
}

/// Particles of all runs with Σ η g, and all evaluations, after some steps.
type Trajectory = (Vec<(Particles, Vec<f64>)>, Vec<Vec<Evaluation>>);

fn trajectory(options: Options, case: &VerifyCase) -> Trajectory {
    let mut engine = gpu_with(options)(case.batch()).unwrap();
    start(&mut *engine, case);
    let seen = engine
        .advance(&steps(case.runs.len(), 25, case.eta))
        .unwrap();
    let read = |(run, case): (usize, &VerifyRun)| {
        let particles = engine.read(run, 0..case.run.m).unwrap();
        (particles, engine.accumulated(run).unwrap())
    };
    (case.runs.iter().enumerate().map(read).collect(), seen)
}

macro_rules! needs_adapter {
    () => {
        if gpu_adapter().is_none() {
            return;
        }
    };
}
use needs_adapter;

#[test]
fn bits_do_not_depend_on_shards() {
    needs_adapter!();
    for (options, case) in forms() {
        let whole = trajectory(options.clone(), &case);
        let shards = Options {
            shard_bytes: Some(16 << 10),
            ..options.clone()
        };
        assert_eq!(whole, trajectory(shards, &case));
        let tile = Options {
            tile: Some(64),
            ..options
        };
        assert_ne!(
            whole,
            trajectory(tile, &case),
            "the comparison sees nothing"
        );
    }
}

/// If X exceeds a binding, kernels bind parts of it. Runs whose samples fit into one part keep
/// their bits; the others add up partial sums of G, and agree with the reference as before.
#[test]
fn x_is_bound_in_windows() {
    needs_adapter!();
    // Windows of 256 samples; of these runs the third alone has more than half of it.
    for (case, bytes) in [
        (mixed(), 256 * 16),
        (mixed_of(3, StateFormat::F16), 256 * 8),
        (mixed_of(80, StateFormat::F32), 256 * 320),
    ] {
        let options = Options {
            inputs_bytes: Some(bytes),
            ..Options::default()
        };
        let (whole, _) = trajectory(Options::default(), &case);
        let (windows, _) = trajectory(options.clone(), &case);
        for run in [0, 1, 3] {
            assert_eq!(whole[run], windows[run], "d = {}, run {run}", case.d);
        }
        assert_ne!(whole[2], windows[2], "d = {}: nothing was cut", case.d);
        let make = gpu_with(options);
        verdict(&verify_case(&case, &|batch| make(batch)).unwrap()).unwrap();
        let geometry = |make: &dyn Fn(Batch) -> widefield::error::Result<Box<dyn Engine>>| {
            let mut engine = make(case.batch()).unwrap();
            start(&mut *engine, &case);
            engine.geometry(&Unknown).unwrap()
        };
        let plain = gpu_with(Options::default());
        assert_eq!(geometry(&plain), geometry(&make), "d = {}", case.d);
    }
    let small = Options {
        inputs_bytes: Some(100),
        ..Options::default()
    };
    let error = gpu_with(small)(mixed().batch()).err().unwrap().to_string();
    assert!(
        error.contains("do not fit into a binding of 100 bytes"),
        "{error}"
    );
}

#[test]
fn bits_do_not_depend_on_the_other_runs() {
    needs_adapter!();
    for (options, case) in forms() {
        let (together, seen) = trajectory(options.clone(), &case);
        let mut batch = case.batch();
        batch.runs = vec![batch.runs[3].clone()];
        let mut engine = gpu_with(options)(batch).unwrap();
        engine.write(0, 0, &case.particles(3)).unwrap();
        let alone = engine.advance(&steps(1, 25, case.eta)).unwrap();
        assert_eq!(engine.read(0, 0..2049).unwrap(), together[3].0);
        assert_eq!(engine.accumulated(0).unwrap(), together[3].1);
        for (alone, seen) in alone.iter().zip(&seen) {
            assert_eq!(alone[0], seen[3]);
        }
    }
}

#[test]
fn bits_do_not_depend_on_submits_or_a_resume() {
    needs_adapter!();
    for (options, case) in forms() {
        let (whole, seen) = trajectory(options.clone(), &case);
        // Stages that are submitted one by one.
        let parted = Options {
            submit: Some(Duration::ZERO),
            ..options.clone()
        };
        assert_eq!(trajectory(parted, &case), (whole.clone(), seen));
        let make = gpu_with(options);
        let mut engine = make(case.batch()).unwrap();
        start(&mut *engine, &case);
        for count in [1, 9, 2] {
            engine.advance(&steps(4, count, case.eta)).unwrap();
        }
        let mut resumed = make(case.batch()).unwrap();
        for run in 0..4 {
            let m = case.runs[run].run.m;
            for first in (0..m).step_by(1000) {
                let block = engine.read(run, first..m.min(first + 1000)).unwrap();
                resumed.write(run, first, &block).unwrap();
            }
            resumed.set_clock(run, engine.clock(run)).unwrap();
            let sum = engine.accumulated(run).unwrap();
            resumed.set_accumulated(run, sum).unwrap();
        }
        resumed.advance(&steps(4, 13, case.eta)).unwrap();
        for (run, (whole, sum)) in whole.iter().enumerate() {
            assert_eq!(resumed.clock(run).step, 25);
            assert_eq!(&resumed.read(run, 0..whole.m()).unwrap(), whole);
            assert_eq!(&resumed.accumulated(run).unwrap(), sum);
        }
    }
}

/// Other kernels round differently but agree; the same kernels, selected by the names that an
/// engine reports, give the same bits.
#[test]
fn kernels_that_are_named_repeat_a_run() {
    needs_adapter!();
    let case = mixed();
    let with = |kernels: Option<&str>| {
        let options = Options {
            kernels: kernels.map(str::to_owned),
            ..Options::default()
        };
        let named = gpu_with(options.clone())(case.batch()).unwrap().kernels();
        (trajectory(options, &case), named.unwrap())
    };
    let (usual, name) = with(None);
    assert_eq!(with(Some(&name)).0, usual);
    for other in [
        "lockstep=1,tile=64,predict_samples=2,update_vectors=1,update_width=2",
        "lockstep=1,predict_staged=true,update_stage=32,predict_threads=64",
    ] {
        let (changed, name) = with(Some(other));
        assert_eq!(with(Some(&name)).0, changed);
        assert_ne!(usual, changed, "the comparison sees nothing");
        for ((usual, _), (changed, _)) in usual.0.iter().zip(&changed.0) {
            let pairs = usual.w.iter().zip(&changed.w);
            assert!(pairs.clone().all(|(u, c)| (u - c).abs() <= 1e-5));
        }
    }
    for wrong in [
        "tile=63",
        "predict_threads=48",
        "update_width=3",
        "nothing=1",
        "tile",
    ] {
        let options = Options {
            kernels: Some(wrong.into()),
            ..Options::default()
        };
        let error = gpu_with(options)(case.batch()).err().unwrap().to_string();
        assert!(
            error.contains("--kernels") && error.contains(wrong),
            "{error}"
        );
    }
}

#[test]
fn more_tiles_than_workgroups_in_one_dimension() {
    needs_adapter!();
    let m = 65_536 * 64 + 65;
    let data = Dataset {
        d: 1,
        x: vec![2.0],
        y: vec![1.0],
    };
    let batch = Batch {
        d: 1,
        datasets: vec![Arc::new(data)],
        runs: vec![Run::simple(m, Loss::SQUARE)],
        state: StateFormat::F32,
    };
    let options = Options {
        tile: Some(64),
        ..Options::default()
    };
    let mut engine = gpu_with(options)(batch).unwrap();
    let block = |value: f64| Particles {
        d: 1,
        w: vec![value; 65],
        a: vec![1.0; 65],
    };
    let f = |engine: &mut dyn Engine| engine.predict(Sample::Train).unwrap()[0].f[0];
    // Only the last 65 particles, beyond the first 65 536 tiles, are not zero.
    engine.write(0, m - 65, &block(3.0)).unwrap();
    let want = 65.0 * 3.0 * 2.0 / m as f64;
    assert!((f(&mut *engine) / want - 1.0).abs() < 1e-6);
    engine.write(0, 0, &block(-1.0)).unwrap();
    assert!((f(&mut *engine) / want - 1.0).abs() < 1e-6, "σ(−2) is 0");
    engine.write(0, 0, &block(1.0)).unwrap();
    assert!((f(&mut *engine) / want - 1.0).abs() > 0.1);
    // The last particles feel the step: g = f − 1, ȧ = −g w x.
    engine.write(0, 0, &block(0.0)).unwrap();
    engine.advance(&steps(1, 1, 0.5)).unwrap();
    let last = engine.read(0, m - 65..m).unwrap();
    let moved = 1.0 + 0.5 * (1.0 - want) * 3.0 * 2.0;
    assert!(last.a.iter().all(|a| (a / moved - 1.0).abs() < 1e-6));
}

#[test]
fn blocks_may_begin_anywhere() {
    needs_adapter!();
    let case = case(2, &[(300, 3, Loss::SQUARE, Train::Both)]);
    let shards = Options {
        shard_bytes: Some(64 * 3 * 4),
        tile: Some(64),
        ..Options::default()
    };
    let mut engine = gpu_with(shards)(case.batch()).unwrap();
    let all = case.particles(0);
    for (first, last) in [(0, 1), (250, 300), (1, 64), (64, 129), (129, 250)] {
        let block = Particles {
            d: 2,
            w: all.w[2 * first..2 * last].to_vec(),
            a: all.a[first..last].to_vec(),
        };
        engine.write(0, first, &block).unwrap();
    }
    assert_eq!(engine.read(0, 0..300).unwrap(), all);
    let part = engine.read(0, 63..66).unwrap();
    assert_eq!(part.a, all.a[63..66]);
    assert!(engine.read(0, 299..301).is_err());
    assert!(engine.write(1, 0, &all).is_err());
}

#[test]
fn a_step_of_zero_leaves_a_run_untouched() {
    needs_adapter!();
    for (options, d) in methods() {
        let case = case(
            d,
            &[
                (70, 9, Loss::LOGISTIC, Train::Both),
                (70, 9, Loss::LOGISTIC, Train::Both),
            ],
        );
        let mut engine = gpu_with(options)(case.batch()).unwrap();
        start(&mut *engine, &case);
        let mut half = steps(2, 4, 0.25);
        half.eta.iter_mut().step_by(2).for_each(|eta| *eta = 0.0);
        engine.advance(&half).unwrap();
        assert_eq!(engine.clock(0), Clock::default());
        assert_eq!(engine.read(0, 0..70).unwrap(), case.particles(0));
        assert_eq!((engine.clock(1).step, engine.clock(1).time), (4, 1.0));
        assert_ne!(engine.read(1, 0..70).unwrap(), case.particles(1));
    }
}

#[test]
fn test_samples_and_evaluations_agree_with_the_reference() {
    needs_adapter!();
    let case = mixed();
    let mut batch = case.batch();
    batch.runs[0].test_set = Some(2);
    batch.runs[3].test_set = Some(0);
    let mut gpu = gpu_with(Options::default())(batch.clone()).unwrap();
    let mut arbiter = reference(batch).unwrap();
    start(&mut *gpu, &case);
    start(&mut *arbiter, &case);
    let got = gpu.predict(Sample::Test).unwrap();
    let want = arbiter.predict(Sample::Test).unwrap();
    assert_eq!((got[1].f.len(), got[0].f.len()), (0, 300));
    let close = |got: f64, want: f64, scale: f64| (got - want).abs() <= 1e-5 * scale;
    for (got, want) in got.iter().zip(&want) {
        assert_eq!(got.f.len(), want.f.len());
        let pairs = got.f.iter().zip(&want.f);
        assert!(
            pairs
                .clone()
                .all(|(got, want)| close(*got, *want, want.abs() + 1.0))
        );
        assert!(
            !pairs
                .clone()
                .any(|(got, want)| close(*got, want + 0.1, want.abs() + 1.0))
        );
        for (got, want) in [
            (got.mean_a2, want.mean_a2),
            (got.mean_w2, want.mean_w2),
            (got.mean_aw, want.mean_aw),
        ] {
            assert!(close(got, want, want));
        }
    }
    // The test samples leave the training state alone.
    let steps = steps(4, 4, 0.01);
    let (got, want) = (
        gpu.advance(&steps).unwrap(),
        arbiter.advance(&steps).unwrap(),
    );
    for (got, want) in got.iter().flatten().zip(want.iter().flatten()) {
        assert_eq!(got.clock.step, want.clock.step);
        let pairs = got.f.iter().zip(&want.f);
        assert!(
            pairs
                .clone()
                .all(|(got, want)| close(*got, *want, 10.0 * (want.abs() + 1.0)))
        );
    }
}

#[test]
fn refusals_say_what_to_do() {
    needs_adapter!();
    let large = case(D_MOST + 1, &[(1, 1, Loss::SQUARE, Train::Both)]);
    let message = |outcome: widefield::Result<Gpu>| outcome.err().unwrap().to_string();
    let wide = message(Gpu::new(large.batch(), &Options::default()));
    assert!(wide.contains("--engine cpu"), "{wide}");
    let nobody = Options {
        adapter: Some("no such adapter".into()),
        ..Options::default()
    };
    let held = Options {
        kernels: Some("tiled=false".into()),
        ..Options::default()
    };
    let deep = case(65, &[(1, 1, Loss::SQUARE, Train::Both)]);
    let untiled = gpu_with(held)(deep.batch()).err().unwrap().to_string();
    assert!(untiled.contains("leave out tiled"), "{untiled}");
    let lost = message(Gpu::new(mixed().batch(), &nobody));
    assert!(lost.contains(&adapters()[0].name), "{lost}");
    assert!(select(Some("no such adapter")).is_err());
}
