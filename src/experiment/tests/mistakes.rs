//! Each mistake and its message: location, value found, values allowed.
//!
//! A case is a line `mistake -> part | part | …`: the mistake is TOML (` ; ` for a new line) or
//! `--set` arguments, and the message must contain every part. SMALL has its required keys on the
//! lines 2 to 6; a mistake in one of them is on line 6, any other on line 7.

use super::*;

fn assert_cases(cases: &str) {
    for case in cases.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (mistake, parts) = case.split_once(" -> ").unwrap();
        let found = if mistake.starts_with("--set ") {
            let sets: Vec<_> = mistake.split("--set ").map(str::trim).skip(1).collect();
            load_text(SMALL, &sets)
        } else {
            let key = mistake.split(" = ").next();
            let kept = SMALL.lines().filter(|old| old.split(" = ").next() != key);
            let lines: Vec<_> = kept.chain(mistake.split(" ; ")).collect();
            load_text(&lines.join("\n"), &[])
        };
        if let Err(error) = &found {
            assert_eq!(
                error.each().len(),
                1,
                "nothing follows from {mistake}: {error}"
            );
        }
        assert_error(found, mistake, &parts.split(" | ").collect::<Vec<_>>());
    }
}

fn assert_error(found: Result<Grid>, mistake: &str, parts: &[&str]) {
    let Err(error) = found else {
        panic!("{mistake} was accepted")
    };
    assert_eq!(error.exit_code(), 2);
    assert!(
        error
            .each()
            .iter()
            .all(|e| matches!(e, Error::Input { .. }))
    );
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{mistake}: no {part:?} in\n{text}");
    }
}

#[test]
fn unknown_keys_suggest_the_nearest() {
    assert_cases(
        r#"
        network.widht = 3 -> exp.toml:7: network.widht: is not a key | did you mean network.width? allowed in [network]: width, train, scaling
        data.width = 3 -> 7: data.width: is not | did you mean network.width? allowed in [data]: source, n, d
        [fow] ; steps = 3 -> 7: fow: is not a key | did you mean flow? allowed here: title, seed, data, network
        flow.zzzzzzzz = 3 -> 7: flow.zzzzzzzz: is not a key of an experiment | allowed in [flow]: steps, step, schedule
        steps = 3 -> 7: steps | did you mean flow.steps?
        [grid] ; sedd = [3] -> 8: grid.sedd: is not | did you mean seed?
        [grid] ; "init.scale" = [3] -> 8: grid."init.scale": is not | did you mean init.scale_
        [grid] ; grid.seed = [3] -> 8: grid.grid: is not
        --set flow.stps=3 -> --set flow.stps=3: is not a key | did you mean flow.steps?
        "#,
    );
}

#[test]
fn syntax_names_the_line() {
    assert_cases(
        r#"
        seed =  -> exp.toml:7: is not valid TOML | mend this line: seed =
        seed = 1 ; seed = 2 -> exp.toml:8: is not valid TOML: duplicate key
        seed = 9999999999999999999 -> exp.toml:7: seed: | check the number
        data = 3 -> is not valid TOML
        "network.width" = 3 -> 7: network.width: is given twice
        [grid] ; network.width = [3] ; "network.width" = [4] -> 9: grid."network.width": is given twice
        "#,
    );
    let flow = load_text("flow = 3", &[]);
    assert_error(
        flow,
        "flow = 3",
        &["exp.toml:1: flow: is a section", "steps, "],
    );
    let grid = load_text("grid = 3", &[]);
    assert_error(grid, "grid = 3", &["exp.toml:1: grid: is a section"]);
}

#[test]
fn wrong_types_say_what_was_found() {
    assert_cases(
        r#"
        title = 3 -> 7: title: found an integer, 3 | allowed: a string
        seed = -1 -> 7: seed: found an integer, -1 | allowed: a whole number from 0 to 9223372036854775807
        network.width = 1.5 -> 6: network.width: found a float, 1.5 | whole number from 0 to 4294967295
        network.width = 5000000000 -> 6: network.width: found an integer
        init.doubled = "yes" -> 7: init.doubled: found a string, "yes" | allowed: true, false
        init.scale_w = true -> 7: init.scale_w: found a boolean, true | allowed: a number
        risk.loss = "sofmin" -> 6: risk.loss: found a string, "sofmin" | "square", "logistic" | did you mean softmin?
        risk.loss = 3 -> 6: risk.loss: found an integer, 3 | "squared_hinge"
        flow.schedule = "cosin" -> "inverse-sqrt", "cosine", { power = a number } | did you mean cosine?
        flow.schedule = { powr = 2 } -> found a table, { powr = 2 } | did you mean power?
        network.scaling = { alpha = "x" } -> found a table, { alpha = "x" }
        flow.stop = { risk = 1.0, seconds = 2.0 } -> allowed: { gap = a number }, { risk = a number }, { seconds = a number }
        flow.norm_scaled = "both" -> allowed: true, false, "output"
        data.points = [[1.0]] -> 7: data.points: found an array | points [[x, y], …]
        data.classes = [3, 300] -> 7: data.classes: found an array | 0 to 255
        init.path = 3 -> 7: init.path: found an integer, 3 | a path
        init.path = "" -> 7: init.path: found a string, ""
        "#,
    );
}

