//! Norms of any size: powers of two go to the exponent, and runs that diverge stand still.

use widefield::engine::driver::Driver;

use super::naive::naive;
use super::*;

/// Values stored as 2^-e times the true ones give exactly the same velocity, since powers of two
/// are exact.
#[test]
fn the_exponent_changes_nothing() {
    needs_adapter!();
    let modes = [Train::Both, Train::Output, Train::Input];
    for (train, (options, d)) in modes.iter().flat_map(|&t| methods().map(|m| (t, m))) {
        let case = case(d, &[(200, 20, Loss::SOFTMIN, train)]);
        let plain = case.particles(0);
        let mut scaled = plain.clone();
        if train != Train::Input {
            scaled.a.iter_mut().for_each(|a| *a /= 8.0);
        }
        if train != Train::Output {
            scaled.w.iter_mut().for_each(|w| *w /= 8.0);
        }
        let velocity = |particles: &Particles, exponent: i32| {
            let mut engine = gpu_with(options.clone())(case.batch()).unwrap();
            engine.write(0, 0, particles).unwrap();
            let clock = Clock {
                exponent,
                ..Clock::default()
            };
            engine.set_clock(0, clock).unwrap();
            engine.velocity(0).unwrap()
        };
        assert_eq!(velocity(&plain, 0), velocity(&scaled, 3), "{train:?}");
        assert_ne!(velocity(&plain, 0), velocity(&scaled, 0), "{train:?}");
    }
}

/// For norms far beyond f32 the exponent grows; since powers of two are exact, the true state has
/// the same bits whatever the initial exponent.
#[test]
fn growing_norms_move_to_the_exponent() {
    needs_adapter!();
    let modes = [Train::Both, Train::Output, Train::Input];
    for (train, (options, _)) in modes.iter().flat_map(|&t| methods().map(|m| (t, m))) {
        let mut case = case(2, &[(50, 4, Loss::SOFTMIN, train)]);
        case.runs[0].run.lambda = 0.0;
        let mut growth = steps(1, 60, 1e7);
        growth.evaluate.fill(true);
        let truth = |exponent: i32| {
            let mut engine = gpu_with(options.clone())(case.batch()).unwrap();
            let mut start = case.particles(0);
            let unit = 2f64.powi(exponent);
            if train != Train::Input {
                start.a.iter_mut().for_each(|a| *a /= unit);
            }
            if train != Train::Output {
                start.w.iter_mut().for_each(|w| *w /= unit);
            }
            engine.write(0, 0, &start).unwrap();
            let clock = Clock {
                exponent,
                ..Clock::default()
            };
            engine.set_clock(0, clock).unwrap();
            let seen = engine.advance(&growth).unwrap();
            let clock = engine.clock(0);
            assert_eq!((clock.step, clock.diverged), (60, None), "{train:?}");
            for now in seen.iter().map(|runs| &runs[0]) {
                assert!(now.is_finite() && now.mean_a2.max(now.mean_w2) < 2f64.powi(90));
            }
            let mut end = engine.read(0, 0..50).unwrap();
            let unit = 2f64.powi(clock.exponent);
            if train != Train::Input {
                end.a.iter_mut().for_each(|a| *a *= unit);
            }
            if train != Train::Output {
                end.w.iter_mut().for_each(|w| *w *= unit);
            }
            (clock.exponent, end)
        };
        let (exponent, plain) = truth(0);
        assert!(exponent > 0, "{train:?} never grew");
        assert_eq!(plain, truth(5).1, "{train:?}");
    }
}

#[test]
fn a_run_that_diverges_stands_still_alone() {
    needs_adapter!();
    for (options, d) in methods() {
        let case = case(
            d,
            &[
                (64, 8, Loss::SQUARE, Train::Both),
                (64, 8, Loss::SQUARE, Train::Both),
            ],
        );
        let mut engine = gpu_with(options)(case.batch()).unwrap();
        start(&mut *engine, &case);
        let mut wild = steps(2, 200, 0.01);
        wild.eta.iter_mut().step_by(2).for_each(|eta| *eta = 1e12);
        let seen = engine.advance(&wild).unwrap();
        let diverged = engine.clock(0).diverged.unwrap();
        assert!(diverged < 50 && engine.clock(0).step == diverged);
        assert_eq!(engine.clock(1).diverged, None);
        assert_eq!(engine.clock(1).step, 200);
        for now in &seen {
            assert_eq!(now[0].clock.diverged.is_some(), !now[0].is_finite());
            assert!(now[1].is_finite());
        }
    }
}

/// Steps that are scaled by the norm of a, which trains alone, leave the range of f32 with it.
#[test]
fn steps_may_outgrow_single_precision() {
    needs_adapter!();
    let mut case = case(3, &[(40, 20, Loss::SOFTMIN, Train::Output)]);
    case.runs[0].run.lambda = 0.0;
    case.runs[0].run.norm_scaled = true;
    let growth = steps(1, 60, 16.0);
    let truth = |engine: &mut dyn Engine| {
        start(engine, &case);
        engine.advance(&growth).unwrap();
        let now = engine.predict(Sample::Train).unwrap().swap_remove(0);
        let norm = now.mean_a2.sqrt() * 2f64.powi(now.clock.exponent);
        let steps: f64 = engine.accumulated(0).unwrap().iter().map(|g| g.abs()).sum();
        assert_eq!((now.clock.step, now.clock.diverged), (60, None));
        [now.clock.time, norm, steps]
    };
    let want = truth(&mut *reference(case.batch()).unwrap());
    assert!(want.iter().all(|v| *v > 1e40 && v.is_finite()), "{want:?}");
    let driver = |engine| Driver::new(vec![engine]).unwrap().without_fast_path();
    for options in [Options::default(), naive()] {
        let make = gpu_with(options);
        let mut engine = make(case.batch()).unwrap();
        let mut driven = driver(make(case.batch()).unwrap());
        for got in [truth(&mut *engine), truth(&mut driven)] {
            for (got, want) in got.iter().zip(want) {
                assert!((got / want - 1.0).abs() < 1e-3, "{got:e} {want:e}");
            }
        }
    }
}
