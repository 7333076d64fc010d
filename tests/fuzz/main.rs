//! Damaged and hostile files of every kind that the program reads: none causes a panic, takes
//! longer than two seconds, or needs more than a gibibyte.
//!
//! `cargo test --test fuzz` tries some thousands of each kind, in seconds. All 10⁶ of each:
//!
//! ```text
//! WIDEFIELD_FUZZ=1000000 cargo test --release --test fuzz -- --nocapture
//! ```
//!
//! with `TMPDIR` on a file system in memory, if there is one, and `WIDEFIELD_FUZZ_SEED` for other
//! files than before. Files are made from those of `corpus/` by a few changes each, preferably from
//! files that gave a new answer. Execution k of a seed is always the same. Time is measured only in
//! the full form, since machines that run tests may pause.

mod explore;
mod mutate;
mod targets;

use std::path::Path;

use explore::{Finding, FuzzLimits, explore};
use mutate::FileKind;
use peak_alloc::PeakAlloc;
use targets::Target;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Files of the corpus with this ending.
fn corpus(ending: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Tries files of a kind; fails at the first one that is not handled as required.
fn fuzz(name: &str, target: &Target, kind: FileKind, seeds: Vec<Vec<u8>>) {
    let wanted = number("WIDEFIELD_FUZZ");
    let limits = FuzzLimits {
        seconds: wanted.map(|_| 2.0),
        bytes: 1 << 30,
    };
    let seed = number("WIDEFIELD_FUZZ_SEED").unwrap_or(1);
    let count = wanted.unwrap_or(3000);
    let mut read = |bytes: &[u8]| target.read(bytes);
    match explore(&mut read, kind, seeds, count, seed, limits) {
        Ok(report) => {
            println!("{name}: {report}");
            assert!(
                report.accepted > 0,
                "{name}: no file was accepted: nothing was tried"
            );
            assert!(report.answers > 1, "{name}: every file was answered alike");
        }
        Err((bytes, finding)) => {
            let path = std::env::temp_dir().join(format!("widefield-fuzz-{name}"));
            std::fs::write(&path, &bytes).unwrap();
            panic!("{name}: {finding}; the file is {}", path.display());
        }
    }
}

#[test]
fn npy() {
    fuzz(
        "npy",
        &Target::data("X.npy"),
        FileKind::Bytes,
        corpus(".npy"),
    );
}

#[test]
fn npz() {
    fuzz(
        "npz",
        &Target::data("data.npz"),
        FileKind::Bytes,
        corpus(".npz"),
    );
}

/// Valid archives of invalid arrays.
#[test]
fn npz_arrays() {
    let target = Target::data("data.npz");
    fuzz("npz arrays", &target, FileKind::Archive, corpus(".npy"));
}

#[test]
fn npz_particles() {
    fuzz(
        "particles",
        &Target::Particles,
        FileKind::Archive,
        corpus(".npy"),
    );
}

#[test]
fn csv() {
    fuzz(
        "csv",
        &Target::data("data.csv"),
        FileKind::Text,
        corpus(".csv"),
    );
}

#[test]
fn idx() {
    let target = Target::data("images-idx3-ubyte");
    let mut seeds = corpus("ubyte");
    seeds.extend(corpus("ubyte.gz"));
    fuzz("idx", &target, FileKind::Bytes, seeds);
}

#[test]
fn toml() {
    fuzz("toml", &Target::Experiment, FileKind::Text, corpus(".toml"));
}

#[test]
fn safetensors() {
    let (target, seed) = Target::checkpoint();
    fuzz("safetensors", &target, FileKind::Bytes, vec![seed]);
}

#[test]
fn svg() {
    fuzz("svg", &Target::figure(), FileKind::Text, corpus(".svg"));
}

/// The fuzzer detects each failure that the tests above look for.
#[test]
fn faults_are_found() {
    let find = |fault: fn(&[u8])| {
        let mut read = |bytes: &[u8]| {
            if bytes.first() != Some(&b'a') {
                fault(bytes);
            }
            Ok(())
        };
        let limits = FuzzLimits {
            seconds: Some(0.05),
            bytes: 1 << 30,
        };
        let found = explore(
            &mut read,
            FileKind::Bytes,
            vec![b"abc".to_vec()],
            2000,
            1,
            limits,
        );
        found.unwrap_err().1
    };
    let panics = find(|bytes| assert_eq!(bytes.first(), Some(&b'a'), "planted"));
    assert!(
        matches!(&panics, Finding::Panic(what) if what.contains("planted")),
        "{panics:?}"
    );
    let hangs = find(|_| std::thread::sleep(std::time::Duration::from_millis(200)));
    assert!(matches!(hangs, Finding::Slow(_)), "{hangs:?}");
    let grows = find(|_| drop(std::hint::black_box(Vec::<u8>::with_capacity(3 << 29))));
    assert!(matches!(grows, Finding::Large(_)), "{grows:?}");
}
