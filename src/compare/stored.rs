//! compare.json read back: what it says in short, and of which states it says it.

use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::store::Summary;

/// The part of a comparison that its folder's page tells.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Stored {
    pub folders: Vec<String>,
    pub ensembles: Vec<Compared>,
    pub variance: Vec<Exponent>,
}

/// Runs as they were compared.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Compared {
    pub folder: String,
    pub width: usize,
    pub runs: Vec<usize>,
    /// Updates of each run at that time.
    pub steps: Vec<u64>,
}

/// The law of the variance that was found.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Exponent {
    pub inputs: String,
    pub seeds: usize,
    pub exponent: Option<f64>,
    pub standard_error: Option<f64>,
    pub theory: f64,
}

impl Stored {
    /// `None` where nothing was compared.
    ///
    /// # Errors
    /// A damaged file.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(path).map_err(|e| Error::reading(path, e))?;
        serde_json::from_slice(&text).map(Some).map_err(|e| {
            Error::input(
                path.display().to_string(),
                format!("is damaged: {e}"),
                "remove it, or let `widefield compare` make it again",
            )
        })
    }

    /// Steps at which runs of its first folder were compared and at which they are no longer. A run
    /// that diverged was compared at its last finite checkpoint, and stays there.
    pub fn left_behind(&self, summary: &Summary) -> Vec<u64> {
        let own = |of: &&Compared| self.folders.first() == Some(&of.folder);
        let compared = self.ensembles.iter().filter(own);
        let compared = compared.flat_map(|of| of.runs.iter().zip(&of.steps));
        let moved = compared.filter(|(run, step)| {
            let mut now = summary.runs.iter();
            !now.any(|now| now.run == **run && (now.steps == **step || now.diverged_at.is_some()))
        });
        moved.map(|(_, step)| *step).collect()
    }
}
