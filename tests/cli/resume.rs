//! Runs that are resumed, after an end, an interrupt or damage.

use std::path::Path;

use super::common::test_folder::{TestFolder, listing, text};
use super::{SMALL, engines, results};

fn newest_checkpoint(dir: &Path) -> Vec<u8> {
    let checkpoints = listing(dir);
    let newest = checkpoints
        .iter()
        .rfind(|p| p.to_string_lossy().contains("checkpoint-"));
    std::fs::read(newest.unwrap()).unwrap()
}

#[test]
fn resume_is_bit_for_bit() {
    // Output-only training takes a short cut, which has a memory of its own.
    let mut all: Vec<String> = engines();
    all.extend(
        engines()
            .iter()
            .map(|e| format!("{e} --set network.train=output")),
    );
    for engine in all {
        let place = TestFolder::new();
        place.put("e.toml", SMALL);
        place.ok(&format!("run e.toml --out whole --engine {engine}"));
        place.ok(&format!(
            "run e.toml --out parts --engine {engine} --set flow.steps=120"
        ));
        place.ok("resume parts --steps 170");
        place.ok("resume parts --steps 300");
        let (whole, parts) = (place.path("whole"), place.path("parts"));
        let last = |dir: &Path| {
            results(dir)
                .into_iter()
                .find(|(n, _)| n.ends_with("particles.npz"))
        };
        assert_eq!(last(&whole), last(&parts), "{engine}");
        let tensors = |dir: &Path| {
            let bytes = newest_checkpoint(dir);
            let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            bytes[8 + header..].to_vec()
        };
        assert_eq!(tensors(&whole), tensors(&parts), "{engine}");
        let (a, b) = (place.summary("whole"), place.summary("parts"));
        for name in [
            "time",
            "risk",
            "margin_f1",
            "best_margin_f1",
            "best_step",
            "dead",
            "largest_weight",
            "balance_drift",
            "informative",
            "kernel_drift",
            "direction_cosine",
            "atoms",
        ] {
            assert_eq!(a["runs"][0][name], b["runs"][0][name], "{engine} {name}");
        }
        place.fails(
            "resume parts --steps 10",
            2,
            &["has taken 300 steps already"],
        );
        place.fails("resume nowhere", 2, &["nowhere", "not a run folder"]);
    }
}

/// A folder of an earlier version, without newer columns and keys.
#[test]
fn a_folder_without_the_geometry_resumes() {
    let place = TestFolder::new();
    place.put("e.toml", SMALL);
    place.ok("run e.toml --out a --engine cpu");
    let path = place.path("a/metrics.csv");
    let old: Vec<String> = std::fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| line.split(',').take(13).collect::<Vec<_>>().join(","))
        .collect();
    assert!(old[0].ends_with("margin_f2"), "{}", old[0]);
    std::fs::write(&path, old.join("\n")).unwrap();
    let mut summary = place.summary("a");
    let run = summary["runs"][0].as_object_mut().unwrap();
    for name in ["atoms", "dead", "kernel_drift", "informative"] {
        run.remove(name).unwrap();
    }
    place.put("a/summary.json", &summary.to_string());
    place.ok("resume a --steps 400");
    let csv = std::fs::read_to_string(&path).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|l| l.split(',').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 19));
    assert!(rows[1][13].is_empty() && !rows.last().unwrap()[13].is_empty());
}

/// Starts a long run of the experiment in a.toml and interrupts it with Ctrl-C; returns the step
/// reached and the last message.
#[cfg(unix)]
fn interrupted(place: &TestFolder) -> (u64, String) {
    let child = place
        .command("run a.toml --out a --engine cpu")
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let first = place.path("a/runs/000/checkpoint-000000000000.safetensors");
    while !first.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    let pid = child.id().to_string();
    std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(130));
    let steps = place.summary("a")["runs"][0]["steps"].as_u64().unwrap();
    assert!(steps > 0 && steps < 2_000_000, "{steps}");
    (steps, text(&out.stderr))
}

