//! The run folder: experiment.toml, summary.json, metrics.csv and, per run, checkpoints,
//! particles and snapshots. numpy, pandas, PyTorch and JAX open every file without our code.
//!
//! Every file is written beside its place and renamed, so a reader never sees half of one.

mod atomic;
mod checkpoint;
mod format;
mod metrics;
mod npz;
mod polished;
mod snapshots;
mod state;
mod summary;

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

pub use atomic::write_atomically;
pub use checkpoint::{Checkpoint, Label};
pub use metrics::Metrics;
pub use npz::{NpzReader, NpzWriter};
pub use polished::{read_polished, write_polished};
pub use snapshots::Snapshots;
pub use state::{State, blocks, write_particles};
pub use summary::{Checked, Checks, LastRow, RunSummary, Summary};

use crate::error::{Error, Result};

/// A folder that holds, or will hold, the results of one experiment. Locked while it is open for
/// writing, so that two processes never share one.
#[derive(Debug)]
pub struct RunFolder {
    dir: PathBuf,
    lock: Option<File>,
}

impl RunFolder {
    /// A place for a new run. Nothing is written before [`RunFolder::begin`]. A folder that holds a
    /// run already is refused unless `force`.
    pub fn plan(dir: &Path, force: bool) -> Result<Self> {
        if Self::holds_a_run(dir) && !force {
            return Err(Error::input(
                dir.display().to_string(),
                "holds a run already",
                "choose another folder with --out, go on with `widefield resume`, or overwrite it with --force",
            ));
        }
        if dir.exists() && !dir.is_dir() {
            return Err(Error::input(
                dir.display().to_string(),
                "is not a folder",
                "choose another folder with --out",
            ));
        }
        Ok(RunFolder {
            dir: dir.to_path_buf(),
            lock: None,
        })
    }

    /// Makes the folder, empties it of an older run, and writes experiment.toml: from then on it
    /// holds a run. A reopened folder loses its verdicts alone, which are of a state that goes now.
    pub fn begin(&mut self, toml: &str) -> Result<()> {
        if self.lock.is_some() {
            return remove(&self.verdicts());
        }
        std::fs::create_dir_all(&self.dir).map_err(|e| Error::writing(&self.dir, e))?;
        self.lock = Some(lock(&self.dir)?);
        for folder in [self.dir.join("runs"), self.figures()] {
            if Self::holds_a_run(&self.dir) && folder.exists() {
                std::fs::remove_dir_all(&folder).map_err(|e| Error::writing(&folder, e))?;
            }
        }
        let compared = self.comparisons(&["csv", "json"])?;
        let judged = [self.certificate(), self.verdicts()];
        let results = [self.summary(), self.metrics(), self.report()];
        for path in results.iter().chain(&judged).chain(&compared) {
            remove(path)?;
        }
        self.rewrite_experiment(toml)
    }

    /// Writes experiment.toml anew, as when a resumed run is given more steps.
    pub fn rewrite_experiment(&self, toml: &str) -> Result<()> {
        let path = self.experiment();
        write_atomically(&path, |out| {
            out.write_all(toml.as_bytes())
                .map_err(|e| Error::writing(&path, e))
        })
    }

    /// An existing run folder, to go on writing.
    pub fn reopen(dir: &Path) -> Result<Self> {
        let folder = Self::open(dir)?;
        Ok(RunFolder {
            lock: Some(lock(dir)?),
            ..folder
        })
    }

    /// An existing run folder, to read.
    pub fn open(dir: &Path) -> Result<Self> {
        if !Self::holds_a_run(dir) {
            return Err(Error::input(
                dir.display().to_string(),
                "is not a run folder: it has no experiment.toml",
                "give the folder that `widefield run` wrote (its --out)",
            ));
        }
        Ok(RunFolder {
            dir: dir.to_path_buf(),
            lock: None,
        })
    }

    /// Whether a folder is one that `run` wrote.
    pub fn holds_a_run(dir: &Path) -> bool {
        dir.join("experiment.toml").exists()
    }

    /// The first of NAME, NAME-2, NAME-3, … below `parent` that holds no run.
    pub fn free_name(parent: &Path, name: &str) -> PathBuf {
        let mut dir = parent.join(name);
        let mut number = 2;
        while Self::holds_a_run(&dir) {
            dir = parent.join(format!("{name}-{number}"));
            number += 1;
        }
        dir
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn experiment(&self) -> PathBuf {
        self.dir.join("experiment.toml")
    }

    pub fn summary(&self) -> PathBuf {
        self.dir.join("summary.json")
    }

    pub fn metrics(&self) -> PathBuf {
        self.dir.join("metrics.csv")
    }

    /// Where certificates go.
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("certificate.json")
    }

