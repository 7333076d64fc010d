//! Trainings during which the device is lost.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};

use super::faulty_engine::{FaultyEngine, PlantedFault, Silent};
use super::{StartMode, train};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::experiment::{Form, load_form};
use crate::store::{RunFolder, Summary};

/// Trains in a folder, with a device that is lost `losses` times at step 100.
fn trained(dir: &Path, losses: u32) -> Result<Summary> {
    let sets = [
        "flow.steps=200",
        "network.width=40",
        "output.checkpoint_seconds=0",
    ];
    let sets = sets.map(String::from);
    let grid = load_form("xor", Form::Full, &sets)?;
    let losses = Arc::new(AtomicU32::new(losses));
    let mut make = |batch, _: Option<&str>| -> Result<Box<dyn Engine>> {
        let mut engine = FaultyEngine::new(batch, PlantedFault::Nothing, 100);
        engine.losses = losses.clone();
        Ok(Box::new(engine))
    };
    train(
        &grid,
        &mut RunFolder::plan(dir, false)?,
        StartMode::Fresh,
        true,
        &mut make,
        &mut Silent,
        &AtomicBool::new(false),
    )
}

/// A lost device changes nothing but the time: files equal those of a training without a loss.
#[test]
fn a_training_goes_on_when_its_device_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (quantisation, lost) = (dir.path().join("whole"), dir.path().join("lost"));
    assert_eq!(trained(&quantisation, 0).unwrap().restarts, 0);
    let summary = trained(&lost, 2).unwrap();
    assert_eq!(summary.restarts, 2);
    assert_eq!(summary.runs, trained_runs(&quantisation));
    for file in ["metrics.csv", "runs/000/particles.npz"] {
        let read = |dir: &Path| std::fs::read(dir.join(file)).unwrap();
        assert!(read(&quantisation) == read(&lost), "{file}");
    }
}

fn trained_runs(dir: &Path) -> Vec<crate::store::RunSummary> {
    Summary::read(&dir.join("summary.json")).unwrap().runs
}

/// If the device is lost too often, the training ends with its checkpoints written.
#[test]
fn a_training_ends_when_its_device_is_lost_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let error = trained(&dir.path().join("run"), 4).unwrap_err();
    assert!(matches!(error, Error::Lost { .. }) && error.exit_code() == 1);
    assert!(error.to_string().contains("widefield resume"), "{error}");
}
