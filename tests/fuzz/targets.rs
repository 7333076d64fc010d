//! The readers under test, each on its own file.

use std::path::PathBuf;

use widefield::data::{self, Dataset};
use widefield::experiment::{self, DataSpec};
use widefield::model::Loss;
use widefield::report::figures::figures;
use widefield::store::Checkpoint;

pub enum Target {
    /// A data file of this name.
    Data {
        dir: tempfile::TempDir,
        path: PathBuf,
        spec: Box<DataSpec>,
    },
    Particles,
    Experiment,
    Checkpoint {
        dir: tempfile::TempDir,
        path: PathBuf,
        shape: (usize, usize),
    },
    Figure(tempfile::TempDir),
}

/// A file of this name and content, read by `read`.
fn with_file<R>(name: &str, bytes: &[u8], read: impl FnOnce(&std::path::Path) -> R) -> R {
    thread_local! {
        static DIR: tempfile::TempDir = tempfile::tempdir().unwrap();
    }
    DIR.with(|dir| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    })
}

impl Target {
    pub fn data(name: &str) -> Target {
        let dir = tempfile::tempdir().unwrap();
        let keys = match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
            "csv" => "target = \"y\"".to_owned(),
            "npz" => String::new(),
            _ => format!("targets_path = \"{name}-targets.npy\""),
        };
        let keys = match name.contains("ubyte") {
            true => "targets_path = \"labels-idx1-ubyte\"".to_owned(),
            false => keys,
        };
        // As many targets as most arrays of the corpus have rows.
        std::fs::write(
            dir.path().join("labels-idx1-ubyte"),
            b"\0\0\x08\x01\0\0\0\x03\x01\x02\x01",
        )
        .unwrap();
        let targets = include_bytes!("corpus/b1.npy");
        std::fs::write(dir.path().join(format!("{name}-targets.npy")), targets).unwrap();
        let text = format!(
            "[data]\nsource = \"file\"\npath = \"{name}\"\n{keys}\nbias = true\n[network]\nwidth = 2\n[risk]\nloss = \"square\"\n[flow]\nsteps = 1\nstep = 1.0\n"
        );
        let experiment = dir.path().join("e.toml");
        std::fs::write(&experiment, text).unwrap();
        let grid = experiment::load(experiment.to_str().unwrap(), &[]).unwrap();
        Target::Data {
            path: dir.path().join(name),
            dir,
            spec: Box::new(grid.runs[0].experiment.data.clone()),
        }
    }

    /// A checkpoint that the program wrote, and the target that reads a changed one in its place.
    pub fn checkpoint() -> (Target, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_widefield"))
            .current_dir(&dir)
            .args("run xor --engine cpu --no-plots --quiet --out a --set network.width=5 --set flow.steps=1".split(' '))
            .output()
            .unwrap();
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
        let folder = dir.path().join("a/runs/000");
        let whole = Checkpoint::newest(&folder).unwrap().unwrap();
        let (path, shape) = (whole.path().to_path_buf(), (whole.m, whole.d));
        drop(whole);
        for entry in std::fs::read_dir(&folder).unwrap() {
            let other = entry.unwrap().path();
            if other != path {
                std::fs::remove_file(other).unwrap();
            }
        }
        let bytes = std::fs::read(&path).unwrap();
        (Target::Checkpoint { dir, path, shape }, bytes)
    }

    pub fn figure() -> Target {
        Target::Figure(tempfile::tempdir().unwrap())
    }

    /// The program's answer to this file.
    pub fn read(&self, bytes: &[u8]) -> Result<(), String> {
        match self {
            Target::Data { dir, path, spec } => {
                std::fs::write(path, bytes).unwrap();
                let answer = data::load(spec, 1, Loss::SQUARE).map(|split| {
                    sound(&split.train);
                    // Its columns in another order are the same inputs.
                    let columns: Vec<String> = split.columns.iter().rev().cloned().collect();
                    let again = data::read_inputs(path, split.train.d, spec, None, &columns);
                    let again = again.unwrap();
                    sound(&again);
                    assert_eq!(again.n(), split.train.n());
                });
                error_text(answer, dir)
            }
            Target::Particles => with_file("init.npz", bytes, |path| {
                let answer = widefield::particles::read(path, 2, 2).map(|p| {
                    assert_eq!((p.w.len(), p.a.len()), (4, 2));
                    assert!(p.w.iter().chain(&p.a).all(|v| v.is_finite()));
                });
                answer.map_err(|e| e.to_string().replace(&path.display().to_string(), ""))
            }),
            Target::Experiment => with_file("e.toml", bytes, |path| {
                let name = path.to_str().unwrap();
                let answer = experiment::load(name, &[]).map(|grid| {
                    assert!(!grid.runs.is_empty());
                    assert!(!grid.to_toml().is_empty());
                });
                answer.map_err(|e| e.to_string().replace(name, ""))
            }),
            Target::Checkpoint { dir, path, shape } => {
                // Anew, not over: readers map the file that is there.
                std::fs::remove_file(path).ok();
                std::fs::write(path, bytes).unwrap();
                let answer = Checkpoint::newest(&dir.path().join("a/runs/000"));
                error_text(
                    answer.map(|found| {
                        let found = found.unwrap();
                        assert_eq!((found.m, found.d), *shape);
                    }),
                    dir,
                )
            }
            Target::Figure(dir) => {
                std::fs::write(dir.path().join("a.svg"), bytes).unwrap();
                let found = match figures(dir.path(), "f") {
                    Ok(found) => found,
                    Err(error) => return error_text(Err(error), dir),
                };
                let svg = &found.first().ok_or("left out")?.svg;
                assert!(is_harmless(svg), "{svg}");
                Ok(())
            }
        }
    }
}

