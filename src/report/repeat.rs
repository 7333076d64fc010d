//! How to run an experiment again.

use std::path::Path;

use serde::Serialize;

use crate::experiment::Grid;
use crate::store::Summary;

/// The command that repeats the runs, to be typed in the run folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Repeat {
    pub command: String,
    pub seeds: String,
    /// Kernels of the gpu engine, if all runs have the same.
    pub kernels: Option<String>,
    /// A caveat if the command alone does not repeat the runs.
    pub note: Option<String>,
}

impl Repeat {
    pub fn new(dir: &Path, grid: &Grid, summary: &Summary) -> Self {
        let (kernels, mixed) = kernels(summary);
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let name = if name.is_empty() { "run".into() } else { name };
        let mut words = vec![
            "widefield run experiment.toml --out".to_owned(),
            quoted(&format!("../{name}-again")),
            format!("--engine {}", summary.engine),
        ];
        if summary.engine == "gpu" {
            words.push(format!("--adapter {}", quoted(&summary.adapter)));
        }
        if let Some(kernels) = &kernels {
            words.push(format!("--kernels {}", quoted(kernels)));
        }
        let note = mixed.then(|| {
            "Runs differ in their kernels (last column of the table of runs): --kernels and --set with one run's values repeat that run bit for bit.".to_owned()
        });
        Repeat {
            command: words.join(" "),
            seeds: seeds(grid),
            kernels,
            note,
        }
    }
}

/// The kernels that all runs share, and whether the runs differ in them.
fn kernels(summary: &Summary) -> (Option<String>, bool) {
    let mut all: Vec<&String> = summary
        .runs
        .iter()
        .filter_map(|r| r.kernels.as_ref())
        .collect();
    all.sort();
    all.dedup();
    match all.as_slice() {
        [one] => (Some((*one).clone()), false),
        several => (None, !several.is_empty()),
    }
}

fn seeds(grid: &Grid) -> String {
    let mut seeds: Vec<String> = Vec::new();
    for run in &grid.runs {
        let e = &run.experiment;
        let seed = match e.init.seed {
            Some(init) if init != e.seed => format!("{} (particles {init})", e.seed),
            _ => e.seed.to_string(),
        };
        if !seeds.contains(&seed) {
            seeds.push(seed);
        }
    }
    seeds.join(", ")
}

/// An argument quoted for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("../xor-again"), "../xor-again");
        assert_eq!(quoted("llvmpipe (LLVM 15)"), "'llvmpipe (LLVM 15)'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
