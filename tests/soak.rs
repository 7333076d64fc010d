//! Many short runs through the library in one process: memory and open files do not grow.
//!
//! `WIDEFIELD_SOAK=1000 cargo test --release --test soak -- --nocapture` is the full form.

#![cfg(target_os = "linux")]

mod common;

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use common::gpu_adapter;
use widefield::engine::select::{Choice, Selection, select};
use widefield::experiment::{Grid, load};
use widefield::flow::{Progress, StartMode, Status, train};
use widefield::store::RunFolder;

/// First runs, which fill what is allocated once: threads, caches, compiled kernels.
const FIRST: usize = 5;

/// Allowed growth of memory per later run: allocators round, and a run's inputs alone have this
/// size.
const LEFT: usize = 2000 * 8 * 4;

/// Further memory that a driver's threads may hold, independent of the number of runs: each run has
/// its own threads, which use the allocator's arenas in any order.
const HELD_BACK: usize = 24 << 20;

struct Quiet;

impl Progress for Quiet {
    fn report(&mut self, _: &Status) {}
}

/// Memory in bytes and open files of this process.
fn taken() -> (usize, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
    (kib.parse::<usize>().unwrap() << 10, files)
}

fn one(grid: &Grid, selection: &Selection) {
    let place = tempfile::tempdir().unwrap();
    let mut folder = RunFolder::plan(&place.path().join("a"), false).unwrap();
    let mut make = |batch, _: Option<&str>| selection.build(batch);
    let stop = AtomicBool::new(false);
    let summary = train(
        grid,
        &mut folder,
        StartMode::Fresh,
        true,
        &mut make,
        &mut Quiet,
        &stop,
    );
    assert_eq!(summary.unwrap().runs.len(), 1);
}

fn soak(name: &str, count: usize, selection: &Selection, held_back: usize) {
    let sets = [
        "data.n=2000",
        "data.d=8",
        "data.test=100",
        "network.width=200",
        "flow.steps=30",
    ];
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let mut grid = load("teacher-student", &sets).unwrap();
    grid.runs.truncate(1);
    (0..FIRST).for_each(|_| one(&grid, selection));
    let (memory, files) = taken();
    (0..count).for_each(|_| one(&grid, selection));
    let (memory_now, files_now) = taken();
    println!("{name}: {count} runs, {memory} → {memory_now} bytes, {files} → {files_now} files");
    assert_eq!(files_now, files, "{name}: open files");
    let left = memory_now.saturating_sub(memory);
    assert!(
        left <= LEFT * count + held_back,
        "{name}: {left} bytes stay after {count} runs"
    );
}

fn runs(usual: usize) -> usize {
    let given = std::env::var("WIDEFIELD_SOAK").ok();
    given.map_or(usual, |n| n.parse().unwrap())
}

/// Memory is measured for the whole process, so one engine runs at a time.
static ONE: Mutex<()> = Mutex::new(());

fn soak_alone(name: &str, count: usize, selection: Selection, held_back: usize) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    soak(name, count, &selection, held_back);
}

#[test]
fn nothing_stays_behind_on_the_cpu_engine() {
    soak_alone("cpu", runs(60), select(Choice::Cpu, None).unwrap(), 0);
}

#[test]
fn nothing_stays_behind_on_the_reference() {
    let selection = select(Choice::Reference, None).unwrap();
    soak_alone("reference", runs(20), selection, 0);
}

#[test]
fn nothing_stays_behind_on_an_adapter() {
    let Some(adapter) = gpu_adapter() else {
        return;
    };
    let selection = select(Choice::Gpu, Some(&adapter)).unwrap();
    let selection = selection.with_kernels(Some("default")).unwrap();
    soak_alone("gpu", runs(20), selection, HELD_BACK);
}
