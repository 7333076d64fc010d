//! SIGKILL at many moments of many kinds of runs: a resumed run leaves the same bytes as an
//! uninterrupted one, except for times.
//!
//! `WIDEFIELD_KILLS=200 cargo test --release --test kills` is the full form; without the variable
//! each kind is killed a few times. `WIDEFIELD_KILL_ARGS="--engine gpu --adapter llvmpipe"` selects
//! another engine.

mod common;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::gpu_adapter;
use common::test_folder::{TestFolder, text};

/// Extra attempts for kills that came after the end of the run.
const MORE: usize = 10;

/// Number of kills for each kind of run.
fn kills(usual: usize) -> usize {
    let given = std::env::var("WIDEFIELD_KILLS").ok();
    given.map_or(usual, |n| n.parse().unwrap()).max(1)
}

/// What must not depend on kills.
fn results(dir: &Path, runs: usize) -> Vec<(String, Vec<u8>)> {
    let mut names = vec!["metrics.csv".to_owned()];
    for run in 0..runs {
        names.push(format!("runs/{run:03}/particles.npz"));
        names.push(format!("runs/{run:03}/snapshots.npz"));
    }
    let read = |name: String| {
        let content = std::fs::read(dir.join(&name));
        let content = content.unwrap_or_else(|e| panic!("{name}: {e}"));
        (name, content)
    };
    let mut all: Vec<_> = names.into_iter().map(read).collect();
    let summary = std::fs::read(dir.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    all.push((
        "summary.json".into(),
        summary["runs"].to_string().into_bytes(),
    ));
    all
}

/// Starts a command and kills it after a while; returns whether it had ended by itself.
fn killed(place: &TestFolder, args: &str, after: Duration) -> bool {
    let mut child = place
        .command(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    let ended = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    ended
}

/// A kind of run, and how it is killed.
struct Kind<'a> {
    name: &'a str,
    experiment: String,
    runs: usize,
    /// The figures drawn at the end.
    pages: &'a str,
    /// Arguments that choose the engine.
    engine: String,
    /// The interval of kills, as shares of the duration of a whole run.
    share: (f64, f64),
}

impl Default for Kind<'_> {
    fn default() -> Self {
        Kind {
            name: "",
            experiment: String::new(),
            runs: 1,
            pages: "--no-plots",
            engine: std::env::var("WIDEFIELD_KILL_ARGS").unwrap_or_default(),
            share: (0.0, 1.0),
        }
    }
}

impl Kind<'_> {
    /// Kills a run at `count` moments spread over its duration, and every second one again during
    /// its resume. The assumed duration is shortened whenever a kill comes too late, as it depends
    /// on the load of the machine.
    fn survives(&self, count: usize) {
        let Kind {
            name,
            pages,
            engine,
            share,
            ..
        } = self;
        let place = TestFolder::new();
        place.put("e.toml", &self.experiment);
        let run = |out: &str| format!("run e.toml --out {out} --quiet {pages} {engine}");
        let resume = format!("resume a --quiet {pages}");
        let started = Instant::now();
        place.ok(&run("whole"));
        let mut took = started.elapsed();
        let whole = results(&place.path("whole"), self.runs);
        let mut early = 0;
        for k in 0.. {
            if k >= count && (early > 0 || k >= count + MORE) {
                break;
            }
            // Moments spread evenly; those of the second kill by the golden ratio.
            let at = share.0 + (share.1 - share.0) * ((k % count) as f64 + 0.5) / count as f64;
            let again = took.mul_f64((k as f64 * 0.618_033_988_75).fract() * at);
            match killed(&place, &run("a"), took.mul_f64(at)) {
                true => took = took.mul_f64(0.7),
                false => early += 1,
            }
            if !place.path("a/experiment.toml").exists() {
                // Killed before it was a run folder: it starts again.
                place.ok(&run("a"));
            } else if k % 2 == 1 {
                killed(&place, &resume, again);
            }
            let out = place.run(&resume);
            assert!(
                out.status.success(),
                "{name}, moment {at}: {}",
                text(&out.stderr)
            );
            let now = results(&place.path("a"), self.runs);
            for ((file, now), (_, before)) in now.iter().zip(&whole) {
                assert!(
                    now == before,
                    "{name}, killed at {at:.3} of {took:?}: {file} differs"
                );
            }
            std::fs::remove_dir_all(place.path("a")).unwrap();
        }
        assert!(early > 0, "{name}: every kill came too late");
        println!("{name}: {count} kills, {early} of them before its end at {took:?}");
    }
}

