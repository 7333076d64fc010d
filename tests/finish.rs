//! Details of the command line: completions, manual pages, colours, the last line.

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use common::test_folder::{TestFolder, listing, text};

#[test]
fn completions_are_scripts_of_their_shells() {
    let place = TestFolder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.ok(&format!("completions {shell}"));
        assert!(script.contains("certify"), "{shell}: {script}");
    }
    let script = place.ok("completions bash");
    let child = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
    place.refuses("completions tcsh", &["tcsh", "bash"]);
}

#[test]
fn manual_pages_go_to_a_folder_or_to_standard_output() {
    let place = TestFolder::new();
    let page = place.ok("man run");
    assert!(page.contains(".TH widefield-run 1"), "{page}");
    place.refuses("man rn", &["rn: is not a command", "run, resume"]);
    let out = place.run("man --out pages");
    assert_eq!(text(&out.stderr).lines().last(), Some("results in pages"));
    assert!(out.status.success() && out.stdout.is_empty());
    let pages = listing(&place.path("pages"));
    assert!(
        pages.iter().any(|p| p.ends_with("widefield.1")),
        "{pages:?}"
    );
    assert!(
        pages.iter().any(|p| p.ends_with("widefield-certify.1")),
        "{pages:?}"
    );
    assert!(
        !pages.iter().any(|p| p.ends_with("widefield-help.1")),
        "{pages:?}"
    );
}

/// The output of a failing command and of help, under these environment variables.
fn said(place: &TestFolder, variables: &[(&str, &str)]) -> String {
    let mut both = String::new();
    for args in ["show no-such-experiment", "run --help"] {
        let mut command = place.command(args);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        let out = command.envs(variables.iter().copied()).output().unwrap();
        both += &text(&out.stdout);
        both += &text(&out.stderr);
    }
    both
}

#[test]
fn colours_are_for_terminals() {
    let place = TestFolder::new();
    let plain = said(&place, &[]);
    assert!(
        plain.contains("error: ") && plain.contains("\nExamples:\n"),
        "{plain}"
    );
    assert!(!plain.contains('\x1b'), "{plain:?}");
    let coloured = said(&place, &[("CLICOLOR_FORCE", "1")]);
    assert!(coloured.contains("\x1b[31merror:"), "{coloured:?}");
    assert_ne!(coloured, plain);
    assert_eq!(
        said(&place, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]),
        plain
    );
}

#[test]
fn the_last_line_says_where_the_results_are() {
    let place = TestFolder::new();
    let last = |args: &str, wanted: &str| {
        let out = place.run(args);
        assert!(out.status.success(), "{args}: {}", text(&out.stderr));
        let said = text(&out.stderr);
        let line = said.lines().last().unwrap_or("");
        assert!(line.contains(wanted), "{args}: {said}");
    };
    place.put("new.csv", "x0,x1\n1,-1\n");
    last(
        "run xor --set flow.steps=500 --out a --engine cpu",
        "results in a",
    );
    last("resume a --steps 600", "results in a");
    last("certify a", "results in a/certificate.json");
    last("certify a --json", "results in a/certificate.json");
    last("certify a --polish", "polished.npz");
    last("predict a --data new.csv --out f.npy", "results in f.npy");
}
