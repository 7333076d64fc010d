//! What a paper shows, judged: the checks of `[expect]` against what was trained.
//!
//! [`measurements`] collects what the checks look at ([`Measured`]: a number per run and quantity), from
//! summary.json and, where a check asks for them, from certificates and comparisons that it makes.
//! [`judge`] is pure: an experiment and its measured values give a [`Verdict`] per claim. A value
//! that is missing, not a number, or of a run that diverged never passes; a claim about runs that the
//! grid does not have is not judged.

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

/// What came of one claim: an entry of verdicts.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// In words.
    pub claim: String,
    /// What was measured, in the terms of the experiment file.
    pub quantity: String,
    pub passed: bool,
    /// Whether the grid has the runs that the claim is about; what is not judged has not passed.
    #[serde(default = "judged_before")]
    pub judged: bool,
    /// Its value; null where it could not be measured.
    pub measured: Option<f64>,
    /// What the value had to be; why there is none, where there is none.
    pub allowed: String,
}

impl Verdict {
    /// Whether the claim was found not to hold.
    pub fn failed(&self) -> bool {
        self.judged && !self.passed
    }
}

/// Files of earlier versions know no other claims.
fn judged_before() -> bool {
    true
}

/// The verdicts on a folder whose runs have ended, written to verdicts.json; none for an experiment
/// that claims nothing.
///
/// # Errors
/// Those of [`measurements`], and a file that cannot be written.
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
