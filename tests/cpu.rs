//! Optimisations of the cpu engine must not change results: stored activation bits, large d in
//! pieces, threads, vector instructions.

use std::sync::Arc;

use widefield::data::Dataset;
use widefield::engine::cpu::{Cpu, Level, Options};
use widefield::engine::{Batch, Engine, Sample, Steps, reference};
use widefield::model::Run;
use widefield::model::{Activation, Loss, StateFormat, Train};
use widefield::particles::Particles;
use widefield::particles::random::{Draws, Stream};

const MODES: [Train; 3] = [Train::Both, Train::Output, Train::Input];

fn run(m: usize, train_set: usize, train: Train) -> Run {
    Run {
        m,
        part: None,
        train_set,
        test_set: Some(0),
        loss: Loss::LOGISTIC,
        activation: Activation::Relu,
        train,
        alpha: 2.0,
        lambda: 0.125,
        norm_scaled: false,
        informative: None,
    }
}

fn labelled(n: usize, d: usize) -> Dataset {
    let mut draws = Draws::new(7, Stream::TrainData, 0, n as u64, 0);
    let mut x = vec![0.0; n * d];
    draws.fill_gaussian(&mut x);
    Dataset {
        d,
        x: x.iter().map(|&v| v as f32).collect(),
        y: (0..n).map(|i| [1.0, -1.0][i * i % 3 % 2]).collect(),
    }
}

fn gaussian(m: usize, d: usize) -> Particles {
    let mut p = Particles::zeros(m, d);
    let mut draws = Draws::new(8, Stream::Init, 0, m as u64, 0);
    draws.fill_gaussian(&mut p.w);
    draws.fill_gaussian(&mut p.a);
    p
}

/// State, predictions on both sets and velocity after some steps of every run.
type Outcome = Vec<(Particles, Vec<f64>, Vec<f64>, Particles)>;

fn outcome(datasets: &[Dataset], runs: &[Run], options: &Options, eta: f64) -> Outcome {
    let d = datasets[0].d;
    let batch = Batch {
        d,
        datasets: datasets.iter().cloned().map(Arc::new).collect(),
        runs: runs.to_vec(),
        state: StateFormat::F32,
    };
    let mut engine = Cpu::new(batch, options).unwrap();
    for (r, run) in runs.iter().enumerate() {
        engine.write(r, 0, &gaussian(run.m, d)).unwrap();
    }
    let steps = Steps {
        eta: vec![eta; 5 * runs.len()],
        evaluate: vec![false; 5],
    };
    engine.advance(&steps).unwrap();
    // A prediction on another set in between must not change the results.
    let test = engine.predict(Sample::Test).unwrap();
    engine.advance(&steps).unwrap();
    let train = engine.predict(Sample::Train).unwrap();
    let each = runs.iter().enumerate().zip(test.into_iter().zip(train));
    each.map(|((r, run), (test, train))| {
        let v = engine.velocity(r).unwrap();
        (engine.read(r, 0..run.m).unwrap(), test.f, train.f, v)
    })
    .collect()
}

/// Activation bits stored, recomputed, or some of each give the same bits.
#[test]
fn kept_activations_do_not_show() {
    for level in Level::available() {
        for d in [1, 3, 7, 9, 15, 40, 130] {
            let sets = [1, 8, 31, 32, 33, 100, 300].map(|n| labelled(n, d));
            let run = |s: usize| run([1, 31, 32, 33, 1000][s % 5], s, MODES[(s + d) % 3]);
            let runs: Vec<Run> = (0..sets.len()).map(run).collect();
            let with = |kept_bytes, eta| {
                let options = Options {
                    level: Some(level),
                    kept_bytes,
                    threads: Some(2),
                    ..Options::default()
                };
                outcome(&sets, &runs, &options, eta)
            };
            let kept = with(Some(usize::MAX), 0.25);
            assert!(kept == with(Some(0), 0.25), "{level:?}, d = {d}");
            assert!(kept == with(Some(20_000), 0.25), "{level:?}, d = {d}");
            assert!(
                kept != with(Some(0), 0.25 + 1e-6),
                "{level:?}: the twin passed"
            );
        }
    }
}

