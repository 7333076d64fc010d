//! A run that was stopped, killed or moved continues exactly as if uninterrupted, or the program
//! says why it cannot.

mod common;

use std::path::Path;

use common::test_folder::{TestFolder, text};

/// Two runs that end at different steps, and one long run.
const GRID: &str = r#"
[data]
source = "xor"
[network]
width = 64
[risk]
loss = "softmin"
[flow]
steps = 600
step = 0.5
schedule = "inverse-sqrt"
[output]
records = 12
snapshots = 3
[grid]
"flow.steps" = [130, 333, 600]
"#;

/// The lines of metrics.csv, and summary.json without times.
fn metrics_and_summary(dir: &Path) -> (String, serde_json::Value) {
    let metrics = std::fs::read_to_string(dir.join("metrics.csv")).unwrap();
    let summary = std::fs::read(dir.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    (metrics, summary["runs"].clone())
}

fn checkpoints(dir: &Path, run: usize) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir.join(format!("runs/{run:03}"))).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().contains("checkpoint-"));
    paths.sort();
    paths
}

/// The steps at which best margins are taken depend on the run alone: other runs of the batch and
/// interruptions do not change them.
#[test]
fn best_margins_depend_on_the_run_alone() {
    let place = TestFolder::new();
    place.put("e.toml", GRID);
    place.ok("run e.toml --out whole --engine cpu --no-plots");
    let whole = metrics_and_summary(&place.path("whole"));
    for run in 0..3 {
        let out = format!("split{run}");
        place.ok(&format!("run e.toml --out {out} --engine cpu --no-plots"));
        // The state after a kill: one run is far behind the others.
        let own = checkpoints(&place.path(&out), run);
        std::fs::remove_file(own.last().unwrap()).unwrap();
        place.ok(&format!("resume {out} --no-plots"));
        assert_eq!(
            metrics_and_summary(&place.path(&out)),
            whole,
            "member {run} left behind"
        );
    }
    let steps = [130, 333, 600];
    for (run, steps) in steps.into_iter().enumerate() {
        place.put("one.toml", GRID.split("[grid]").next().unwrap());
        let out = format!("alone{run}");
        place.ok(&format!(
            "run one.toml --out {out} --engine cpu --no-plots --set flow.steps={steps}"
        ));
        let alone = metrics_and_summary(&place.path(&out)).1;
        for best in [
            "best_margin_f1",
            "best_margin_param",
            "best_margin_f2",
            "best_step",
        ] {
            assert_eq!(alone[0][best], whole.1[run][best], "{best} of run {run}");
        }
    }
}

/// A kill at any moment leaves no checkpoint without its rows of metrics.
/// A run that was killed before its first checkpoint is resumed on the engine that it was started
/// with.
#[test]
fn a_run_without_a_checkpoint_keeps_its_engine() {
    let place = TestFolder::new();
    place.put("e.toml", GRID);
    place.ok("run e.toml --out a --engine reference --no-plots");
    let whole = metrics_and_summary(&place.path("a"));
    for gone in ["runs", "metrics.csv", "summary.json"] {
        let path = place.path("a").join(gone);
        match path.is_dir() {
            true => std::fs::remove_dir_all(path).unwrap(),
            false => std::fs::remove_file(path).unwrap(),
        }
    }
    place.ok("resume a --no-plots");
    assert_eq!(metrics_and_summary(&place.path("a")), whole);
    assert_eq!(place.summary("a")["engine"], "reference");
    // The sabotage twin: without .engine the choice of the engine is lost.
    std::fs::remove_dir_all(place.path("a/runs")).unwrap();
    std::fs::remove_file(place.path("a/.engine")).unwrap();
    place.ok("resume a --no-plots");
    assert_ne!(metrics_and_summary(&place.path("a")), whole);
    std::fs::remove_dir_all(place.path("a/runs")).unwrap();
    std::fs::write(place.path("a/.engine"), "{").unwrap();
    let out = place.run("resume a --no-plots");
    let said = text(&out.stderr);
    assert!(
        out.status.success() && said.contains("name it with --engine"),
        "{said}"
    );
}

