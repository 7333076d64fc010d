//! Properties of engines beyond agreement with the reference.

mod common;

use std::sync::Arc;

use common::{Make, engines};
use widefield::data::Dataset;
use widefield::engine::cpu::{self, Cpu, Level};
use widefield::engine::{Batch, Engine, Sample, Steps};
use widefield::experiment::Schedule;
use widefield::model::Run;
use widefield::model::{Loss, StateFormat, Train};
use widefield::observe::{BestMargins, Norms};
use widefield::particles::Particles;
use widefield::particles::random::{Draws, Stream};
use widefield::verify::{cases, verify_case};

fn gaussian(m: usize, d: usize) -> Particles {
    let mut p = Particles::zeros(m, d);
    Draws::new(1, Stream::Init, 0, 0, 0).fill_gaussian(&mut p.w);
    Draws::new(1, Stream::Init, 0, 1, 0).fill_gaussian(&mut p.a);
    let exact = |v: &mut f64| *v = f64::from(*v as f32);
    p.w.iter_mut().for_each(exact);
    p.a.iter_mut().for_each(exact);
    p
}

/// Gaussian inputs with labels.
fn labelled(n: usize, d: usize) -> Dataset {
    let mut draws = Draws::new(1, Stream::TrainData, 0, 0, 0);
    let mut x = vec![0.0; n * d];
    draws.fill_gaussian(&mut x);
    Dataset {
        d,
        x: x.iter().map(|&v| v as f32).collect(),
        y: (0..n)
            .map(|i| if i % 3 == 0 { 1.0 } else { -1.0 })
            .collect(),
    }
}

fn batch(data: Dataset, runs: Vec<Run>) -> Batch {
    Batch {
        d: data.d,
        datasets: vec![Arc::new(data)],
        runs,
        state: StateFormat::F32,
    }
}

fn softmin_steps(from: u64, count: u64, every: u64) -> Steps {
    let eta = |k| Schedule::InverseSqrt.step(0.5, k, from + count);
    Steps {
        eta: (from..from + count).map(eta).collect(),
        evaluate: (from..from + count).map(|k| k % every == 0).collect(),
    }
}

/// Particles and predictions of both runs after some steps.
fn outcome(engine: &mut dyn Engine, m: usize) -> (Particles, Vec<f64>, Vec<f64>) {
    for r in 0..2 {
        engine.write(r, 0, &gaussian(m, 3)).unwrap();
    }
    let mut steps = softmin_steps(0, 20, 5);
    steps.eta = steps.eta.iter().flat_map(|&e| [e, e / 2.0]).collect();
    let seen = engine.advance(&steps).unwrap();
    let now = engine.predict(Sample::Train).unwrap();
    let early = seen.iter().flatten().flat_map(|e| e.f.clone()).collect();
    (engine.read(1, 0..m).unwrap(), now[1].f.clone(), early)
}

#[test]
fn threads_do_not_change_a_bit() {
    let m = 5003;
    let runs = vec![Run::simple(m, Loss::SOFTMIN); 2];
    let with = |threads| {
        let options = cpu::Options {
            threads: Some(threads),
            ..cpu::Options::default()
        };
        let b = batch(labelled(37, 3), runs.clone());
        outcome(&mut Cpu::new(b, &options).unwrap(), m)
    };
    let one = with(1);
    assert!(one == with(2) && one == with(3));
}

/// The bits of a run depend neither on the other runs of its batch nor on how steps are grouped.
#[test]
fn neither_company_nor_grouping_changes_a_bit() {
    let m = 131;
    for (name, make) in engines() {
        let run = Run::simple(m, Loss::LOGISTIC);
        let alone = |group: u64, company: usize| {
            let runs = vec![run.clone(); 1 + company];
            let mut engine = make(batch(labelled(37, 3), runs)).unwrap();
            engine.write(0, 0, &gaussian(m, 3)).unwrap();
            for from in (0..24).step_by(group as usize) {
                let mut steps = softmin_steps(from, group, 7);
                let each = |&e: &f64| std::iter::once(e).chain(vec![0.1; company]);
                steps.eta = steps.eta.iter().flat_map(each).collect();
                engine.advance(&steps).unwrap();
            }
            (engine.read(0, 0..m).unwrap(), engine.clock(0))
        };
        let whole = alone(24, 0);
        assert!(whole == alone(1, 0), "{name}: grouping");
        assert!(whole == alone(8, 0), "{name}: grouping");
        assert!(whole == alone(24, 2), "{name}: company");
    }
}

