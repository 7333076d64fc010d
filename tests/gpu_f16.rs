//! `precision.state = "f16"`: particles and inputs in 16 bits, sums in 32.

mod common;

use std::sync::Arc;

use common::skip::{Missing, skip};
use common::{gpu_adapter, gpu_with};
use half::f16;
use widefield::data::Dataset;
use widefield::engine::gpu::{self, Options};
use widefield::engine::select::{Choice, select};
use widefield::engine::{Batch, Engine, ShortCuts, Steps, reference};
use widefield::model::Run;
use widefield::model::{Loss, StateFormat, Train};
use widefield::particles::Particles;
use widefield::verify::cases::{VerifyCase, VerifyRun};
use widefield::verify::{verdict, verify};

macro_rules! needs_adapter {
    () => {
        if gpu_adapter().is_none() {
            return;
        }
    };
}

fn case(d: usize, m: usize, n: usize, loss: Loss) -> VerifyCase {
    VerifyCase {
        name: String::new(),
        d,
        runs: vec![VerifyRun {
            n,
            run: Run::simple(m, loss),
        }],
        eta: 0.5,
        state: StateFormat::F16,
    }
}

fn engine(case: &VerifyCase) -> Box<dyn Engine> {
    let mut engine = gpu_with(Options::default())(case.batch()).unwrap();
    engine.write(0, 0, &case.particles(0)).unwrap();
    engine
}

fn steps(count: usize, eta: f64) -> Steps {
    Steps {
        eta: vec![eta; count],
        evaluate: vec![false; count],
    }
}

/// Kernels for large d with cooperative matrices, if the adapter supports them.
fn matrices() -> Option<String> {
    let facts = gpu::select(gpu_adapter().as_deref()).unwrap();
    let product = "tiled_staged=true,tiled_particles=64,tiled_held=8,tiled_predict_samples=64,\
        tiled_predict_held=8,tiled_predict_slice=16";
    let Some(edge) = facts.matrices.first() else {
        let why = format!(
            "{} has no cooperative matrix, and kernels with it are left out",
            facts.name
        );
        skip(Missing::Property, &why);
        return None;
    };
    Some(format!("{product},tiled_predict_matrix={edge}"))
}

/// Every stage in every mode, on kernels of all kinds, each check with its sabotage twin.
#[test]
fn stages_agree_with_the_reference() {
    needs_adapter!();
    let staged = "lockstep=1,predict_staged=true,update_stage=32".to_owned();
    let matrices = matrices();
    for kernels in [None, Some(staged)].into_iter().chain(matrices.map(Some)) {
        let options = Options {
            kernels,
            short_cuts: ShortCuts::Always,
            ..Options::default()
        };
        let checks = verify(&gpu_with(options), StateFormat::F16).unwrap();
        assert!(checks.len() > 100);
        verdict(&checks).unwrap();
    }
}

/// Errors of a small step in units of the spacing of f16, to which results are rounded. Numbers
/// below 2^-14, whose spacing is 2^-24, are returned separately.
fn errors(got: &Particles, want: &Particles) -> [Vec<f64>; 2] {
    let mut errors = [Vec::new(), Vec::new()];
    let all = |p: &Particles| p.a.iter().chain(&p.w).copied().collect::<Vec<_>>();
    for (got, want) in all(got).into_iter().zip(all(want)) {
        let size = want.abs();
        let binade = size.log2().floor().max(-14.0);
        let kind = usize::from(size < 2f64.powi(-14));
        errors[kind].push((got - want) * want.signum() / 2f64.powf(binade - 10.0));
    }
    errors
}

/// The mean error in units of the largest standard error that unbiased stochastic rounding can
/// have: a fraction q has the variance q (1 − q) ≤ 1/4.
fn bias(errors: &[f64]) -> f64 {
    2.0 * errors.iter().sum::<f64>() / (errors.len() as f64).sqrt()
}

