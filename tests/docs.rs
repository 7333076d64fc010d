//! The documentation matches the program: every file, column and array that it writes is on
//! docs/files.md, and links are valid.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::test_folder::{TestFolder, listing};
use serde_json::Value;

const FILES: &str = include_str!("../docs/files.md");

/// The texts of a page between backticks.
fn spans(page: &str) -> BTreeSet<&str> {
    let lines = page.lines();
    lines
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect()
}

/// Whether the page contains this name, alone or inside a `{…}` or a list.
fn is_named(name: &str) -> bool {
    spans(FILES).contains(name)
}

/// A run folder with everything that commands write: a certified and compared grid on data from a
/// file, and an output-only run.
fn written() -> TestFolder {
    let place = TestFolder::new();
    place.put("data.csv", "u,v,label\n1,1,1\n-1,-1,1\n1,-1,-1\n-1,1,-1\n");
    place.put(
        "e.toml",
        r#"
        data = { source = "file", path = "data.csv", target = "label", standardize = true }
        network.width = 8
        risk.loss = "softmin"
        flow = { steps = 60, step = 0.5 }
        output = { records = 5, snapshots = 3 }
        grid = { network.width = [8, 16], init.seed = [1, 2] }
        expect."margins are above 0".value = "margin_f1"
        expect."margins are above 0".at_least = -1.0
        "#,
    );
    place.ok("run e.toml --out a --engine cpu");
    place.ok("run e.toml --out b --engine cpu --set network.train=output --no-plots");
    place.ok("certify a --polish");
    place.ok("certify b");
    place.ok("compare a");
    place.ok("compare a b");
    place.ok("movie a");
    place
}

/// The name of a file as the page writes it.
fn on_the_page(path: &Path) -> String {
    let name = path.to_str().unwrap();
    let name = match name.strip_prefix("runs/") {
        // runs/000/particles.npz
        Some(below) => below.split_once('/').map_or("runs/KKK/", |(_, file)| file),
        None => name,
    };
    let digest = |name: &str| name.len() > 8 && name[..8].bytes().all(|b| b.is_ascii_hexdigit());
    match name {
        _ if name.starts_with("checkpoint-") => "checkpoint-STEP.safetensors".into(),
        _ if name.strip_prefix("data/").is_some_and(digest) => "data/DIGEST-NAME".into(),
        "compare-with-a.csv" | "compare-with-b.csv" => "compare-with-NAME.csv".into(),
        "compare-with-a.json" | "compare-with-b.json" => "compare-with-NAME.json".into(),
        "figures/movie.gif" | "figures/movie.apng" | "figures/movie.mp4" => name.into(),
        _ => match name
            .strip_prefix("figures/")
            .and_then(|f| f.split_once('.'))
        {
            Some((_, ending)) => format!("figures/NAME.{ending}"),
            None => name.into(),
        },
    }
}

/// Every key of a JSON value, except those of the grid, which belong to the experiment.
fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| keys(value, into)),
        Value::Object(all) => {
            for (key, value) in all {
                into.insert(key.clone());
                if key != "parameters" && key != "experiment" {
                    keys(value, into);
                }
            }
        }
        _ => {}
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The header of a checkpoint, whose first bytes give its length.
fn header(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap();
    let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    serde_json::from_slice(&bytes[8..8 + size]).unwrap()
}

