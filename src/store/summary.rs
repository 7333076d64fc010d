//! summary.json: the results of each run.

use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::filesystem::open_regular;
use super::{RunFolder, write_atomically};
use crate::error::{Error, Result};
use crate::observe::{BestMargins, MetricsRow};

/// The file's content. Values that are not defined or not finite are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub engine: String,
    pub adapter: String,
    pub version: String,
    /// Computing time of all sessions of the run together.
    pub wall_seconds: f64,
    /// Results of the spot checks against f64 in the last session.
    #[serde(default)]
    pub spot_check: Checked,
    /// Number of times in the last session that an engine was built anew because its device was lost.
    #[serde(default)]
    pub restarts: u32,
    pub runs: Vec<RunSummary>,
}

/// Spot checks of a session: `"off"`, or their results.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checked {
    #[default]
    Off,
    #[serde(untagged)]
    On(Checks),
}

/// Numbers of values compared with f64, and the largest error.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Checks {
    /// Number of steps and states checked.
    pub checks: u64,
    /// Number of predictions compared, and of particles compared after a step.
    pub predictions: u64,
    pub particles: u64,
    /// The largest error as a share of its rounding error bound.
    pub largest_error: f64,
}

/// One run: its parameters (the grid keys), its last row and its best margins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    pub run: usize,
    pub parameters: serde_json::Map<String, serde_json::Value>,
    pub steps: u64,
    /// The method that computed the run: "direct", or the name of an exact short cut.
    pub method: String,
    /// Sizes of the gpu engine's kernels, as `--kernels` takes them to repeat a run bit for bit.
    #[serde(default)]
    pub kernels: Option<String>,
    #[serde(flatten)]
    pub last: LastRow,
    /// Effective number of atoms at the end, of the first 4096 particles at most, see
    /// [`crate::observe::atoms`].
    pub atoms: Option<f64>,
    #[serde(flatten)]
    pub best: BestMargins,
    /// First step with a number that is not finite, if there was one; the other values are those
    /// of the last finite record.
    pub diverged_at: Option<u64>,
    /// Criterion of flow.stop that ended the run: "gap", "risk" or "seconds"; null if the run took all its
    /// steps or was interrupted.
    #[serde(default)]
    pub stopped_by: Option<String>,
}

/// The observables of [`MetricsRow`] by name, without its keys.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LastRow {
    pub time: Option<f64>,
    pub risk: Option<f64>,
    pub objective: Option<f64>,
    pub risk_test: Option<f64>,
    pub error_train: Option<f64>,
    pub error_test: Option<f64>,
    pub tv_norm: Option<f64>,
    pub param_norm: Option<f64>,
    pub margin_f1: Option<f64>,
    pub margin_param: Option<f64>,
    pub margin_f2: Option<f64>,
    pub dead: Option<f64>,
    pub largest_weight: Option<f64>,
    pub balance_drift: Option<f64>,
    pub informative: Option<f64>,
    pub kernel_drift: Option<f64>,
    pub direction_cosine: Option<f64>,
}

impl From<&MetricsRow> for LastRow {
    fn from(row: &MetricsRow) -> Self {
        LastRow {
            time: Some(row.time),
            risk: Some(row.risk),
            objective: Some(row.objective),
            risk_test: row.risk_test,
            error_train: row.error_train,
            error_test: row.error_test,
            tv_norm: Some(row.tv_norm),
            param_norm: Some(row.param_norm),
            margin_f1: row.margin_f1,
            margin_param: row.margin_param,
            margin_f2: row.margin_f2,
            dead: row.dead,
            largest_weight: row.largest_weight,
            balance_drift: row.balance_drift,
            informative: row.informative,
            kernel_drift: row.kernel_drift,
            direction_cosine: row.direction_cosine,
        }
    }
}

/// The step at which a run of a folder diverged, according to the folder's summary, if there is one.
pub fn diverged_at(folder: &RunFolder, run: usize) -> Option<u64> {
    let summary = Summary::read(&folder.summary()).ok()?;
    let mut runs = summary.runs.iter();
    runs.find(|of| of.run == run)?.diverged_at
}

impl Summary {
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, |out| {
            serde_json::to_writer_pretty(&mut *out, self)
                .map_err(|e| Error::writing(path, e.into()))?;
            out.write_all(b"\n").map_err(|e| Error::writing(path, e))
        })
    }

    pub fn read(path: &Path) -> Result<Summary> {
        let bad = |what: String| {
            Error::input(
                path.display().to_string(),
                what,
                "run `widefield resume` on the folder to write it again",
            )
        };
        let text = open_regular(path).and_then(std::io::read_to_string);
        let text = text.map_err(|e| match e.kind() {
            ErrorKind::NotFound => bad("is not there: the run has not come to its end".into()),
            ErrorKind::InvalidData => bad(format!("is damaged: {e}")),
            _ => Error::reading(path, e),
        })?;
        serde_json::from_str(&text).map_err(|e| bad(format!("is damaged: {e}")))
    }
}
