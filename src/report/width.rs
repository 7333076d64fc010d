//! The results of the folder's comparisons: between its own widths, and with other folders.

use std::path::Path;

use serde::Serialize;

use super::verdicts::span;
use crate::compare::{StoredComparison, StoredEnsemble, StoredGap};
use crate::digits::digits;
use crate::error::Result;
use crate::store::{RunFolder, Summary};

/// Largest number of gaps in a table.
const ROWS: usize = 40;

/// The results of the comparisons in the folder.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Width {
    /// A sentence for each power law of the variance; empty if the comparison is of an earlier state.
    pub headlines: Vec<String>,
    /// Comparisons that are of an earlier state of their runs.
    pub outdated: Vec<Outdated>,
    pub other_folders: Vec<OtherFolder>,
}

/// A comparison whose runs were trained further since.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outdated {
    /// A sentence that says so.
    pub what: String,
    /// The arguments of `widefield compare` that make it again; `None` for the folder by itself.
    pub folders: Option<String>,
}

/// The comparison of this folder with another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OtherFolder {
    pub headline: String,
    pub rows: Vec<GapRow>,
    /// What was left out, if anything.
    pub note: Option<String>,
    /// The file with all values.
    pub file: String,
}

/// The gap of the predictions of two ensembles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GapRow {
    pub here: String,
    pub there: String,
    pub inputs: String,
    pub gap: Option<f64>,
    pub floor: Option<f64>,
}

/// Reads the folder's comparisons for the page; empty if there are none.
///
/// # Errors
/// A damaged file.
pub fn width(folder: &RunFolder, summary: &Summary) -> Result<Width> {
    let mut width = Width::default();
    for path in folder.comparisons(&["json"])? {
        let Some(stored) = StoredComparison::read(&path)? else {
            continue;
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(what) = left_behind(folder, summary, &stored, &name) {
            width.outdated.push(Outdated {
                what,
                folders: stored.other().map(|_| stored.folders.join(" ")),
            });
        } else if let Some(other) = stored.other() {
            width
                .other_folders
                .push(other_folders(&stored, other, &name));
        } else {
            width.headlines.extend(laws(&stored));
        }
    }
    Ok(width)
}

/// A sentence on runs of either folder that went on since, if any did.
fn left_behind(
    folder: &RunFolder,
    summary: &Summary,
    stored: &StoredComparison,
    name: &str,
) -> Option<String> {
    let there = |place: &Path| {
        let summary = Summary::read(&RunFolder::open(place).ok()?.summary()).ok()?;
        span(&stored.left_behind(1, &summary))
    };
    let here = span(&stored.left_behind(0, summary));
    let other = stored.place_of_other(folder.dir());
    let there = other.and_then(|place| there(&place));
    let steps = match (here, there, stored.other()) {
        (Some(here), ..) => here,
        (None, Some(there), Some(other)) => format!("{there} of {other}"),
        _ => return None,
    };
    Some(format!(
        "{name} is of {steps}, and the training went on: its gaps, floors and variances are of then"
    ))
}

fn laws(stored: &StoredComparison) -> impl Iterator<Item = String> {
    stored.variance.iter().filter_map(|of| {
        let error = of.standard_error;
        let error = error.map_or(String::new(), |e| format!(" ± {}", digits(e)));
        Some(format!(
            "The variance of the prediction between {} seeds falls like m to the power {}{error} on {} inputs (theory {}).",
            of.seeds,
            digits(of.exponent?),
            of.inputs,
            of.theory
        ))
    })
}

fn other_folders(stored: &StoredComparison, other: &str, name: &str) -> OtherFolder {
    let rows: Vec<GapRow> = stored
        .pairs
        .iter()
        .filter_map(|pair| {
            let [here, there] = [pair.a, pair.b].map(|e| stored.ensembles.get(e).map(ensemble));
            // The last gap is the preferred one: inputs of the user's file come last, after the test
            // inputs.
            let rms = |gap: &&StoredGap| gap.quantity == "prediction_rms";
            let gap = pair.gaps.iter().rfind(rms)?;
            Some(GapRow {
                here: here?,
                there: there?,
                inputs: gap.inputs.clone().unwrap_or_default(),
                gap: gap.value,
                floor: gap.floor,
            })
        })
        .collect();
    let ratios = rows
        .iter()
        .filter_map(|row| Some(row.gap? / row.floor.filter(|f| *f > 0.0)?));
    let (low, high) = ratios.fold((f64::INFINITY, 0.0), |(l, h): (f64, f64), r| {
        (l.min(r), h.max(r))
    });
    let ends = match (low > high, digits(low), digits(high)) {
        (true, ..) => {
            "the predictions differ, without a noise floor to say by how much of it".to_owned()
        }
        (_, low, high) if low == high => {
            format!("the predictions differ by {low} times the noise floor")
        }
        (_, low, high) => {
            format!("the predictions differ by {low} to {high} times the noise floor")
        }
    };
    let all = rows.len();
    let note = (all > ROWS).then(|| format!("{ROWS} of {all} gaps"));
    OtherFolder {
        headline: format!("Beside {other}, {ends}."),
        rows: rows.into_iter().take(ROWS).collect(),
        note,
        file: Path::new(name).with_extension("csv").display().to_string(),
    }
}

/// `m = 64, seed = 1`
fn ensemble(of: &StoredEnsemble) -> String {
    let parameters = of.parameters.iter();
    let parameters = parameters.map(|(key, value)| format!(", {key} = {value}"));
    format!("m = {}{}", of.width, parameters.collect::<String>())
}
