//! A run that starts from the particles of another run.

mod common;

use common::test_folder::TestFolder;

const FIRST: &str = r#"
[data]
source = "clusters"
n = 16
d = 3
test = 0
[network]
width = 33
[risk]
loss = "softmin"
[flow]
steps = 50
step = 0.5
schedule = "constant"
[output]
snapshots = 0
records = 5
"#;

/// A column of metrics.csv, first and last row.
fn ends(place: &TestFolder, dir: &str, column: &str) -> (f64, f64) {
    let csv = std::fs::read_to_string(place.path(dir).join("metrics.csv")).unwrap();
    let mut names = csv.lines().next().unwrap().split(',');
    let at = names.position(|name| name == column).unwrap();
    let values = csv.lines().skip(1).map(|line| line.split(',').nth(at));
    let values: Vec<f64> = values.map(|v| v.unwrap().parse().unwrap()).collect();
    (values[0], values[values.len() - 1])
}

/// The run continues from the end of the other, bit for bit if the state is stored in f32, and
/// measures its drift from its own start.
#[test]
fn it_goes_on_and_measures_from_there() {
    // Initial particles are rounded to f32.
    for (engine, rounding) in [("cpu", 0.0), ("reference", 1e-6)] {
        let place = TestFolder::new();
        place.put("e.toml", FIRST);
        let run = |out: &str, more: &str| {
            place.ok(&format!("run e.toml --engine {engine} --out {out} {more}"));
        };
        run("straight", "--set flow.steps=100");
        run("first", "");
        let path = place.path("first/runs/000/particles.npz");
        let path = path.display();
        run(
            "second",
            &format!("--set init.kind=file --set init.path={path}"),
        );
        let (_, wanted) = ends(&place, "straight", "risk");
        let from = |dir: &str| (ends(&place, dir, "risk").1 - wanted).abs();
        assert!(from("second") <= rounding, "{engine}: {}", from("second"));
        assert!(from("first") > 1e-3, "{engine}: {}", from("first"));
        let (start, end) = ends(&place, "second", "balance_drift");
        assert_eq!(start, 0.0, "{engine}");
        let (_, whole) = ends(&place, "straight", "balance_drift");
        assert!(0.0 < end && end != whole, "{engine}: {end}, {whole}");
    }
}
