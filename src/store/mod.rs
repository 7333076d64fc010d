//! The run folder: experiment.toml, summary.json, metrics.csv and, per run, checkpoints,
//! particles and snapshots. numpy, pandas, PyTorch and JAX open every file without our code.
//!
//! Every file is written beside its place and renamed, so a reader never sees half of one.

mod atomic;
mod checkpoint;
mod metrics;
mod npz;
mod snapshots;
mod state;
mod summary;

use std::fs::File;
use std::path::{Path, PathBuf};

pub use atomic::write_atomically;
pub use checkpoint::{Checkpoint, Label};
pub use metrics::Metrics;
pub use npz::{NpzReader, NpzWriter};
pub use snapshots::Snapshots;
pub use state::{State, write_particles};
pub use summary::{RunSummary, Summary};

use crate::error::{Error, Result};

/// A folder that holds, or will hold, the results of one experiment. Locked while it is open for
/// writing, so that two processes never share one.
#[derive(Debug)]
pub struct RunFolder {
    dir: PathBuf,
    _lock: Option<File>,
}

impl RunFolder {
    /// A new folder at `dir`. One that holds a run already is refused, or emptied of it with
    /// `force`.
    pub fn create(dir: &Path, force: bool) -> Result<Self> {
        if Self::holds_a_run(dir) && !force {
            return Err(Error::input(
                dir.display().to_string(),
                "holds a run already",
                "choose another folder with --out, go on with `widefield resume`, or overwrite it with --force",
            ));
        }
        std::fs::create_dir_all(dir).map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotADirectory => Error::input(
                dir.display().to_string(),
                "is not a folder",
                "choose another folder with --out",
            ),
            _ => Error::writing(dir, e),
        })?;
        let lock = Some(lock(dir)?);
        if force {
            let runs = dir.join("runs");
            for path in [&runs] {
                if path.exists() {
                    std::fs::remove_dir_all(path).map_err(|e| Error::writing(path, e))?;
                }
            }
            for name in ["experiment.toml", "summary.json", "metrics.csv"] {
                let path = dir.join(name);
                if path.exists() {
                    std::fs::remove_file(&path).map_err(|e| Error::writing(&path, e))?;
                }
            }
        }
        Ok(RunFolder {
            dir: dir.to_path_buf(),
            _lock: lock,
        })
    }

    /// An existing run folder, to go on writing.
    pub fn reopen(dir: &Path) -> Result<Self> {
        let folder = Self::open(dir)?;
        Ok(RunFolder {
            _lock: Some(lock(dir)?),
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
            _lock: None,
        })
    }

    fn holds_a_run(dir: &Path) -> bool {
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

    /// Folder of run k.
    pub fn run(&self, k: usize) -> PathBuf {
        self.dir.join("runs").join(format!("{k:03}"))
    }

    /// Folder of run k, made if it is missing.
    pub fn make_run(&self, k: usize) -> Result<PathBuf> {
        let dir = self.run(k);
        std::fs::create_dir_all(&dir).map_err(|e| Error::writing(&dir, e))?;
        Ok(dir)
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
        let first = RunFolder::create(dir.path(), false).unwrap();
        std::fs::write(first.experiment(), "title = 'x'").unwrap();
        first.make_run(0).unwrap();
        let busy = RunFolder::reopen(dir.path()).unwrap_err();
        assert!(busy.to_string().contains("in use"), "{busy}");
        drop(first);
        let taken = RunFolder::create(dir.path(), false).unwrap_err();
        assert!(taken.to_string().contains("--force"), "{taken}");
        assert_eq!(taken.exit_code(), 2);
        RunFolder::create(dir.path(), true).unwrap();
        assert!(!dir.path().join("runs").exists());
        let none = RunFolder::open(dir.path()).unwrap_err();
        assert!(none.to_string().contains("not a run folder"), "{none}");
    }

    #[test]
    fn free_names_count_up() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(RunFolder::free_name(dir.path(), "a"), dir.path().join("a"));
        let taken = RunFolder::create(&dir.path().join("a"), false).unwrap();
        std::fs::write(taken.experiment(), "").unwrap();
        assert_eq!(
            RunFolder::free_name(dir.path(), "a"),
            dir.path().join("a-2")
        );
    }
}
