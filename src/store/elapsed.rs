//! Computing time of an experiment, over all its sessions.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::filesystem::open_regular;
use super::{Summary, write_atomically};
use crate::error::{Error, Result};

/// Seconds of this session and of those before. They are saved in a file (`.seconds`); if the process is
/// killed, those since the last save are lost, as are the steps.
#[derive(Debug)]
pub struct Elapsed {
    path: PathBuf,
    earlier: f64,
    started: Instant,
}

impl Elapsed {
    /// Starts the clock for a new run.
    pub fn new() -> Self {
        Elapsed {
            path: PathBuf::new(),
            earlier: 0.0,
            started: Instant::now(),
        }
    }

    /// Adds the time of earlier sessions, read from the saved file or the summary.
    pub fn go_on(&mut self, path: &Path, summary: &Path) {
        let saved = open_regular(path).and_then(std::io::read_to_string);
        let saved = saved.ok().and_then(|text| text.trim().parse().ok());
        let written = || match summary.exists() {
            true => Some(Summary::read(summary).ok()?.wall_seconds),
            false => None,
        };
        let all = [saved, written()].into_iter().flatten();
        let all = all.filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
        match all.reduce(f64::max) {
            Some(seconds) => self.earlier = seconds,
            None => tracing::warn!(
                "{} and {} cannot be read: wall_seconds begins at 0 again",
                path.display(),
                summary.display()
            ),
        }
    }

    /// Sets the file in which the time is saved.
    pub fn keep_in(&mut self, path: &Path) {
        self.path = path.to_path_buf();
    }

    pub fn seconds(&self) -> f64 {
        self.earlier + self.started.elapsed().as_secs_f64()
    }

    pub fn save(&self) -> Result<()> {
        write_atomically(&self.path, |out| {
            writeln!(out, "{:?}", self.seconds()).map_err(|e| Error::writing(&self.path, e))
        })
    }
}

impl Default for Elapsed {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let (path, summary) = (dir.path().join(".seconds"), dir.path().join("summary.json"));
        let later = || {
            let mut elapsed = Elapsed::new();
            elapsed.go_on(&path, &summary);
            elapsed.seconds()
        };
        assert!(later() < 1.0);
        let mut elapsed = Elapsed::new();
        elapsed.earlier = 1000.0;
        elapsed.keep_in(&path);
        elapsed.save().unwrap();
        assert!((1000.0..1001.0).contains(&later()));
        let text = r#"{"engine":"","adapter":"","version":"","wall_seconds":2000,"runs":[]}"#;
        std::fs::write(&summary, text).unwrap();
        assert!((2000.0..2001.0).contains(&later()));
        std::fs::write(&path, "NaN").unwrap();
        assert!((2000.0..2001.0).contains(&later()));
        std::fs::write(&summary, "{").unwrap();
        assert!(later() < 1.0);
    }
}
