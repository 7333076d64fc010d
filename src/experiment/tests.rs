//! Whole files: which ones load, the resulting experiments, and the message of each mistake.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use toml::Value;

use super::*;
use crate::model::{Loss, Scaling, Train};

mod claims;
mod docs;
mod mistakes;

/// A file with every required key; each test changes some of it.
const SMALL: &str = r#"
data.source = "clusters"
network.width = 8
risk.loss = "softmin"
flow.steps = 10
flow.step = 0.5
"#;

fn load_text(text: &str, sets: &[&str]) -> Result<Grid> {
    let folder = TempDir::new().unwrap();
    load_in(folder.path(), text, sets)
}

fn load_in(folder: &Path, text: &str, sets: &[&str]) -> Result<Grid> {
    let path = folder.join("exp.toml");
    fs::write(&path, text).unwrap();
    let sets: Vec<_> = sets.iter().map(|set| set.to_string()).collect();
    load(path.to_str().unwrap(), &sets)
}

/// Loads a file with these keys removed and these overrides applied.
fn load_without(text: &str, unset: &[&str], sets: &[&str]) -> Result<Grid> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("exp.toml");
    fs::write(&path, text).unwrap();
    let owned = |all: &[&str]| -> Vec<String> { all.iter().map(ToString::to_string).collect() };
    let (unset, sets) = (owned(unset), owned(sets));
    let changes = Changes {
        unset: &unset,
        sets: &sets,
    };
    load_changed(path.to_str().unwrap(), Form::Full, &changes)
}

/// The first run of SMALL with these overrides.
fn first(sets: &[&str]) -> Experiment {
    load_text(SMALL, sets)
        .unwrap()
        .runs
        .swap_remove(0)
        .experiment
}

fn widths(grid: &Grid) -> Vec<usize> {
    grid.runs
        .iter()
        .map(|run| run.experiment.network.width)
        .collect()
}

/// The example file of INTERFACE.md, verbatim.
const INTERFACE: &str = include_str!("tests/interface.toml");

#[test]
fn the_example_of_the_interface_loads() {
    let gap = load_text(INTERFACE, &[]).unwrap();
    assert_eq!(gap.runs[0].experiment.flow.stop, Some(Stop::Gap(1e-3)));
    let grid = load_text(INTERFACE, &["flow.stop={ seconds = 3600 }"]).unwrap();
    assert_eq!(grid.runs.len(), 24);
    let run = &grid.runs[4];
    assert_eq!(run.parameters["network.width"], Value::Integer(16));
    assert_eq!(run.parameters["seed"], Value::Integer(2));
    let e = &run.experiment;
    assert_eq!((e.title.as_str(), e.seed), ("Margin against width", 2));
    assert_eq!(
        (e.data.n, e.data.d, e.data.test),
        (Some(256), Some(15), 4000)
    );
    assert_eq!((e.network.width, e.network.alpha()), (16, 1.0));
    assert_eq!(
        (e.init.kind, e.risk.loss),
        (InitKind::Gaussian, Loss::SOFTMIN)
    );
    assert_eq!((e.flow.steps, e.flow.step), (50_000, 0.5));
    assert_eq!(e.flow.schedule, Schedule::InverseSqrt);
    assert_eq!(e.flow.stop, Some(Stop::Seconds(3600.0)));
    assert_eq!((e.output.records, e.output.snapshots), (200, 40));
}

#[test]
fn five_keys_are_enough() {
    let e = first(&[]);
    assert_eq!(e.title, "exp");
    assert_eq!(e.seed, 1);
    assert_eq!(
        (e.data.n, e.data.d, e.data.test, e.data.k),
        (Some(256), Some(15), 0, 3)
    );
    assert_eq!(e.network.train, Train::Both);
    assert_eq!(e.network.scaling, Scaling::MeanField);
    assert_eq!(
        (e.init.scale_w, e.init.scale_a, e.init.doubled),
        (1.0, 1.0, false)
    );
    assert_eq!(e.init.widths, Widths::Nested);
    assert_eq!(e.flow.schedule, Schedule::Constant);
    assert_eq!((e.flow.stop, e.norm_scaled()), (None, false));
    let run = &load_text(SMALL, &[]).unwrap().runs[0];
    assert!(run.parameters.is_empty());
}

