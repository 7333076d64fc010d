//! `widefield compare` from the command line.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

const SMALL: &str = r#"
[data]
source = "teacher"
n = 12
d = 3
test = 9
[network]
width = 16
[init]
widths = "disjoint"
[risk]
loss = "square"
[flow]
steps = 20
step = 0.5
[output]
snapshots = 0
records = 2
"#;

const GRID: &str = r#"
[grid]
"network.width" = [8, 16, 32]
"init.seed" = [1, 2, 3, 4]
"#;

/// A temporary folder in which a test runs the program.
struct TestFolder {
    dir: tempfile::TempDir,
}

impl TestFolder {
    /// A folder with the experiment e.toml.
    fn with(experiment: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("e.toml"), experiment).unwrap();
        TestFolder { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_widefield"))
            .current_dir(&self.dir)
            .args(args.split_whitespace())
            .output()
            .unwrap()
    }

    /// Runs, expects success, returns stdout.
    fn ok(&self, args: &str) -> String {
        let out = self.run(args);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "{args}: {said}");
        String::from_utf8(out.stdout).unwrap()
    }

    /// Trains e.toml into a folder.
    fn train(&self, out: &str, more: &str) {
        self.ok(&format!(
            "run e.toml --engine cpu --quiet --out {out} {more}"
        ));
    }

    fn json(&self, args: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("compare {args} --json --no-plots"))).unwrap()
    }

    /// Expects exit code 2, these texts, and that no comparison is written.
    fn refuses(&self, args: &str, texts: &[&str]) {
        let out = self.run(&format!("compare {args}"));
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{args}: {said}");
        for wanted in texts {
            assert!(said.contains(wanted), "{args}: no {wanted:?} in: {said}");
        }
        let dirs = std::fs::read_dir(&self.dir).unwrap();
        for dir in dirs {
            let file = dir.unwrap().path().join("compare.json");
            assert!(!file.exists(), "{args} wrote {}", file.display());
        }
    }
}

fn notes(report: &Value) -> String {
    report["notes"].to_string()
}

