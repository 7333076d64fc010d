use super::*;
use crate::engine::{Batch, reference::Reference};
use crate::model::Run;
use crate::model::{Loss, StateFormat};
use crate::observe::BestMargins;
use crate::store::Checkpoints;
use std::sync::Arc;

fn engine() -> Reference {
    let data = crate::data::Dataset {
        d: 2,
        x: vec![1.0, 2.0],
        y: vec![1.0],
    };
    let mut engine = Reference::new(Batch {
        d: 2,
        datasets: vec![Arc::new(data)],
        runs: vec![Run::simple(3, Loss::SQUARE)],
        state: StateFormat::F32,
    });
    let block = Particles {
        d: 2,
        w: vec![0.1, 0.2, 0.3, 1.0 / 3.0, -0.5, 1e-300],
        a: vec![1.0, -2.0, 0.7],
    };
    engine.write(0, 0, &block).unwrap();
    engine
}

fn label() -> RunMetadata {
    RunMetadata {
        scaling: 1.0,
        loss: "square".into(),
        seed: 7,
        version: "0".into(),
        engine: "reference".into(),
        adapter: "none".into(),
        kernels: None,
        best: BestMargins::default(),
        standardization: None,
        identity: None,
        columns: Vec::new(),
    }
}

/// Writes checkpoints at these steps, as a session that resumes from `from`, if given.
fn write(dir: &Path, from: Option<&Checkpoint>, steps: &[u64]) -> Reference {
    let mut source = engine();
    let mut kept = Checkpoints::new(dir, from);
    source.set_accumulated(0, vec![0.25]).unwrap();
    for &step in steps {
        let time = step as f64 / 3.0;
        let clock = Clock {
            step,
            time,
            ..Clock::default()
        };
        source.set_clock(0, clock).unwrap();
        let mut writes = Writes::default();
        kept.write(&mut source, 0, &label(), &mut writes).unwrap();
        writes.commit().unwrap();
        kept.remove_superseded().unwrap();
    }
    source
}

fn steps(dir: &Path) -> Vec<u64> {
    listed(dir)
        .unwrap()
        .into_iter()
        .map(|(step, _)| step)
        .collect()
}

fn place(dir: &Path, step: u64) -> PathBuf {
    dir.join(file_name(step))
}

fn newest(dir: &Path) -> Option<Checkpoint> {
    Checkpoint::newest(dir).unwrap()
}

fn cut(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
}

#[test]
fn restores_bit_for_bit_and_keeps_two() {
    let dir = tempfile::tempdir().unwrap();
    let mut source = write(dir.path(), None, &[1, 2, 3, 4]);
    assert_eq!(steps(dir.path()), [3, 4]);
    let newest = newest(dir.path()).unwrap();
    assert_eq!(newest.label, label());
    let mut other = engine();
    other.write(0, 0, &Particles::zeros(3, 2)).unwrap();
    newest.restore(&mut other, 0).unwrap();
    assert_eq!(other.accumulated(0).unwrap(), [0.25]);
    assert_eq!(other.read(0, 0..3).unwrap(), source.read(0, 0..3).unwrap());
    assert_eq!(other.clock(0), source.clock(0));
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), None, &[1, 2]);
    cut(&place(dir.path(), 2));
    assert_eq!(newest(dir.path()).unwrap().clock.step, 1);
    std::fs::remove_file(place(dir.path(), 1)).unwrap();
    let none = Checkpoint::newest(dir.path()).err().unwrap();
    assert!(none.to_string().contains("only damaged"), "{none}");
    std::fs::remove_file(place(dir.path(), 2)).unwrap();
    assert!(newest(dir.path()).is_none());
}

#[test]
fn damaged_ones_of_later_steps_never_cost_a_good_one() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), None, &[1]);
    let first = std::fs::read(place(dir.path(), 1)).unwrap();
    write(dir.path(), None, &[8, 9]);
    std::fs::write(place(dir.path(), 1), first).unwrap();
    cut(&place(dir.path(), 8));
    cut(&place(dir.path(), 9));
    let from = newest(dir.path());
    assert_eq!(from.as_ref().unwrap().clock.step, 1);
    write(dir.path(), from.as_ref(), &[2]);
    // The damaged ones are removed: the run takes their steps again.
    assert_eq!(steps(dir.path()), [1, 2]);
    cut(&place(dir.path(), 2));
    write(dir.path(), None, &[3]);
    assert_eq!(steps(dir.path()), [1, 3]);
}

#[test]
fn what_is_no_file_is_neither_taken_nor_removed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), None, &[1, 2]);
    std::fs::create_dir(place(dir.path(), 0)).unwrap();
    std::fs::create_dir(place(dir.path(), 7)).unwrap();
    #[cfg(unix)]
    {
        let path = place(dir.path(), 8);
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let fifo = place(dir.path(), 9);
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
    }
    std::fs::write(place(dir.path(), 6), "").unwrap();
    let from = newest(dir.path());
    assert_eq!(from.as_ref().unwrap().clock.step, 2);
    write(dir.path(), from.as_ref(), &[3, 4]);
    let left = steps(dir.path());
    assert!(left.starts_with(&[0, 3, 4, 7]), "{left:?}");
}