#[test]
fn particles_may_have_a_seed_of_their_own() {
    assert_eq!(first(&[]).init.seed, None);
    let grid = load_text(SMALL, &["seed=3", "grid.\"init.seed\"=[1, 2]"]).unwrap();
    let seeds = |run: &GridRun| (run.experiment.seed, run.experiment.init.seed);
    let seeds: Vec<_> = grid.runs.iter().map(seeds).collect();
    assert_eq!(seeds, [(3, Some(1)), (3, Some(2))]);
    let error = load_text(SMALL, &["init.kind=file", "init.path=p.npz", "init.seed=1"]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("init.seed"), "{error}");
    assert!(error.contains("does not apply to"), "{error}");
}

#[test]
fn forms_of_values() {
    let scaling = |value| {
        first(&[&format!("network.scaling={value}")])
            .network
            .alpha()
    };
    assert_eq!(scaling("ntk"), 8_f64.sqrt());
    assert_eq!(scaling("{ alpha = 10 }"), 10.0);
    let schedule = |value| first(&[&format!("flow.schedule={value}")]).flow.schedule;
    assert_eq!(schedule("{ power = 0.3 }"), Schedule::Power(0.3));
    assert_eq!(schedule("cosine"), Schedule::Cosine);
    assert_eq!(
        first(&["flow.stop.risk=1e-3"]).flow.stop,
        Some(Stop::Risk(1e-3))
    );
    for &loss in Loss::ALL {
        let word = match loss.parameter() {
            Some((_, value)) => format!("{{ {} = {value} }}", loss.name()),
            None => loss.name().into(),
        };
        assert_eq!(first(&[&format!("risk.loss={word}")]).risk.loss, loss);
    }
}

#[test]
fn sources_fix_what_they_must() {
    let of = |source: &str| first(&[&format!("data.source={source}"), "risk.loss=square"]).data;
    assert_eq!((of("xor").n, of("xor").d), (Some(4), Some(2)));
    assert_eq!((of("circle").n, of("circle").d), (Some(256), Some(2)));
    let data = of("interpolation");
    assert_eq!((data.n, data.d), (Some(4), Some(2)));
    assert_eq!(data.points.unwrap()[1], [-1.0 / 16.0, 0.5]);
    let file = first(&["data.source=file", "data.path=x.npz"]).data;
    assert_eq!((file.n, file.d), (None, None));
}

#[test]
fn norm_scaled_follows_the_trained_layers() {
    let grid = ["grid.network.train=[\"both\", \"output\"]"];
    let scaled = |value: &str| -> Vec<bool> {
        let sets = [grid[0], &format!("flow.norm_scaled={value}")];
        let runs = load_text(SMALL, &sets).unwrap().runs;
        runs.iter()
            .map(|run| run.experiment.norm_scaled())
            .collect()
    };
    assert_eq!(scaled("false"), [false, false]);
    assert_eq!(scaled("true"), [true, true]);
    assert_eq!(scaled("output"), [false, true]);
}

#[test]
fn the_first_key_of_the_grid_varies_slowest() {
    let text = format!("{SMALL}[grid]\nseed = [7, 5]\n\"network.width\" = [4, 2, 3]\n");
    let grid = load_text(&text, &[]).unwrap();
    assert_eq!(widths(&grid), [4, 2, 3, 4, 2, 3]);
    let seeds: Vec<_> = grid.runs.iter().map(|run| run.experiment.seed).collect();
    assert_eq!(seeds, [7, 7, 7, 5, 5, 5]);
    let keys: Vec<_> = grid.runs[0].parameters.keys().collect();
    assert_eq!(keys, ["seed", "network.width"]);
}

#[test]
fn sets_override_in_order() {
    let grid = |sets: &[&str]| widths(&load_text(SMALL, sets).unwrap());
    assert_eq!(grid(&["network.width=5"]), [5]);
    assert_eq!(grid(&["grid.network.width=[8, 16]"]), [8, 16]);
    assert_eq!(grid(&["grid.\"network.width\"=[8,16]"]), [8, 16]);
    assert_eq!(grid(&["grid.network.width=[8,16]", "network.width=5"]), [5]);
    assert_eq!(
        grid(&["network.width=5", "grid.network.width=[8,16]"]),
        [8, 16]
    );
    assert_eq!(grid(&["grid.seed=[1,2]", "grid.seed=[3]"]), [8]);
    assert_eq!(first(&["title=a-bare_word"]).title, "a-bare_word");
    assert_eq!(first(&["title=\"two words\""]).title, "two words");
    assert_eq!(first(&["title=two = words"]).title, "two = words");
}

