//! Errors of the file system, and kills, at each system call of a small run and of its resume:
//! nothing panics, and a resume then ends like the undisturbed run. strace injects the faults.
//!
//! By default some of the faults are tested; with WIDEFIELD_FAULTS=all every one, in about half an
//! hour:
//!
//! ```text
//! WIDEFIELD_FAULTS=all cargo test --test faults_injected -- --nocapture
//! ```

#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::skip::{Missing, skip};
use common::test_folder::{TestFolder, listing, text};

/// Two runs of a few steps, with records, snapshots and a checkpoint at each of them.
const RUN: &str = "run xor --set network.width=8 --set flow.steps=20 --set output.records=5 \
    --set output.snapshots=3 --set output.checkpoint_seconds=0 --set grid.seed=[1,2] \
    --out a --no-plots --quiet --engine cpu";
const RESUME: &str = "resume a --no-plots --quiet";

/// System calls that change the file system, and openat, which precedes most changes.
const CHANGES: [&str; 12] = [
    "openat",
    "write",
    "fsync",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "unlink",
    "unlinkat",
    "ftruncate",
    "fchmod",
];
/// Other system calls on files, at which a kill may happen.
const OTHERS: [&str; 7] = [
    "read",
    "close",
    "lseek",
    "flock",
    "statx",
    "getdents64",
    "newfstatat",
];
const ERRORS: [&str; 5] = ["EIO", "ENOSPC", "EDQUOT", "EXDEV", "EACCES"];

/// Whether strace works here; reports the skipped test if not.
#[track_caller]
fn strace_works() -> bool {
    let tried = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    let works = tried.is_ok_and(|out| out.status.success());
    if !works {
        skip(
            Missing::Strace,
            "strace is not installed or may not trace here (tests/run.sh installs it)",
        );
    }
    works
}

/// Runs the program under strace with these strace options.
fn traced(place: &TestFolder, options: &[String], args: &str) -> Output {
    let mut command = Command::new("strace");
    command
        .current_dir(&place.dir)
        .args(["-f", "-o", "log"])
        .args(options);
    command
        .arg(env!("CARGO_BIN_EXE_widefield"))
        .args(args.split_whitespace());
    command.output().unwrap()
}

/// A system call of the undisturbed command: its name, and its number among the calls of that name
/// in its thread.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    name: String,
    number: usize,
}

/// The calls of the main thread from the first one that names the run folder, without writes to the
/// terminal.
fn calls(place: &TestFolder, args: &str, names: &[&str]) -> Vec<Call> {
    // A machine need not have all of them.
    let known: Vec<String> = names.iter().map(|name| format!("?{name}")).collect();
    let out = traced(place, &[format!("--trace={}", known.join(","))], args);
    assert!(out.status.success(), "{args}: {}", text(&out.stderr));
    let log = std::fs::read_to_string(place.path("log")).unwrap();
    let main = log.split_whitespace().next().unwrap().to_owned();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found = Vec::new();
    let mut begun = false;
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let Some((name, with)) = rest.trim_start().split_once('(') else {
            continue;
        };
        if thread != main || !names.contains(&name) {
            continue;
        }
        let number = counts.entry(name).or_insert(0);
        *number += 1;
        begun |= with.contains("\"a/") || with.contains("\"a\"");
        let to_terminal = name == "write" && (with.starts_with("1,") || with.starts_with("2,"));
        if begun && !to_terminal {
            let (name, number) = (name.to_owned(), *number);
            found.push(Call { name, number });
        }
    }
    assert!(found.len() > 20, "{log}");
    found
}

/// What must not depend on interruptions: the content of particles, snapshots and metrics, and the
/// summary without what describes a session.
fn results(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let kept = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        ["particles.npz", "snapshots.npz", "metrics.csv"].contains(&&*name)
    };
    let files = listing(dir).into_iter().filter(kept);
    let mut all: Vec<_> = files
        .map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            (path.strip_prefix(dir).unwrap().to_path_buf(), bytes)
        })
        .collect();
    let summary = std::fs::read(dir.join("summary.json")).unwrap();
    let mut summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    // What is of the last session alone.
    for key in ["wall_seconds", "spot_check", "restarts"] {
        summary[key] = 0.0.into();
    }
    all.push((PathBuf::from("summary.json"), summary.to_string().into()));
    all
}

/// Resumes the run after a disturbed command, or starts it, and compares the folder with the undisturbed
/// one.
fn restored(place: &TestFolder, undisturbed: &[(PathBuf, Vec<u8>)]) -> Result<(), String> {
    let dir = place.path("a");
    let args = match dir.join("experiment.toml").exists() {
        true => RESUME,
        false => RUN,
    };
    let out = place.run(args);
    if !out.status.success() {
        return Err(format!("{args}: {}", text(&out.stderr)));
    }
    differences(&dir, undisturbed)
}

