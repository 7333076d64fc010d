//! Verdicts on the claims of an experiment: the checks of `[expect]` applied to the trained runs.
//!
//! `measurements` collects the values that the checks need ([`Measured`]: a number per run and
//! quantity), from summary.json and, if a check needs them, from certificates and comparisons that
//! it computes. [`judge`] is pure: an experiment and its measured values give a [`Verdict`] per
//! claim. A value that is missing, not a number, or of a run that diverged never passes; a claim
//! about runs that the grid does not have is not judged.

mod judge;
mod measurements;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use judge::{Measured, judge};
pub use measurements::gather;

use crate::error::{Error, Result};
use crate::experiment::Grid;
use crate::store::{RunFolder, Summary, write_atomically};

/// The verdict on one claim: an entry of verdicts.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The text of the claim.
    pub claim: String,
    /// What was measured, in the terms of the experiment file.
    pub quantity: String,
    pub passed: bool,
    /// Whether the grid has the runs that the claim is about; if not, `passed` is false.
    #[serde(default = "judged_before")]
    pub judged: bool,
    /// The measured value; null if there is none.
    pub measured: Option<f64>,
    /// The allowed range of the value; if there is no value, the reason.
    pub allowed: String,
}

impl Verdict {
    /// Whether the claim was judged and does not hold.
    pub fn failed(&self) -> bool {
        self.judged && !self.passed
    }
}

/// In files of earlier versions every claim was judged.
fn judged_before() -> bool {
    true
}

/// Judges a folder whose runs have ended and writes verdicts.json; empty for an experiment without
/// claims.
///
/// # Errors
/// Those of `measurements`, and a file that cannot be written.
pub fn conclude(folder: &RunFolder, grid: &Grid, summary: &Summary) -> Result<Vec<Verdict>> {
    if grid.expect.is_empty() {
        return Ok(Vec::new());
    }
    let verdicts = judge(grid, &gather(folder, grid, summary)?);
    let path = folder.verdicts();
    write_atomically(&path, |out| {
        serde_json::to_writer_pretty(&mut *out, &verdicts)
            .map_err(|e| Error::writing(&path, e.into()))
    })?;
    Ok(verdicts)
}
