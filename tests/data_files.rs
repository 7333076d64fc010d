//! Invalid or unusual data files, as the commands handle them.

mod common;

use common::test_folder::{TestFolder, text};

const FILE: &str = r#"
[data]
source = "file"
path = "data.csv"
target = "y"
[network]
width = 20
[init]
kind = "gaussian"
[risk]
loss = "softmin"
[flow]
steps = 50
step = 0.5
"#;

/// A folder with an experiment on this csv file.
fn with_data(rows: &str) -> TestFolder {
    let place = TestFolder::new();
    place.put("e.toml", FILE);
    place.put("data.csv", rows);
    place
}

const RUN: &str = "run e.toml --out a --engine cpu --no-plots";

/// 1/√2 is the largest margin of (−1, 1) and (1, 1) with labels 1 and −1.
#[test]
fn rows_that_single_precision_merges_are_reported_and_standardised() {
    let place = with_data("x,y\n1000,1\n1000.00001,-1\n");
    let run = format!("{RUN} --set data.bias=true");
    let out = place.run(&run);
    let said = text(&out.stderr);
    assert!(out.status.success(), "{said}");
    for wanted in [
        "data.csv: rows 0 and 1 (counted from 0) have the targets 1 and -1",
        "become equal in single precision",
        "data.standardize = true",
    ] {
        assert!(said.contains(wanted), "no {wanted} in {said}");
    }
    let out = place.run(&format!("{run} --set data.standardize=true --force"));
    let said = text(&out.stderr);
    assert!(
        out.status.success() && !said.contains("become equal"),
        "{said}"
    );
    place.ok("certify a --no-plots");
    let bytes = std::fs::read(place.path("a/certificate.json")).unwrap();
    let certificates: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let upper = certificates[0]["optimum_upper"].as_f64().unwrap();
    assert!((upper - 0.5_f64.sqrt()).abs() < 1e-6, "{upper}");
}

#[test]
fn numbers_that_single_precision_would_change_are_refused() {
    for value in ["1e-46", "1e-42", "1e39"] {
        let place = with_data(&format!("x,y\n{value},1\n-1,-1\n"));
        let wanted = [
            "data.csv",
            "in row 0",
            "single precision",
            "data.standardize",
        ];
        place.refuses(RUN, &wanted);
    }
    let place = TestFolder::new();
    let run = "run xor --out a --engine cpu --set flow.steps=1 --set init.scale_w";
    place.refuses(
        &format!("{run}=1e-40"),
        &["init.scale_w", "1.2e-38 and more"],
    );
}

/// The columns of new inputs may stand in any order.
#[test]
fn new_inputs_are_matched_by_name() {
    let place = with_data("a,b,y\n1,0,1\n0.9,0.2,1\n0,1,-1\n0.1,0.8,-1\n");
    place.ok(RUN);
    place.put("same.csv", "a,b\n1,0\n0,1\n");
    place.put("new.csv", "b,a\n0,1\n1,0\n");
    let same = place.ok("predict a --data same.csv");
    assert_eq!(place.ok("predict a --data new.csv"), same);
    let values: Vec<f64> = same.lines().skip(1).map(|v| v.parse().unwrap()).collect();
    assert_ne!(values[0], values[1]);
    place.put("other.csv", "b,c\n0,1\n");
    let wanted = [
        "other.csv: lacks the columns a, and has",
        "c",
        "any order: a, b",
    ];
    place.refuses("predict a --data other.csv", &wanted);
    place.ok("run e.toml --out b --engine cpu --no-plots --set network.width=40");
    place.refuses("compare a b --data other.csv", &wanted);
    place.ok("compare a b --data new.csv --no-plots");
}

/// Data that does not fit in memory is refused with its size, before it is allocated.
#[test]
fn sizes_beyond_memory() {
    let place = TestFolder::new();
    let run = "run xor --out a --engine cpu --set";
    let wanted = [
        "network.width",
        "1000000000000000",
        "4000000000000000 bytes",
    ];
    place.refuses(&format!("{run} network.width=1000000000000000"), &wanted);
    let wanted = [
        "network.width",
        "16000016016000000 bytes (16.0 PB) of memory",
        "free here",
    ];
    place.refuses(
        &format!("{run} network.width=4000000000 --set data.d=1000000"),
        &wanted,
    );
    let wanted = ["data.d", "bytes", "of memory", "lower data.n"];
    let run = "run quick --out a --engine reference --set grid.network.width=[2] --set";
    place.refuses(
        &format!("{run} data.n=4000000000 --set data.d=4000000000"),
        &wanted,
    );
}

/// The folder where a relative path starts depends on where the path is given.
#[test]
fn a_path_in_a_file_starts_at_that_file() {
    let place = TestFolder::new();
    std::fs::create_dir(place.path("sub")).unwrap();
    place.put("sub/e.toml", FILE);
    let wanted = ["sub/data.csv", "starts at the folder of that file"];
    place.refuses("run sub/e.toml --out a --engine cpu", &wanted);
}