/// A step of a fifth of the spacing moves the weights by that amount on average; rounding to the
/// nearest would lose it.
#[test]
fn small_steps_are_right_on_average() {
    needs_adapter!();
    let mut case = case(15, 20_000, 16, Loss::SQUARE);
    // With decay alone all weights change by the same factor.
    case.runs[0].run.lambda = 1.0;
    let mut start = case.particles(0);
    start.a.iter_mut().for_each(|a| *a = 0.0);
    let tiny = |(j, w): (usize, &mut f64)| {
        if j % 2 == 0 {
            *w = f16::from_f64(*w * 2f64.powi(-14)).to_f64();
        }
    };
    start.w.iter_mut().enumerate().for_each(tiny);
    let eta = 0.2 * 2f64.powi(-10);
    let batch = case.batch();
    let mut engine = gpu_with(Options::default())(batch.clone()).unwrap();
    engine.write(0, 0, &start).unwrap();
    let f = reference::predict(&batch.runs[0], &start, &batch.datasets[0]);
    let g = Loss::SQUARE.residual(&f, 0, &batch.datasets[0].y);
    let velocity = reference::velocity(&batch.runs[0], &start, &g, &batch.datasets[0]);
    engine.advance(&steps(1, eta)).unwrap();
    let got = engine.read(0, 0..start.m()).unwrap();
    let mut want = start.clone();
    reference::update(&mut want, &velocity, eta);
    let mut nearest = want.clone();
    let round = |w: &mut f64| *w = f16::from_f64(*w).to_f64();
    nearest.w.iter_mut().for_each(round);
    // The output weights start at 0 and move by w·G, a step that rounding to the nearest keeps.
    for p in [&mut nearest, &mut want] {
        p.a.copy_from_slice(&got.a);
    }
    for (ours, theirs) in errors(&got, &want).iter().zip(errors(&nearest, &want)) {
        assert!(ours.len() > 10_000);
        assert!(ours.iter().all(|e| e.abs() < 1.0));
        assert!(bias(ours).abs() < 5.0, "{}", bias(ours));
        assert!(bias(&theirs).abs() > 20.0, "{}", bias(&theirs));
    }
}

/// Equal particles stay equal, so that a doubled network keeps its symmetry.
#[test]
fn equal_particles_stay_equal() {
    needs_adapter!();
    let case = case(5, 200, 20, Loss::LOGISTIC);
    let mut start = case.particles(0);
    start.a.copy_within(..100, 100);
    start.w.copy_within(..500, 500);
    let mut engine = engine(&case);
    engine.write(0, 0, &start).unwrap();
    engine.advance(&steps(20, 0.01)).unwrap();
    let end = engine.read(0, 0..200).unwrap();
    assert_eq!(end.a[..100], end.a[100..]);
    assert_eq!(end.w[..500], end.w[500..]);
    assert_ne!(end, start);
}

/// For norms beyond the range of f16 the exponent grows, and the trajectory is that of f32.
#[test]
fn growing_norms_move_to_the_exponent() {
    needs_adapter!();
    let mut case = case(3, 2000, 30, Loss::SOFTMIN);
    let mut seen = Vec::new();
    for state in [StateFormat::F16, StateFormat::F32] {
        let start = case.particles(0);
        case.state = StateFormat::F16;
        let mut batch = case.batch();
        batch.state = state;
        let mut engine = gpu_with(Options::default())(batch).unwrap();
        engine.write(0, 0, &start).unwrap();
        engine.advance(&steps(40, 20.0)).unwrap();
        let end = engine.read(0, 0..2000).unwrap();
        let unit = 2f64.powi(engine.clock(0).exponent);
        let a2 = end.a.iter().map(|a| (a * unit).powi(2)).sum::<f64>() / 2000.0;
        assert_eq!(engine.clock(0).diverged, None);
        seen.push((engine.clock(0).exponent, a2));
    }
    let [(exponent, half), (_, whole)] = seen[..] else {
        unreachable!("two formats");
    };
    assert!(exponent > 0 && whole > 65504f64.powi(2), "{whole:e}");
    assert!((half / whole - 1.0).abs() < 0.01, "{half:e} {whole:e}");
}