#[test]
fn impossible_values_say_what_is_allowed() {
    assert_cases(
        r#"
        network.width = 0 -> 6: network.width: found an integer, 0 | allowed: 1 or more neurons
        data.n = 0 -> 7: data.n: found an integer, 0 | 1 or more samples
        data.d = 2 -> 7: data.d: found an integer, 2 | 3 or more
        data.k = 1 -> 7: data.k: found an integer, 1 | 2 or more
        network.scaling = { alpha = 0 } -> 7: network.scaling: found a table, { alpha = 0 } | above 0
        init.scale_w = -1 -> 7: init.scale_w: found an integer, -1 | 0 or more
        init.scale_a = inf -> 7: init.scale_a: found a float, inf | finite
        risk.weight_decay = -0.1 -> 7: risk.weight_decay: found a float, -0.1 | 0 or more
        flow.steps = -1 -> 6: flow.steps: found an integer, -1
        flow.step = 0 -> 6: flow.step: found an integer, 0 | above 0
        flow.step = nan -> 6: flow.step: found a float, nan
        flow.schedule = { power = -1 } -> 7: flow.schedule: found a table, { power = -1 } | 0 or more
        flow.stop = { risk = nan } -> 7: flow.stop: found a table, { risk = nan } | a finite risk
        flow.stop = { seconds = 0 } -> 7: flow.stop: found a table | above 0 seconds
        output.records = 1 -> 7: output.records: found an integer, 1 | 2 or more
        output.snapshots = -1 -> 7: output.snapshots: found an integer, -1
        output.checkpoint_seconds = -1 -> 7: output.checkpoint_seconds: found an integer, -1
        "#,
    );
}

#[test]
fn required_keys_are_named() {
    for key in super::fields::REQUIRED {
        let kept = SMALL
            .lines()
            .filter(|line| line.split(" = ").next() != Some(key));
        let text: Vec<_> = kept.collect();
        let location = format!("exp.toml: {key}: is required, but not given");
        let section = format!("in the section [{}]", key.split('.').next().unwrap());
        assert_error(
            load_text(&text.join("\n"), &[]),
            key,
            &[&location, &section],
        );
    }
}

#[test]
fn keys_of_other_sources_and_kinds_are_refused() {
    assert_cases(
        r#"
        data.source = "xor" ; data.k = 3 -> 7: data.k: does not apply to data.source = "xor"; it is for clusters | remove the key
        data.source = "xor" ; data.test = 10 -> 7: data.test: does not apply | clusters, teacher, circle
        data.source = "xor" ; data.n = 5 -> 7: data.n: found an integer, 5 | 4, the samples of xor
        data.source = "xor" ; data.d = 1 -> 7: data.d: found an integer, 1 | 2 or more
        data.informative = 16 -> 7: data.informative: found an integer, 16 | 1 to 15, the input dimension
        data.informative = 0 -> 7: data.informative: found an integer, 0
        data.path = "x.npz" -> 7: data.path: does not apply to data.source = "clusters"; it is for file
        init.path = "x.npz" -> 7: init.path: does not apply to init.kind = "gaussian"; it is for file
        --set init.kind=balanced --set init.scale_a=2 -> --set init.scale_a=2: does not apply to init.kind = "balanced"
        --set init.kind=one_sign --set init.doubled=true -> --set init.doubled=true: does not apply
        --set risk.loss=square --set data.source=interpolation --set data.d=3 -> data.d=3: found an integer, 3 | 2: the coordinate and the bias
        --set risk.loss=square --set data.source=interpolation --set data.n=3 -> data.n=3: found an integer, 3 | 4, the number of points
        --set risk.loss=square --set data.source=interpolation --set data.points=[] -> data.points=[]: found an array, [] | 1 or more samples
        --set risk.loss=square --set data.source=interpolation --set data.points=[[1, nan]] -> found an array, [[1, nan]] | finite coordinates
        --set risk.loss=square --set data.source=circle --set data.d=3 -> data.d=3: found an integer, 3 | the circle lies in the plane
        --set data.source=file --set data.d=3 --set data.path=x.npz -> data.d=3: does not apply to data.source = "file"
        --set risk.loss=square --set data.source=teacher --set data.noise=-1 -> data.noise=-1: found an integer, -1
        --set risk.loss=square --set data.source=teacher --set data.teacher_width=0 -> 1 or more neurons
        "#,
    );
    let off = [
        "data.source=xor",
        "data.test=0",
        "data.noise=0.0",
        "data.bias=false",
    ];
    assert!(load_text(SMALL, &off).is_ok());
}

