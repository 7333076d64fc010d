//! Reads compare.json: the results, and the states of the runs at the time of the comparison.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Relation, WidthReport};
use crate::error::{Error, Result};
use crate::store::{RunFolder, Summary};

/// The part of a comparison that the folder's page and figures show.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StoredComparison {
    pub folders: Vec<String>,
    pub ensembles: Vec<StoredEnsemble>,
    pub pairs: Vec<StoredPair>,
    pub variance: Vec<StoredPowerLaw>,
}

/// An ensemble at the time of the comparison.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StoredEnsemble {
    pub folder: String,
    pub parameters: Map<String, Value>,
    pub width: usize,
    pub runs: Vec<usize>,
    /// Number of updates of each run at that time.
    pub steps: Vec<u64>,
}

/// Two ensembles, given by their indices.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StoredPair {
    pub a: usize,
    pub b: usize,
    pub relation: Relation,
    pub gaps: Vec<StoredGap>,
}

/// A gap with its noise floor.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StoredGap {
    pub quantity: String,
    pub inputs: Option<String>,
    pub value: Option<f64>,
    pub floor: Option<f64>,
}

/// The fitted power law of the variance.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StoredPowerLaw {
    pub parameters: Map<String, Value>,
    pub inputs: String,
    pub seeds: usize,
    /// From narrow to wide.
    pub widths: Vec<WidthReport>,
    pub exponent: Option<f64>,
    pub standard_error: Option<f64>,
    pub theory: f64,
    /// Whether the particles of a run are the first particles of the wider runs with its seed.
    pub nested: bool,
}

impl StoredComparison {
    /// Reads a comparison; `None` if there is no such file.
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

    /// The second folder, if the comparison was between two folders.
    pub fn other(&self) -> Option<&str> {
        self.folders.get(1).map(String::as_str)
    }

    /// Path of the second folder, tried relative to the first folder and then to the working directory;
    /// `None` if it no longer exists.
    pub fn place_of_other(&self, own: &Path) -> Option<PathBuf> {
        let (first, other) = (Path::new(self.folders.first()?), Path::new(self.other()?));
        let real = own.canonicalize().ok();
        let start = real.as_deref().filter(|real| real.ends_with(first));
        let start = start.and_then(|real| real.ancestors().nth(first.components().count()));
        let beside = start.map(|start| start.join(other));
        let places = beside.into_iter().chain([other.to_path_buf()]);
        places
            .into_iter()
            .find(|place| RunFolder::holds_a_run(place))
    }

    /// Steps at which runs of folder number k were compared and that these runs have left since. A run that
    /// diverged was compared at its last finite checkpoint and stays there.
    pub fn left_behind(&self, k: usize, summary: &Summary) -> Vec<u64> {
        let own = |of: &&StoredEnsemble| self.folders.get(k) == Some(&of.folder);
        let compared = self.ensembles.iter().filter(own);
        let compared = compared.flat_map(|of| of.runs.iter().zip(&of.steps));
        let moved = compared.filter(|(run, step)| {
            let mut now = summary.runs.iter();
            !now.any(|now| now.run == **run && (now.steps == **step || now.diverged_at.is_some()))
        });
        moved.map(|(_, step)| *step).collect()
    }
}
