//! metrics.csv: one row per run and recorded step.

use std::path::{Path, PathBuf};

use super::write_atomically;
use crate::error::{Error, Result};
use crate::observe::Row;

/// The rows so far, and the file they go to.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    rows: Vec<Row>,
}

impl Metrics {
    /// No rows yet.
    pub fn new(path: &Path) -> Self {
        Metrics {
            path: path.to_path_buf(),
            rows: Vec::new(),
        }
    }

    /// The rows of an earlier session, as far as `keep` wants them.
    pub fn reopen(path: &Path, keep: impl Fn(&Row) -> bool) -> Result<Self> {
        let mut metrics = Metrics::new(path);
        if path.exists() {
            let bad = |e: csv::Error| {
                Error::input(
                    path.display().to_string(),
                    format!("is damaged: {e}"),
                    "remove the file; rows recorded before the checkpoint are lost then",
                )
            };
            for row in csv::Reader::from_path(path).map_err(bad)?.deserialize() {
                let row: Row = row.map_err(bad)?;
                if keep(&row) {
                    metrics.rows.push(row);
                }
            }
        }
        Ok(metrics)
    }

    /// Drops the rows that `keep` does not want.
    pub fn retain(&mut self, keep: impl FnMut(&Row) -> bool) {
        self.rows.retain(keep);
    }

    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Writes the whole file, sorted by run and step. A resumed run may have recorded the step of
    /// its checkpoint twice: one row of it stays.
    pub fn write(&mut self) -> Result<()> {
        self.rows.sort_by_key(|row| (row.run, row.step));
        self.rows.dedup_by_key(|row| (row.run, row.step));
        write_atomically(&self.path, |out| {
            let mut writer = csv::Writer::from_writer(out);
            let at = |e: csv::Error| Error::writing(&self.path, e.into());
            self.rows
                .iter()
                .try_for_each(|row| writer.serialize(row))
                .map_err(at)?;
            writer.flush().map_err(|e| Error::writing(&self.path, e))
        })
    }
}