#[test]
fn keys_sections_and_claims_are_taken_out() {
    let text = format!(
        "{SMALL}flow.stop = {{ risk = 1.0 }}\ndata.test = 5\nseed = 7\n[grid]\nseed = [1, 2]\n\"network.width\" = [2, 4]\n\
         [expect.\"it's \\\"so\\\"\"]\nvalue = \"risk\"\nat_most = 1\nat_least = 0\n[expect.b]\nvalue = \"risk\"\nat_most = 2\n"
    );
    let without =
        |unset: &[&str]| load_without(&text, unset, &[]).unwrap_or_else(|e| panic!("{e}"));
    let spec = |grid: &Grid| grid.runs[0].experiment.clone();
    assert_eq!(spec(&without(&[])).flow.stop, Some(Stop::Risk(1.0)));
    assert_eq!(spec(&without(&["flow.stop"])).flow.stop, None);
    assert_eq!(spec(&without(&["data.test"])).data.test, 0);
    let runs = |unset: &[&str]| without(unset).runs.len();
    assert_eq!(
        [runs(&[]), runs(&["grid.seed"]), runs(&["grid"])],
        [4, 2, 1]
    );
    assert_eq!(runs(&["grid.\"network.width\""]), 2);
    assert_eq!(runs(&["grid.network"]), 2);
    assert_eq!(spec(&without(&["grid.seed"])).seed, 7);
    assert_eq!(spec(&without(&["grid", "seed"])).seed, 1);
    let claims = |unset: &[&str]| -> Vec<String> {
        let grid = without(unset);
        grid.expect
            .iter()
            .map(|check| check.claim.clone())
            .collect()
    };
    assert_eq!(claims(&["expect"]).len(), 0);
    assert_eq!(claims(&["expect.b"]), ["it's \"so\""]);
    assert_eq!(claims(&["expect.\"it's \\\"so\\\"\""]), ["b"]);
    let bound = without(&["expect.\"it's \\\"so\\\"\".at_least"]).expect[0].at_least;
    assert_eq!(bound, None);
    // Keys are removed before any --set applies, so --set can give the key again.
    let grid = load_without(&text, &["seed", "grid"], &["seed=3"]).unwrap();
    assert_eq!(spec(&grid).seed, 3);
}

#[test]
fn whole_numbers_may_be_written_as_floats() {
    let e = first(&[
        "flow.steps=1e3",
        "network.width=1e6",
        "seed=2e0",
        "data.n=1.6e1",
    ]);
    assert_eq!((e.flow.steps, e.network.width), (1000, 1_000_000));
    assert_eq!((e.seed, e.data.n), (2, Some(16)));
    let grid = load_text(SMALL, &["grid.network.width=[1e1, 20]"]).unwrap();
    assert_eq!(widths(&grid), [10, 20]);
    assert_round_trip(&grid);
    for value_error in [
        "flow.steps=1.5",
        "flow.steps=1e30",
        "network.width=1e10",
        "flow.steps=-1e3",
        "seed=nan",
    ] {
        assert!(load_text(SMALL, &[value_error]).is_err(), "{value_error}");
    }
}

/// Text as a TOML string in which every character is escaped.
fn escaped(text: &str) -> String {
    let each = text.chars().map(|c| format!("\\U{:08x}", u32::from(c)));
    format!("\"{}\"", each.collect::<String>())
}

/// A run folder can be read again whatever characters a title, column, path or claim contains.
#[test]
fn odd_names_are_written_and_read_again() {
    const PARTS: [&str; 24] = [
        "\"",
        "'",
        "\"\"\"",
        "\'\'\'",
        "\\",
        "\n",
        "\r",
        "\r\n",
        "\t",
        "\0",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{85}",
        ".",
        "=",
        "#",
        "[grid]",
        " ",
        "é",
        "\u{202e}",
        "\u{feff}",
        "日",
        "👩\u{200d}🔬",
        "a_b-9",
    ];
    let mut state = 7_u64;
    let mut below = |most: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % most
    };
    for case in 0..600 {
        let mut text = |least: usize| -> String {
            let count = least + below(6);
            (0..count).map(|_| PARTS[below(PARTS.len())]).collect()
        };
        let (title, target, file, claim) = (text(0), text(0), text(1), text(0));
        let claim: String = claim.chars().filter(|c| !c.is_control()).collect();
        let file: String = file.chars().filter(|c| !matches!(c, '\0' | '/')).collect();
        let toml = format!(
            "title = {}\n{}\ndata.path = {}\ndata.target = {}\n[expect.{}]\nvalue = \"risk\"\nat_most = {case}\n",
            escaped(&title),
            SMALL.replace("clusters", "file"),
            escaped(&format!("{file}.csv")),
            escaped(&target),
            escaped(&claim),
        );
        let grid = load_text(&toml, &[]).unwrap_or_else(|error| panic!("{error}\n{toml}"));
        let e = &grid.runs[0].experiment;
        assert_eq!(e.title, title);
        assert_eq!(e.data.target.as_ref(), Some(&target));
        assert_eq!(grid.expect[0].claim, claim);
        assert_round_trip(&grid);
    }
}

