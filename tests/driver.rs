//! The driver, which takes steps from sums over particles: one engine, and several engines that
//! share the particles, give the same steps as an engine alone.

mod common;

use std::collections::BTreeSet;

use common::{Make, engines};
use widefield::engine::driver::Driver;
use widefield::engine::{Batch, Engine, Sample, Steps};
use widefield::error::Result;
use widefield::model::{StateFormat, Train};
use widefield::verify::cases::{self, VerifyCase};
use widefield::verify::{verdict, verify_case};

/// The results of a run: particles, clock, Σ η g and the evaluations, with numbers as their bits.
type Trace = (Vec<u64>, Vec<u64>, String, Vec<u64>, String);

/// Takes the steps of a case on an engine, from particles multiplied by `size`; returns the results
/// of each run.
fn traces(engine: &mut dyn Engine, case: &VerifyCase, size: f64) -> Vec<Trace> {
    let runs = case.runs.len();
    for r in 0..runs {
        let mut p = case.particles(r);
        p.w.iter_mut().chain(&mut p.a).for_each(|v| *v *= size);
        engine.write(r, 0, &p).unwrap();
    }
    let mut steps = Steps::default();
    for k in 0..5 {
        // Some runs have a step of size 0, which the engine skips.
        let eta = (0..runs).map(|r| {
            if (k + r) % 4 == 3 {
                0.0
            } else {
                case.eta / 64.0
            }
        });
        steps.eta.extend(eta);
        steps.evaluate.push(k % 2 == 0);
    }
    let evaluations = engine.advance(&steps).unwrap();
    let of_run = |r: usize| {
        let p = engine.read(r, 0..case.runs[r].run.m).unwrap();
        let seen: Vec<_> = evaluations.iter().map(|e| &e[r]).collect();
        let clock = format!("{:?}", engine.clock(r));
        let sum = engine.accumulated(r).unwrap();
        let bits = |v: Vec<f64>| v.into_iter().map(f64::to_bits).collect();
        (bits(p.w), bits(p.a), clock, bits(sum), format!("{seen:?}"))
    };
    (0..runs).map(of_run).collect()
}

fn driven(make: &Make, batch: Batch) -> Result<Box<dyn Engine>> {
    let driver = Driver::new(vec![make(batch)?])?;
    Ok(Box::new(driver.without_fast_path()))
}

fn small() -> impl Iterator<Item = VerifyCase> {
    cases::all(StateFormat::F32)
        .into_iter()
        .filter(|case| case.d < 64)
}

/// A factor that makes the mean square of the weights exceed what engines store, so that they
/// rescale at once.
const LARGE: f64 = 262_144.0;

/// On the cpu both paths give the same bits for every method, also where weights are rescaled and
/// where runs diverge. Output-only runs by the Gram matrix with norm-scaled steps are left out: an
/// engine alone computes the norm from the matrix, the driver from the stored a.
#[test]
fn both_paths_have_the_same_bits() {
    let (mut methods, mut rescaled) = (BTreeSet::new(), BTreeSet::new());
    let engines = engines();
    for (name, make) in engines.iter().filter(|(name, _)| !name.starts_with("gpu")) {
        for (case, size) in small().flat_map(|case| [(case.clone(), 1.0), (case, LARGE)]) {
            let mut alone = make(case.batch()).unwrap();
            let mut driven = driven(make, case.batch()).unwrap();
            let want = traces(&mut *alone, &case, size);
            let got = traces(&mut *driven, &case, size);
            for (r, (want, got)) in want.iter().zip(&got).enumerate() {
                methods.insert(alone.method(r));
                if alone.clock(r).exponent != 0 {
                    rescaled.insert(*name);
                }
                let run = &case.runs[r].run;
                if !(alone.method(r) == "gram" && run.norm_scaled) {
                    assert!(want == got, "{name}, {}, run {r}, {size}", case.name);
                }
            }
        }
    }
    let all = ["arcs", "cells", "direct", "gram"];
    assert_eq!(methods, BTreeSet::from(all), "every method is met");
    assert_eq!(rescaled, BTreeSet::from(["cpu", "cpu with short cuts"]));
}

/// Every engine takes steps from g and scalars of the host, within the tolerances of `verify`.
#[test]
fn driven_steps_are_within_rounding() {
    for (name, make) in engines() {
        for case in cases::all(StateFormat::F32) {
            let checks = verify_case(&case, &|batch| driven(&make, batch)).unwrap();
            verdict(&checks).unwrap_or_else(|error| panic!("{name}, {}: {error}", case.name));
        }
    }
}

/// Engines for the parts of a batch.
fn parts(make: &Make, batch: &Batch, count: usize) -> Vec<Box<dyn Engine>> {
    (0..count)
        .map(|k| make(batch.part(k, count)).unwrap())
        .collect()
}

