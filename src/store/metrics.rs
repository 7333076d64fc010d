//! metrics.csv: one row per run and recorded step.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::filesystem::open_if_there;
use super::write_atomically;
use crate::error::{Error, Result};
use crate::observe::MetricsRow;

/// All rows so far, and the path of the file.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    rows: Vec<MetricsRow>,
}

impl Metrics {
    /// No rows yet.
    pub fn new(path: &Path) -> Self {
        Metrics {
            path: path.to_path_buf(),
            rows: Vec::new(),
        }
    }

    /// Keeps the rows of an earlier session up to the step from which each run resumes. Warns of rows that
    /// are lost.
    pub fn reopen(path: &Path, from: &BTreeMap<usize, u64>) -> Result<Self> {
        let mut metrics = Metrics::new(path);
        if let Some(file) = open_if_there(path)? {
            metrics.rows = read(path, file)?;
        }
        let earlier = |row: &MetricsRow| from.get(&row.run).is_some_and(|step| row.step < *step);
        metrics.rows.retain(earlier);
        let empty = |run: usize| !metrics.rows.iter().any(|row| row.run == run);
        for (run, step) in from.iter().filter(|(run, step)| **step > 0 && empty(**run)) {
            tracing::warn!(
                "{}: the rows of run {run} before step {step} are lost; the run goes on without \
                 them, and `widefield run` on the experiment.toml would record them again",
                path.display()
            );
        }
        Ok(metrics)
    }

    /// Sets the path of the file.
    pub fn keep_in(&mut self, path: &Path) {
        self.path = path.to_path_buf();
    }

    /// Removes the rows for which `keep` is false.
    pub fn retain(&mut self, keep: impl FnMut(&MetricsRow) -> bool) {
        self.rows.retain(keep);
    }

    pub fn push(&mut self, row: MetricsRow) {
        self.rows.push(row);
    }

    pub fn rows(&self) -> &[MetricsRow] {
        &self.rows
    }

    /// Writes the whole file, sorted by run and step. A resumed run may have recorded the step of its
    /// checkpoint twice: one of the two rows is kept.
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

/// The readable rows of a file. Warns of the number of other rows, and of column names that do not match: a
/// damaged name would lose the values of its column.
fn read(path: &Path, file: File) -> Result<Vec<MetricsRow>> {
    let mut reader = csv::Reader::from_reader(file);
    let at = path.display();
    let known = columns();
    let header = reader.byte_headers().cloned().unwrap_or_default();
    for name in header
        .iter()
        .filter(|name| !known.iter().any(|k| k.as_bytes() == *name))
    {
        let name = String::from_utf8_lossy(name);
        tracing::warn!("{at}: is damaged: its column {name:?} is not known and is left out");
    }
    let mut rows = Vec::new();
    let mut damaged = Vec::new();
    for row in reader.deserialize() {
        match row {
            Ok(row) => rows.push(row),
            Err(e) if e.is_io_error() => return Err(Error::reading(path, e.into())),
            Err(e) => damaged.push(e),
        }
    }
    if let Some(first) = damaged.first() {
        let number = damaged.len();
        tracing::warn!("{at}: is damaged: {number} of its rows cannot be read ({first})");
    }
    Ok(rows)
}

/// The names of the columns.
fn columns() -> Vec<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let _ = writer.serialize(MetricsRow::default());
    let bytes = writer.into_inner().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let header = text.lines().next().unwrap_or("");
    header.split(',').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.csv");
        let mut metrics = Metrics::new(&path);
        let row = |run, step| MetricsRow {
            run,
            step,
            ..MetricsRow::default()
        };
        for (run, step) in [(1, 0), (0, 5), (0, 0), (0, 9), (1, 3)] {
            metrics.push(row(run, step));
        }
        metrics.write().unwrap();
        let from = BTreeMap::from([(0, 9), (1, 4)]);
        let steps = |path: &Path| {
            let metrics = Metrics::reopen(path, &from).unwrap();
            let each = metrics.rows.iter().map(|row| (row.run, row.step));
            each.collect::<Vec<_>>()
        };
        assert_eq!(steps(&path), [(0, 0), (0, 5), (1, 0), (1, 3)]);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("0,5,", "0,\u{fffd},", 1)).unwrap();
        assert_eq!(steps(&path), [(0, 0), (1, 0), (1, 3)]);
        std::fs::write(&path, b"\xff\0").unwrap();
        assert_eq!(steps(&path), []);
        std::fs::write(&path, "").unwrap();
        assert_eq!(steps(&path), []);
        assert_eq!(steps(&dir.path().join("none")), []);
        assert!(columns().contains(&"risk_test".to_owned()));
    }
}
