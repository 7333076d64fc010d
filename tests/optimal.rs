//! Distance to the optimum: `widefield certify`, its polished networks, and runs that stop at a
//! gap.

mod common;

use std::path::PathBuf;

use common::oracle;
use common::test_folder::{TestFolder, text};
use serde_json::Value;

/// An experiment on XOR, whose optima are known: γ1 = 1/4, γ2 = √(1/2 − 1/π)/2 with Gaussian
/// features.
const XOR: &str = r#"
title = "XOR"
[data]
source = "xor"
[network]
width = 256
[init]
kind = "gaussian"
[risk]
loss = "softmin"
[flow]
steps = 4000
step = 0.5
schedule = "inverse-sqrt"
[output]
snapshots = 0
records = 5
"#;

fn gamma2() -> f64 {
    (0.5 - 1.0 / std::f64::consts::PI).sqrt() / 2.0
}

fn certified(place: &TestFolder, args: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(&place.ok(&format!("certify {args} --json"))).unwrap();
    let written = std::fs::read(place.path("a/certificate.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), all);
    all.as_array().unwrap().clone()
}

fn number(of: &Value, key: &str) -> f64 {
    of[key].as_f64().unwrap()
}

#[test]
fn xor_is_certified_and_polished() {
    for (d, proof) in [(2, true), (3, true), (10, false)] {
        let place = TestFolder::new();
        place.put("xor.toml", XOR);
        place.ok(&format!("run xor.toml --out a --set data.d={d} --quiet"));
        let found = certified(&place, "a --polish");
        let (lower, upper) = (number(&found[0], "lower"), number(&found[0], "upper"));
        assert!(
            lower >= 0.24 && upper <= 0.2500001 && lower <= upper,
            "{found:?}"
        );
        assert_eq!(found[0]["certified"], proof);
        assert_eq!(number(&found[0], "probes") >= 10_000.0, !proof);
        for side in ["optimum_lower", "optimum_upper"] {
            assert!((number(&found[0], side) - 0.25).abs() <= 1e-6, "{found:?}");
        }
        assert!(found[0]["missing"].is_null(), "{found:?}");
        // The polished network from its file alone: its margin is γ1.
        let path = place.path("a/runs/000/polished.npz");
        let mut npz = widefield::store::NpzReader::open(&path).unwrap();
        let mut array = |name| npz.array(name, |npy| npy.into_vec::<f64>()).unwrap();
        let (w, a, f) = (array("w"), array("a"), array("f"));
        let m = a.len() as f64;
        let mass = w
            .chunks(d)
            .zip(&a)
            .map(|(w, a)| a.abs() * w.iter().map(|w| w * w).sum::<f64>().sqrt() / m);
        let tv: f64 = mass.sum();
        let y = [1.0, -1.0, -1.0, 1.0];
        let margin = |y: &[f64]| {
            let margins = f.iter().zip(y).map(|(f, y)| f * y / tv);
            margins.fold(f64::INFINITY, f64::min)
        };
        let signs: Vec<f64> = f.iter().map(|f| f.signum()).collect();
        assert!((margin(&signs) - 0.25).abs() <= 1e-6, "{f:?} {tv}");
        assert!(margin(&y.map(|y| -y)) < 0.25, "the twin passed");
        // And through the program, on the training inputs.
        let h = std::f64::consts::FRAC_1_SQRT_2;
        let pad = ",0".repeat(d - 2);
        let columns: Vec<String> = (0..d).map(|k| format!("x{k}")).collect();
        let rows = [(h, h), (h, -h), (-h, h), (-h, -h)].map(|(u, v)| format!("{u},{v}{pad}"));
        place.put(
            "x.csv",
            &format!("{}\n{}\n", columns.join(","), rows.join("\n")),
        );
        let output = place.ok("predict a --data x.csv --polished");
        let predictions: Vec<f64> = output.lines().skip(1).map(|l| l.parse().unwrap()).collect();
        assert_eq!(predictions.len(), 4);
        assert!(
            predictions
                .iter()
                .all(|f| (f.abs() / tv - 0.25).abs() <= 1e-6),
            "{predictions:?}"
        );
        place.fails("predict a --data x.csv --polished --run 1", 2, &["--run"]);
    }
}

/// Sets of four and five coordinates whose γ1 is known: their bounds are proved, and a proof without time says what
/// it has shown.
#[test]
fn margins_beyond_three_dimensions_are_proved() {
    for path in ["margin_d4", "margin_d5"].map(|name| oracle::paths(name)[0].clone()) {
        let place = oracle_set(&path);
        place.put("set.toml", &XOR.replace("source = \"xor\"", SET));
        place.ok("run set.toml --out a --quiet --no-plots");
        let found = &certified(&place, "a --prove --seconds 3600 --no-plots")[0];
        let known = ["gamma1_lower", "gamma1_upper"].map(|name| oracle::array(&path, name).0[0]);
        let holds = |found: &Value, gap: f64| {
            let upper = number(found, "optimum_upper");
            upper >= known[0] * (1.0 - 1e-9) && upper <= known[1] * (1.0 + 1e-4) / (1.0 - gap)
        };
        assert!(
            found["certified"] == true && found["proved"].is_null(),
            "{found:?}"
        );
        assert!(holds(found, 1e-3) && !holds(found, -1e-3), "{found:?}");
        let closer = &certified(&place, "a --prove --gap 1e-5 --seconds 3600 --no-plots")[0];
        assert!(
            closer["certified"] == true && holds(closer, 1e-5),
            "{closer:?}"
        );

        let early = &certified(&place, "a --prove --seconds 0 --no-plots")[0];
        let proved = &early["proved"];
        assert_eq!(early["certified"], false);
        assert!(
            number(early, "probes") >= 10_000.0 && holds(early, 0.0),
            "{early:?}"
        );
        assert!(
            number(proved, "upper") > number(early, "optimum_upper"),
            "{early:?}"
        );
        assert_eq!(number(proved, "lower"), number(early, "optimum_lower"));
        assert!(number(proved, "gap") > 1e-3 && number(proved, "cones") >= 1.0);
        let told = place.ok("certify a --prove --seconds 0 --no-plots");
        assert!(told.contains("proved in 0 s: it is at most"), "{told}");
    }
}

#[test]
fn a_penalised_risk_beyond_three_dimensions_is_proved() {
    let place = oracle_set(&oracle::paths("margin_d4")[0]);
    let decay = XOR.replace("source = \"xor\"", SET);
    let decay = decay
        .replace("softmin", "square")
        .replace("step = 0.5", "step = 0.1");
    place.put(
        "decay.toml",
        &decay.replace("[risk]", "[risk]\nweight_decay = 1e-3"),
    );
    place.ok("run decay.toml --out a --quiet --no-plots");
    let searched = &certified(&place, "a --no-plots")[0];
    let found = &certified(&place, "a --prove --seconds 3600 --no-plots")[0];
    assert!(
        searched["certified"] == false && found["certified"] == true,
        "{found:?}"
    );
    assert_eq!(
        number(found, "optimum_upper"),
        number(searched, "optimum_upper")
    );
    let [proved, known] = [found, searched].map(|found| number(found, "optimum_lower"));
    assert!(
        proved <= known && proved >= known * (1.0 - 3e-3),
        "{proved}, {known}"
    );
    let early = &certified(&place, "a --prove --seconds 0 --no-plots")[0];
    assert!(number(&early["proved"], "lower") < proved, "{early:?}");
    let told = place.ok("certify a --prove --seconds 0 --no-plots");
    assert!(told.contains("proved in 0 s: it is at least"), "{told}");

    for (wrong, flag) in [
        ("--gap 0", "--gap"),
        ("--gap 1", "--gap"),
        ("--seconds=-1", "--seconds"),
    ] {
        place.fails(&format!("certify a --prove {wrong}"), 2, &[flag]);
    }
    place.fails("certify a --gap 1e-3", 2, &["--prove"]);
}

/// The data section for `set.csv`.
const SET: &str = "source = \"file\"\npath = \"set.csv\"\ntarget = \"y\"";

/// A folder with the samples of a case as `set.csv`.
fn oracle_set(path: &PathBuf) -> TestFolder {
    let ((x, shape), (y, _)) = (oracle::array(path, "X"), oracle::array(path, "y"));
    let mut csv: String = (0..shape[1]).map(|k| format!("x{k},")).collect();
    csv.push_str("y\n");
    for (x, y) in x.chunks(shape[1]).zip(&y) {
        x.iter().for_each(|x| csv.push_str(&format!("{x},")));
        csv.push_str(&format!("{y}\n"));
    }
    let place = TestFolder::new();
    place.put("set.csv", &csv);
    place
}

/// Without half of the directions, or one of the signs, the optimum cannot be reached: the gap
/// stays, and the missing direction is given.
#[test]
fn bad_initialisations_are_caught() {
    // Where a moves, neurons with |a| < |w| may change their sign.
    for (kind, train) in [("half_space", "both"), ("one_sign", "input")] {
        let place = TestFolder::new();
        // On a line, half of the directions is one: the other sample is never seen.
        let line = "source = \"file\"\npath = \"line.csv\"\ntarget = \"y\"";
        place.put("line.csv", "x,y\n1,1\n-1,-1\n");
        let line = XOR.replace("source = \"xor\"", line);
        place.put("line.toml", &line.replace("gaussian", kind));
        place.put("good.toml", &line);
        place.ok("run good.toml --out a --quiet");
        let good = &certified(&place, "a")[0];
        assert!(number(good, "relative_gap") < 0.02, "{kind}: {good}");
        assert!(good["missing"].is_null(), "{kind}: {good}");
        place.ok(&format!(
            "run line.toml --out a --force --quiet --set network.train={train}"
        ));
        let found = &certified(&place, "a")[0];
        assert!(number(found, "relative_gap") > 0.2, "{kind}: {found}");
        assert!(
            (number(found, "upper") - 0.5).abs() <= 1e-6,
            "{kind}: {found}"
        );
        let missing = &found["missing"];
        assert!(number(missing, "share") > 0.1, "{kind}: {found}");
        assert!(number(missing, "degrees") > 10.0, "{kind}: {found}");
        let output = place.ok("certify a --quiet");
        assert!(output.contains("it has no particle"), "{output}");
    }
}

#[test]
fn output_only_runs_have_kernel_margins() {
    let place = TestFolder::new();
    place.put("xor.toml", XOR);
    place.ok("run xor.toml --out a --quiet --set network.train=output --set flow.norm_scaled=true --set network.width=2000");
    let found = certified(&place, "a");
    let kinds: Vec<_> = found.iter().map(|s| s["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["kernel_margin_features", "kernel_margin_law"]);
    for side in ["optimum_lower", "optimum_upper"] {
        assert!(
            (number(&found[1], side) - gamma2()).abs() <= 1e-6,
            "{found:?}"
        );
        assert!(
            (number(&found[0], side) / gamma2() - 1.0).abs() <= 0.1,
            "{found:?}"
        );
    }
    assert!(number(&found[0], "lower") > 0.9 * gamma2(), "{found:?}");
    assert!(number(&found[0], "lower") <= number(&found[0], "upper"));
    place.fails("certify a --polish", 2, &["--polish", "output layer"]);
}

/// If no network classifies every sample correctly, no polished network is written, and an older
/// one is removed.
#[test]
fn nothing_is_polished_where_there_is_no_margin() {
    let place = TestFolder::new();
    place.put("d.csv", "x,y\n1,1\n2,-1\n");
    place.put(
        "e.toml",
        "[data]\nsource = \"file\"\npath = \"d.csv\"\ntarget = \"y\"\nbias = false\n\
         [network]\nwidth = 8\n[risk]\nloss = \"softmin\"\n[flow]\nsteps = 3\nstep = 0.1\n",
    );
    place.ok("run e.toml --out a --quiet --no-plots");
    let polished = place.path("a/runs/000/polished.npz");
    std::fs::write(&polished, "of an earlier certificate").unwrap();
    let out = place.run("certify a --polish --no-plots");
    let said = text(&out.stderr);
    assert!(
        out.status.success() && said.contains("there is none to be written"),
        "{said}"
    );
    assert!(!polished.exists());
    place.fails(
        "predict a --data d.csv --polished",
        2,
        &["polished.npz", "is not there"],
    );
}

#[test]
fn a_run_stops_at_its_gap() {
    let place = TestFolder::new();
    place.put("xor.toml", XOR);
    place.ok("run xor.toml --out a --quiet --set flow.stop.gap=0.1");
    let run = &place.summary("a")["runs"][0];
    let (steps, best) = (number(run, "steps"), number(run, "best_margin_f1"));
    assert!(steps < 4000.0 && best >= 0.9 * 0.25, "{run}");
    let gap = number(&certified(&place, "a")[0], "relative_gap");
    assert!(gap <= 0.1 + 1e-5, "{gap}");
    // Decay: the least penalised risk.
    let decay =
        "--set risk.loss=logistic --set risk.weight_decay=0.02 --set flow.schedule=constant";
    place.ok(&format!(
        "run xor.toml --out a --force --quiet {decay} --set flow.stop.gap=0.01"
    ));
    let run = place.summary("a")["runs"][0].clone();
    assert!(number(&run, "steps") < 4000.0, "{run}");
    let found = &certified(&place, "a")[0];
    assert_eq!(found["kind"], "penalised");
    let (lower, upper) = (number(found, "lower"), number(found, "upper"));
    assert!(lower <= upper && upper <= 1.011 * lower, "{found}");
    assert!(
        (number(&run, "objective") / upper - 1.0).abs() <= 1e-5,
        "{found} {run}"
    );
    place.refuses(
        "run xor.toml --out b --set flow.stop.gap=0.1 --set network.train=output",
        &["flow.stop", "output layer"],
    );
    place.refuses(
        "run xor.toml --out b --set flow.stop.gap=0",
        &["flow.stop", "above 0"],
    );
}

#[test]
fn what_has_no_optimum_is_refused() {
    let place = TestFolder::new();
    place.put("xor.toml", &XOR.replace("softmin", "square"));
    place.ok("run xor.toml --out a --quiet --set flow.steps=10");
    place.refuses("certify a", &["run 0", "no optimum", "decay"]);
    place.refuses("certify nowhere", &["nowhere"]);
    place.refuses("certify a --run 3", &["run 3"]);
}

/// A certificate belongs to a step: it is reported as outdated once its run continues, and a new
/// certificate of one run keeps those of the others.
#[test]
fn certificates_of_an_earlier_step_are_distinguished() {
    let place = TestFolder::new();
    place.put("xor.toml", XOR);
    place.ok("run xor.toml --out a --engine cpu --quiet --no-plots --set flow.steps=200 --set grid.seed=[1,2]");
    place.ok("certify a --quiet");
    let page = || std::fs::read_to_string(place.path("a/report.html")).unwrap();
    let steps = || {
        let text = std::fs::read(place.path("a/certificate.json")).unwrap();
        let all: Vec<Value> = serde_json::from_slice(&text).unwrap();
        let of = |s: &Value| (number(s, "run") as u64, number(s, "step") as u64);
        all.iter().map(of).collect::<Vec<_>>()
    };
    let outdated = "the training went on";
    assert_eq!(steps(), [(0, 200), (1, 200)]);
    assert!(!page().contains(outdated));
    // Without further steps no certificate is outdated.
    let said = |args: &str| text(&place.run(args).stderr);
    assert!(!said("resume a").contains(outdated) && !page().contains(outdated));
    let output = said("resume a --steps 300");
    assert!(
        output.contains("2 certificates are of step 200"),
        "{output}"
    );
    assert!(page().contains("2 certificates are of step 200"));
    place.ok("certify a --run 1 --quiet");
    assert_eq!(steps(), [(0, 200), (1, 300)]);
    assert!(page().contains("1 certificate is of step 200"));
    place.ok("certify a --quiet");
    assert_eq!(steps(), [(0, 300), (1, 300)]);
    assert!(!page().contains(outdated));
}

/// A data set of a few rows, and the experiment that reads it.
fn rows(place: &TestFolder, csv: &str) {
    place.put("t.csv", csv);
    let file = "source = \"file\"\npath = \"t.csv\"\ntarget = \"y\"";
    let text = XOR.replace("source = \"xor\"", file);
    place.put("t.toml", &text.replace("steps = 4000", "steps = 200"));
}

const RUN: &str = "run t.toml --out a --force --quiet --no-plots --engine cpu";

#[test]
fn a_small_row_sets_the_scale() {
    let place = TestFolder::new();
    rows(&place, "a,b,y\n1e6,0,1\n0,1e-6,-1\n");
    place.ok(RUN);
    let found = &certified(&place, "a --no-plots")[0];
    for side in ["optimum_lower", "optimum_upper"] {
        assert!((number(found, side) / 1e-6 - 1.0).abs() <= 1e-6, "{found}");
    }
    assert!(number(found, "lower") <= number(found, "upper"), "{found}");
}

#[test]
fn rows_without_a_margin_are_named() {
    let place = TestFolder::new();
    let cases = [
        (
            "a,b,y\n1,0,1\n1,0,-1\n",
            "rows 0 and 1",
            r#"{"equal":[0,1]}"#,
        ),
        ("a,b,y\n1,0,1\n0,0,1\n", "row 1", r#"{"zero":1}"#),
        ("a,b,y\n1,2,1\n2,1,1\n2,4,-1\n", "row 2", r#"{"ray":[0,2]}"#),
    ];
    for (csv, named, conflict) in cases {
        rows(&place, csv);
        place.ok(RUN);
        let found = &certified(&place, "a --no-plots")[0];
        assert_eq!(found["conflict"].to_string(), conflict);
        assert_eq!(number(found, "optimum_upper"), 0.0);
        let output = place.ok("certify a --quiet");
        assert!(
            output.contains(&format!("is 0 (certified): {named} of the training data")),
            "{output}"
        );
        assert!(!output.contains("-0"), "{output}");
        place.fails(
            &format!("{RUN} --set flow.stop.gap=0.1"),
            2,
            &["flow.stop", named],
        );
        place.ok(&format!("{RUN} --set network.train=output"));
        let output = place.ok("certify a --quiet --no-plots");
        assert!(output.contains(named), "{output}");
    }
}

#[test]
fn an_optimum_without_neurons_is_a_network() {
    let place = TestFolder::new();
    rows(&place, "x,y\n1,1\n");
    place.ok(&format!(
        "{RUN} --set risk.loss=square --set risk.weight_decay=2"
    ));
    let found = &certified(&place, "a --polish --no-plots")[0];
    for side in ["optimum_lower", "optimum_upper"] {
        assert!((number(found, side) - 0.5).abs() <= 1e-9, "{found}");
    }
    place.put("x.csv", "x\n1\n-2\n");
    assert_eq!(
        place.ok("predict a --data x.csv --polished"),
        "f\n0.0\n0.0\n"
    );
}

/// For a run of one layer, the output says that the optimum is over networks with both layers free.
#[test]
fn what_was_compared_is_said() {
    let place = TestFolder::new();
    place.put("xor.toml", XOR);
    let decay = "--set risk.loss=logistic --set risk.weight_decay=0.02 --set flow.steps=200";
    for (layer, reported) in [("output", true), ("input", true), ("both", false)] {
        place.ok(&format!(
            "run xor.toml --out a --force --quiet --no-plots {decay} --set network.train={layer}"
        ));
        let output = place.ok("certify a --quiet --no-plots");
        let only = format!("it trains its {layer} layer alone");
        assert_eq!(output.contains(&only), reported, "{output}");
        assert_eq!(
            output.contains("layers are both free"),
            reported,
            "{output}"
        );
    }
}

/// The features of a network of finite width have their own margin, which may exceed that of their
/// law.
#[test]
fn a_margin_beyond_the_law_is_no_distance_of_zero() {
    let place = TestFolder::new();
    rows(&place, "a,b,y\n1,0,1\n");
    // With one sample the margin is the size of its features, which may exceed that of the law.
    let train = "--set network.train=output --set flow.norm_scaled=true --set flow.steps=2000";
    let mut beyond = 0;
    for seed in 1..=6 {
        place.ok(&format!("{RUN} {train} --set seed={seed}"));
        let found = &certified(&place, "a --no-plots")[1];
        assert_eq!(found["kind"], "kernel_margin_law");
        let (lower, upper) = (number(found, "lower"), number(found, "upper"));
        assert!(lower <= upper, "{found}");
        let reached = number(found, "reached");
        if reached > upper {
            beyond += 1;
            assert!(number(found, "gap") >= reached - upper, "{found}");
            let output = place.ok("certify a --quiet --no-plots");
            assert!(output.contains("a kernel of their own"), "{output}");
        }
    }
    assert!(beyond > 0);
}

#[test]
fn an_effort_that_is_none_is_refused() {
    let place = TestFolder::new();
    place.put("xor.toml", XOR);
    place.ok("run xor.toml --out a --quiet --no-plots --set flow.steps=10");
    for tolerance in ["nan", "inf", "0", "-0.0", "-1"] {
        let args = format!("certify a --tolerance={tolerance}");
        place.refuses(&args, &["--tolerance", "above 0"]);
    }
    place.refuses("certify a --probes 0", &["--probes"]);
    place.ok("certify a --no-plots --tolerance 0.1 --probes 1");
}

/// A run that cannot be certified is reported, and the others are certified.
#[test]
fn one_failure_does_not_stop_the_others() {
    let place = TestFolder::new();
    place.put("xor.toml", XOR);
    place.ok(
        "run xor.toml --out a --quiet --no-plots --set flow.steps=50 --set risk.loss=square \
         --set grid.risk.weight_decay=[0.0,0.1,0.2]",
    );
    let certified = || {
        let text = std::fs::read(place.path("a/certificate.json")).unwrap();
        let all: Vec<Value> = serde_json::from_slice(&text).unwrap();
        all.iter()
            .map(|s| number(s, "run") as u64)
            .collect::<Vec<_>>()
    };
    place.fails("certify a --no-plots", 2, &["run 0", "no optimum"]);
    assert_eq!(certified(), [1, 2]);
    std::fs::remove_file(place.path("a/certificate.json")).unwrap();
    for entry in std::fs::read_dir(place.path("a/runs/001")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("checkpoint-") {
            std::fs::write(path, "no checkpoint").unwrap();
        }
    }
    place.fails(
        "certify a --no-plots",
        2,
        &["run 0", "damaged", "2 of 3 runs failed: 0, 1"],
    );
    assert_eq!(certified(), [2]);
}

/// Of a run that diverged, certify and predict use the last finite state and say so.
#[test]
fn a_run_that_diverged_is_reported_as_one() {
    let place = TestFolder::new();
    rows(&place, "a,b,y\n1,2,1\n-1,0.5,-1\n2,-1,1\n");
    let huge = "--set risk.loss=logistic --set risk.weight_decay=1e6 --set flow.schedule=constant";
    place.fails(&format!("{RUN} {huge}"), 1, &["diverged"]);
    let step = place.summary("a")["runs"][0]["diverged_at"]
        .as_u64()
        .unwrap();
    let out = place.run("certify a --quiet --no-plots");
    let said = text(&out.stdout) + &text(&out.stderr);
    assert!(said.contains("diverged"), "{said}");
    for wrong in [" inf", "NaN", "951711232.0 %"] {
        assert!(!said.contains(wrong), "{said}");
    }
    if out.status.success() {
        assert!(
            said.contains(&format!("it diverged at step {step}")),
            "{said}"
        );
    }
    place.put("x.csv", "a,b\n1,2\n");
    let out = place.run("predict a --data x.csv");
    let said = text(&out.stdout) + &text(&out.stderr);
    assert!(said.contains("diverged"), "{said}");
}