/// The same cases, without runs that have fewer particles than there are parts.
fn shared(count: usize) -> impl Iterator<Item = VerifyCase> {
    let cases = cases::all(StateFormat::F32).into_iter();
    cases.filter(|case| case.d < 200).map(move |mut case| {
        case.runs.retain(|run| run.run.m >= count);
        // Data sets are numbered by run.
        for (r, run) in case.runs.iter_mut().enumerate() {
            run.run.train_set = r;
        }
        case
    })
}

#[test]
fn engines_that_share_particles_act_as_one() {
    for (name, make) in engines() {
        for case in shared(3) {
            let join = |batch: Batch| -> Result<Box<dyn Engine>> {
                Ok(Box::new(Driver::new(parts(&make, &batch, 3))?))
            };
            let checks = verify_case(&case, &join).unwrap();
            verdict(&checks).unwrap_or_else(|error| panic!("{name}, {}: {error}", case.name));
        }
    }
}

/// The sabotage twin: the sums of one part alone differ from the full ones, and no step can be
/// taken from them.
#[test]
fn a_missing_share_is_seen() {
    let (_, make) = &engines()[1];
    let case = shared(2).find(|case| case.d == 3).unwrap();
    let batch = case.batch();
    let mut both = Driver::new(parts(make, &batch, 2)).unwrap();
    let mut first = make(batch.part(0, 2)).unwrap();
    for r in 0..case.runs.len() {
        let p = case.particles(r);
        both.write(r, 0, &p).unwrap();
        let held = batch.part(0, 2).runs[r].held();
        first.write(r, held.start, &p.range(held)).unwrap();
    }
    let (whole, part) = (
        both.predict(Sample::Train).unwrap(),
        first.predict(Sample::Train).unwrap(),
    );
    assert!(
        whole
            .iter()
            .zip(&part)
            .all(|(whole, part)| whole.f != part.f)
    );
    // A part alone has no residual, and takes no steps.
    let step = Steps {
        eta: vec![0.5; case.runs.len()],
        evaluate: vec![false],
    };
    for refused in [
        first.residual(0).map(|_| ()),
        first.advance(&step).map(|_| ()),
    ] {
        let message = refused.unwrap_err().to_string();
        assert!(
            message.contains("sums of the others are missing"),
            "{message}"
        );
    }
    let parts = vec![
        make(batch.part(0, 2)).unwrap(),
        make(batch.part(0, 2)).unwrap(),
    ];
    let message = Driver::new(parts).err().unwrap().to_string();
    assert!(message.contains("no engine holds particle"), "{message}");
}

#[test]
fn steps_are_given_for_every_run() {
    let case = shared(3).find(|case| case.d == 3).unwrap();
    let runs = case.runs.len();
    let steps = Steps {
        eta: vec![0.5; runs - 1],
        evaluate: vec![true],
    };
    for (name, make) in engines() {
        let joined = Driver::new(parts(&make, &case.batch(), 3)).unwrap();
        let engines: [Box<dyn Engine>; 2] = [make(case.batch()).unwrap(), Box::new(joined)];
        for mut engine in engines {
            let message = engine.advance(&steps).unwrap_err().to_string();
            let wanted = format!("{} step sizes for 1 steps of {runs} runs", runs - 1);
            assert!(message.contains(&wanted), "{name}: {message}");
        }
    }
}

/// The values that a checkpoint keeps of an output-only run are written to the parts and read back
/// unchanged.
#[test]
fn parts_hand_their_state_back() {
    let engines = engines();
    let (_, make) = engines
        .iter()
        .find(|(name, _)| *name == "cpu with short cuts")
        .unwrap();
    let case = shared(2).find(|case| case.d == 3).unwrap();
    let mut driver = Driver::new(parts(make, &case.batch(), 2)).unwrap();
    let before = traces(&mut driver, &case, 1.0);
    let mut again = Driver::new(parts(make, &case.batch(), 2)).unwrap();
    for (r, (_, a, ..)) in before.iter().enumerate() {
        let m = case.runs[r].run.m;
        again.write(r, 0, &driver.read(r, 0..m).unwrap()).unwrap();
        again.set_clock(r, driver.clock(r)).unwrap();
        again
            .set_accumulated(r, driver.accumulated(r).unwrap())
            .unwrap();
        let kept = driver.dual_state(r);
        assert_eq!(kept.is_some(), case.runs[r].run.train == Train::Output);
        if let Some(kept) = kept {
            again.set_dual_state(r, kept).unwrap();
        }
        let bits = |v: Vec<f64>| v.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        assert_eq!(&bits(again.read(r, 0..m).unwrap().a), a);
    }
    let steps = Steps {
        eta: vec![case.eta / 64.0; case.runs.len()],
        evaluate: vec![false],
    };
    driver.advance(&steps).unwrap();
    again.advance(&steps).unwrap();
    for r in 0..case.runs.len() {
        let m = case.runs[r].run.m;
        assert_eq!(driver.read(r, 0..m).unwrap(), again.read(r, 0..m).unwrap());
    }
}
