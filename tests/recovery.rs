//! Folders in which something is damaged, missing or in use: how `resume` handles them. Commands
//! that fail before they begin leave folders unchanged.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::test_folder::{TestFolder, listing, text};

const SMALL: &str = "--set network.width=8 --set flow.steps=40 --set output.records=5 \
    --set output.snapshots=3 --engine cpu --no-plots --quiet";

/// A folder `a` with two short runs.
fn trained() -> TestFolder {
    let place = TestFolder::new();
    place.ok(&format!("run xor --set grid.seed=[1,2] --out a {SMALL}"));
    place
}

/// Every file below a folder, except the lock.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = listing(dir).into_iter();
    let all = all.filter(|path| path.is_file() && !path.ends_with(".lock"));
    all.map(|path| {
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    })
    .collect()
}

/// Resumes the folder `a`, and expects these texts on stderr.
fn resumed(place: &TestFolder, words: &[&str]) {
    let out = place.run("resume a --no-plots --quiet");
    let said = text(&out.stderr);
    assert!(out.status.success(), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
    if words.is_empty() {
        assert_eq!(said, "");
    }
}

#[test]
fn a_whole_folder_is_resumed_without_a_word_and_stays_what_it_is() {
    let place = trained();
    let of = |place: &TestFolder| {
        let mut all = files(&place.path("a"));
        all.retain(|path, _| path.extension().is_some_and(|e| e == "csv" || e == "npz"));
        all
    };
    let before = of(&place);
    assert_eq!(before.len(), 5);
    resumed(&place, &[]);
    assert_eq!(of(&place), before);
}

#[test]
fn a_summary_is_written_anew() {
    let place = trained();
    let whole = place.summary("a");
    for damage in ["", "{", "\u{fffd}", "{\"engine\": 3}"] {
        place.put("a/summary.json", damage);
        resumed(&place, &[]);
        assert_eq!(place.summary("a")["runs"], whole["runs"], "{damage:?}");
    }
    std::fs::remove_file(place.path("a/summary.json")).unwrap();
    place.fails(
        "report a",
        2,
        &["summary.json: is not there", "widefield resume"],
    );
    place.put("a/.seconds", "1000.5\n");
    resumed(&place, &[]);
    let seconds = place.summary("a")["wall_seconds"].as_f64().unwrap();
    assert!((1000.5..1500.0).contains(&seconds), "{seconds}");
    std::fs::remove_file(place.path("a/summary.json")).unwrap();
    std::fs::remove_file(place.path("a/.seconds")).unwrap();
    resumed(&place, &["wall_seconds begins at 0 again"]);
}

#[test]
fn rows_that_are_lost_are_named() {
    let place = trained();
    let csv = place.path("a/metrics.csv");
    let whole = std::fs::read_to_string(&csv).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let (header, first) = (lines[0], lines[1]);
    assert!(first.starts_with("0,0,"), "{first}");
    std::fs::write(&csv, whole.replacen("0,0,", "0,?,", 1)).unwrap();
    resumed(&place, &["1 of its rows cannot be read"]);
    let now = std::fs::read_to_string(&csv).unwrap();
    assert_eq!(now, whole.replacen(&format!("{first}\n"), "", 1));
    // The rows of the last steps come again.
    let lost = [
        "the rows of run 0 before step 40 are lost",
        "the rows of run 1",
    ];
    std::fs::remove_file(&csv).unwrap();
    resumed(&place, &lost);
    let now = std::fs::read_to_string(&csv).unwrap();
    let last = |run: &str| {
        lines
            .iter()
            .rfind(|line| line.starts_with(run))
            .unwrap()
            .to_string()
    };
    assert_eq!(now, [header, &last("0,"), &last("1,"), ""].join("\n"));
    std::fs::write(&csv, whole.replacen("risk_test", "risk_tess", 1)).unwrap();
    resumed(&place, &["\"risk_tess\" is not known"]);
}

#[test]
fn snapshots_that_are_lost_are_named() {
    let place = trained();
    let path = place.path("a/runs/001/snapshots.npz");
    let whole = std::fs::read(&path).unwrap();
    // A value of the second array, w.
    let magic = b"\x93NUMPY";
    let mut arrays = (0..whole.len()).filter(|&at| whole[at..].starts_with(magic));
    let mut damaged = whole.clone();
    damaged[arrays.nth(1).unwrap() + 140] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    resumed(
        &place,
        &["001/snapshots.npz: is damaged", "up to step 40 are lost"],
    );
    std::fs::remove_file(&path).unwrap();
    resumed(
        &place,
        &["001/snapshots.npz: is not there", "up to step 40 are lost"],
    );
    assert!(path.exists());
}

#[test]
fn what_fails_before_it_begins_shows_and_changes_nothing() {
    let place = trained();
    let before = files(&place.path("a"));
    for args in [
        "run xor --out a --force --set init.kind=\"file\" --set init.path=\"none.npz\" --engine cpu",
        "run xor --out a --engine cpu",
        "resume a --steps 50 --engine gpu --adapter no-such-adapter",
    ] {
        let out = place.run(args);
        let said = text(&out.stderr);
        assert!(matches!(out.status.code(), Some(1 | 2)), "{args}: {said}");
        assert_eq!(text(&out.stdout), "", "{args}");
        assert!(
            files(&place.path("a")) == before,
            "{args} changed something"
        );
    }
}

#[test]
fn two_that_begin_at_once_get_two_names() {
    let place = TestFolder::new();
    let start = || place.command(&format!("run xor {SMALL}")).spawn().unwrap();
    let mut both = [start(), start()];
    assert!(both.iter_mut().all(|child| child.wait().unwrap().success()));
    for name in ["xor", "xor-2"] {
        let steps = place.summary(&format!("runs/{name}"))["runs"][0]["steps"].clone();
        assert_eq!(steps, 40, "{name}");
    }
}

#[test]
fn a_run_whose_checkpoints_are_all_damaged_has_a_way_on() {
    let place = trained();
    let whole = files(&place.path("a/runs"));
    for path in listing(&place.path("a/runs/001")) {
        if path.extension().is_some_and(|e| e == "safetensors") {
            std::fs::write(path, "").unwrap();
        }
    }
    place.fails(
        "resume a",
        2,
        &["only damaged checkpoints", "remove a/runs/001"],
    );
    std::fs::remove_dir_all(place.path("a/runs/001")).unwrap();
    resumed(&place, &[]);
    let now = files(&place.path("a/runs"));
    let particles = |of: &BTreeMap<PathBuf, Vec<u8>>| -> Vec<Vec<u8>> {
        let npz = of
            .iter()
            .filter(|(path, _)| path.extension().is_some_and(|e| e == "npz"));
        npz.map(|(_, bytes)| bytes.clone()).collect()
    };
    assert!(particles(&now) == particles(&whole));
}