/// flow.stop ends each run at the first state that meets the criterion, whatever other runs are in
/// the batch, exactly as if flow.steps were that step.
#[test]
fn a_run_stops_at_the_first_state_that_meets_its_rule() {
    let place = TestFolder::new();
    place.put("one.toml", GRID.split("[grid]").next().unwrap());
    let particles = |out: &str, run: usize| {
        let path = place.path(out).join(format!("runs/{run:03}/particles.npz"));
        std::fs::read(path).unwrap()
    };
    for (engine, rule, column) in [
        ("cpu", "flow.stop.risk=-0.3", "risk"),
        ("reference", "flow.stop.risk=-0.3", "risk"),
        ("cpu", "flow.stop.gap=0.5", "margin_f1"),
        (
            "cpu --set network.train=\"output\"",
            "flow.stop.risk=-0.3",
            "risk",
        ),
    ] {
        let run = format!("run one.toml --force --no-plots --engine {engine}");
        place.ok(&format!(
            "{run} --out grid --set grid.init.seed=[1,2,3] --set {rule} --set flow.steps=20000 \
             --set output.records=2"
        ));
        let stopped = place.summary("grid");
        let mut steps: Vec<u64> = Vec::new();
        for index in 0..3 {
            let of = &stopped["runs"][index];
            assert!(!of["stopped_by"].is_null(), "{of}");
            let step = of["steps"].as_u64().unwrap();
            place.ok(&format!(
                "{run} --out plain --set init.seed={} --set flow.steps={step} \
                 --set output.records={}",
                index + 1,
                step + 1
            ));
            assert_eq!(
                particles("plain", 0),
                particles("grid", index),
                "{engine} {rule}"
            );
            let metrics = std::fs::read(place.path("plain/metrics.csv")).unwrap();
            let mut reader = csv::Reader::from_reader(metrics.as_slice());
            let at = reader
                .headers()
                .unwrap()
                .iter()
                .position(|name| name == column);
            let rows = reader
                .records()
                .map(|row| row.unwrap()[at.unwrap()].parse::<f64>());
            let met = |value: f64| match column {
                "risk" => value <= -0.3,
                _ => value >= of["margin_f1"].as_f64().unwrap(),
            };
            let first = rows.map(Result::unwrap).position(met).unwrap();
            assert_eq!(first as u64, step, "{engine} {rule}");
            steps.push(step);
        }
        assert!(steps.iter().any(|step| step % 50 != 0), "{steps:?}");
    }
}