#[test]
fn cross_checks_name_one_key_and_the_other() {
    assert_cases(
        r#"
        --set data.source=teacher -> exp.toml:4: risk.loss: found a string, "softmin" | data.source = "teacher", whose targets are not ±1
        --set grid.data.source=["xor", "circle"] -> --set grid.data.source=["xor", "circle"]: found a string, "circle"
        --set init.doubled=true --set network.width=7 -> --set network.width=7: found an integer, 7 | an even width
        --set init.kind=file -> exp.toml: init.path: is required | w (m,d) and a (m)
        --set init.kind=file --set init.path=x.csv -> --set init.path=x.csv: found a string | .npz
        "#,
    );
}

#[test]
fn each_form_of_file_has_its_keys() {
    assert_cases(
        r#"
        --set data.source=file -> exp.toml: data.path: is required | .npz, .csv or .npy
        --set data.source=file --set data.path=x.txt -> data.path=x.txt: found a string | .npz, .csv or .npy
        --set data.source=file --set data.path=x.csv -> data.target: is required | csv column
        --set data.source=file --set data.path=x.npy -> data.targets_path: is required
        --set data.source=file --set data.path=a-idx3-ubyte.gz -> data.targets_path: is required
        --set data.source=file --set data.path=x.npz --set data.targets_path=y.npy -> data.targets_path=y.npy: found | npz and csv hold
        --set data.source=file --set data.path=x.npz --set data.target=y -> data.target=y: found | csv files only
        --set data.source=file --set data.path=x.npz --set data.classes=[3, 8] -> data.classes=[3, 8]: found | idx files only
        --set data.source=file --set data.path=x.npz --set data.test_path=x.csv -> data.test_path=x.csv: found | same form
        --set data.source=file --set data.path=x.npy --set data.targets_path=y.npy --set data.test_path=x.npy -> data.test_targets_path: is required
        --set data.source=file --set data.path=x.npy --set data.targets_path=y.npy --set data.test_targets_path=z.npy -> data.test_targets_path=z.npy: found | with data.test_path
        --set data.source=file --set data.path=x.idx --set data.targets_path=y.idx --set data.classes=[3, 3] -> data.classes=[3, 3]: found | two different classes
        "#,
    );
}

#[test]
fn later_features_are_refused_by_name() {
    assert_cases(
        r#"
        flow.integrator = "heun" -> 7: flow.integrator: found a string, "heun", which is not available in this version | use "euler"
        flow.integrator = "rk4" -> 7: flow.integrator: found a string, "rk4" | allowed: "euler"
        flow.batch = 32 -> 7: flow.batch: found an integer, 32, which is not available in this version | use 0
        flow.batch = -1 -> 7: flow.batch: found an integer, -1 | allowed: 0
        data.fresh = true -> 7: data.fresh: found a boolean, true, which is not available | use false
        flow.temperature = 0.1 -> 7: flow.temperature: found a float, 0.1, which is not available | use 0.0
        flow.temperature = -0.1 -> 7: flow.temperature: found a float, -0.1 | allowed: 0.0
        precision.state = "f64" -> 7: precision.state: found a string, "f64" | allowed: "f32", "f16"
        precision.compensated = true -> 7: precision.compensated: found a boolean, true, which is not available
        "#,
    );
    let neutral = ["flow.temperature=0", "flow.batch=0", "data.fresh=false"];
    assert!(load_text(SMALL, &neutral).is_ok());
}