#[test]
fn what_is_written_is_on_the_page() {
    let place = written();
    let mut seen = BTreeSet::new();
    let mut named = BTreeSet::new();
    for dir in [place.path("a"), place.path("b")] {
        for path in listing(&dir).iter().filter(|path| path.is_file()) {
            seen.insert(on_the_page(path.strip_prefix(&dir).unwrap()));
            let name = path.file_name().unwrap().to_str().unwrap();
            let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
            if ending == "json" || [".engine", ".lock"].contains(&name) {
                keys(&json(path), &mut named);
            } else if ending == "csv" {
                let text = std::fs::read_to_string(path).unwrap();
                if !path.starts_with(dir.join("data")) {
                    let header = text.lines().next().unwrap();
                    named.extend(header.split(',').map(str::to_owned));
                }
            } else if ending == "npz" {
                let file = std::fs::File::open(path).unwrap();
                let arrays = zip::ZipArchive::new(file).unwrap();
                let arrays = arrays.file_names().map(Result::unwrap);
                named.extend(arrays.map(|name| name.trim_end_matches(".npy").to_owned()));
            } else if ending == "safetensors" {
                let mut header = header(path);
                let metadata = header["__metadata__"].take();
                let label = serde_json::from_str(metadata["label"].as_str().unwrap()).unwrap();
                named.extend(header.as_object().unwrap().keys().cloned());
                named.extend(metadata.as_object().unwrap().keys().cloned());
                let Value::Object(label) = label else {
                    panic!("{label}")
                };
                named.extend(label.keys().cloned());
            }
        }
    }
    for file in seen.iter().chain(&named) {
        assert!(is_named(file), "docs/files.md does not name `{file}`");
    }
    // The files that the page names exist, except those of runs that end abnormally.
    for file in [
        "experiment.toml",
        "summary.json",
        "verdicts.json",
        "certificate.json",
        "compare-with-NAME.csv",
        "report.html",
        "polished.npz",
        "data/DIGEST-NAME",
        "figures/movie.gif",
        ".engine",
        ".seconds",
    ] {
        assert!(seen.contains(file), "{file} is not written");
    }
    for key in [
        "stopped_by",
        "spot_check",
        "restarts",
        "judged",
        "reached",
        "anchor_a",
    ] {
        assert!(named.contains(key), "{key} is not written");
    }
}

/// The pages of the repository.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = Vec::new();
    for folder in ["", "docs", "benches", "benches/results", "tests/oracle"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "md") {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

/// The anchor of a heading in a link.
fn slug(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().chars();
    let kept = kept.filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    let slug: String = kept.collect();
    slug.to_lowercase().replace(' ', "-")
}

/// Why a link of a page is broken; `None` if it is valid.
fn broken(page: &Path, link: &str) -> Option<String> {
    if link.contains("://") {
        return None;
    }
    let (file, part) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.to_owned(),
        file => page.parent().unwrap().join(file),
    };
    if !target.exists() {
        return Some(format!("{}: {link} is not there", page.display()));
    }
    let text = || std::fs::read_to_string(&target).unwrap();
    let has = || {
        text()
            .lines()
            .any(|l| l.starts_with('#') && slug(l) == part)
    };
    (!part.is_empty() && !has()).then(|| format!("{}: {link}: no such heading", page.display()))
}

#[test]
fn links_lead_somewhere() {
    let mut count = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        let sources = text
            .split("src=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        for link in links.chain(sources) {
            assert_eq!(broken(&page, link), None);
            count += 1;
        }
    }
    assert!(count > 30, "{count} links were found");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    assert!(broken(&page, "docs/none.md").is_some() && broken(&page, "#none").is_some());
}

/// Source files that pages mention exist.
#[test]
fn named_sources_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in pages()
        .iter()
        .filter(|page| !page.ends_with("CHANGELOG.md"))
    {
        let text = std::fs::read_to_string(page).unwrap();
        for span in spans(&text) {
            let folders = [
                "src/",
                "tests/",
                "shaders/",
                "docs/",
                "examples/",
                "experiments/",
            ];
            let is_path = folders.iter().any(|folder| span.starts_with(folder));
            if is_path && !span.contains([' ', '*', '{', '<']) {
                let there = root.join(span).exists();
                assert!(there, "{}: {span} is not there", page.display());
            }
        }
    }
}

#[test]
fn the_front_page_ends() {
    let lines = include_str!("../README.md").lines().count();
    assert!(lines <= 150, "README.md has {lines} lines");
}
