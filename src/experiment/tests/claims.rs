//! `[expect]` and `[quick]`.

use super::*;

const CLAIM: &str = r#"
[grid]
"network.width" = [8, 16]
[expect."error 3.5: \"low\""]
value = "error_train"
of = { "network.width" = [8, 16], "init.scale_w" = 1 }
over = "max"
than = { "network.width" = 8, value = "error_test" }
at_most = 2
[expect.b]
value = "compare.variance"
slope = "network.width"
at_least = -1.1
at_most = -0.9
"#;

fn with_claims(sets: &[&str]) -> Grid {
    load_text(&format!("{SMALL}{CLAIM}"), sets).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn claims_are_read_in_order_and_written_back() {
    let grid = with_claims(&[]);
    let [first, second] = grid.expect.as_slice() else {
        panic!("{:?}", grid.expect)
    };
    assert_eq!(first.claim, "error 3.5: \"low\"");
    assert_eq!(
        (first.quantity.as_str(), first.over),
        ("error_train", Over::Max)
    );
    assert_eq!((first.at_least, first.at_most), (None, Some(2.0)));
    let other = first.than.as_ref().unwrap();
    assert_eq!(other.quantity, "error_test");
    let matching = |filter: &Filter| -> Vec<usize> {
        let runs = grid.runs.iter().filter(|run| filter.matches(run));
        runs.map(|run| run.experiment.network.width).collect()
    };
    // 1 is the default of init.scale_w, and the same as 1.0.
    assert_eq!(matching(&first.of), [8, 16]);
    assert_eq!(matching(&first.others(other)), [8]);
    assert_eq!(second.slope, Some("network.width"));
    assert_round_trip(&grid);
}

#[test]
fn overrides_change_a_claim_and_keep_its_place() {
    let grid = with_claims(&["expect.\"error 3.5: \\\"low\\\"\".at_most=7"]);
    assert_eq!(grid.expect[0].at_most, Some(7.0));
    assert_eq!(grid.expect[0].quantity, "error_train");
}

#[test]
fn claims_must_say_what_is_measured_and_allowed() {
    for (check, parts) in [
        (
            "value = \"risk\"\nat_mots = 1",
            &[
                "exp.toml:9: expect.\"c\".at_mots: is not a key of a check",
                "did you mean at_most?",
            ][..],
        ),
        (
            "value = \"rsik\"\nat_most = 1",
            &[
                "8: expect.\"c\".value: found a string, \"rsik\"",
                "did you mean risk?",
            ],
        ),
        ("at_most = 1", &["7: expect.\"c\": has no value"]),
        ("value = \"risk\"", &["7: expect.\"c\": has no bound"]),
        ("value = \"risk\"\nat_most = nan", &["has no bound"]),
        (
            "value = \"risk\"\nat_most = 1\nat_least = 2",
            &["can never hold"],
        ),
        (
            "value = \"risk\"\nat_most = \"x\"",
            &["9: expect.\"c\".at_most: found a string"],
        ),
        (
            "value = \"risk\"\nat_most = 1\nof = 3",
            &["of: found an integer, 3", "network.width"],
        ),
        (
            "value = \"risk\"\nat_most = 1\nof = { \"network.widht\" = 3 }",
            &[
                "network.widht is not a key of an experiment",
                "did you mean network.width?",
            ],
        ),
        (
            "value = \"risk\"\nat_most = 1\nof = { \"network.width\" = \"x\" }",
            &["found a string, \"x\""],
        ),
        (
            "value = \"risk\"\nat_most = 1\nslope = \"width\"",
            &["slope: found a string", "a key of the grid"],
        ),
        (
            "value = \"risk\"\nat_most = 1\nslope = \"seed\"\nthan = { seed = 1 }",
            &["has both slope and than"],
        ),
        (
            "value = \"risk\"\nat_most = 1\nover = \"median\"",
            &["over: found a string", "\"mean\", \"max\", \"min\""],
        ),
    ] {
        let text = format!("{SMALL}[expect.c]\n{check}");
        let error = load_text(&text, &[]).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{check}: no {part:?} in\n{error}");
        }
    }
    for (text, part) in [
        ("expect = 3", "7: expect: is a section"),
        ("expect.c = 3", "7: expect.\"c\": is no check"),
        (
            "expect.\"a\\nb\".value = \"risk\"",
            "is more than a line of text",
        ),
    ] {
        let error = load_text(&format!("{SMALL}{text}"), &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

fn load_quick(text: &str, sets: &[&str]) -> Result<Grid> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("exp.toml");
    fs::write(&path, text).unwrap();
    let sets: Vec<_> = sets.iter().map(|set| set.to_string()).collect();
    load_form(path.to_str().unwrap(), Form::Quick, &sets)
}

#[test]
fn the_quick_form_overrides_any_key() {
    let text = format!(
        "{SMALL}{CLAIM}[quick]\nflow.steps = 3\n\"data.n\" = 5\n[quick.grid]\n\"network.width\" = [2]\n[quick.expect.b]\nat_most = -0.5\n"
    );
    let full = load_text(&text, &[]).unwrap();
    assert_eq!(full, with_claims(&[]));
    let quick = load_quick(&text, &[]).unwrap();
    assert_eq!(widths(&quick), [2]);
    let e = &quick.runs[0].experiment;
    assert_eq!((e.flow.steps, e.data.n), (3, Some(5)));
    assert_eq!(
        (quick.expect[1].at_least, quick.expect[1].at_most),
        (Some(-1.1), Some(-0.5))
    );
    assert_round_trip(&quick);
    // --set overrides both.
    assert_eq!(
        widths(&load_quick(&text, &["network.width=7"]).unwrap()),
        [7]
    );
}

#[test]
fn mistakes_of_the_quick_form_have_their_place() {
    let error = |text: &str| {
        load_quick(&format!("{SMALL}{text}"), &[])
            .unwrap_err()
            .to_string()
    };
    assert!(error("").contains("exp.toml: has no quick form"));
    assert!(error("[quick]\nflow.stps = 3").contains("exp.toml:8: quick.flow.stps: is not a key"));
    assert!(
        error("[quick]\nflow.steps = \"x\"")
            .contains("exp.toml:8: quick.flow.steps: found a string")
    );
    assert!(error("quick = 3").contains("exp.toml:7: quick: is a section"));
    // An unknown key in [quick] is reported in the full form too.
    let full = load_text(&format!("{SMALL}[quick]\nflow.stps = 3"), &[]);
    assert!(full.unwrap_err().to_string().contains("quick.flow.stps"));
}