    /// Where the verdicts on the experiment's claims go.
    pub fn verdicts(&self) -> PathBuf {
        self.dir.join("verdicts.json")
    }

    /// The page that shows it all.
    pub fn report(&self) -> PathBuf {
        self.dir.join("report.html")
    }

    /// Pictures, made again whenever they are asked for.
    pub fn figures(&self) -> PathBuf {
        self.dir.join("figures")
    }

    /// Where a comparison goes, with the endings csv and json.
    pub fn comparison(&self) -> PathBuf {
        self.dir.join("compare")
    }

    /// Where a comparison with another folder goes, with the endings csv and json.
    pub fn comparison_with(&self, other: &Path) -> PathBuf {
        let real = other.canonicalize();
        let name = real.as_deref().unwrap_or(other).file_name();
        let name = name.unwrap_or_default().to_string_lossy();
        self.dir.join(format!("compare-with-{name}"))
    }

    /// Every comparison in the folder: the files with these endings, in order.
    pub fn comparisons(&self, endings: &[&str]) -> Result<Vec<PathBuf>> {
        let reading = |e| Error::reading(&self.dir, e);
        let entries = std::fs::read_dir(&self.dir).map_err(reading)?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(reading)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let stem = endings.iter().find_map(|ending| {
                let stem = name.strip_suffix(ending)?;
                stem.strip_suffix('.')
            });
            if stem.is_some_and(|stem| stem == "compare" || stem.starts_with("compare-with-")) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    /// Folder of run k.
    pub fn run(&self, k: usize) -> PathBuf {
        self.dir.join("runs").join(format!("{k:03}"))
    }

    /// Says which of so many runs were never started, as after an interrupt before a later batch.
    pub fn never_started(&self, runs: usize) -> Option<String> {
        let missing: Vec<usize> = (0..runs).filter(|&k| !self.is_started(k)).collect();
        let first = missing.first()?;
        Some(format!(
            "{} of {runs} runs were never started, the first of them run {first}",
            missing.len()
        ))
    }

    /// Whether run k was ever begun.
    pub fn is_started(&self, k: usize) -> bool {
        self.run(k).is_dir()
    }

    /// Folder of run k, made if it is missing.
    pub fn make_run(&self, k: usize) -> Result<PathBuf> {
        let dir = self.run(k);
        std::fs::create_dir_all(&dir).map_err(|e| Error::writing(&dir, e))?;
        Ok(dir)
    }
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::writing(path, e)),
        _ => Ok(()),
    }
}

/// Takes the folder's lock; it goes when the process does.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(".lock");
    let file = File::create(&path).map_err(|e| Error::writing(&path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::input(
            dir.display().to_string(),
            "is in use by another widefield process",
            "wait for it to end, or choose another folder with --out",
        )),
        Err(std::fs::TryLockError::Error(e)) => Err(Error::writing(&path, e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_never_overwritten_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = RunFolder::plan(dir.path(), false).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        first.begin("title = 'x'").unwrap();
        first.make_run(0).unwrap();
        let busy = RunFolder::reopen(dir.path()).unwrap_err();
        assert!(busy.to_string().contains("in use"), "{busy}");
        drop(first);
        let taken = RunFolder::plan(dir.path(), false).unwrap_err();
        assert!(taken.to_string().contains("--force"), "{taken}");
        assert_eq!(taken.exit_code(), 2);
        let mut forced = RunFolder::plan(dir.path(), true).unwrap();
        assert!(dir.path().join("runs").exists());
        forced.begin("title = 'y'").unwrap();
        assert!(!dir.path().join("runs").exists());
        let none = RunFolder::open(&dir.path().join("elsewhere")).unwrap_err();
        assert!(none.to_string().contains("not a run folder"), "{none}");
    }

    #[test]
    fn free_names_count_up() {
        let dir = tempfile::tempdir().unwrap();
        let first = RunFolder::free_name(dir.path(), "a");
        assert_eq!(first, dir.path().join("a"));
        RunFolder::plan(&first, false).unwrap().begin("").unwrap();
        let second = RunFolder::free_name(dir.path(), "a");
        assert_eq!(second, dir.path().join("a-2"));
    }
}