fn gap<'a>(pair: &'a Value, quantity: &str, inputs: Option<&str>) -> &'a Value {
    let gaps = pair["gaps"].as_array().unwrap().iter();
    let mut found =
        gaps.filter(|gap| gap["quantity"] == quantity && gap["inputs"].as_str() == inputs);
    found.next().unwrap()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_grid_of_widths_is_compared_beside_its_noise_floor() {
    let place = TestFolder::with(&format!("{SMALL}{GRID}"));
    place.train("a", "");
    let report = place.json("a");
    assert_eq!(report["folders"], serde_json::json!(["a"]));
    assert_eq!(report["projections"], 128);
    assert_eq!(report["ensembles"].as_array().unwrap().len(), 3);
    assert_eq!(
        report["ensembles"][0]["runs"],
        serde_json::json!([0, 1, 2, 3])
    );
    assert_eq!(
        report["ensembles"][0]["steps"],
        serde_json::json!([20, 20, 20, 20])
    );
    assert!(number(&report["ensembles"][0]["mass_plus"]) > 0.0);
    let pairs = report["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 3);
    for pair in pairs {
        assert_eq!(pair["relation"], "independent");
        assert_eq!(pair["pairs"], 16);
        for part in ["train", "test"] {
            for quantity in ["prediction_rms", "prediction_max", "prediction_relative"] {
                let gap = gap(pair, quantity, Some(part));
                assert!(number(&gap["value"]) > 0.0 && number(&gap["floor"]) > 0.0);
                let [a, b] = ["floor_a", "floor_b"].map(|f| number(&gap[f]));
                let both = ((a * a + b * b) / 2.0).sqrt();
                assert!((number(&gap["floor"]) - both).abs() <= 1e-12 * both);
            }
        }
        for quantity in ["mass_plus", "mass_minus", "w2_directions", "w2_raw"] {
            let gap = gap(pair, quantity, None);
            assert!(number(&gap["value"]) > 0.0 && number(&gap["floor"]) > 0.0);
        }
    }
    let variance = report["variance"].as_array().unwrap();
    assert_eq!(variance.len(), 2);
    assert_eq!(variance[0]["inputs"], "train");
    let widths = variance[1]["widths"].as_array().unwrap();
    let sizes: Vec<&Value> = widths.iter().map(|at| &at["width"]).collect();
    assert_eq!(sizes, [8, 16, 32]);
    assert_eq!(widths[0]["exponent_from"], variance[1]["exponent"]);
    assert!(number(&widths[1]["exponent_from"]) < 0.0);
    assert!(widths[2]["exponent_from"].is_null());
    assert!(number(&widths[2]["variance"]) > 0.0);
    assert_eq!(
        (&variance[1]["seeds"], &variance[1]["nested"]),
        (&4.into(), &false.into())
    );
    assert!(number(&variance[1]["exponent"]) < 0.0);
    assert!(number(&variance[1]["standard_error"]) > 0.0);
    assert_eq!(notes(&report), "[]");
    // The same figures again, in the file and in a second call.
    let text = std::fs::read(place.path("a/compare.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), report);
    assert_eq!(place.json("a"), report);
    let mut csv = csv::Reader::from_path(place.path("a/compare.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    // Three pairs of six prediction gaps and four others; two variances at three widths.
    assert_eq!(rows.len(), 3 * 10 + 2 * 3);
    let table = place.ok("compare a --out b.c");
    for wanted in ["W2 directions", "floor", "exponent -", "theory -1"] {
        assert!(table.contains(wanted), "no {wanted:?} in {table}");
    }
    assert!(place.path("b.c.csv").exists() && place.path("b.c.json").exists());
}

/// Law 8 on a small example: the variance between seeds falls with the width, with the fitted
/// exponent near −1.
#[test]
fn the_variance_falls_with_the_width() {
    let place = TestFolder::with(&format!("{SMALL}{GRID}"));
    let seeds: Vec<String> = (1..=24).map(|seed| seed.to_string()).collect();
    place.train(
        "a",
        &format!(
            "--set grid.\"init.seed\"=[{}] --set grid.\"network.width\"=[64,256,1024]",
            seeds.join(",")
        ),
    );
    for of in place.json("a")["variance"].as_array().unwrap() {
        let (exponent, error) = (number(&of["exponent"]), number(&of["standard_error"]));
        assert!(error < 0.15, "{of}");
        assert!((exponent + 1.0).abs() <= 3.0 * error, "{of}");
    }
}

#[test]
fn nested_widths_are_said_to_be_nested() {
    let place = TestFolder::with(&format!("{SMALL}{GRID}"));
    place.train("a", "--set init.widths=nested");
    let report = place.json("a");
    assert!(
        notes(&report).contains("widths are nested"),
        "{}",
        notes(&report)
    );
    assert_eq!(report["variance"][0]["nested"], true);
    assert_eq!(report["pairs"][0]["relation"], "independent");
    assert_eq!(report["pairs"][0]["pairs"], 12);
    // With one seed the pair is nested, and there is no noise floor.
    place.train("one", "--set init.widths=nested --set init.seed=1");
    let report = place.json("one");
    assert_eq!(report["pairs"][0]["relation"], "nested");
    assert!(gap(&report["pairs"][0], "prediction_rms", Some("test"))["floor"].is_null());
    assert!(
        notes(&report).contains("sweep init.seed"),
        "{}",
        notes(&report)
    );
    assert_eq!(report["variance"], serde_json::json!([]));
    assert!(place.ok("compare one").contains("note: widths are nested"));
}

/// The experiment's seed draws the data too, so runs of different seeds give no noise floor.
#[test]
fn seeds_that_draw_the_data_are_kept_apart() {
    let place = TestFolder::with(&format!(
        "{SMALL}[grid]\n\"network.width\" = [8, 16]\nseed = [1, 2]\n"
    ));
    place.train("a", "");
    let report = place.json("a");
    let pairs = report["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 2);
    for pair in pairs {
        let end = |e: &str| &report["ensembles"][pair[e].as_u64().unwrap() as usize];
        assert_eq!(end("a")["parameters"], end("b")["parameters"]);
        assert!(gap(pair, "prediction_rms", Some("train"))["floor"].is_null());
    }
    assert!(
        notes(&report).contains("seed draws the data too"),
        "{}",
        notes(&report)
    );
}

#[test]
fn two_folders_are_compared_on_what_they_share() {
    let place = TestFolder::with(&format!("{SMALL}{GRID}"));
    place.train("a", "--set network.width=8");
    place.train("b", "--set network.width=32 --set init.seed=1");
    place.train(
        "more",
        "--set network.width=32 --set data.n=20 --set init.seed=9",
    );
    let report = place.json("a b");
    assert_eq!(report["folders"], serde_json::json!(["a", "b"]));
    let pair = &report["pairs"][0];
    assert_eq!(pair["pairs"], 4);
    let rms = gap(pair, "prediction_rms", Some("train"));
    assert!(
        rms["floor_b"].is_null() && rms["floor"] == rms["floor_a"],
        "{rms}"
    );
    // More training samples: the test inputs are still the same.
    let report = place.json("a more");
    assert_eq!(report["pairs"][0]["gaps"][0]["inputs"], "test");
    // The distance of a network from itself is 0.
    let report = place.json("b b");
    assert_eq!(report["pairs"][0]["relation"], "same");
    for gap in report["pairs"][0]["gaps"].as_array().unwrap() {
        assert_eq!(number(&gap["value"]), 0.0, "{gap}");
    }
    // The gap on new inputs equals that of the predictions by `predict`.
    std::fs::write(place.path("new.csv"), "u,v,w\n1,2,3\n-1,0.5,2\n").unwrap();
    place.train("c", "--set network.width=16 --set init.seed=3 --set seed=5");
    let report = place.json("b c --data new.csv");
    let f = |dir: &str| -> Vec<f64> {
        let text = place.ok(&format!("predict {dir} --data new.csv"));
        text.lines()
            .skip(1)
            .map(|line| line.parse().unwrap())
            .collect()
    };
    let gaps = f("b")
        .into_iter()
        .zip(f("c"))
        .map(|(f, g)| (f - g) * (f - g));
    let expected = (gaps.sum::<f64>() / 2.0).sqrt();
    let found = number(&gap(&report["pairs"][0], "prediction_rms", Some("file"))["value"]);
    assert!(
        (found - expected).abs() <= 1e-12 * expected,
        "{found} {expected}"
    );
}

#[test]
fn what_cannot_be_compared_is_refused_with_the_reason() {
    let place = TestFolder::with(SMALL);
    place.train("a", "");
    place.train("wider", "--set data.d=4");
    place.train("other", "--set seed=2");
    place.train("grid-a", "--set grid.\"flow.step\"=[0.5]");
    place.train("grid-b", "--set grid.\"flow.step\"=[0.25]");
    place.refuses("a", &["a: has nothing to compare", "network.width"]);
    place.refuses("a wider", &["a and wider", "3 and 4 dimensions"]);
    place.refuses("a other", &["a and other", "in common", "--data"]);
    place.refuses("grid-a grid-b", &["no values in common"]);
    place.refuses("a nowhere", &["nowhere", "not a run folder"]);
    place.refuses("a other --data none.npy", &["none.npy"]);
    place.refuses("a other --projections 0", &["--projections"]);
    place.refuses("a a --out none/x", &["--out none/x", "no folder none"]);
    let checkpoints = place.path("other/runs/000");
    std::fs::remove_dir_all(checkpoints).unwrap();
    place.refuses(
        "other other",
        &["has no checkpoint", "widefield resume other"],
    );
}

/// A comparison belongs to a step: when runs continue it is out of date, and the page says so.
#[test]
fn a_comparison_of_an_earlier_step_is_reported() {
    let place = TestFolder::with(&format!("{SMALL}{GRID}"));
    place.ok("run e.toml --out a --engine cpu --quiet --no-plots");
    place.ok("compare a");
    place.ok("report a");
    let page = || std::fs::read_to_string(place.path("a/report.html")).unwrap();
    let law = "The variance of the prediction between 4 seeds falls like m to the power";
    let outdated = "compare.json is of step 20, and the training went on";
    assert!(page().contains(law) && !page().contains(outdated));
    let out = place.run("resume a --steps 30");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        said.contains(outdated) && said.contains("`widefield compare a`"),
        "{said}"
    );
    assert!(!page().contains(law) && page().contains(outdated));
    place.ok("compare a");
    place.ok("report a");
    assert!(page().contains(law) && !page().contains(outdated));
    std::fs::write(place.path("a/compare.json"), "{").unwrap();
    let out = place.run("report a");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("compare.json: is damaged"), "{said}");
}

/// Two folders compared with each other: both pages say so, and which runs have continued since.
#[test]
fn either_page_tells_what_is_beside_it() {
    let place = TestFolder::with(&format!("{SMALL}{GRID}"));
    place.train("a", "--no-plots --set network.width=8");
    place.train("b", "--no-plots --set network.width=32");
    place.ok("compare a b");
    let read = |file: &str| std::fs::read_to_string(place.path(file)).unwrap();
    let page = |dir: &str| {
        place.ok(&format!("report {dir}"));
        read(&format!("{dir}/report.html"))
    };
    let [a, b] = [page("a"), page("b")];
    // An existing page is rewritten.
    std::fs::write(place.path("b/report.html"), "old").unwrap();
    place.ok("compare a b");
    assert_eq!(b, read("b/report.html"));
    for (page, other, here, there) in [(&a, "b", 8, 32), (&b, "a", 32, 8)] {
        for wanted in [
            format!("Beside {other}, the predictions differ by "),
            " times the noise floor".into(),
            format!("<td>m = {here}</td><td>m = {there}</td><td>test</td>"),
            format!("compare-with-{other}.csv"),
        ] {
            assert!(page.contains(&wanted), "no {wanted} in {page}");
        }
    }
    // Both files have the same gap, each with the floor of its own folder first.
    let gaps = |file: &str| {
        let report: Value = serde_json::from_str(&read(file)).unwrap();
        let rms = gap(&report["pairs"][0], "prediction_rms", Some("test"));
        ["value", "floor_a", "floor_b"].map(|key| number(&rms[key]))
    };
    let [from_a, from_b] = ["a/compare-with-b.json", "b/compare-with-a.json"].map(gaps);
    assert_eq!(from_a, [from_b[0], from_b[2], from_b[1]]);
    assert_ne!(from_a[1], from_a[2]);
    assert!(read("b/compare-with-a.csv").contains("prediction_rms"));
    // The page also shows the comparison of the folder's own widths.
    let law = "The variance of the prediction between 4 seeds";
    place.train("c", "--no-plots");
    place.ok("compare c");
    place.ok("compare c b");
    let c = page("c");
    assert!(c.contains(law) && c.contains("Beside b, "), "{c}");
    // When b continues, both pages and the command say that the comparison is of an earlier step.
    let out = place.run("resume b --steps 30 --no-plots");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        said.contains("`widefield compare b a` makes them anew"),
        "{said}"
    );
    for (dir, wanted) in [
        (
            "b",
            "compare-with-a.json is of step 20, and the training went on",
        ),
        (
            "a",
            "compare-with-b.json is of step 20 of b, and the training went on",
        ),
    ] {
        let page = page(dir);
        assert!(page.contains(wanted), "no {wanted} in {page}");
        assert!(!page.contains("times the noise floor"), "{page}");
    }
    // Training a folder anew removes its comparisons.
    place.train("b", "--no-plots --force --set network.width=32");
    assert!(!place.path("b/compare-with-a.json").exists());
}