#[test]
fn grids_name_key_and_value() {
    assert_cases(
        r#"
        [grid] ; "network.width" = [8, 0] -> exp.toml:8: grid."network.width": found an integer, 0 | 1 or more
        [grid] ; "network.width" = [8, "x"] -> 8: grid."network.width": found a string, "x"
        [grid] ; "network.width" = [] -> 8: grid."network.width": found an array, [] | one or more values
        [grid] ; "network.width" = 8 -> 8: grid."network.width": found an integer, 8 | a list
        [grid] ; seed = [-1] -> 8: grid.seed: found an integer, -1
        --set init.doubled=true --set grid.network.width=[8, 9] -> --set grid.network.width=[8, 9]: found an integer, 9 | even width
        "#,
    );
    let thousand = format!("grid.seed=[{}]", "1, ".repeat(1000));
    let hundred = format!("grid.network.width=[{}]", "1, ".repeat(101));
    let found = load_text(SMALL, &[&thousand, &hundred]);
    assert_error(
        found,
        "101000 runs",
        &["larger than 100000 runs", "shorten the lists"],
    );
    // A value that the grid overrides is checked too.
    let text = format!("{SMALL}network.train = 3\n[grid]\n\"network.train\" = [\"both\"]");
    assert_error(
        load_text(&text, &[]),
        "train = 3",
        &["7: network.train: found an integer"],
    );
}