/// Large d and many samples, where sums are split in pieces, against the reference. No sample is
/// near a kink: inputs are positive, and the weights of a particle all have the same sign.
#[test]
fn long_sums_agree_with_the_reference() {
    let sizes = [
        (785, 70, 300),
        (4096, 5, 40),
        (40, 33, 1000),
        (9, 33, 1001),
        (15, 33, 5000),
        (2, 33, 20_000),
    ];
    for level in Level::available() {
        for (d, m, n) in sizes {
            for (train, kept_bytes) in MODES.iter().flat_map(|&t| [(t, None), (t, Some(0))]) {
                let mut data = labelled(n, d);
                data.x.iter_mut().for_each(|x| *x = x.abs());
                let mut p = gaussian(m, d);
                let start = p.clone();
                for (w, sign) in p.w.chunks_mut(d).zip(&start.a) {
                    w.iter_mut()
                        .for_each(|w| *w = f64::from((w.abs() / d as f64) as f32).copysign(*sign));
                }
                p.a.iter_mut().for_each(|a| *a = f64::from(*a as f32));
                let run = Run {
                    test_set: None,
                    ..run(m, 0, train)
                };
                let batch = Batch {
                    d,
                    datasets: vec![Arc::new(data.clone())],
                    runs: vec![run.clone()],
                    state: StateFormat::F32,
                };
                let options = Options {
                    level: Some(level),
                    kept_bytes,
                    ..Options::default()
                };
                let mut engine = Cpu::new(batch, &options).unwrap();
                engine.write(0, 0, &p).unwrap();
                let g = engine.residual(0).unwrap();
                let got = engine.velocity(0).unwrap();
                let what = format!("{level:?} (d {d}, n {n}) {train:?} {kept_bytes:?}");
                assert_within(&what, &run, &data, &p, &g, &got, true);
                // The sabotage twin: one sample has a slightly smaller residual.
                let mut other = g.clone();
                other[n / 2] *= 0.9;
                assert_within(&what, &run, &data, &p, &other, &got, false);
            }
        }
    }
}

/// Checks a velocity against the reference: within 16 unit round-offs on the scale of its terms.
fn assert_within(
    what: &str,
    run: &Run,
    data: &Dataset,
    p: &Particles,
    g: &[f64],
    got: &Particles,
    expected: bool,
) {
    let want = reference::velocity(run, p, g, data);
    // All terms positive: the sum of absolute values is a velocity too.
    let positive = |v: &[f64]| v.iter().map(|v| v.abs()).collect::<Vec<_>>();
    let alive = Particles {
        d: p.d,
        w: p.w.iter().map(|w| w.max(0.0)).collect(),
        a: p.a.iter().map(|a| -a.abs()).collect(),
    };
    let pull = Run {
        lambda: 0.0,
        ..run.clone()
    };
    let terms = reference::velocity(&pull, &alive, &positive(g), data);
    let unit = f64::from(f32::EPSILON) / 2.0;
    let near = |got: &[f64], want: &[f64], terms: &[f64], theta: &[f64]| {
        let scale = terms
            .iter()
            .zip(theta)
            .map(|(t, v)| t.abs() + run.lambda * v.abs());
        let errors = got.iter().zip(want).map(|(got, want)| (got - want).abs());
        errors
            .zip(scale)
            .all(|(error, scale)| error <= 16.0 * unit * scale)
    };
    let a = near(&got.a, &want.a, &terms.a, &p.a);
    let w = near(&got.w, &want.w, &terms.w, &p.w);
    assert_eq!(a && w, expected, "{what}: a {a}, w {w}");
}

/// One run that is split over the threads, beside small ones that are not.
#[test]
fn threads_do_not_change_a_bit_in_a_mixed_batch() {
    let sets = [labelled(50, 6)];
    let widths = [20_011, 5, 1000, 64, 33, 7, 2049, 1];
    let runs: Vec<Run> = (0..8).map(|r| run(widths[r], 0, MODES[r % 3])).collect();
    let with = |threads| {
        let options = Options {
            threads: Some(threads),
            ..Options::default()
        };
        outcome(&sets, &runs, &options, 0.25)
    };
    let one = with(1);
    assert!(one == with(2) && one == with(5));
}
