//! A correct engine passes; a fault in any stage is detected, and the error names the stage.

use std::sync::atomic::AtomicBool;

use super::check::picks;
use super::*;
use crate::engine::reference::Reference;
use crate::engine::{Batch, ShortCuts, cpu};
use crate::experiment::{Form, load_form};
use crate::flow::faulty_engine::{FaultyEngine, PlantedFault, Silent};
use crate::flow::{StartMode, train};
use crate::model::Run;
use crate::model::{Loss, StateFormat};
use crate::store::{Checkpoint, RunFolder};
use crate::verify::cases;

/// An engine with the particles of a case in place.
fn placed(
    mut make: impl FnMut(Batch) -> Box<dyn Engine>,
    case: &cases::VerifyCase,
) -> Box<dyn Engine> {
    let mut engine = make(case.batch());
    for run in 0..case.runs.len() {
        engine.write(run, 0, &case.particles(run)).unwrap();
    }
    engine
}

fn one(loss: Loss) -> cases::VerifyCase {
    cases::VerifyCase {
        name: "one".into(),
        d: 5,
        runs: vec![cases::VerifyRun {
            n: 50,
            run: Run::simple(200, loss),
        }],
        eta: 0.1,
        state: StateFormat::F32,
    }
}

/// Checks some steps, with unchecked steps in between.
fn advance_checked(engine: &mut dyn Engine, eta: f64) -> Result<Checks> {
    let runs = engine.batch().runs.len();
    let moving_runs: Vec<RunIndices> = (0..runs)
        .map(|k| RunIndices {
            batch_index: k,
            index: k,
        })
        .collect();
    let step = Steps {
        eta: vec![eta; runs],
        evaluate: vec![false],
    };
    let mut spot = SpotCheck::new(true);
    for _ in 0..3 {
        // Resets the time spent, so that optional parts are never skipped.
        spot.spent = Duration::ZERO;
        assert!(
            spot.advance_checked(engine, &moving_runs, &step)?
                .is_empty()
        );
        spot.advance_unchecked(engine, &step)?;
        spot.spent = Duration::ZERO;
        spot.check_state(engine, &moving_runs)?;
    }
    Ok(spot.found)
}

#[test]
fn a_fault_in_any_stage_is_found_and_named() {
    let faults = [
        (
            PlantedFault::PredictSign,
            "predict gives the prediction of sample",
        ),
        (
            PlantedFault::PredictRow,
            "predict gives the prediction of sample",
        ),
        (PlantedFault::ResidualSign, "residual gives g of sample"),
        (PlantedFault::ResidualStale, "residual gives g of sample"),
        (
            PlantedFault::VelocitySign,
            "velocity gives dw_1/dt of particle",
        ),
        (
            PlantedFault::VelocityRow,
            "velocity gives dw_1/dt of particle",
        ),
        (PlantedFault::UpdateFactor, "update gives w_1 of particle"),
        (PlantedFault::UpdateRow, "update gives w_1 of particle 8 "),
    ];
    for loss in [Loss::SQUARE, Loss::LOGISTIC, Loss::SOFTMIN] {
        let case = one(loss);
        for (fault, found) in faults {
            let mut engine = placed(|batch| Box::new(FaultyEngine::new(batch, fault, 0)), &case);
            let error = advance_checked(&mut *engine, case.eta).unwrap_err();
            assert_eq!(error.exit_code(), 1);
            let text = error.to_string();
            assert!(text.contains(found), "{fault:?}: {text}");
        }
        let sound = |batch| -> Box<dyn Engine> {
            Box::new(FaultyEngine::new(batch, PlantedFault::Nothing, 0))
        };
        advance_checked(&mut *placed(sound, &case), case.eta).unwrap();
    }
}

/// Every loss, layer, scaling and decay at awkward sizes, with every method.
#[test]
fn sound_engines_raise_no_alarm() {
    let mut largest = 0.0_f64;
    for case in cases::all(StateFormat::F32) {
        for short_cuts in [ShortCuts::Never, ShortCuts::Always] {
            let options = cpu::Options {
                short_cuts,
                ..cpu::Options::default()
            };
            let make = |batch| -> Box<dyn Engine> {
                let engine = Box::new(cpu::Cpu::new(batch, &options).unwrap());
                crate::engine::methods::gram::Gram::around(engine, short_cuts)
            };
            let found = advance_checked(&mut *placed(make, &case), case.eta);
            let found = found.unwrap_or_else(|error| panic!("{}: {error}", case.name));
            assert!(found.predictions > 0 && found.particles > 0);
            largest = largest.max(found.largest_error);
        }
        let reference = |batch| -> Box<dyn Engine> { Box::new(Reference::new(batch)) };
        let found = advance_checked(&mut *placed(reference, &case), case.eta);
        found.unwrap_or_else(|error| panic!("{}: {error}", case.name));
    }
    // Worst-case bounds are far above typical errors, but not so far that everything passes.
    assert!(largest > 1e-3 && largest < 0.5, "{largest}");
}

/// For any size and round the indices are in range, and all indices are picked if the count allows it.
#[test]
fn picks_cover_what_there_is() {
    for of in [1, 2, 7, 100, 1_000_003] {
        for round in 0..5 {
            for count in [1, 4, 256] {
                let picked: Vec<usize> = picks(count, of, round).collect();
                assert_eq!(picked.len(), count.min(of));
                assert!(picked.is_sorted() && picked.iter().all(|&k| k < of));
                if count >= of {
                    assert_eq!(picked, (0..of).collect::<Vec<_>>());
                }
            }
        }
    }
    let moved = picks(4, 1_000_003, 0).zip(picks(4, 1_000_003, 1));
    assert!(moved.into_iter().all(|(a, b)| a != b));
}

/// A fault at a later step ends the training, with a checkpoint of a state before it.
#[test]
fn a_training_ends_at_a_fault_and_keeps_a_checkpoint_from_before_it() {
    let sets = [
        "flow.steps=200",
        "network.width=40",
        "output.checkpoint_seconds=0",
    ];
    let sets = sets.map(String::from);
    let grid = load_form("xor", Form::Full, &sets).unwrap();
    for (fault, on) in [
        (PlantedFault::Nothing, true),
        (PlantedFault::UpdateFactor, true),
        (PlantedFault::UpdateFactor, false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = RunFolder::plan(&dir.path().join("run"), false).unwrap();
        let mut make = |batch, _: Option<&str>| -> Result<Box<dyn Engine>> {
            Ok(Box::new(FaultyEngine::new(batch, fault, 100)))
        };
        let trained = train(
            &grid,
            &mut folder,
            StartMode::Fresh,
            on,
            &mut make,
            &mut Silent,
            &AtomicBool::new(false),
        );
        match (fault, on) {
            (PlantedFault::UpdateFactor, true) => {
                let error = trained.unwrap_err();
                assert_eq!(error.exit_code(), 1);
                assert!(error.to_string().contains("update gives"), "{error}");
                assert!(error.to_string().contains("widefield resume"), "{error}");
                let kept = Checkpoint::newest(&folder.run(0)).unwrap().unwrap();
                // Records are at most three steps apart there.
                assert!((90..=100).contains(&kept.clock.step));
            }
            (_, true) => match trained.unwrap().spot_check {
                Checked::On(found) => assert!(found.checks > 10 && found.particles > 100),
                Checked::Off => panic!("it was on"),
            },
            (_, false) => assert_eq!(trained.unwrap().spot_check, Checked::Off),
        }
    }
}
