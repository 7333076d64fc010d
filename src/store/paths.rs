//! Where the files and the runs of a run folder lie.

use std::path::{Path, PathBuf};

use super::RunFolder;
use super::filesystem::make_folders;
use crate::error::{Error, Result};

impl RunFolder {
    pub fn experiment(&self) -> PathBuf {
        self.dir().join("experiment.toml")
    }

    pub fn summary(&self) -> PathBuf {
        self.dir().join("summary.json")
    }

    pub fn metrics(&self) -> PathBuf {
        self.dir().join("metrics.csv")
    }

    /// Path of the file with the computing time so far.
    pub fn seconds(&self) -> PathBuf {
        self.dir().join(".seconds")
    }

    /// Path of the certificates.
    pub fn certificate(&self) -> PathBuf {
        self.dir().join("certificate.json")
    }

    /// Path of the verdicts on the experiment's claims.
    pub fn verdicts(&self) -> PathBuf {
        self.dir().join("verdicts.json")
    }

    /// Path of the folder's page.
    pub fn report(&self) -> PathBuf {
        self.dir().join("report.html")
    }

    /// Folder of the figures, which are drawn again on request.
    pub fn figures(&self) -> PathBuf {
        self.dir().join("figures")
    }

    /// Path of a comparison, without the endings csv and json.
    pub fn comparison(&self) -> PathBuf {
        self.dir().join("compare")
    }

    /// Path of a comparison with another folder, without the endings csv and json.
    pub fn comparison_with(&self, other: &Path) -> PathBuf {
        let real = other.canonicalize();
        let name = real.as_deref().unwrap_or(other).file_name();
        let name = name.unwrap_or_default().to_string_lossy();
        self.dir().join(format!("compare-with-{name}"))
    }

    /// Every comparison in the folder: the files with these endings, sorted.
    pub fn comparisons(&self, endings: &[&str]) -> Result<Vec<PathBuf>> {
        let reading = |e| Error::reading(self.dir(), e);
        let entries = std::fs::read_dir(self.dir()).map_err(reading)?;
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
        self.dir().join("runs").join(format!("{k:03}"))
    }

    /// A message on which of `runs` runs were never started, as after an interrupt before a later batch.
    pub fn never_started(&self, runs: usize) -> Option<String> {
        let missing: Vec<usize> = (0..runs).filter(|&k| !self.is_started(k)).collect();
        let first = missing.first()?;
        Some(format!(
            "{} of {runs} runs were never started, the first of them run {first}",
            missing.len()
        ))
    }

    /// Whether run k was started.
    pub fn is_started(&self, k: usize) -> bool {
        self.run(k).is_dir()
    }

    /// Creates the folders of these runs, if they are missing.
    pub fn make_runs(&self, runs: &[usize]) -> Result<()> {
        let dirs: Vec<_> = runs.iter().map(|&k| self.run(k)).collect();
        make_folders(&dirs)
    }
}
