//! SIGKILL at many moments of many kinds of runs: what a resumed run leaves is what an
//! uninterrupted one leaves, byte for byte, times aside.
//!
//! `WIDEFIELD_KILLS=200 cargo test --release --test kills` is the full form; without the variable
//! each kind is killed a few times. `WIDEFIELD_KILL_ARGS="--engine gpu --adapter llvmpipe"` takes
//! another engine.

mod common;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::gpu_adapter;
use common::place::{Place, text};

/// Moments at which each kind of run is killed.
fn kills(usual: usize) -> usize {
    let given = std::env::var("WIDEFIELD_KILLS").ok();
    given.map_or(usual, |n| n.parse().unwrap())
}

/// What must not depend on how a folder came about.
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

/// Starts a command and kills it after a while; whether it had ended by itself.
fn killed(place: &Place, args: &str, after: Duration) -> bool {
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

/// Kills a run of these arguments at `count` moments spread over a share of its time, and every
/// second one again while it resumes.
fn survives(
    name: &str,
    experiment: &str,
    runs: usize,
    args: &str,
    share: (f64, f64),
    count: usize,
) {
    let place = Place::new();
    place.put("e.toml", experiment);
    let more = std::env::var("WIDEFIELD_KILL_ARGS").unwrap_or_default();
    let more = if args.contains("--engine") { "" } else { &more };
    let run = |out: &str| format!("run e.toml --out {out} --quiet {args} {more}");
    let started = Instant::now();
    place.ok(&run("whole"));
    let took = started.elapsed();
    let whole = results(&place.path("whole"), runs);
    let mut early = 0;
    for k in 0..count {
        // Moments spread evenly; those of the second kill by the golden ratio.
        let at = share.0 + (share.1 - share.0) * (k as f64 + 0.5) / count as f64;
        let again = (k as f64 * 0.618_033_988_75).fract() * at;
        let moment = |at: f64| Duration::from_secs_f64(took.as_secs_f64() * at);
        let resume = format!(
            "resume a --quiet {}",
            args.replace("--set", "")
                .split("--engine")
                .next()
                .unwrap_or("")
        );
        early += usize::from(!killed(&place, &run("a"), moment(at)));
        if !place.path("a/experiment.toml").exists() {
            // Killed before it was a run folder: it starts again.
            place.ok(&run("a"));
        } else if k % 2 == 1 {
            killed(&place, &resume, moment(again));
        }
        let out = place.run(&resume);
        assert!(
            out.status.success(),
            "{name}, moment {at}: {}",
            text(&out.stderr)
        );
        for ((file, now), (_, before)) in results(&place.path("a"), runs).iter().zip(&whole) {
            assert!(
                now == before,
                "{name}, killed at {at:.3} of {took:?}: {file} differs"
            );
        }
        std::fs::remove_dir_all(place.path("a")).unwrap();
    }
    assert!(count == 0 || early > 0, "{name}: every kill came too late");
    println!("{name}: {count} kills, {early} of them before its end at {took:?}");
}

fn experiment(source: &str, width: usize, steps: usize, rest: &str) -> String {
    format!(
        "[data]\nsource = {source}\n[network]\nwidth = {width}\n[risk]\nloss = \"softmin\"\n\
         [flow]\nsteps = {steps}\nstep = 0.5\nschedule = \"inverse-sqrt\"\n\
         [output]\nrecords = 20\nsnapshots = 5\ncheckpoint_seconds = 0.02\n{rest}"
    )
}

const CLUSTERS: &str = "\"clusters\"\nn = 40\nd = 6\ntest = 20";
const PLAIN: &str = "--no-plots";

#[test]
fn a_single_run() {
    let e = experiment(CLUSTERS, 300, 4000, "");
    survives("single", &e, 1, PLAIN, (0.0, 1.0), kills(6));
}

#[test]
fn a_grid_over_seeds() {
    let e = experiment("\"xor\"", 500, 4000, "[grid]\nseed = [1, 2, 3, 4]\n");
    survives("seeds", &e, 4, PLAIN, (0.0, 1.0), kills(6));
}

#[test]
fn a_grid_over_steps() {
    let e = experiment(
        "\"xor\"",
        500,
        10,
        "[grid]\n\"flow.steps\" = [3, 300, 1501, 6000]\n",
    );
    survives("steps", &e, 4, PLAIN, (0.0, 1.0), kills(6));
}

#[test]
fn a_grid_over_d() {
    let e = experiment("\"xor\"", 400, 2000, "[grid]\n\"data.d\" = [2, 3, 5]\n");
    survives("d", &e, 3, PLAIN, (0.0, 1.0), kills(6));
}

#[test]
fn a_million_neurons() {
    let e = experiment("\"xor\"", 1_000_000, 20, "");
    survives("million", &e, 1, PLAIN, (0.0, 1.0), kills(3));
}

#[test]
fn output_weights_by_the_gram_matrix() {
    let e = experiment(CLUSTERS, 2000, 20_000, "").replace("2000\n", "2000\ntrain = \"output\"\n");
    survives("gram", &e, 1, PLAIN, (0.0, 1.0), kills(4));
}

#[test]
fn cells() {
    let data = CLUSTERS.replace("d = 6", "d = 3");
    let e = experiment(&data, 20_000, 150, "");
    survives("cells", &e, 1, PLAIN, (0.0, 1.0), kills(4));
}

#[test]
fn arcs() {
    let e = experiment("\"circle\"\nn = 400\ntest = 50", 4000, 400, "")
        .replace("softmin", "square")
        .replace("step = 0.5", "step = 0.01");
    survives("arcs", &e, 1, PLAIN, (0.0, 1.0), kills(4));
}

/// A kill while figures and page are made leaves a trained run.
#[test]
fn during_figures() {
    let e = experiment("\"xor\"", 200, 200, "[grid]\nseed = [1, 2]\n");
    survives("figures", &e, 2, "", (0.2, 1.0), kills(3));
}

#[test]
fn a_graphics_adapter() {
    let Some(adapter) = gpu_adapter() else {
        println!("skipped: no graphics adapter on this machine");
        return;
    };
    let args = format!(
        "--no-plots --engine gpu --adapter {}",
        adapter.split_whitespace().next().unwrap()
    );
    let e = experiment(CLUSTERS, 300, 600, "");
    survives("gpu", &e, 1, &args, (0.0, 1.0), kills(3).min(30));
    let e = experiment(
        "\"xor\"",
        100,
        300,
        "[grid]\n\"flow.steps\" = [3, 120, 300]\n",
    );
    survives("gpu, steps", &e, 3, &args, (0.0, 1.0), kills(3).min(30));
}
