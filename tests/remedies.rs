//! Messages of the program about small mistakes in files and commands.

mod common;

use common::test_folder::{TestFolder, text};

const FILE: &str = r#"
[data]
source = "file"
path = "data.csv"
target = "y"
[network]
width = 10
[risk]
loss = "logistic"
[flow]
steps = 20
step = 0.5
"#;

/// A folder with an experiment on this csv file.
fn with_data(rows: &str) -> TestFolder {
    let place = TestFolder::new();
    place.put("e.toml", FILE);
    place.put("data.csv", rows);
    place
}

/// certificate.json of a folder.
fn certificates(place: &TestFolder, dir: &str) -> serde_json::Value {
    let bytes = std::fs::read(place.path(dir).join("certificate.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_csv_file_that_is_not_what_it_seems() {
    let refuses = |rows: &str, texts: &[&str]| {
        with_data(rows).refuses("run e.toml --out a", texts);
    };
    // As pandas writes its index: row numbers would be an input.
    let index = ["data.csv", "column 0", "has no name", "index=False"];
    refuses(",u,y\n0,1.5,1\n1,2.5,-1\n", &index);
    let missing = ["data.csv:3", "column `u` is empty", "leave out rows"];
    refuses("u,v,y\n1,1,1\n,2,-1\n", &missing);
    refuses("", &["data.csv", "is empty", "line of names"]);
    refuses("u;y\n1;1\n", &["data.csv", "`u;y`", "commas"]);
    refuses("u\ty\n1\t1\n", &["data.csv", "commas"]);
    with_data("u,label\n1,1\n").refuses(
        "run e.toml --out a --set data.target=lable",
        &["no column `lable`", "did you mean `label`?"],
    );
    let out = with_data("0.125,7.5\n1,1\n").run("run e.toml --out a");
    let said = text(&out.stderr);
    assert!(
        said.contains("holds numbers where the names of the columns belong"),
        "{said}"
    );
    assert!(said.contains("0.125, 7.5"), "{said}");
    assert!(!said.contains("did you mean"), "{said}");
    with_data("u,y\n1.5,1\n2.5,-1\n").ok("run e.toml --out a --engine cpu --no-plots");
}

#[test]
fn a_whole_number_as_numpy_prints_it() {
    let place = with_data("u,y\n1,1\n");
    let run = "run e.toml --engine cpu --no-plots --out a --set";
    place.refuses(
        &format!("{run} flow.steps=1.5"),
        &["flow.steps", "found a float, 1.5", "a whole number"],
    );
    place.ok(&format!("{run} flow.steps=2e1"));
    assert_eq!(place.summary("a")["runs"][0]["steps"], 20);
    place.ok("resume a --no-plots --steps 1e2");
    assert_eq!(place.summary("a")["runs"][0]["steps"], 100);
    for steps in ["1.5", "nan", "-1e3", "1e30", "many"] {
        let refused = format!("resume a --steps={steps}");
        place.refuses(
            &refused,
            &["--steps", "a whole number such as 100000 or 1e5"],
        );
    }
    place.refuses(
        &format!("{run} flow.steps="),
        &["has no value", "--unset KEY"],
    );
}

/// All mistakes of a file are reported, in the order of its lines.
#[test]
fn all_mistakes_of_a_file_at_once() {
    let place = TestFolder::new();
    let file = FILE
        .replace("width = 10", "widht = 10")
        .replace("step = 0.5", "step = -1");
    place.put("e.toml", &file.replace("\"logistic\"", "\"logistik\""));
    let out = place.run("run e.toml --out a --set data.n=0");
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    let errors: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    for (error, wanted) in errors.iter().zip([
        "e.toml:7: network.widht: is not a key",
        "e.toml:9: risk.loss: found a string, \"logistik\"",
        "e.toml:12: flow.step: found an integer, -1",
        "--set data.n=0: found an integer, 0",
    ]) {
        assert!(error.contains(wanted), "{error}: no {wanted}");
    }
    assert_eq!(errors.len(), 4, "{said}");
    assert!(
        said.contains("did you mean network.width?") && said.contains("did you mean logistic?")
    );
    assert!(!place.path("a").exists());
}

#[test]
fn a_key_is_taken_out() {
    let place = TestFolder::new();
    let show =
        place.ok("show quick --unset grid.seed --unset data.test --set grid.network.width=[4,8]");
    assert!(
        !show.contains("seed = [") && show.contains("test = 0"),
        "{show}"
    );
    place.refuses(
        "show quick --unset flow.stop",
        &["--unset flow.stop", "is not given"],
    );
}

const CLAIM: &str = r#"
data.source = "xor"
network.width = 8
risk.loss = "softmin"
flow.steps = 20
flow.step = 0.1
data.test = 0
[grid]
"network.width" = [8, 16]
"#;

/// A failed claim gives an exit code that a script can see; figures and verdicts are written.
#[test]
fn a_claim_that_fails_fails_the_run() {
    let place = TestFolder::new();
    let check =
        |claim: &str, rest: &str| format!("[expect.\"{claim}\"]\nvalue = \"risk\"\n{rest}\n");
    let held = check("the risk is a number", "at_most = 1e9");
    let broken = check("the risk is huge", "at_least = 1e9");
    let elsewhere = check("wide", "of = { \"network.width\" = 64 }\nat_most = 1e9");
    place.put("a.toml", &format!("{CLAIM}{held}{broken}{elsewhere}"));
    let out = place.run("run a.toml --out a --engine cpu");
    let (said, table) = (text(&out.stderr), text(&out.stdout));
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(
        said.contains("1 of 3 claims fails\n  the risk is huge\n"),
        "{said}"
    );
    assert!(
        table.contains("not judged") && table.contains("no run has network.width = 64"),
        "{table}"
    );
    for name in ["report.html", "verdicts.json", "summary.json", "figures"] {
        assert!(place.path("a").join(name).exists(), "{name}");
    }
    let page = std::fs::read_to_string(place.path("a/report.html")).unwrap();
    assert!(
        page.contains("1 of 3 claims of the experiment hold; 1 not judged"),
        "{page}"
    );
    assert_eq!(place.run("resume a --no-plots").status.code(), Some(1));
    let json = place.run("run a.toml --out c --engine cpu --json --no-plots");
    assert_eq!(json.status.code(), Some(1));
    serde_json::from_slice::<serde_json::Value>(&json.stdout).unwrap();
    // A claim that cannot be judged does not fail.
    place.put("b.toml", &format!("{CLAIM}{held}{elsewhere}"));
    place.ok("run b.toml --out b --engine cpu --no-plots");
}

/// With both kinds of quotes in the name of a claim, the folder can be opened again.
#[test]
fn a_claim_is_named_as_its_author_likes() {
    let place = TestFolder::new();
    let claim = "[expect.\"it's \\\"so\\\"\"]\nvalue = \"risk\"\nat_most = 10.0\n";
    place.put("a.toml", &format!("{CLAIM}{claim}"));
    for command in [
        "run a.toml --engine cpu --no-plots --out a",
        "resume a --no-plots",
    ] {
        assert!(place.ok(command).contains("it's \"so\""), "{command}");
    }
}

#[test]
fn what_became_of_a_stop_rule_is_reported() {
    let place = TestFolder::new();
    let said = |sets: &str, out: &str| {
        let ran = place.run(&format!(
            "run xor --engine cpu --no-plots --set network.width=64 --set grid.seed=[1,2] --out {out} {sets}"
        ));
        let said = text(&ran.stderr);
        assert!(ran.status.success(), "{said}");
        let stopped = |k: usize| place.summary(out)["runs"][k]["stopped_by"].clone();
        (said, [stopped(0), stopped(1)])
    };
    let rule = "--set flow.stop={risk=-0.4} --set flow.steps";
    let (met, by) = said(&format!("{rule}=5000"), "a");
    assert!(
        met.contains("flow.stop ended 2 of 2 runs; run 0 met { risk = -0.4 } at step "),
        "{met}"
    );
    assert_eq!(by, ["risk", "risk"]);
    let (unmet, by) = said(&format!("{rule}=2"), "b");
    let wanted = "2 of 2 runs took all steps; run 0 did not meet flow.stop = { risk = -0.4 }: none of its states did";
    assert!(unmet.contains(wanted), "{unmet}");
    assert_eq!(by, [serde_json::Value::Null, serde_json::Value::Null]);
    let (at_once, by) = said("--set flow.stop={risk=1e9} --set flow.steps=5", "c");
    assert!(
        at_once.contains("met { risk = 1000000000 } before its first step"),
        "{at_once}"
    );
    assert_eq!(by, ["risk", "risk"]);
    let never = "--set flow.stop={risk=-1} --set risk.loss=logistic --set flow.steps=5";
    let (never, _) = said(never, "d");
    let why = "flow.stop = { risk = -1 } is never met: the logistic risk is always above 0";
    assert_eq!(never.matches(why).count(), 1, "{never}");
    let (none, _) = said("--set flow.steps=5", "e");
    assert!(!none.contains("flow.stop"), "{none}");
    let (gap, by) = said("--set flow.stop={gap=0.5} --set flow.steps=20000", "f");
    assert!(gap.contains("met { gap = 0.5 } at step"), "{gap}");
    assert_eq!(by, ["gap", "gap"]);
}

/// If every neuron is dead the program says so, since a constant risk alone would not show why.
#[test]
fn a_network_without_a_live_neuron_is_reported() {
    let place = with_data("u,y\n1,1\n2,-1\n");
    let dead = "every neuron is dead in 1 of 2 runs, the first of them run ";
    let run = |sets: &str| {
        let command =
            format!("run e.toml --engine cpu --no-plots --force --set flow.steps=3 --out a {sets}");
        text(&place.run(&command).stderr)
    };
    // For positive inputs a single neuron is dead or not by the sign of w; twenty seeds give both.
    let seeds = (1..=20).map(|seed| run(&format!("--set network.width=1 --set seed={seed}")));
    let said: Vec<bool> = seeds
        .map(|said| said.contains("every neuron is dead"))
        .collect();
    assert!(said.contains(&true) && said.contains(&false), "{said:?}");
    let seed = |dead: bool| 1 + said.iter().position(|is| *is == dead).unwrap();
    let both = format!(
        "--set network.width=1 --set grid.seed=[{},{}]",
        seed(false),
        seed(true)
    );
    let output = run(&both);
    assert!(
        output.contains(&format!("{dead}1: no sample activates any")),
        "{output}"
    );
}

#[test]
fn a_place_that_cannot_be_written_to() {
    let place = with_data("u,y\n1,1\n2,-1\n");
    let said = text(
        &place
            .run("run e.toml --out a --engine cpu --no-plots")
            .stderr,
    );
    assert!(said.contains("1 run in "), "{said}");
    let out = place.run("predict a --data data.csv --out none/f.npy");
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write none/f.npy"), "{said}");
    assert!(said.contains("folder cannot be found"), "{said}");
    assert!(!said.contains(".widefield-"), "{said}");
}

/// For initial weights that are too large the message does not advise a smaller step.
#[test]
fn a_start_beyond_single_precision() {
    let place = with_data("u,y\n1,1\n2,-1\n");
    let run = "run e.toml --out a --engine cpu --set init.scale_w=1e30";
    place.fails(run, 1, &["after 0 steps", "smaller weights"]);
    assert!(!text(&place.run(&format!("{run} --force")).stderr).contains("smaller step"));
}

/// A gap of 0 because the optimum itself is 0 is reported as such.
#[test]
fn an_optimum_of_zero_is_reported_as_such() {
    let place = with_data("u,v,y\n1,2,1\n1,2,-1\n");
    place.ok("run e.toml --out a --engine cpu");
    let said = place.ok("certify a");
    assert!(said.contains("rows 0 and 1 of the training data"), "{said}");
    assert!(
        said.contains("are equal and have different labels"),
        "{said}"
    );
    assert!(!said.contains("the run is within"), "{said}");
    let page = std::fs::read_to_string(place.path("a/report.html")).unwrap();
    assert!(page.contains("No margin is above 0"));
    place.put("data.csv", "u,v,y\n1,2,1\n2,1,-1\n");
    place.ok("run e.toml --out b --engine cpu --no-plots");
    let said = place.ok("certify b --no-plots");
    assert!(said.contains("the run reached no margin above 0"), "{said}");
    assert!(!said.contains("no network"), "{said}");
}

#[test]
fn an_optimum_has_its_digits_whatever_the_units_of_the_data() {
    let place = with_data("u,v,y\n1e-20,2e-20,1\n2e-20,1e-20,-1\n");
    place.ok("run e.toml --out a --engine cpu --no-plots");
    let said = place.ok("certify a --no-plots");
    let upper = certificates(&place, "a")[0]["optimum_upper"].as_f64();
    let upper = upper.filter(|&u| u > 0.0 && u < 1e-19).unwrap();
    assert!(said.contains(&format!("{upper:.8e}")), "{said}");
    assert!(said.contains("the largest margin_f1 is "), "{said}");
}

/// Runs of different widths on the same data share the optimum; other data has its own.
#[test]
fn runs_on_the_same_data_have_the_same_optimum() {
    let place = TestFolder::new();
    place.ok(
        "run quick --out a --engine cpu --no-plots --set flow.steps=100 --set data.n=12 --set data.d=4 \
         --set grid.network.width=[4,32] --set grid.seed=[1,2]",
    );
    place.ok("certify a --no-plots --probes 200");
    let all = certificates(&place, "a");
    let bounds = |k: usize| {
        [
            all[k]["optimum_lower"].clone(),
            all[k]["optimum_upper"].clone(),
        ]
    };
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert_eq!([bounds(0), bounds(1)], [bounds(2), bounds(3)]);
    assert_ne!(bounds(0), bounds(1));
}

/// If the maximum over the sphere has to be searched, solving for the optimum of a gap may take
/// long, so it is announced.
#[test]
fn a_gap_to_stop_at_is_solved_for_aloud() {
    let place = TestFolder::new();
    let run = "run quick --engine cpu --no-plots --set data.n=12 --set grid.network.width=[8] \
               --set grid.seed=[1] --set flow.steps=100 --set flow.stop={gap=0.9}";
    for (d, is_searched) in [(3, false), (4, true)] {
        let out = place.run(&format!("{run} --set data.d={d} --out {d}"));
        let said = text(&out.stderr);
        assert!(out.status.success(), "{said}");
        assert_eq!(
            said.contains("solving for the optimum"),
            is_searched,
            "{said}"
        );
        assert!(!is_searched || said.contains(&format!("n = 12, d = {d}")));
    }
}

#[test]
fn an_adapter_that_is_not_there() {
    let place = with_data("u,y\n1,1\n2,-1\n");
    let texts = ["--adapter abacus", "contains it", "--engine cpu"];
    place.refuses("run e.toml --out a --adapter abacus", &texts);
}

/// A second Ctrl-C stops at once, even during a computation of minutes: here the optimum for a gap,
/// in many dimensions.
#[cfg(unix)]
#[test]
fn a_second_interrupt_stops_at_once() {
    use std::io::{BufRead, BufReader};
    let place = TestFolder::new();
    let slow = r#"
[data]
source = "clusters"
k = 3
n = 400
d = 30
[network]
width = 10
[risk]
loss = "softmin"
[flow]
steps = 10
step = 0.5
stop = { gap = 1e-4 }
"#;
    place.put("e.toml", slow);
    let mut child = place
        .command("run e.toml --out a --engine cpu")
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut heard = |words: &str| said.any(|line| line.unwrap().contains(words));
    let pid = child.id().to_string();
    let interrupt = || {
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args(["-INT", &pid]).status().unwrap().success());
    };
    assert!(heard("solving for the optimum"));
    interrupt();
    assert!(heard("Ctrl-C again stops at once"));
    assert_eq!(child.try_wait().unwrap(), None);
    interrupt();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!place.path("a/summary.json").exists());
}