fn differences(dir: &Path, undisturbed: &[(PathBuf, Vec<u8>)]) -> Result<(), String> {
    let found = results(dir);
    let names = |all: &[(PathBuf, Vec<u8>)]| -> Vec<PathBuf> {
        all.iter().map(|(name, _)| name.clone()).collect()
    };
    if names(&found) != names(undisturbed) {
        return Err(format!("files: {:?}", names(&found)));
    }
    let differing = found.iter().zip(undisturbed).filter(|(a, b)| a != b);
    let differing: Vec<String> = differing
        .map(
            |((name, now), (_, right))| match name.ends_with("metrics.csv") {
                true => format!("metrics.csv:\n{}\nright:\n{}", text(now), text(right)),
                false => name.display().to_string(),
            },
        )
        .collect();
    match differing.is_empty() {
        true => Ok(()),
        false => Err(format!("other bytes: {}", differing.join(", "))),
    }
}

/// The disturbances as strace options.
fn disturbances(calls: &[Call], kills: bool) -> Vec<(String, bool)> {
    let mut all = Vec::new();
    for call in calls {
        let Call { name, number } = call;
        let inject = |what: &str| format!("--inject={name}:{what}:when={number}");
        if kills {
            all.push((inject("signal=KILL"), true));
        } else {
            all.extend(
                ERRORS
                    .iter()
                    .map(|e| (inject(&format!("error={e}")), false)),
            );
        }
    }
    let every = std::env::var_os("WIDEFIELD_FAULTS").is_some_and(|value| value == "all");
    let stride = if every { 1 } else { (all.len() / 25).max(1) };
    // A stride that has no divisor in common with the number of errors meets them all.
    let stride = if every || stride % 5 != 0 {
        stride
    } else {
        stride + 1
    };
    all.into_iter().step_by(stride).collect()
}

/// Runs `args` with every disturbance; the folder is restored from `before` each time.
fn disturb(args: &str, before: Option<&Path>, kills: bool) {
    if !strace_works() {
        return;
    }
    let whole = TestFolder::new();
    whole.ok(RUN);
    let right = results(&whole.path("a"));
    let fresh = || {
        let place = TestFolder::new();
        if let Some(before) = before {
            copy(before, &place.path("a"));
        }
        place
    };
    let names: Vec<&str> = match kills {
        true => CHANGES.into_iter().chain(OTHERS).collect(),
        false => CHANGES.to_vec(),
    };
    let calls = calls(&fresh(), args, &names);
    let mut failed = Vec::new();
    let ways = disturbances(&calls, kills);
    for (way, kill) in &ways {
        let place = fresh();
        let out = traced(&place, std::slice::from_ref(way), args);
        let said = text(&out.stderr);
        let code = out.status.code();
        let mut wrong = Vec::new();
        if said.contains("panicked") {
            wrong.push(format!("panicked: {said}"));
        }
        match code {
            Some(0) => wrong.extend(differences(&place.path("a"), &right).err()),
            Some(1 | 2) if !kill && said.contains("error: ") => {}
            _ if *kill => {}
            _ => wrong.push(format!("ended with {code:?}: {said}")),
        }
        wrong.extend(restored(&place, &right).err());
        if !wrong.is_empty() {
            failed.push(format!("{way} ({code:?})\n{}", wrong.join("\n")));
        }
    }
    let (failures, all) = (failed.len(), ways.len());
    eprintln!("{args}: {all} disturbances, {failures} with a wrong end");
    assert!(
        failed.is_empty(),
        "{failures} of {all}:\n{}",
        failed.join("\n")
    );
}

fn copy(from: &Path, to: &Path) {
    for path in listing(from) {
        let place = to.join(path.strip_prefix(from).unwrap());
        if path.is_dir() {
            std::fs::create_dir_all(place).unwrap();
        } else {
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::copy(path, place).unwrap();
        }
    }
}

/// A folder of a run that was killed halfway, at the tenth file moved into place.
fn left_by_a_kill() -> Option<TestFolder> {
    if !strace_works() {
        return None;
    }
    let place = TestFolder::new();
    let renames = calls(&TestFolder::new(), RUN, &CHANGES);
    let renames = renames
        .into_iter()
        .filter(|call| call.name.starts_with("rename"));
    let Call { name, number } = renames.collect::<Vec<_>>().swap_remove(9);
    let way = format!("--inject={name}:signal=KILL:when={number}");
    traced(&place, &[way], RUN);
    assert!(!place.path("a/summary.json").exists());
    Some(place)
}

#[test]
fn a_run_meets_errors() {
    disturb(RUN, None, false);
}

#[test]
fn a_run_is_killed() {
    disturb(RUN, None, true);
}

#[test]
fn a_resume_meets_errors() {
    if let Some(left) = left_by_a_kill() {
        disturb(RESUME, Some(&left.path("a")), false);
    }
}

#[test]
fn a_resume_is_killed() {
    if let Some(left) = left_by_a_kill() {
        disturb(RESUME, Some(&left.path("a")), true);
    }
}