/// Values beyond the largest number become infinite, and the run is reported as diverged.
#[test]
fn a_weight_that_outgrows_f16_diverges() {
    needs_adapter!();
    let case = case(2, 100, 10, Loss::SQUARE);
    let mut engine = engine(&case);
    engine.advance(&steps(5, 1e6)).unwrap();
    assert!(engine.clock(0).diverged.is_some());
}

fn message<T>(result: widefield::Result<T>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn what_cannot_be_stored_is_refused() {
    let case = case(2, 3, 4, Loss::SQUARE);
    for choice in [Choice::Cpu, Choice::Reference] {
        let refused = message(select(choice, None).unwrap().build(case.batch()));
        assert!(refused.contains("precision.state") && refused.contains("--engine gpu"));
    }
    let data = |x: f32| Dataset {
        d: 1,
        x: vec![1.0 + 1.0 / 4096.0, x],
        y: vec![1.0; 2],
    };
    let refused = message(data(70_000.0).rounded(StateFormat::F16));
    assert!(refused.contains("7e4 of row 1") && refused.contains("65504"));
    assert_eq!(data(3.0).rounded(StateFormat::F16).unwrap().x, [1.0, 3.0]);
    assert_eq!(data(7e4).rounded(StateFormat::F32).unwrap(), data(7e4));
    needs_adapter!();
    let mut engine = engine(&case);
    let mut large = case.particles(0);
    large.a[2] = -1e5;
    let refused = message(engine.write(0, 0, &large));
    assert!(refused.contains("-1e5") && refused.contains("init.scale_a"));
}

/// Short cuts do not store f16, so runs in f16 take the direct kernels.
#[test]
fn short_cuts_are_not_taken() {
    needs_adapter!();
    let run = Run {
        train: Train::Output,
        ..Run::simple(1000, Loss::SQUARE)
    };
    let data = Dataset {
        d: 2,
        x: vec![0.5; 8],
        y: vec![1.0; 4],
    };
    for (state, method) in [(StateFormat::F16, "direct"), (StateFormat::F32, "gram")] {
        let batch = Batch {
            d: 2,
            datasets: vec![Arc::new(data.clone())],
            runs: vec![run.clone()],
            state,
        };
        let make = common::gram_around(gpu_with(Options {
            short_cuts: ShortCuts::Always,
            ..Options::default()
        }));
        assert_eq!(make(batch).unwrap().method(0), method);
    }
}

/// Cooperative matrices are refused if the adapter lacks them or if a subgroup cannot hold whole
/// ones.
#[test]
fn matrices_that_are_not_there_are_refused() {
    needs_adapter!();
    let edge = match gpu::select(gpu_adapter().as_deref()).unwrap().matrices[..] {
        [16] => 8,
        _ => 16,
    };
    let refusal = |kernels: &str| {
        let options = Options {
            kernels: Some(format!(
                "tiled_staged=true,tiled_predict_slice=16,{kernels}"
            )),
            ..Options::default()
        };
        let made = gpu_with(options)(case(100, 64, 8, Loss::SQUARE).batch());
        made.err().map(|e| e.to_string()).unwrap_or_default()
    };
    let lanes = "tiled_subgroup=8,tiled_predict_samples=64,tiled_predict_held=64";
    let absent = refusal(&format!("{lanes},tiled_predict_matrix={edge}"));
    assert!(
        absent.contains("leave out tiled_predict_matrix"),
        "{absent}"
    );
    let odd = refusal("tiled_predict_matrix=5");
    assert!(odd.contains("an edge of 8 or 16"), "{odd}");
}