#[test]
fn paths_start_at_the_file_or_at_the_current_folder() {
    let folder = TempDir::new().unwrap();
    let text = SMALL.replace("clusters\"", "file\"\ndata.path = \"sub/x.npz\"");
    let data = |sets: &[&str]| {
        load_in(folder.path(), &text, sets).unwrap().runs[0]
            .experiment
            .data
            .clone()
    };
    assert_eq!(data(&[]).path.unwrap(), folder.path().join("sub/x.npz"));
    let here = std::env::current_dir().unwrap();
    assert_eq!(data(&["data.path=y.npz"]).path.unwrap(), here.join("y.npz"));
    let grid = load_in(
        folder.path(),
        &text,
        &["grid.data.path=[\"y.npz\", \"/z.npz\"]"],
    )
    .unwrap();
    let swept = grid.runs[0].parameters["data.path"].as_str().unwrap();
    assert_eq!(Path::new(swept), here.join("y.npz"));
}

/// Checks that a resolved file, read in another folder, gives the same grid and the same text.
fn assert_round_trip(grid: &Grid) {
    let text = grid.to_toml();
    let again = load_text(&text, &[]).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(&again, grid, "{text}");
    assert_eq!(again.to_toml(), text);
}

#[test]
fn resolved_files_load_again() {
    let text = load_text(SMALL, &["network.scaling={ alpha = 10 }"])
        .unwrap()
        .to_toml();
    for line in [
        "title = \"exp\"",
        "[flow]",
        "alpha = 10.0 }",
        "integrator = \"euler\"",
        "batch = 0",
        "temperature = 0.0",
        "state = \"f32\"",
        "fresh = false",
        "compensated = false",
        "k = 3",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    for sets in [
        &[
            "network.scaling={ alpha = 10 }",
            "flow.stop={ risk = 1e-9 }",
            "seed=9223372036854775807",
        ][..],
        &[
            "data.source=interpolation",
            "risk.loss=square",
            "grid.init.scale_a=[0, 5.5, 50]",
        ],
        &[
            "data.source=file",
            "data.path=a-idx3-ubyte.gz",
            "data.targets_path=b-idx1-ubyte",
            "data.classes=[3, 8]",
        ],
        // The defaults of d, n and k depend on the source; the meaning of the scales depends on the
        // kind.
        &[
            "grid.data.source=[\"xor\", \"clusters\"]",
            "grid.init.kind=[\"balanced\", \"sphere\"]",
        ],
        &[
            "grid.network.scaling=[{ alpha = 2.0 }, \"ntk\"]",
            "grid.seed=[3, 1]",
            "title=\"a \\\"b\\\" \\n[grid]\"",
        ],
    ] {
        assert_round_trip(&load_text(SMALL, sets).unwrap());
    }
    assert_round_trip(&load_text(INTERFACE, &["flow.stop.seconds=1"]).unwrap());
}

#[test]
fn every_embedded_experiment_loads() {
    for preset in presets() {
        let grid = load(preset.name, &[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(grid.document["title"].as_str(), Some(preset.title()));
        assert_round_trip(&grid);
        if !grid.expect.is_empty() {
            let quick = load_form(preset.name, Form::Quick, &[]);
            assert_round_trip(&quick.unwrap_or_else(|error| panic!("{error}")));
        }
    }
    let count = |name: &str| load(name, &[]).unwrap().runs.len();
    assert_eq!(count("margin-vs-width") % 8, 0);
    assert_eq!(count("error-vs-samples") % 10, 0);
    assert_eq!(count("error-vs-dimension") % 10, 0);
    assert_eq!(count("interpolation"), 8);
}
