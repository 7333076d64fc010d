//! Runs of so many samples or particles that kernels must split their loops.

mod common;

use common::skip::{Missing, skip};
use common::{gpu_adapter, gpu_with};
use widefield::engine::gpu::{Options, select};
use widefield::engine::{Evaluation, Sample, ShortCuts, Steps, Unknown, reference};
use widefield::model::Run;
use widefield::model::{Loss, StateFormat, Train};
use widefield::particles::Particles;
use widefield::verify::cases::{VerifyCase, VerifyRun, long};
use widefield::verify::{verdict, verify_case};

macro_rules! needs_adapter {
    () => {
        if gpu_adapter().is_none() {
            return;
        }
    };
}

/// A bound so large that no loop is split.
const UNBOUNDED: usize = usize::MAX / 2;

fn with(turns: usize) -> Options {
    Options {
        turns: Some(turns),
        ..Options::default()
    }
}

fn always() -> Options {
    Options {
        short_cuts: ShortCuts::Always,
        ..Options::default()
    }
}

#[test]
fn long_loops_are_right() {
    needs_adapter!();
    let [direct, arcs] = long();
    for (options, case, method) in [
        (Options::default(), &direct, "direct"),
        (always(), &arcs, "arcs"),
    ] {
        let make = gpu_with(options);
        assert_eq!(make(case.batch()).unwrap().method(0), method);
        let checks = verify_case(case, &|batch| make(batch)).unwrap();
        verdict(&checks).unwrap();
    }
}

/// The sabotage twin: without the bound, a driver that ends long loops early gives wrong results.
#[test]
fn a_driver_that_ends_loops_early_fails() {
    needs_adapter!();
    let name = select(gpu_adapter().as_deref()).unwrap().name;
    if !name.contains("llvmpipe") {
        let why = format!("{name} is not known to end loops early, as llvmpipe does");
        skip(Missing::Property, &why);
        return;
    }
    // The kernels of the short cut share their loops out over threads, however many turns they may
    // take.
    let [case, _] = long();
    let make = gpu_with(Options {
        short_cuts: ShortCuts::Never,
        ..with(UNBOUNDED)
    });
    let checks = verify_case(&case, &|batch| make(batch)).unwrap();
    assert!(verdict(&checks).is_err(), "{}", case.name);
}

#[test]
fn many_test_samples_are_predicted_right() {
    needs_adapter!();
    let n = 450_007;
    let [mut case, _] = long();
    case.runs[0].n = 3;
    let mut batch = case.batch();
    case.runs[0].n = n;
    batch.datasets.extend(case.batch().datasets);
    batch.runs[0].test_set = Some(1);
    let start = case.particles(0);
    let mut engine = gpu_with(Options::default())(batch.clone()).unwrap();
    engine.write(0, 0, &start).unwrap();
    let got = engine.predict(Sample::Test).unwrap();
    let want = reference::predict(&batch.runs[0], &start, &batch.datasets[1]);
    assert_eq!(got[0].f.len(), n);
    for (i, (got, want)) in got[0].f.iter().zip(&want).enumerate() {
        let allowed = 1e-5 * (1.0 + want.abs());
        assert!((got - want).abs() <= allowed, "{i}: {got} for {want}");
    }
}

/// Runs of these (m, n, loss, train).
fn case(d: usize, state: StateFormat, sizes: &[(usize, usize, Loss, Train)]) -> VerifyCase {
    let runs = sizes.iter().enumerate();
    let runs = runs.map(|(index, &(m, n, loss, train))| VerifyRun {
        n,
        run: Run {
            train_set: index,
            train,
            lambda: 0.01,
            norm_scaled: index % 2 == 1,
            ..Run::simple(m, loss)
        },
    });
    VerifyCase {
        name: format!("d = {d}"),
        d,
        runs: runs.collect(),
        eta: if d > 64 { 0.01 } else { 0.1 },
        state,
    }
}

fn mixed(d: usize, state: StateFormat) -> VerifyCase {
    let sizes = [
        (300, 700, Loss::SOFTMIN, Train::Both),
        (1, 1, Loss::SQUARE, Train::Both),
        (129, 1100, Loss::LOGISTIC, Train::Output),
        (70, 64, Loss::HINGE, Train::Input),
    ];
    case(d, state, &sizes)
}

fn steps(runs: usize, count: usize, eta: f64) -> Steps {
    Steps {
        eta: vec![eta; runs * count],
        evaluate: (0..count).map(|step| step % 3 == 0).collect(),
    }
}

type Trajectory = (Vec<(Particles, Vec<f64>)>, Vec<Vec<Evaluation>>);

