//! The program from the command line: files, exit codes, messages.

mod bench;
#[path = "../common/mod.rs"]
mod common;
mod resume;

use std::path::{Path, PathBuf};

use common::test_folder::{TestFolder, listing, text};

const SMALL: &str = r#"
title = "Small"
[data]
source = "clusters"
n = 16
d = 4
test = 8
informative = 3
[network]
width = 33
[risk]
loss = "softmin"
[flow]
steps = 300
step = 0.5
schedule = "inverse-sqrt"
[output]
snapshots = 5
records = 20
"#;

/// Bytes of the files of a run folder that must not depend on interruptions.
fn results(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    listing(dir)
        .into_iter()
        .filter(|p| p.is_file())
        .map(|p| (p.strip_prefix(dir).unwrap().to_path_buf(), p))
        .filter(|(name, _)| {
            let name = name.to_string_lossy();
            !name.ends_with("summary.json")
                && !name.ends_with("report.html")
                && !name.contains("checkpoint-")
                && !name.starts_with('.')
        })
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn a_run_leaves_what_the_interface_promises() {
    let place = TestFolder::new();
    place.put("e.toml", SMALL);
    let table = place.ok("run e.toml --out a --engine cpu");
    for column in ["risk_test", "error_test", "margin_f1"] {
        assert!(table.contains(column), "{column} in {table}");
    }
    for name in [
        "experiment.toml",
        "summary.json",
        "metrics.csv",
        "report.html",
        "runs/000/particles.npz",
        "runs/000/snapshots.npz",
        "runs/000/checkpoint-000000000300.safetensors",
    ] {
        assert!(place.path("a").join(name).exists(), "{name}");
    }
    let summary = place.summary("a");
    assert_eq!(summary["engine"], "cpu");
    let run = &summary["runs"][0];
    assert_eq!(run["steps"], 300);
    for name in [
        "time",
        "risk",
        "objective",
        "error_train",
        "error_test",
        "tv_norm",
        "param_norm",
        "margin_f1",
        "margin_param",
        "margin_f2",
        "best_margin_f1",
        "best_margin_param",
        "best_margin_f2",
        "best_step",
        "dead",
        "largest_weight",
        "balance_drift",
        "informative",
        "kernel_drift",
        "direction_cosine",
        "atoms",
    ] {
        assert!(run[name].is_number(), "{name} is {}", run[name]);
    }
    let csv = std::fs::read_to_string(place.path("a/metrics.csv")).unwrap();
    let steps: Vec<&str> = csv
        .lines()
        .skip(1)
        .map(|l| l.split(',').nth(1).unwrap())
        .collect();
    assert_eq!(
        (steps[0], *steps.last().unwrap(), steps.len()),
        ("0", "300", 20)
    );
    let json = place.ok("run e.toml --out b --engine cpu --json");
    let printed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(printed["runs"], place.summary("b")["runs"]);
    // The resolved file runs again to the same results.
    place.ok("run a/experiment.toml --out c --engine cpu");
    assert_eq!(results(&place.path("a")), results(&place.path("c")));
}

#[test]
fn a_folder_is_not_overwritten_unasked() {
    let place = TestFolder::new();
    place.put("e.toml", SMALL);
    place.ok("run e.toml --out a --engine cpu --set flow.steps=2");
    place.refuses("run e.toml --out a", &["a: holds a run already", "--force"]);
    place.ok("run e.toml --out a --engine cpu --set flow.steps=3 --force");
    assert_eq!(place.summary("a")["runs"][0]["steps"], 3);
    place.ok("run e.toml --engine cpu --set flow.steps=2");
    place.ok("run e.toml --engine cpu --set flow.steps=2");
    assert!(place.path("runs/e-2/summary.json").exists());
    place.put("file", "");
    place.refuses("run e.toml --out file", &["file: is not a folder"]);
}

/// Arguments that choose each engine; the gpu engine is on the adapter under test.
fn engines() -> Vec<String> {
    let mut all = vec!["cpu".to_owned(), "reference".to_owned()];
    if let Some(adapter) = common::gpu_adapter() {
        // A part of the adapter name is enough.
        let part = adapter.split_whitespace().next().unwrap();
        all.push(format!("gpu --adapter {part}"));
    }
    all
}

/// The same seed gives the same initial particles on every engine.
#[test]
fn initial_particles_are_the_same_on_every_engine() {
    let place = TestFolder::new();
    for kind in ["sphere", "gaussian", "balanced", "half_space", "one_sign"] {
        place.put(
            "e.toml",
            &SMALL.replace("[risk]", &format!("[init]\nkind = \"{kind}\"\n[risk]")),
        );
        let mut starts = Vec::new();
        for (k, engine) in engines().iter().enumerate() {
            let out = format!("{kind}{k}");
            place.ok(&format!(
                "run e.toml --out {out} --engine {engine} --set flow.steps=0"
            ));
            let path = place.path(&out).join("runs/000/particles.npz");
            let mut npz = widefield::store::NpzReader::open(&path).unwrap();
            let mut values = |name| {
                npz.array(name, |npy| match npy.dtype().num_bytes() {
                    Some(4) => Ok(npy
                        .into_vec::<f32>()?
                        .iter()
                        .map(|&v| f64::from(v))
                        .collect()),
                    _ => npy.into_vec::<f64>(),
                })
                .unwrap()
            };
            let start: (Vec<f64>, Vec<f64>) = (values("w"), values("a"));
            starts.push(start);
        }
        assert!(starts.windows(2).all(|pair| pair[0] == pair[1]), "{kind}");
    }
}

#[test]
fn divergence_is_reported_and_the_last_finite_state_kept() {
    for engine in engines() {
        let place = TestFolder::new();
        let wild = SMALL
            .replace("width = 33", "width = 33\ntrain = \"output\"")
            .replace("\"softmin\"", "\"square\"")
            .replace("step = 0.5", "step = 1e6")
            .replace("inverse-sqrt", "constant");
        place.put("e.toml", &wild);
        place.fails(
            &format!("run e.toml --out a --engine {engine}"),
            1,
            &[
                "run 0",
                "not finite after",
                "smaller step",
                "checkpoint-000000000000",
            ],
        );
        let summary = place.summary("a");
        let step = summary["runs"][0]["diverged_at"].as_u64().unwrap();
        assert!(step > 0 && step < 300, "{step}");
        assert!(
            place
                .path("a/runs/000/checkpoint-000000000000.safetensors")
                .exists()
        );
    }
}

/// In a grid, runs that diverge do not disturb the others.
#[test]
fn one_run_may_diverge_alone() {
    let place = TestFolder::new();
    let grid = SMALL
        .replace("\"softmin\"", "\"square\"")
        .replace("inverse-sqrt", "constant")
        + "[grid]\n\"flow.step\" = [0.5, 1e6]\n";
    let grid = grid.replace("width = 33", "width = 33\ntrain = \"output\"");
    place.put("e.toml", &grid);
    place.fails(
        "run e.toml --out a --engine cpu",
        1,
        &["1 of 2 runs diverged", "run 1"],
    );
    let summary = place.summary("a");
    assert_eq!(summary["runs"][0]["steps"], 300);
    assert!(summary["runs"][0]["diverged_at"].is_null());
    let alone = SMALL
        .replace("\"softmin\"", "\"square\"")
        .replace("inverse-sqrt", "constant")
        .replace("width = 33", "width = 33\ntrain = \"output\"");
    place.put("e.toml", &alone);
    place.ok("run e.toml --out b --engine cpu");
    let particles =
        |dir: &str| std::fs::read(place.path(dir).join("runs/000/particles.npz")).unwrap();
    assert!(
        particles("a") == particles("b"),
        "a batch must not change a run"
    );
}

#[test]
fn stopping_criteria() {
    let place = TestFolder::new();
    place.put(
        "e.toml",
        &SMALL.replace("inverse-sqrt\"", "inverse-sqrt\"\nstop = { risk = -0.5 }"),
    );
    place.ok("run e.toml --out a --engine cpu --set flow.steps=100000");
    let run = &place.summary("a")["runs"][0];
    assert!(run["risk"].as_f64().unwrap() <= -0.5, "{run}");
    assert!(run["steps"].as_u64().unwrap() < 100_000, "{run}");
    place.put(
        "f.toml",
        &SMALL.replace("inverse-sqrt\"", "inverse-sqrt\"\nstop = { seconds = 0.5 }"),
    );
    place.ok("run f.toml --out b --engine cpu --set flow.steps=100000000");
    assert!(place.summary("b")["wall_seconds"].as_f64().unwrap() < 20.0);
}

#[test]
fn bad_input_is_refused_before_anything_is_written() {
    let place = TestFolder::new();
    place.put("e.toml", SMALL);
    place.refuses("run none.toml --out a", &["none.toml"]);
    place.refuses("run quikc --out a", &["quikc", "quick"]);
    place.refuses(
        "run e.toml --out a --set network.widht=3",
        &["network.widht", "network.width"],
    );
    place.refuses(
        "run e.toml --out a --set network.width=0",
        &["network.width", "0"],
    );
    place.refuses("run e.toml --out a --set data.n=0", &["data.n"]);
    place.refuses(
        "run e.toml --out a --set flow.integrator=heun",
        &["not available"],
    );
    place.refuses(
        "run e.toml --out a --engine cpu --adapter x",
        &["--adapter"],
    );
    place.refuses(
        "run e.toml --out a --engine abacus",
        &["abacus", "reference"],
    );
    place.put("bad.toml", &SMALL.replace("width = 33", "width = \"wide\""));
    place.refuses("run bad.toml --out a", &["bad.toml:10", "network.width"]);
    place.put("bad.toml", "title = \n");
    place.refuses("run bad.toml --out a", &["bad.toml:1"]);

    let file = |rows: &str, loss: &str| {
        place.put("data.csv", rows);
        place.put(
            "f.toml",
            &format!(
                "[data]\nsource = \"file\"\npath = \"data.csv\"\ntarget = \"y\"\n[network]\nwidth = 2\n[risk]\nloss = \"{loss}\"\n[flow]\nsteps = 1\nstep = 0.1\n"
            ),
        );
    };
    file("x,y\n1,1\n2\n", "square");
    place.refuses("run f.toml --out a", &["data.csv:3", "values"]);
    file("x,y\n1,1\nNaN,1\n", "square");
    place.refuses(
        "run f.toml --out a",
        &["data.csv", "row 1, column 0", "NaN"],
    );
    file("x,y\n1,1\n2,0\n", "logistic");
    place.refuses("run f.toml --out a", &["data.csv", "row 1", "labels"]);
    file("x,y\n", "square");
    place.refuses("run f.toml --out a", &["data.csv", "no samples"]);
    place.refuses("predict e.toml --data data.csv", &["not a run folder"]);
}

#[test]
fn predictions_of_the_training_inputs_are_those_of_the_run() {
    let place = TestFolder::new();
    place.put("data.csv", "u,v,y\n1,2,1\n3,-1,-1\n0.5,0.25,1\n");
    place.put(
        "e.toml",
        "[data]\nsource = \"file\"\npath = \"data.csv\"\ntarget = \"y\"\nbias = true\nstandardize = true\n[network]\nwidth = 20\n[risk]\nloss = \"logistic\"\n[flow]\nsteps = 50\nstep = 0.5\n",
    );
    for engine in ["cpu", "reference"] {
        place.ok(&format!("run e.toml --out {engine} --engine {engine}"));
        let printed = place.ok(&format!("predict {engine} --data data.csv"));
        let printed: Vec<f64> = printed
            .lines()
            .skip(1)
            .map(|l| l.parse().unwrap())
            .collect();
        place.ok(&format!(
            "predict {engine} --data data.csv --out {engine}.npy"
        ));
        let saved = std::fs::File::open(place.path(&format!("{engine}.npy"))).unwrap();
        let saved = npyz::NpyFile::new(saved)
            .unwrap()
            .into_vec::<f64>()
            .unwrap();
        assert_eq!(printed, saved);
        let path = place.path(engine).join("runs/000/particles.npz");
        let mut npz = widefield::store::NpzReader::open(&path).unwrap();
        let f = npz.array("f", |npy| npy.into_vec::<f64>()).unwrap();
        assert_eq!(printed, f, "{engine}");
    }
    place.put("wide.csv", "u,v,w\n1,2,3\n");
    place.refuses(
        "predict cpu --data wide.csv",
        &["wide.csv", "beyond those of the training data, w", "u, v"],
    );
    place.refuses(
        "predict cpu --data data.csv --run 4",
        &["--run", "no run 4"],
    );
}

#[test]
fn list_show_and_adapters() {
    let place = TestFolder::new();
    let list = place.ok("list");
    for name in [
        "quick",
        "margin-vs-width",
        "error-vs-samples",
        "error-vs-dimension",
        "interpolation",
        "teacher-student",
        "width-asymptotics",
        "xor",
    ] {
        assert!(list.contains(name), "{name} in {list}");
        let shown = place.ok(&format!("show {name}"));
        place.put("shown.toml", &shown);
        assert_eq!(place.ok("show shown.toml"), shown);
    }
    assert!(place.ok("show quick --set network.width=7").contains('7'));
    assert!(place.ok("adapters").contains("auto takes"));
}

#[test]
fn verify_passes_on_the_cpu() {
    let said = TestFolder::new().ok("verify --engine cpu");
    for method in ["direct", "arcs", "gram"] {
        assert!(said.contains(method), "{method} in {said}");
    }
    assert!(said.contains("every stage agrees"), "{said}");
}

/// The record of a run states what spot checks compared, or that they were left out.
#[test]
fn a_summary_says_what_was_checked() {
    let place = TestFolder::new();
    place.put("e.toml", SMALL);
    place.ok("run e.toml --out a --engine cpu");
    let found = &place.summary("a")["spot_check"];
    assert!(found["checks"].as_u64().unwrap() > 0, "{found}");
    assert!(found["predictions"].as_u64().unwrap() > 0, "{found}");
    assert!(found["particles"].as_u64().unwrap() > 0, "{found}");
    let largest = found["largest_error"].as_f64().unwrap();
    assert!(0.0 < largest && largest < 1.0, "{found}");
    assert_eq!(place.summary("a")["restarts"], 0);
    place.ok("run e.toml --out b --engine cpu --no-spot-check");
    assert_eq!(place.summary("b")["spot_check"], "off");
    // Spot checks change no bit.
    assert!(results(&place.path("a")) == results(&place.path("b")));
    place.ok("resume b --steps 400 --engine cpu");
    assert!(place.summary("b")["spot_check"]["checks"].as_u64().unwrap() > 0);
    place.ok("resume b --steps 500 --engine cpu --no-spot-check");
    assert_eq!(place.summary("b")["spot_check"], "off");
}

/// No more threads than processors are started, and data that does not fit in memory is refused
/// before it is allocated.
#[test]
fn no_machine_is_asked_for_more_than_it_has() {
    let place = TestFolder::new();
    place.put("e.toml", SMALL);
    let mut command = place.command("run e.toml --out a --engine cpu");
    let out = command.env("RAYON_NUM_THREADS", "100000").output().unwrap();
    let said = text(&out.stderr);
    assert!(out.status.success(), "{said}");
    assert!(said.contains("RAYON_NUM_THREADS is 100000"), "{said}");
    let threads = place.summary("a")["adapter"].as_str().unwrap().to_owned();
    assert!(!threads.contains("100000"), "{threads}");
    let mut command = place.command("run e.toml --out b --engine cpu");
    let out = command.env("SLURM_CPUS_PER_TASK", "1").output().unwrap();
    assert!(out.status.success());
    let adapter = place.summary("b")["adapter"].as_str().unwrap().to_owned();
    assert!(adapter.ends_with(" 1 threads"), "{adapter}");
    if cfg!(target_os = "linux") {
        for engine in ["cpu", "reference"] {
            let set = "--set network.width=4000000000 --set data.d=100000";
            let run = format!("run e.toml --out c --engine {engine} {set}");
            place.fails(&run, 2, &["of memory", "are free here", "network.width"]);
            assert!(!place.path("c").exists());
        }
    }
}