/// Bytes of a small checkpoint whose header was modified by `change`.
fn changed(change: impl Fn(&str) -> String) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), None, &[1]);
    let bytes = std::fs::read(place(dir.path(), 1)).unwrap();
    let (size, rest) = bytes.split_at(8);
    let size = u64::from_le_bytes(size.try_into().unwrap()) as usize;
    let (header, payload) = rest.split_at(size);
    let header = change(std::str::from_utf8(header).unwrap());
    let size = (header.len() as u64).to_le_bytes();
    [&size, header.as_bytes(), payload].concat()
}

fn opened(dir: &Path, bytes: &[u8]) -> std::result::Result<Checkpoint, CheckpointFault> {
    let path = place(dir, 1);
    std::fs::write(&path, bytes).unwrap();
    Checkpoint::open(&path)
}

#[test]
fn every_changed_bit_and_every_other_length_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let good = changed(str::to_owned);
    let intact = || assert!(opened(dir.path(), &good).is_ok());
    intact();
    let refused = |bytes: &[u8], what: String| match opened(dir.path(), bytes) {
        Err(CheckpointFault::Damaged(_)) => {}
        Err(fault) => panic!("{what}: {fault:?}"),
        Ok(_) => panic!("{what}: accepted"),
    };
    for at in 0..good.len() {
        let mut bad = good.clone();
        for bit in 0..8 {
            bad[at] = good[at] ^ (1 << bit);
            refused(&bad, format!("byte {at}, bit {bit}"));
        }
        refused(&good[..at], format!("cut to {at} bytes"));
    }
    for more in 1..=64 {
        let bad = [&good[..], &vec![0; more]].concat();
        refused(&bad, format!("{more} bytes more"));
    }
    let payload = good.len() - 8 * (3 * 3 + 1);
    let zeros = [&good[..payload], &vec![0; good.len() - payload]].concat();
    refused(&zeros, "a payload of zeros".into());
    intact();
}

/// Renames the keys of format and digest, so that only the keys of older versions are recognised.
fn without_digest(header: &str) -> String {
    header
        .replace("\"format\":\"2\"", "\"x\":\"\"")
        .replace("\"blake3\":\"", "\"y\":\"")
}

#[test]
fn checkpoints_of_older_versions_have_no_digest() {
    let dir = tempfile::tempdir().unwrap();
    let older = changed(without_digest);
    let checkpoint = opened(dir.path(), &older).unwrap();
    assert!(!checkpoint.sealed);
    let half = changed(|header| header.replace("\"blake3\"", "\"blake4\""));
    let fault = opened(dir.path(), &half).err().unwrap();
    assert!(
        matches!(&fault, CheckpointFault::Damaged(what) if what.contains("lost")),
        "{fault:?}"
    );
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let newer = changed(|header| {
        let header = header.replace("\"format\":\"2\"", "\"format\":\"3\"");
        header.replace("\"blake3\"", "\"digest\"")
    });
    assert!(matches!(
        opened(dir.path(), &newer),
        Err(CheckpointFault::Newer(_))
    ));
    let error = Checkpoint::newest(dir.path()).err().unwrap().to_string();
    assert!(
        error.contains("format 3") && error.contains("up to 2"),
        "{error}"
    );
    write(dir.path(), None, &[2, 3, 4]);
    assert_eq!(steps(dir.path()), [3, 4]);
}

#[test]
fn name_shapes_and_number_formats_are_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let older = |from: &str, to: &str| {
        let bytes = changed(|header| {
            let header = without_digest(header);
            assert!(header.contains(from), "{header}");
            header.replace(from, to)
        });
        match opened(dir.path(), &bytes) {
            Ok(_) => String::new(),
            Err(fault) => format!("{fault:?}"),
        }
    };
    assert_eq!(older("w", "w"), "");
    for (from, to, what) in [
        ("[3,2]", "[2,3]", "`a` has shape"),
        ("[3,2]", "[6]", "not a matrix"),
        ("\"step\":\"1\"", "\"step\":\"2\"", "another step"),
        (
            "\"accumulated\":{\"dtype\":\"F64\"",
            "\"accumulated\":{\"dtype\":\"I64\"",
            "type I64",
        ),
        (
            "\"w\":{\"dtype\":\"F64\"",
            "\"w\":{\"dtype\":\"I64\"",
            "type I64",
        ),
        ("\"a\":{", "\"b\":{", "no `a`"),
        ("\"train\":\"both\"", "\"train\":\"all\"", "bad `train`"),
        (
            "\"train\":",
            "\"anchor_scale\":\"1\",\"train\":",
            "no `anchor_a`",
        ),
    ] {
        let fault = older(from, to);
        assert!(fault.contains(what), "{from} to {to}: {fault}");
    }
    let other = place(dir.path(), 5);
    std::fs::write(&other, changed(str::to_owned)).unwrap();
    let fault = Checkpoint::open(&other).err().unwrap();
    assert!(format!("{fault:?}").contains("another step"), "{fault:?}");
    let mut huge = changed(str::to_owned);
    huge[..8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    let fault = opened(dir.path(), &huge).err().unwrap();
    assert!(
        format!("{fault:?}").contains("longer than the file"),
        "{fault:?}"
    );
}