/// Particles of all runs with Σ η g, and all evaluations, after some steps.
fn trajectory(options: Options, case: &VerifyCase) -> Trajectory {
    let mut engine = gpu_with(options)(case.batch()).unwrap();
    for run in 0..case.runs.len() {
        engine.write(run, 0, &case.particles(run)).unwrap();
    }
    let seen = engine
        .advance(&steps(case.runs.len(), 10, case.eta))
        .unwrap();
    let read = |(run, case): (usize, &VerifyRun)| {
        let particles = engine.read(run, 0..case.run.m).unwrap();
        (particles, engine.accumulated(run).unwrap())
    };
    (case.runs.iter().enumerate().map(read).collect(), seen)
}

/// Sizes of the kernels that use workgroup memory, as on a GPU.
const STAGED: &str = "lockstep=1,predict_staged=true,update_stage=32,predict_threads=64";
const STAGED_TILES: &str = "lockstep=1,tile=64,tiled_staged=true,tiled_particles=64,tiled_held=8,\
    tiled_predict_samples=64,tiled_predict_held=8,tiled_predict_slice=16,\
    tiled_update_coordinates=32,tiled_update_held=4,tiled_update_slice=16";

/// Kernels, d and state format.
const FORMS: [(Option<&str>, usize, StateFormat); 6] = [
    (None, 3, StateFormat::F32),
    (None, 33, StateFormat::F32),
    (Some(STAGED), 5, StateFormat::F32),
    (None, 3, StateFormat::F16),
    (None, 129, StateFormat::F32),
    (Some(STAGED_TILES), 67, StateFormat::F32),
];

/// Loops split at a far smaller bound than usual agree with the reference in every stage.
#[test]
fn work_that_is_cut_finely_agrees_with_the_reference() {
    needs_adapter!();
    for (kernels, d, state) in FORMS {
        let case = mixed(d, state);
        let options = |turns| Options {
            kernels: kernels.map(str::to_owned),
            turns: Some(turns),
            ..Options::default()
        };
        let fine = gpu_with(options(60));
        let checks = verify_case(&case, &|batch| fine(batch)).unwrap();
        verdict(&checks).unwrap();
        let cut = trajectory(options(60), &case);
        let whole = trajectory(options(UNBOUNDED), &case);
        assert_ne!(cut, whole, "d = {d}: nothing was cut");
        // A run whose loops are not split keeps its bits beside runs whose loops are.
        assert_eq!(cut.0[1], whole.0[1], "d = {d}: the smallest run");
    }
}

/// Dead particles and the other geometry, computed range by range.
#[test]
fn geometry_does_not_depend_on_the_cut() {
    needs_adapter!();
    for (_, d, state) in FORMS {
        let case = mixed(d, state);
        let survey = |turns| {
            let mut engine = gpu_with(with(turns))(case.batch()).unwrap();
            for run in 0..case.runs.len() {
                let mut particles = case.particles(run);
                // Some are dead, some live on few samples.
                if d > 1 {
                    let last = (0..particles.m()).map(|j| j * d + d - 1);
                    last.for_each(|at| particles.w[at] = -2.5);
                }
                engine.write(run, 0, &particles).unwrap();
            }
            engine.geometry(&Unknown).unwrap()
        };
        let whole = survey(UNBOUNDED);
        assert_eq!(survey(60), whole, "d = {d}");
        assert!(whole[0].dead < 1.0, "d = {d}: {whole:?}");
    }
}

/// Shards, other runs, memory for activation bits and the grouping of submits do not change the
/// bits of split loops.
#[test]
fn bits_of_what_is_cut_depend_on_the_run_alone() {
    needs_adapter!();
    for d in [3, 129] {
        let case = mixed(d, StateFormat::F32);
        let fine = with(60);
        let whole = trajectory(fine.clone(), &case);
        let shards = Options {
            shard_bytes: Some(512 << 10),
            kept_bytes: Some(0),
            submit: Some(std::time::Duration::ZERO),
            ..fine.clone()
        };
        assert_eq!(whole, trajectory(shards, &case), "d = {d}");
        let mut batch = case.batch();
        batch.runs = vec![batch.runs[2].clone()];
        let mut engine = gpu_with(fine)(batch).unwrap();
        engine.write(0, 0, &case.particles(2)).unwrap();
        engine.advance(&steps(1, 10, case.eta)).unwrap();
        assert_eq!(engine.read(0, 0..129).unwrap(), whole.0[2].0, "d = {d}");
        assert_eq!(engine.accumulated(0).unwrap(), whole.0[2].1, "d = {d}");
    }
}

/// If the scans of a circle would take too long, the run uses the direct kernels.
#[test]
fn circles_beyond_reach_are_not_taken() {
    needs_adapter!();
    let case = mixed(2, StateFormat::F32);
    let method = |turns| {
        let options = Options {
            short_cuts: ShortCuts::Always,
            ..with(turns)
        };
        let engine = gpu_with(options)(case.batch()).unwrap();
        [0, 1].map(|run| engine.method(run))
    };
    assert_eq!(method(UNBOUNDED), ["arcs", "arcs"]);
    assert_eq!(method(16), ["direct", "direct"]);
}
