//! Runs the Python code of the front page and of the guide, unchanged.

mod common;

use std::process::{Command, Output};

use common::skip::{Missing, skip};
use common::test_folder::{TestFolder, text};

/// A Python with numpy, pandas and matplotlib, which tests/run.sh installs.
fn python() -> Option<String> {
    let named = std::env::var("WIDEFIELD_PYTHON").ok();
    let name = named.unwrap_or_else(|| "python3".into());
    let found = Command::new(&name)
        .args(["-c", "import numpy, pandas, matplotlib"])
        .output();
    match found {
        Ok(out) if out.status.success() => Some(name),
        _ => {
            skip(
                Missing::Python,
                "no Python with numpy, pandas and matplotlib (tests/run.sh makes one)",
            );
            None
        }
    }
}

/// The python blocks of a page.
fn blocks(page: &str) -> Vec<String> {
    let parts = page.split("```python\n").skip(1);
    parts
        .map(|part| part.split("```").next().unwrap().to_owned())
        .collect()
}

/// Runs a script in a folder, with pyplot set to draw without a display.
fn run(python: &str, place: &TestFolder, script: &str) -> Output {
    let mut command = Command::new(python);
    command.current_dir(&place.dir).env("MPLBACKEND", "Agg");
    command.args(["-c", script]).output().unwrap()
}

#[test]
fn python_reads_what_the_pages_say() {
    let Some(python) = python() else {
        return;
    };
    let place = TestFolder::new();
    place.ok("run quick --set flow.steps=2000 --engine cpu");
    place.ok("run xor --set flow.steps=2000 --engine cpu");
    place.ok("certify runs/xor");
    let front = blocks(include_str!("../README.md"));
    let blocks = blocks(include_str!("../docs/guide.md"));
    for page in [&front, &blocks] {
        let out = run(&python, &place, &page.concat());
        assert!(out.status.success(), "{}", text(&out.stderr));
        let said = text(&out.stdout);
        assert!(said.contains("network.width"), "{said}");
    }
    // The main figure stands alone, has ten lines at most, and is drawn.
    let figure = blocks
        .iter()
        .find(|block| block.contains("savefig"))
        .unwrap();
    assert!(figure.lines().count() <= 10, "{figure}");
    std::fs::remove_file(place.path("margins.png")).unwrap();
    assert!(run(&python, &place, figure).status.success());
    let drawn = std::fs::read(place.path("margins.png")).unwrap();
    assert!(drawn.starts_with(b"\x89PNG") && drawn.len() > 10_000);
    // A column that is not there is noticed.
    let wrong = figure.replace("best_margin_f1", "best_margin");
    assert!(!run(&python, &place, &wrong).status.success());
}
