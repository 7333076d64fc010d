//! What the program says to those whose files and commands are a little wrong.

mod common;

use common::place::{Place, text};

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

/// A place with an experiment on this csv file.
fn with_data(rows: &str) -> Place {
    let place = Place::new();
    place.put("e.toml", FILE);
    place.put("data.csv", rows);
    place
}

/// certificate.json of a folder.
fn certificates(place: &Place, dir: &str) -> serde_json::Value {
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
    assert!(said.contains("its columns are: 0.125, 7.5"), "{said}");
    assert!(!said.contains("did you mean"), "{said}");
    with_data("u,y\n1.5,1\n2.5,-1\n").ok("run e.toml --out a --engine cpu --no-plots");
}

#[test]
fn a_whole_number_as_numpy_prints_it() {
    let place = with_data("u,y\n1,1\n");
    let run = "run e.toml --out a --set";
    place.refuses(
        &format!("{run} flow.steps=1e5"),
        &["flow.steps", "float", "written out: 100000"],
    );
    let out = place.run(&format!("{run} flow.steps=1.5"));
    assert!(!text(&out.stderr).contains("written out"));
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

/// A smaller step is no remedy for a start that is too large.
#[test]
fn a_start_beyond_single_precision() {
    let place = with_data("u,y\n1,1\n2,-1\n");
    let run = "run e.toml --out a --engine cpu --set init.scale_w=1e30";
    place.fails(run, 1, &["after 0 steps", "smaller weights"]);
    assert!(!text(&place.run(&format!("{run} --force")).stderr).contains("smaller step"));
}

/// No gap, but nothing to be proud of either.
#[test]
fn an_optimum_of_zero_is_told_as_what_it_is() {
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
    assert!(said.contains("the run is within"), "{said}");
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

/// Widths share the optimum of their data; other data have their own.
#[test]
fn runs_on_the_same_data_have_the_same_optimum() {
    let place = Place::new();
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

/// Where the maximum over the sphere has to be searched, an aim may take long: it is announced.
#[test]
fn a_gap_to_stop_at_is_solved_for_aloud() {
    let place = Place::new();
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

/// What is in hand may take minutes: the optimum to stop at, in many dimensions.
#[cfg(unix)]
#[test]
fn a_second_interrupt_stops_at_once() {
    use std::io::{BufRead, BufReader};
    let place = Place::new();
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