#[test]
fn rows_are_written_before_checkpoints() {
    let place = TestFolder::new();
    place.put(
        "e.toml",
        &GRID.replace("[130, 333, 600]", "[130, 333, 100000000]"),
    );
    let mut child = place
        .command("run e.toml --out a --engine cpu --no-plots --quiet")
        .spawn()
        .unwrap();
    let ended = |run: usize, step: u64| {
        let name = format!("runs/{run:03}/checkpoint-{step:012}.safetensors");
        place.path("a").join(name).exists()
    };
    let start = std::time::Instant::now();
    while !(ended(0, 130) && ended(1, 333)) {
        assert!(start.elapsed().as_secs() < 120, "nothing was stored");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let metrics = std::fs::read_to_string(place.path("a/metrics.csv")).unwrap();
    for (run, last) in [(0, 130), (1, 333)] {
        let row = format!("\n{run},{last},");
        assert!(metrics.contains(&row), "run {run}: {metrics}");
    }
}

/// A checkpoint is resumed only with its own experiment and data.
#[test]
fn another_experiment_is_refused_by_what_differs() {
    let place = TestFolder::new();
    let rows = "a,b,y\n1,0.5,1\n-1,0.5,-1\n0.5,-1,1\n";
    place.put("t.csv", rows);
    let file = GRID
        .replace(
            "source = \"xor\"",
            "source = \"file\"\npath = \"t.csv\"\ntarget = \"y\"",
        )
        .replace("[grid]\n\"flow.steps\" = [130, 333, 600]\n", "");
    place.put("e.toml", &file);
    place.ok("run e.toml --out a --engine cpu --no-plots --set flow.steps=100");
    let resolved = std::fs::read_to_string(place.path("a/experiment.toml")).unwrap();
    let edit = |from: &str, to: &str| {
        assert!(resolved.contains(from), "{from} in {resolved}");
        place.put("a/experiment.toml", &resolved.replace(from, to));
    };
    let results = std::fs::read(place.path("a/runs/000/particles.npz")).unwrap();
    for (from, to, message) in [
        ("seed = 1", "seed = 2", "now seed = 2 instead of seed = 1"),
        ("\"softmin\"", "\"logistic\"", "risk.loss = \"logistic\""),
        ("\"mean-field\"", "\"ntk\"", "network.scaling"),
        ("step = 0.5", "step = 0.25", "flow.step = 0.25"),
    ] {
        edit(from, to);
        place.refuses("resume a --no-plots", &["of another run", message]);
    }
    edit("seed = 1", "seed = 1");
    place.put("t.csv", &rows.replace("-1,0.5", "-1,0.75"));
    place.refuses("resume a --no-plots", &["other training samples"]);
    place.put("t.csv", rows);
    place.ok("resume a --no-plots");
    assert!(results == std::fs::read(place.path("a/runs/000/particles.npz")).unwrap());
}

#[test]
fn one_number_of_steps_does_not_replace_a_grid() {
    let place = TestFolder::new();
    place.put("e.toml", GRID);
    place.ok("run e.toml --out a --engine cpu --no-plots");
    place.refuses("resume a --steps 700", &["--steps", "varies flow.steps"]);
}

/// A schedule that depends on the number of steps is not extended without a message; a change of
/// engine is reported.
#[test]
fn what_is_not_as_it_was_is_reported() {
    let place = TestFolder::new();
    place.put("e.toml", GRID.split("[grid]").next().unwrap());
    place.ok("run e.toml --out a --engine cpu --no-plots --set flow.schedule=cosine");
    let same = text(&place.run("resume a --no-plots").stderr);
    assert!(
        !same.contains("bit for bit") && !same.contains("cosine"),
        "{same}"
    );
    let longer = text(&place.run("resume a --steps 700 --no-plots").stderr);
    assert!(
        longer.contains("cosine schedule now falls to 0 over 700"),
        "{longer}"
    );
    let other = text(&place.run("resume a --no-plots --engine reference").stderr);
    assert!(other.contains("not bit for bit"), "{other}");
}

/// Engines in single precision keep a power of two beside large weights, the reference does not: each goes on
/// from a checkpoint of the other.
#[test]
fn large_weights_go_on_on_another_engine() {
    let place = TestFolder::new();
    // Output weights of 10^46 after 30 steps, 10^94 after 60.
    let train = |engine: &str, steps: u32| {
        let set =
            "--set network.train=output --set flow.norm_scaled=true --set flow.schedule=constant";
        place.ok(&format!(
            "run xor {set} --set flow.step=60 --set flow.steps={steps} --set network.width=40 --no-plots \
             --engine {engine} --out {engine}-{steps}"
        ));
    };
    let end = |folder: &str| {
        let run = place.summary(folder)["runs"][0].clone();
        assert!(run["diverged_at"].is_null(), "{folder}: {run}");
        ["tv_norm", "margin_f1"].map(|key| run[key].as_f64().unwrap())
    };
    train("reference", 60);
    let want = end("reference-60");
    assert!(want[0] > 1e90, "{want:?}");
    for (from, to) in [("reference", "cpu"), ("cpu", "reference")] {
        train(from, 30);
        assert!(end(&format!("{from}-30"))[0] > 1e40);
        place.ok(&format!(
            "resume {from}-30 --steps 60 --engine {to} --no-plots"
        ));
        for (got, want) in end(&format!("{from}-30")).iter().zip(want) {
            assert!(
                (got / want - 1.0).abs() < 1e-3,
                "{from} to {to}: {got:e} {want:e}"
            );
        }
    }
}

/// A run folder that was moved away from its data files continues with its copies of them.
#[test]
fn a_moved_folder_brings_its_data() {
    let place = TestFolder::new();
    std::fs::create_dir(place.path("here")).unwrap();
    place.put("here/t.csv", "a,b,y\n1,0.5,1\n-1,0.5,-1\n0.5,-1,1\n");
    let file = GRID.replace(
        "source = \"xor\"",
        "source = \"file\"\npath = \"t.csv\"\ntarget = \"y\"",
    );
    place.put("here/e.toml", &file);
    place.ok("run here/e.toml --out here/a --engine cpu --no-plots");
    let before = metrics_and_summary(&place.path("here/a"));
    std::fs::rename(place.path("here/a"), place.path("moved")).unwrap();
    std::fs::remove_dir_all(place.path("here")).unwrap();
    place.ok("resume moved --no-plots");
    assert_eq!(metrics_and_summary(&place.path("moved")), before);
    place.ok("certify moved --run 2 --no-plots --quiet");
    place.put("new.csv", "a,b\n1,2\n");
    place.ok("predict moved --data new.csv --run 2");
}

/// Weight decay beyond 2/η makes the weights diverge: values beyond f64 are not stored as results.
#[test]
fn a_decay_that_grows_diverges() {
    let place = TestFolder::new();
    place.put("t.csv", "a,b,y\n1,2,1\n-1,0.5,-1\n2,-1,1\n");
    let file = GRID
        .replace(
            "source = \"xor\"",
            "source = \"file\"\npath = \"t.csv\"\ntarget = \"y\"",
        )
        .replace("softmin\"", "logistic\"\nweight_decay = 1e6")
        .replace("inverse-sqrt", "constant")
        .replace("[grid]\n\"flow.steps\" = [130, 333, 600]\n", "");
    place.put("e.toml", &file);
    for engine in ["cpu", "reference"] {
        place.fails(
            &format!("run e.toml --out {engine} --engine {engine} --no-plots"),
            1,
            &[
                "1 of 1 run diverged",
                "weight decay alone",
                "flow.step=5e-7",
            ],
        );
        let summary = place.summary(engine);
        let run = &summary["runs"][0];
        assert!(
            run["diverged_at"]
                .as_u64()
                .is_some_and(|at| at > 0 && at <= 100),
            "{run}"
        );
        assert!(run["risk"].is_f64() && run["objective"].is_f64(), "{run}");
        let metrics = std::fs::read_to_string(place.path(engine).join("metrics.csv")).unwrap();
        let rows = metrics.lines().skip(1);
        let mut values = rows.flat_map(|row| row.split(','));
        let finite = |cell: &str| cell.is_empty() || cell.parse().is_ok_and(f64::is_finite);
        assert!(values.all(finite), "{metrics}");
    }
}

/// Large steps with softmin: a run that exits with 0 has no infinite value, whatever its end.
#[test]
fn no_run_ends_well_with_an_infinite_number() {
    let place = TestFolder::new();
    place.put("e.toml", GRID.split("[grid]").next().unwrap());
    for (at, step) in ["1e3", "1e6", "1e30", "1e300"].into_iter().enumerate() {
        let out = place.run(&format!(
            "run e.toml --out {at} --engine cpu --no-plots --set flow.schedule=constant --set flow.step={step}"
        ));
        let summary = place.summary(&at.to_string());
        let run = &summary["runs"][0];
        let finite = run["risk"].is_f64() && run["param_norm"].is_f64();
        let diverged = run["diverged_at"].is_u64();
        assert_eq!(
            out.status.code(),
            Some(i32::from(diverged)),
            "{step}: {run}"
        );
        assert!(finite || diverged, "{step}: {run}");
    }
}
