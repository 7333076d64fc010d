//! Every stage of every engine against the reference, each check with its sabotage twin.

mod common;

use common::{engines, reference};
use widefield::model::StateFormat;
use widefield::verify::{verdict, verify};

#[test]
fn the_reference_agrees_with_itself_and_catches_sabotage() {
    let checks = verify(&reference, StateFormat::F32).unwrap();
    assert!(checks.iter().all(|c| c.passes()));
    verdict(&checks).unwrap();
}

#[test]
fn every_stage_agrees() {
    for (name, make) in engines() {
        let checks = verify(&*make, StateFormat::F32).unwrap();
        for check in &checks {
            assert!(check.worst.passes(), "{name}: {check:?}");
            assert!(check.twin_caught, "{name}: the twin passed: {check:?}");
        }
    }
}
