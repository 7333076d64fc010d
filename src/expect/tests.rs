//! Verdicts on small tables of numbers.

use std::collections::BTreeSet;

use super::*;
use crate::experiment::{Grid, QUANTITIES, load};
use crate::store::{LastRow, RunSummary};

/// Widths 2, 4, 8 with two seeds each.
const GRID: &str = r#"
data.source = "xor"
network.width = 2
risk.loss = "softmin"
flow.steps = 1
flow.step = 0.5
[grid]
"network.width" = [2, 4, 8]
"init.seed" = [1, 2]
"#;

fn grid(check: &str) -> Grid {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("e.toml");
    std::fs::write(&path, format!("{GRID}[expect.\"a claim\"]\n{check}")).unwrap();
    load(path.to_str().unwrap(), &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// The verdict on one check, for these values of `risk` by run.
fn verdict(check: &str, risk: &[Option<f64>]) -> Verdict {
    let of_run = |risk: &Option<f64>| {
        risk.map(|risk| ("risk".to_owned(), risk))
            .into_iter()
            .collect()
    };
    let measured = Measured(risk.iter().map(of_run).collect());
    judge(&grid(check), &measured).swap_remove(0)
}

fn passes(check: &str, risk: [f64; 6]) -> bool {
    verdict(check, &risk.map(Some)).passed
}

/// Values near 1/m, which scatter between seeds.
const RISK: [f64; 6] = [0.6, 0.4, 0.3, 0.2, 0.15, 0.1];

#[test]
fn bounds_hold_on_both_sides() {
    let check = |bounds: &str| {
        passes(
            &format!("value = \"risk\"\nof = {{ \"network.width\" = 4 }}\n{bounds}"),
            RISK,
        )
    };
    assert!(check("at_least = 0.25"));
    assert!(check("at_most = 0.25"));
    assert!(check("at_least = 0.2\nat_most = 0.3"));
    assert!(!check("at_least = 0.251"));
    assert!(!check("at_most = 0.249"));
}

#[test]
fn several_runs_are_one_value() {
    let of = |over: &str| {
        let check = format!(
            "value = \"risk\"\nover = \"{over}\"\nof = {{ \"network.width\" = [4, 8] }}\nat_least = 0"
        );
        verdict(&check, &RISK.map(Some)).measured
    };
    assert_eq!(of("mean"), Some(0.1875));
    assert_eq!(of("max"), Some(0.3));
    assert_eq!(of("min"), Some(0.1));
}

#[test]
fn other_runs_are_the_unit() {
    let check = |bound: &str| {
        let text = format!(
            "value = \"risk\"\nof = {{ \"network.width\" = 2 }}\nthan = {{ \"network.width\" = 8 }}\n{bound}"
        );
        verdict(&text, &RISK.map(Some))
    };
    let found = check("at_least = 3.9");
    assert!(found.passed);
    assert_eq!(found.measured, Some(0.5));
    assert_eq!(
        found.allowed,
        "≥ 3.9 × 0.1250 = 0.4875; risk (network.width = 8)"
    );
    assert!(!check("at_least = 4.1").passed);
    assert!(!check("at_most = 3.9").passed);
}

/// 1.1 times a value is a bound a little above it, whatever its sign; 0.9 times is a little below.
#[test]
fn multiples_of_negative_values_keep_their_side() {
    let check = |unit: f64, value: f64, bounds: &str| {
        let text = format!(
            "value = \"risk\"\nof = {{ \"network.width\" = 2 }}\nthan = {{ \"network.width\" = 8 }}\n{bounds}"
        );
        let risk = [value, value, 0.0, 0.0, unit, unit];
        verdict(&text, &risk.map(Some))
    };
    for unit in [2.0, -2.0] {
        let passes = |value: f64, bounds: &str| check(unit, value, bounds).passed;
        let band = "at_least = 0.9\nat_most = 1.1";
        assert!(passes(unit, band), "{unit}");
        assert!(passes(unit + 0.19, band) && passes(unit - 0.19, band));
        assert!(!passes(unit + 0.21, band) && !passes(unit - 0.21, band));
        // The difference is measured relative to the size of the value.
        assert!(passes(unit + 2.1, "at_least = 2") && !passes(unit + 1.9, "at_least = 2"));
        assert!(passes(unit - 1.1, "at_most = 0.5") && !passes(unit - 0.9, "at_most = 0.5"));
    }
    let found = check(-2.0, 5.0, "at_least = 1.5");
    assert_eq!(
        found.allowed,
        "≥ -2.000 + (1.5 − 1) × 2.000 = -1.000; risk (network.width = 8)"
    );
}

/// A claim about runs that the grid does not have neither passes nor fails.
#[test]
fn runs_that_are_not_there_are_not_judged() {
    for (check, why) in [
        (
            "value = \"risk\"\nof = { \"network.width\" = 16 }\nat_most = 1e300",
            "no run has network.width = 16",
        ),
        (
            "value = \"risk\"\nthan = { \"network.width\" = 16 }\nat_most = 1e300",
            "no run has network.width = 16",
        ),
        (
            "value = \"risk\"\nslope = \"network.width\"\nof = { \"network.width\" = 2 }\nat_most = 9",
            "no slope: the runs with network.width = 2 do not have two values of network.width",
        ),
        (
            "value = \"risk\"\nslope = \"network.width\"\nof = { \"network.width\" = 16 }\nat_most = 9",
            "no slope: the runs with network.width = 16 do not have two values of network.width",
        ),
    ] {
        let found = verdict(check, &RISK.map(Some));
        assert!(
            !found.judged && !found.passed && !found.failed(),
            "{found:?}"
        );
        assert_eq!(found.allowed, why);
    }
    let found = verdict("value = \"risk\"\nat_most = 0", &RISK.map(Some));
    assert!(found.judged && found.failed(), "{found:?}");
    // If the runs exist but have no value, the claim fails.
    let found = verdict("value = \"risk\"\nat_most = 1", &[None; 6]);
    assert!(found.judged && found.failed(), "{found:?}");
}

#[test]
fn verdicts_of_earlier_versions_are_read() {
    let old = r#"{"claim": "c", "quantity": "risk", "passed": false, "measured": null, "allowed": "≤ 1"}"#;
    let old: Verdict = serde_json::from_str(old).unwrap();
    assert!(old.judged && old.failed());
}

#[test]
fn slopes_are_those_of_logarithms() {
    let check = |bounds: &str| {
        let text = format!("value = \"risk\"\nslope = \"network.width\"\n{bounds}");
        verdict(&text, &RISK.map(Some))
    };
    let found = check("at_least = -1.001\nat_most = -0.999");
    assert!(
        found.passed && (found.measured.unwrap() + 1.0).abs() <= 1e-12,
        "{found:?}"
    );
    assert!(!check("at_least = -0.9").passed);
    let flat = verdict(
        "value = \"risk\"\nslope = \"network.width\"\nof = { \"network.width\" = 2 }\nat_most = 9",
        &RISK.map(Some),
    );
    assert!(
        !flat.passed && flat.measured.is_none(),
        "one width has no slope: {flat:?}"
    );
}

/// A missing value never passes, whatever the bounds.
#[test]
fn what_is_missing_never_passes() {
    let checks = [
        "value = \"risk\"\nat_least = -1e300",
        "value = \"risk\"\nat_most = 1e300",
        "value = \"risk\"\nover = \"max\"\nat_most = 1e300",
        "value = \"risk\"\nslope = \"network.width\"\nat_most = 1e300",
        "value = \"risk\"\nof = { \"network.width\" = 8 }\nthan = { \"network.width\" = 2 }\nat_most = 1e300",
    ];
    for check in checks {
        assert!(passes(check, RISK), "{check}");
        for wrong in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            let mut risk = RISK.map(Some);
            risk[1] = wrong;
            let found = verdict(check, &risk);
            assert!(!found.passed, "{check}: {found:?}");
            assert!(
                found.allowed.contains("risk of run 1 is not defined"),
                "{found:?}"
            );
        }
        assert!(!verdict(check, &[]).passed, "{check}: no runs");
    }
    let nowhere = "value = \"risk\"\nof = { \"network.width\" = 16 }\nat_most = 1";
    let found = verdict(nowhere, &RISK.map(Some));
    assert!(!found.passed && found.measured.is_none());
    assert_eq!(found.allowed, "no run has network.width = 16");
    assert!(!passes("value = \"objective\"\nat_most = 1", RISK));
}

/// Allowed quantities are exactly the columns of a summary: another name could never pass, and a
/// column that is not allowed could never be checked.
#[test]
fn quantities_are_the_columns_of_a_summary() {
    let run = RunSummary {
        run: 0,
        parameters: Default::default(),
        steps: 0,
        method: String::new(),
        kernels: None,
        last: LastRow::default(),
        atoms: None,
        best: Default::default(),
        diverged_at: None,
        stopped_by: None,
    };
    let columns = serde_json::to_value(run).unwrap();
    // Columns that describe a run and its end, not its results.
    let others = [
        "run",
        "parameters",
        "steps",
        "method",
        "kernels",
        "time",
        "best_step",
        "diverged_at",
        "stopped_by",
    ];
    let columns = columns.as_object().unwrap().keys().map(String::as_str);
    let columns: BTreeSet<&str> = columns.filter(|name| !others.contains(name)).collect();
    let known = QUANTITIES
        .iter()
        .copied()
        .filter(|name| !name.contains('.'));
    assert_eq!(known.collect::<BTreeSet<&str>>(), columns);
}
