//! `widefield bench`.

use super::common;
use super::common::test_folder::{TestFolder, text};

#[test]
fn a_bench_prints_its_figures_as_json() {
    let place = TestFolder::new();
    let json = place.ok("bench --json --engine cpu --case 100,20,3 --case 3000,200,2");
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["engine"], "cpu");
    assert!(report["adapter"].is_string() && report["version"].is_string());
    for ceiling in ["fma_gflops", "copy_gb_per_s"] {
        assert!(report["ceilings"][ceiling].as_f64().unwrap() > 0.0);
    }
    // A case with a short cut is timed with it and with the direct kernels.
    let rows = report["cases"].as_array().unwrap();
    let methods: Vec<_> = rows.iter().map(|row| &row["method"]).collect();
    assert_eq!(methods, ["direct", "arcs", "direct"]);
    assert_eq!([&rows[0]["m"], &rows[0]["n"], &rows[0]["d"]], [100, 20, 3]);
    for row in rows {
        assert!(row["ms_per_step"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["particles_gb_per_s"].as_f64().unwrap() > 0.0, "{row}");
        let direct = row["method"] == "direct";
        assert_eq!(row["gflops"].is_number(), direct, "{row}");
        assert_eq!(row["share"].is_number(), direct, "{row}");
    }
    assert!(report["grid"].is_null());
}

#[test]
fn a_bench_prints_a_table_with_its_ceilings() {
    let place = TestFolder::new();
    let text = place.ok("bench --engine cpu --case 100,20,3");
    for part in [
        "cpu engine: ",
        "multiply-adds",
        "100, 20, 3",
        "direct",
        "ms per step",
    ] {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    // The reference engine has no ceiling.
    let json = place.ok("bench --json --engine reference --case 10,5,3");
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(report["ceilings"].is_null() && report["cases"][0]["share"].is_null());
}

#[test]
fn a_bench_runs_on_a_graphics_adapter() {
    let Some(adapter) = common::gpu_adapter() else {
        return;
    };
    let place = TestFolder::new();
    for state in ["f32", "f16"] {
        let asked = format!("bench --json --engine gpu --case 100,20,3 --state {state} --adapter");
        let out = place.command(&asked).arg(&adapter).output().unwrap();
        assert!(out.status.success(), "{}", text(&out.stderr));
        let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(
            (&report["engine"], &report["state"]),
            (&"gpu".into(), &state.into())
        );
        assert!(report["ceilings"]["fma_gflops"].as_f64().unwrap() > 0.0);
        assert!(report["cases"][0]["share"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn a_bad_case_is_refused_with_the_remedy() {
    let place = TestFolder::new();
    let remedy = "such as --case 100000,256,15";
    for (case, what) in [
        ("1000,256", "is not three whole numbers"),
        ("1000,256,fifteen", "is not three whole numbers"),
        ("1000,0,15", "has a 0"),
        ("9000000000000000000,256,15", "is larger than"),
    ] {
        place.refuses(&format!("bench --case {case}"), &["--case", what, remedy]);
    }
    place.refuses(
        "bench --engine cpu --adapter x",
        &["--adapter", "leave out"],
    );
    place.refuses(
        "bench --engine cpu --state f16",
        &["stored by the gpu engine", "--engine gpu"],
    );
}