/// A step of size 0 leaves its run and its clock unchanged.
#[test]
fn a_step_of_zero_is_no_step() {
    for (name, make) in engines() {
        let runs = vec![Run::simple(5, Loss::SQUARE); 2];
        let mut engine = make(batch(labelled(4, 2), runs)).unwrap();
        let start = gaussian(5, 2);
        for r in 0..2 {
            engine.write(r, 0, &start).unwrap();
        }
        let steps = Steps {
            eta: vec![0.0, 0.5, 0.0, 0.5],
            evaluate: vec![true, false],
        };
        let seen = engine.advance(&steps).unwrap();
        assert_eq!(seen.len(), 1, "{name}");
        assert_eq!(engine.read(0, 0..5).unwrap(), start, "{name}");
        assert_eq!(
            (engine.clock(0).step, engine.clock(0).time),
            (0, 0.0),
            "{name}"
        );
        assert_ne!(engine.read(1, 0..5).unwrap(), start, "{name}");
        assert_eq!(
            (engine.clock(1).step, engine.clock(1).time),
            (2, 1.0),
            "{name}"
        );
    }
}

/// Σ η g over the steps, step by step.
#[test]
fn residuals_add_up() {
    for (name, make) in engines() {
        for train in [Train::Both, Train::Output] {
            let run = Run {
                train,
                norm_scaled: true,
                ..Run::simple(20, Loss::SOFTMIN)
            };
            let mut engine = make(batch(labelled(7, 3), vec![run])).unwrap();
            engine.write(0, 0, &gaussian(20, 3)).unwrap();
            let mut want = vec![0.0; 7];
            for from in 0..9 {
                let g = engine.residual(0).unwrap();
                let before = engine.clock(0).time;
                engine.advance(&softmin_steps(from, 1, 50)).unwrap();
                let eta = engine.clock(0).time - before;
                want.iter_mut().zip(&g).for_each(|(sum, g)| *sum += eta * g);
            }
            let got = engine.accumulated(0).unwrap();
            // The gpu engine rounds η and each η g to f32.
            let allowed = match engine.name() {
                "gpu" => 2.0 * 2f64.powi(-24),
                _ => 1e-14,
            };
            let near = |got: &[f64]| {
                let mut each = got.iter().zip(&want);
                each.all(|(got, want)| (got - want).abs() <= allowed * want.abs())
            };
            assert!(near(&got), "{name}: {got:?} {want:?}");
            let mut other = got.clone();
            other[3] *= 1.0 + 3.0 * allowed;
            assert!(!near(&other), "the twin passed");
        }
    }
}

/// Every vector instruction set of this machine, checked stage by stage.
#[test]
fn every_level_agrees() {
    let levels = Level::available();
    assert!(!levels.is_empty());
    for level in levels {
        let make = |batch| -> widefield::Result<Box<dyn Engine>> {
            let options = cpu::Options {
                level: Some(level),
                ..cpu::Options::default()
            };
            Ok(Box::new(Cpu::new(batch, &options)?))
        };
        for case in cases::all(StateFormat::F32) {
            for check in verify_case(&case, &make).unwrap() {
                assert!(check.passes(), "{level:?}: {check:?}");
            }
        }
    }
}