/// Ctrl-C leaves a checkpoint and exit code 130; a resumed run ends like an uninterrupted one.
#[cfg(unix)]
#[test]
fn interrupt_and_resume() {
    let place = TestFolder::new();
    place.put("a.toml", &SMALL.replace("steps = 300", "steps = 2000000"));
    let (steps, said) = interrupted(&place);
    // Nothing is drawn yet; the message gives the command that draws it.
    assert!(!place.path("a/report.html").exists() && !place.path("a/figures").exists());
    let command = said.lines().find_map(|line| {
        let line = line.trim().strip_prefix("widefield plot ")?;
        line.strip_suffix(" draws what there is so far, and its page")
    });
    place.ok(&format!(
        "plot {}",
        command.unwrap_or_else(|| panic!("{said}"))
    ));
    assert!(place.path("a/report.html").exists() && place.path("a/figures/risk.png").exists());
    let more = steps + 500;
    place.ok(&format!("resume a --steps {more}"));
    place.ok(&format!(
        "run a.toml --out b --engine cpu --set flow.steps={more}"
    ));
    let particles =
        |dir: &str| std::fs::read(place.path(dir).join("runs/000/particles.npz")).unwrap();
    assert!(particles("a") == particles("b"));
}

/// The summary of an interrupted run equals that of a run that ends at this step, also if a
/// stopping criterion is checked between the records.
#[cfg(unix)]
#[test]
fn an_interrupted_run_is_summed_up_whole() {
    for stop in ["", "stop = { risk = -1e300 }"] {
        let place = TestFolder::new();
        let steps = format!("steps = 2000000\n{stop}");
        place.put("a.toml", &SMALL.replace("steps = 300", &steps));
        let (steps, _) = interrupted(&place);
        place.ok(&format!(
            "run a.toml --out b --engine cpu --set flow.steps={steps}"
        ));
        let (a, b) = (place.summary("a"), place.summary("b"));
        let (a, b) = (a["runs"][0].clone(), b["runs"][0].clone());
        for (key, value) in b.as_object().unwrap() {
            // The two runs take best margins at other steps.
            if !key.starts_with("best_") {
                assert_eq!(&a[key], value, "{key}, {stop}");
            }
        }
        assert!(b["kernel_drift"].is_f64() && b["atoms"].is_f64(), "{b}");
    }
}

/// Runs of different d are trained one after another, so an interrupt may leave some without a
/// checkpoint. Every command handles the other runs and reports the missing ones; resume trains
/// all.
#[cfg(unix)]
#[test]
fn an_interrupt_before_a_later_batch_leaves_a_whole_folder() {
    let place = TestFolder::new();
    let grid = "[grid]\n\"data.d\" = [4, 6]\n\"network.width\" = [8, 16]\n";
    let small = SMALL.replace("steps = 300", "steps = 2000000");
    place.put("a.toml", &format!("{small}{grid}"));
    interrupted(&place);
    let missing = "2 of 4 runs were never started, the first of them run 2";
    let runs = |place: &TestFolder| place.summary("a")["runs"].as_array().unwrap().len();
    assert_eq!(runs(&place), 2);
    for command in ["report a", "plot a"] {
        place.ok(command);
        let page = std::fs::read_to_string(place.path("a/report.html")).unwrap();
        assert!(page.contains(missing), "{command}");
    }
    let out = place.run("certify a --probes 200 --no-plots");
    let said = text(&out.stderr);
    assert!(out.status.success() && said.contains(missing), "{said}");
    let said = place.ok("compare a");
    assert!(said.contains(missing), "{said}");
    let never = ["runs/003", "never started", "widefield resume a"];
    place.fails("certify a --run 3", 2, &never);
    // Enough for those that are on their way already.
    let steps = place.summary("a")["runs"][0]["steps"].as_u64().unwrap() + 10;
    let out = place.run(&format!("resume a --steps {steps}"));
    let said = text(&out.stderr);
    assert!(out.status.success() && !said.contains("never"), "{said}");
    assert_eq!(runs(&place), 4);
    let page = std::fs::read_to_string(place.path("a/report.html")).unwrap();
    assert!(!page.contains("never started"));
    assert!(!place.ok("compare a").contains("never started"));
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let place = TestFolder::new();
    place.put("e.toml", SMALL);
    place.ok("run e.toml --out whole --engine cpu");
    place.ok("run e.toml --out a --engine cpu");
    let newest = place.path("a/runs/000/checkpoint-000000000300.safetensors");
    let bytes = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, &bytes[..100]).unwrap();
    let out = place.run("resume a");
    assert!(out.status.success());
    assert!(
        text(&out.stderr).contains("passing over"),
        "{}",
        text(&out.stderr)
    );
    assert_eq!(results(&place.path("whole")), results(&place.path("a")));
}