#[test]
fn sets_must_be_key_and_value() {
    assert_cases(
        r#"
        --set seed -> --set seed: has no `=` | KEY=VALUE
        --set seed= -> --set seed=: has no value | --unset KEY takes a key out
        --set network.width=[8 -> --set network.width=[8: the value is not TOML
        --set =3 -> --set =3: the key cannot be read
        --set seed=x -> --set seed=x: found a string, "x"
        "#,
    );
}

/// Each mistake has its own message, in whatever part of the file or command line it is.
#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_lines() {
    let text = r#"
data.source = "clusters"
data.k = 1
data.sead = 3
network.width = "wide"
risk.loss = "softmin"
risk.weight_decay = -1
flow.step = 0.5
[grid]
"init.scale_w" = [1, -1, "x"]
[expect.c]
value = "rsik"
[quick]
flow.stps = 3
"#;
    let sets = ["init.doubled=maybe", "data.test"];
    let error = load_text(text, &sets).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let message: Vec<String> = error.each().iter().map(ToString::to_string).collect();
    let expected = [
        "exp.toml:3: data.k: found an integer, 1\n  allowed: 2 or more",
        "exp.toml:4: data.sead: is not a key of an experiment\n  did you mean seed?",
        "exp.toml:5: network.width: found a string, \"wide\"",
        "exp.toml:7: risk.weight_decay: found an integer, -1\n  allowed: a finite number, 0 or more",
        "exp.toml:10: grid.\"init.scale_w\": found an integer, -1\n  allowed: a finite number, 0 or more",
        "exp.toml:10: grid.\"init.scale_w\": found a string, \"x\"",
        "exp.toml:12: expect.\"c\".value: found a string, \"rsik\"",
        "exp.toml:14: quick.flow.stps: is not a key",
        "exp.toml: flow.steps: is required, but not given",
        "--set init.doubled=maybe: found a string, \"maybe\"",
        "--set data.test: has no `=`",
    ];
    let folder = message[0].find("exp.toml").unwrap();
    let message = message
        .iter()
        .map(|message| match message.starts_with("--") {
            true => &message[..],
            false => &message[folder..],
        });
    let message: Vec<&str> = message.collect();
    assert_eq!(message.len(), expected.len(), "{error}");
    for (message, expected) in message.iter().zip(expected) {
        assert!(message.starts_with(expected), "{message} is not {expected}");
    }
    let joined = error.to_string();
    assert_eq!(
        joined.matches("\n  ").count(),
        error.each().len(),
        "{joined}"
    );
}

#[test]
fn every_fault_of_syntax_is_reported() {
    let error = load_text("seed = \ntitle = 'x'\nflow = { steps = }\n", &[]).unwrap_err();
    let text = error.to_string();
    for part in [
        "exp.toml:1: is not valid TOML",
        "exp.toml:3: is not valid TOML",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

/// Consequences of a value that could not be read are not reported as mistakes.
#[test]
fn one_mistake_is_reported_once() {
    for (text, part) in [
        (
            "data.source = \"xorr\"\ndata.d = 2\nrisk.loss = \"square\"",
            "did you mean xor?",
        ),
        (
            "data.sorce = \"xor\"\nrisk.loss = \"square\"",
            "did you mean data.source?",
        ),
        (
            "data.source = \"xor\"\nrisk.lss = \"square\"",
            "did you mean risk.loss?",
        ),
        (
            "data.source = \"file\"\ndata.path = \"x.cvs\"\ndata.target = \"y\"\nrisk.loss = \"square\"",
            "a name that ends in .npz, .csv",
        ),
        (
            "data.source = \"interpolation\"\ndata.points = [[1]]\ndata.n = 9\nrisk.loss = \"square\"",
            "points [[x, y], …]",
        ),
    ] {
        let rest = "network.width = 8\nflow.steps = 3\nflow.step = 1";
        let error = load_text(&format!("{rest}\n{text}"), &[]).unwrap_err();
        assert_eq!(error.each().len(), 1, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    // A mistake that all runs of a grid share is reported once.
    let text = format!("{SMALL}data.k = 1\n[grid]\nseed = [1, 2, 3]");
    let error = load_text(&text, &[]).unwrap_err();
    assert_eq!(error.each().len(), 1, "{error}");
}

/// Every key that takes a number, in every form, refuses a value that is not one.
#[test]
fn what_is_no_number_is_refused_everywhere() {
    let forms = ["", "gap", "risk", "seconds", "alpha", "power"];
    let table = |form: &str, value: &str| match form {
        "" => value.to_owned(),
        form => format!("{{ {form} = {value} }}"),
    };
    let mut taken = Vec::new();
    for key in super::fields::NAMES.iter() {
        for form in forms {
            let loads =
                |value: &str| load_text(SMALL, &[&format!("{key}={}", table(form, value))]).is_ok();
            if ["1", "1.0", "4", "0.0"].iter().any(|value| loads(value)) {
                taken.push(*key);
                for none in ["nan", "-nan", "inf", "-inf"] {
                    assert!(!loads(none), "{key} = {}", table(form, none));
                }
                // Only a risk may be below 0; a value reserved for a later version has its own
                // message.
                assert!(
                    form == "risk" || !loads("-1"),
                    "{key} = {}",
                    table(form, "-1")
                );
            }
        }
    }
    for key in [
        "flow.step",
        "flow.stop",
        "risk.weight_decay",
        "init.scale_a",
        "output.checkpoint_seconds",
    ] {
        assert!(taken.contains(&key), "{key}");
    }
    let points = |value: &str| {
        let set = format!("data.points=[[0, 1], [{value}, 1]]");
        load_text(
            SMALL,
            &["data.source=interpolation", "risk.loss=square", &set],
        )
        .is_ok()
    };
    assert!(points("-1") && !points("nan") && !points("inf"));
    let noise = |value: &str| {
        let set = format!("data.noise={value}");
        load_text(SMALL, &["data.source=teacher", "risk.loss=square", &set]).is_ok()
    };
    assert!(noise("1") && !noise("-1") && !noise("nan") && !noise("inf"));
}

#[test]
fn what_is_not_there_cannot_be_taken_out() {
    for (key, parts) in [
        (
            "flow.stop",
            &["--unset flow.stop: is not given", "leave this --unset out"][..],
        ),
        (
            "seed",
            &[
                "--unset seed: is not given",
                "the grid gives it: --unset 'grid.seed'",
            ],
        ),
        ("grid.network.width", &["is not given"]),
        ("expect.x", &["is not given"]),
        ("flow.stp", &["is not a key", "did you mean flow.step?"]),
        ("flow.stop.risk", &["is not a key"]),
        (
            "a b",
            &[
                "the key cannot be read",
                "write a key, a section or a claim",
            ],
        ),
        ("a = 1\nb", &["is not one key"]),
        ("flow.steps", &["flow.steps: is required, but not given"]),
    ] {
        let found = load_without(&format!("{SMALL}[grid]\nseed = [1, 2]"), &[key], &[]);
        assert_error(found, key, parts);
    }
}

#[test]
fn missing_experiments_suggest_the_nearest() {
    let error = |name: &str| load(name, &[]).unwrap_err().to_string();
    assert!(error("quikc").contains("quikc: is neither an experiment file nor an embedded"));
    assert!(error("quikc").contains("did you mean the embedded experiment quick?"));
    assert!(error("nothing.toml").contains("embedded are: quick, xor, classifiers"));
    let folder = TempDir::new().unwrap();
    let text = error(folder.path().to_str().unwrap());
    assert!(
        text.contains("is a folder") && text.contains("experiment.toml"),
        "{text}"
    );
    let latin = folder.path().join("latin.toml");
    fs::write(&latin, b"title = \"\xe9\"").unwrap();
    assert!(error(latin.to_str().unwrap()).contains("it is not UTF-8 text"));
}