/// f is homogeneous: the same network stored with another power of two has the same trajectory.
#[test]
fn powers_of_two_do_not_show() {
    for train in [Train::Both, Train::Output, Train::Input] {
        for (name, make) in engines()
            .into_iter()
            .filter(|(name, _)| *name != "reference")
        {
            let run = Run {
                train,
                lambda: 0.125,
                norm_scaled: true,
                ..Run::simple(33, Loss::LOGISTIC)
            };
            let mut end = Vec::new();
            for e in [0, 3] {
                let mut engine = make(batch(labelled(9, 3), vec![run.clone()])).unwrap();
                let mut start = gaussian(33, 3);
                let shrink = |v: &mut f64| *v *= f64::from(-e).exp2();
                if train != Train::Input {
                    start.a.iter_mut().for_each(shrink);
                }
                if train != Train::Output {
                    start.w.iter_mut().for_each(shrink);
                }
                engine.write(0, 0, &start).unwrap();
                let clock = widefield::engine::Clock {
                    exponent: e,
                    ..Default::default()
                };
                engine.set_clock(0, clock).unwrap();
                let v = engine.velocity(0).unwrap();
                engine.advance(&softmin_steps(0, 6, 1)).unwrap();
                let now = engine.predict(Sample::Train).unwrap().swap_remove(0);
                let norms = Norms::new(&run, &now);
                end.push((v, norms, engine.clock(0).time));
            }
            assert!(end[0] == end[1], "{name}, {train:?}: {end:?}");
        }
    }
}

/// A million softmin steps on eight points of a line: norms exceed 10^16, nothing overflows f32,
/// and the best margin is within 2e-3 of γ1. On a software adapter a million steps would take
/// minutes: there the gpu engine starts from weights 2^25 times as large and takes a tenth of the
/// steps, and its margin may differ from that of the cpu engine in the same run by 2e-3 γ1.
#[test]
fn a_million_softmin_steps_stay_finite() {
    let path = common::oracle::folder().join("margin_d2a_1d_bias_n8.npz");
    let (x, shape) = common::oracle::array(&path, "X");
    let (y, _) = common::oracle::array(&path, "y");
    let gamma = common::oracle::array(&path, "gamma1_upper").0[0];
    let narrow = |v: Vec<f64>| v.iter().map(|&v| v as f32).collect::<Vec<f32>>();
    let data = Dataset {
        d: shape[1],
        x: narrow(x),
        y: narrow(y),
    };
    let (m, run) = (1000, Run::simple(1000, Loss::SOFTMIN));
    // The best margin on the way, from particles 2^(stored + exponent) times as large.
    let far = |name: &str, make: &Make, [stored, exponent]: [i32; 2], count: u64| {
        let mut engine = make(batch(data.clone(), vec![run.clone()])).unwrap();
        let mut start = gaussian(m, 2);
        let grow = |v: &mut f64| *v *= f64::from(stored).exp2();
        start.w.iter_mut().chain(&mut start.a).for_each(grow);
        engine.write(0, 0, &start).unwrap();
        let clock = widefield::engine::Clock {
            exponent,
            ..Default::default()
        };
        engine.set_clock(0, clock).unwrap();
        let mut best = BestMargins::default();
        for from in (0..count).step_by(1000) {
            for now in engine.advance(&softmin_steps(from, 1000, 50)).unwrap() {
                best.update(&run, &data, &now[0]);
            }
        }
        let now = engine.predict(Sample::Train).unwrap().swap_remove(0);
        assert!(
            now.is_finite() && now.clock.diverged.is_none(),
            "{name}: {now:?}"
        );
        assert!(
            now.clock.exponent > exponent,
            "{name}: the exponent was never used"
        );
        let norm = Norms::new(&run, &now).param_norm;
        assert!(norm > 1e16 && norm.is_finite(), "{name}: {norm:e}");
        best.best_margin_f1.unwrap()
    };
    let large = |name: &str, make: &Make| far(name, make, [15, 10], 100_000);
    let mut on_cpu = f64::NAN;
    // In f32; the reference holds f64.
    for (name, make) in engines() {
        let reached = match name {
            "reference" => continue,
            "gpu" | "gpu with short cuts" => large(name, &make),
            _ => far(name, &make, [0, 0], 1_000_000),
        };
        let wanted = match name {
            "cpu" => {
                on_cpu = large(name, &make);
                gamma
            }
            "cpu with short cuts" => gamma,
            _ => on_cpu,
        };
        assert!(
            reached <= gamma * (1.0 + 1e-6) && (reached - wanted).abs() <= 2e-3 * gamma,
            "{name}: {reached} of {wanted}"
        );
    }
}