fn experiment(source: &str, width: usize, steps: usize, rest: &str) -> String {
    format!(
        "[data]\nsource = {source}\n[network]\nwidth = {width}\n[risk]\nloss = \"softmin\"\n\
         [flow]\nsteps = {steps}\nstep = 0.5\nschedule = \"inverse-sqrt\"\n\
         [output]\nrecords = 20\nsnapshots = 5\ncheckpoint_seconds = 0.02\n{rest}"
    )
}

const CLUSTERS: &str = "\"clusters\"\nn = 40\nd = 6\ntest = 20";
#[test]
fn a_single_run() {
    let e = experiment(CLUSTERS, 300, 4000, "");
    Kind {
        name: "single",
        experiment: e,
        ..Kind::default()
    }
    .survives(kills(4));
}

#[test]
fn a_grid_over_seeds() {
    let e = experiment("\"xor\"", 500, 4000, "[grid]\nseed = [1, 2, 3, 4]\n");
    Kind {
        name: "seeds",
        experiment: e,
        runs: 4,
        ..Kind::default()
    }
    .survives(kills(4));
}

#[test]
fn a_grid_over_steps() {
    let e = experiment(
        "\"xor\"",
        500,
        10,
        "[grid]\n\"flow.steps\" = [3, 300, 1501, 6000]\n",
    );
    Kind {
        name: "steps",
        experiment: e,
        runs: 4,
        ..Kind::default()
    }
    .survives(kills(6));
}

#[test]
fn a_grid_over_d() {
    let e = experiment("\"xor\"", 400, 2000, "[grid]\n\"data.d\" = [2, 3, 5]\n");
    Kind {
        name: "d",
        experiment: e,
        runs: 3,
        ..Kind::default()
    }
    .survives(kills(4));
}

#[test]
fn a_million_neurons() {
    let e = experiment("\"xor\"", 1_000_000, 20, "");
    Kind {
        name: "million",
        experiment: e,
        ..Kind::default()
    }
    .survives(kills(2));
}

#[test]
fn output_weights_by_the_gram_matrix() {
    let e = experiment(CLUSTERS, 2000, 20_000, "").replace("2000\n", "2000\ntrain = \"output\"\n");
    Kind {
        name: "gram",
        experiment: e,
        ..Kind::default()
    }
    .survives(kills(3));
}

#[test]
fn cells() {
    let data = CLUSTERS.replace("d = 6", "d = 3");
    let e = experiment(&data, 20_000, 150, "");
    Kind {
        name: "cells",
        experiment: e,
        ..Kind::default()
    }
    .survives(kills(3));
}

#[test]
fn arcs() {
    let e = experiment("\"circle\"\nn = 400\ntest = 50", 4000, 400, "")
        .replace("softmin", "square")
        .replace("step = 0.5", "step = 0.01");
    Kind {
        name: "arcs",
        experiment: e,
        ..Kind::default()
    }
    .survives(kills(3));
}

/// A kill while figures and the page are written leaves a trained run.
#[test]
fn during_figures() {
    let e = experiment("\"xor\"", 200, 200, "[grid]\nseed = [1, 2]\n");
    Kind {
        name: "figures",
        experiment: e,
        runs: 2,
        pages: "",
        share: (0.2, 1.0),
        ..Kind::default()
    }
    .survives(kills(3));
}

#[test]
fn a_graphics_adapter() {
    let Some(adapter) = gpu_adapter() else {
        return;
    };
    let name = adapter.split_whitespace().next().unwrap_or_default();
    let engine = format!("--engine gpu --adapter {name}");
    let count = kills(2).min(30);
    let e = experiment(CLUSTERS, 300, 600, "");
    Kind {
        name: "gpu",
        experiment: e,
        engine: engine.clone(),
        ..Kind::default()
    }
    .survives(count);
    let e = experiment(
        "\"xor\"",
        100,
        300,
        "[grid]\n\"flow.steps\" = [3, 120, 300]\n",
    );
    Kind {
        name: "gpu, steps",
        experiment: e,
        runs: 3,
        engine,
        ..Kind::default()
    }
    .survives(count);
}