/// Whether a figure has no scripts, styles or event handlers, and links only to itself and to
/// embedded images.
fn is_harmless(svg: &str) -> bool {
    let is_own = |link: &str| {
        ["#", "data:image/png;base64,", "data:image/jpeg;base64,"]
            .iter()
            .any(|start| link.starts_with(start))
    };
    let document = roxmltree::Document::parse(svg).unwrap();
    let elements = document.descendants().filter(|node| node.is_element());
    elements.into_iter().all(|element| {
        let name = element.tag_name().name().to_lowercase();
        let attributes = element.attributes().all(|attribute| {
            let name = attribute.name().to_lowercase();
            !name.starts_with("on") && (name != "href" || is_own(attribute.value()))
        });
        attributes && !["script", "foreignobject", "style"].contains(&&name[..])
    })
}

#[test]
fn harm_is_seen() {
    let svg = |inner: &str| format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{inner}</svg>");
    for harmless in [
        "<text x=\"1\"> onload=\"evil()\"&gt;</text>",
        "<use href=\"#a\"/>",
    ] {
        assert!(is_harmless(&svg(harmless)), "{harmless}");
    }
    for harmful in [
        "<script/>",
        "<g><style/></g>",
        "<g onload=\"evil()\"/>",
        "<use href=\"http://a\"/>",
        "<a href=\"javascript:evil()\"/>",
    ] {
        assert!(!is_harmless(&svg(harmful)), "{harmful}");
    }
}

/// Checks that all numbers can be used by engines.
fn sound(set: &Dataset) {
    assert!(set.d > 0 && set.n() > 0 && set.x.len() == set.n() * set.d);
    let mut all = set.x.iter().chain(&set.y);
    assert!(all.all(|v| *v == 0.0 || v.is_normal()));
}

/// The error message of a bad argument, without its place, which differs from run to run.
fn error_text(answer: widefield::Result<()>, dir: &tempfile::TempDir) -> Result<(), String> {
    answer.map_err(|error| {
        assert_eq!(error.exit_code(), 2, "{error}");
        error
            .to_string()
            .replace(&dir.path().display().to_string(), "")
    })
}
