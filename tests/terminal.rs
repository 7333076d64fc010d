//! Results are written whatever happens to the terminal, and text from received files cannot
//! control the terminal.
#![cfg(unix)]

mod common;

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::skip::{Missing, skip};
use common::test_folder::{TestFolder, text};

const RUN: &str = "run xor --set flow.steps=100 --engine cpu --out a";

/// A device to which writes fail, like a full disk; `None` if the system has none.
#[track_caller]
fn full() -> Option<File> {
    let device = File::options().write(true).open("/dev/full");
    if let Err(error) = &device {
        let why = format!("writing where there is no room: /dev/full cannot be opened ({error})");
        skip(Missing::Property, &why);
    }
    device.ok()
}

/// The writing end of a pipe without a reader, as after the reading command of a `|` has ended.
fn unread() -> Stdio {
    let mut child = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let end = child.stdin.take().unwrap();
    child.wait().unwrap();
    end.into()
}

fn is_whole(place: &TestFolder) {
    assert_eq!(place.summary("a")["runs"][0]["steps"], 100);
    for name in ["report.html", "figures/risk.svg", "runs/000/particles.npz"] {
        assert!(place.path("a").join(name).exists(), "{name}");
    }
}

#[test]
fn messages_that_cannot_be_written_end_no_run() {
    let ends = |out: Stdio, err: Stdio| {
        let place = TestFolder::new();
        let status = place.command(RUN).stdout(out).stderr(err).status().unwrap();
        assert_eq!(status.code(), Some(0));
        is_whole(&place);
    };
    if let Some(full) = full() {
        ends(Stdio::null(), full.into());
    }
    ends(Stdio::null(), unread());
    ends(unread(), unread());
}

/// If the warning about a damaged checkpoint cannot be written, the run still continues from an
/// earlier one.
#[test]
fn warnings_that_cannot_be_written_end_no_run() {
    let Some(full) = full() else { return };
    let place = TestFolder::new();
    place.ok(&format!("{RUN} --no-plots"));
    let newest = "a/runs/000/checkpoint-000000000100.safetensors";
    place.put(newest, "");
    let status = place.command("resume a").stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(0));
    is_whole(&place);
}

#[test]
fn results_that_cannot_be_written_are_an_error_after_the_run() {
    let Some(full) = full() else { return };
    let place = TestFolder::new();
    let out = |command: &str| {
        let to = full.try_clone().unwrap();
        place.command(command).stdout(to).output().unwrap()
    };
    let ran = out(RUN);
    let said = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write standard output"), "{said}");
    is_whole(&place);
    place.put("new.csv", "u,v\n1,2\n");
    let predicted = out("predict a --data new.csv");
    let said = text(&predicted.stderr);
    assert_eq!(predicted.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write standard output"), "{said}");
    let mut piped = place.command("predict a --data new.csv");
    let status = piped.stdout(unread()).status().unwrap();
    assert_eq!(status.code(), Some(0));
}

/// Waits until a long run has taken some steps.
fn moving(place: &TestFolder, child: &mut Child) {
    let first = place.path("a/runs/000/checkpoint-000000000000.safetensors");
    let start = Instant::now();
    while !first.exists() {
        assert_eq!(child.try_wait().unwrap(), None);
        assert!(start.elapsed() < Duration::from_secs(60), "no run begins");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
}

fn send(signal: &str, child: &Child) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args([signal, &pid]).status();
    assert!(sent.unwrap().success());
}

const LONG: &str = "run xor --set flow.steps=2000000 --set network.width=64 --engine cpu --out a";

/// Closing a terminal sends SIGHUP, and so does its shell; SIGTERM may follow.
#[test]
fn a_hangup_leaves_a_checkpoint() {
    let place = TestFolder::new();
    let mut command = place.command(LONG);
    let mut child = command.stdout(unread()).stderr(unread()).spawn().unwrap();
    moving(&place, &mut child);
    for signal in ["-HUP", "-HUP", "-TERM"] {
        send(signal, &child);
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let steps = place.summary("a")["runs"][0]["steps"].as_u64().unwrap();
    assert!(steps > 0 && steps < 2_000_000, "{steps}");
    let newest = format!("a/runs/000/checkpoint-{steps:012}.safetensors");
    assert!(place.path(&newest).exists(), "{newest}");
}

/// With nohup a run ignores the SIGHUP of its closed terminal.
#[test]
fn a_hangup_below_nohup_is_not_heard() {
    let place = TestFolder::new();
    let mut command = Command::new("nohup");
    let all = [env!("CARGO_BIN_EXE_widefield")].into_iter();
    let mut child = command
        .current_dir(&place.dir)
        .args(all.chain(LONG.split_whitespace()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    moving(&place, &mut child);
    send("-HUP", &child);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(child.try_wait().unwrap(), None, "the run ended");
    send("-INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// A received file with terminal escape sequences in its title, its claim, and a key.
#[test]
fn what_steers_a_terminal_is_not_sent_to_it() {
    let place = TestFolder::new();
    let file = "title = \"a\\u001b]0;owned\\u0007\\u202e\"\n\
        data.source = \"xor\"\nnetwork.width = 8\nrisk.loss = \"softmin\"\nflow.steps = 20\nflow.step = 0.1\n\
        [expect.\"\\u202eclaim\"]\nvalue = \"risk\"\nat_most = 10.0\n";
    place.put("e.toml", file);
    let is_clean = |bytes: &[u8]| {
        let text = text(bytes);
        let bad = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!text.contains(bad), "{text:?}");
        text
    };
    let out = place.run("run e.toml --engine cpu --no-plots --out a");
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(is_clean(&out.stdout).contains(r"\u{202e}claim"));
    is_clean(&out.stderr);
    place.put("f.toml", &format!("\"\\u001b[2Jkey\" = 1\n{file}"));
    let mut refused = place.command("run");
    refused.args(["f.toml", "--out", "\u{1b}[31mred"]);
    let said = is_clean(&refused.output().unwrap().stderr);
    assert!(said.contains(r"\u{1b}[2Jkey"), "{said}");
    let mut run = place.command("run e.toml --engine cpu --no-plots --out");
    let said = is_clean(&run.arg("\u{1b}[31mred").output().unwrap().stderr);
    assert!(said.contains(r"results in \u{1b}[31mred"), "{said}");
}
