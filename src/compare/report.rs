//! The result of a comparison, as JSON and CSV.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ensemble::Relation;
use crate::error::{Error, Result};
use crate::store::write_atomically;

/// A comparison. Values that are not defined or not finite are null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparisonReport {
    pub version: &'static str,
    pub folders: Vec<String>,
    /// Number of random directions of each sliced W2.
    pub projections: usize,
    pub ensembles: Vec<EnsembleReport>,
    pub pairs: Vec<PairReport>,
    pub variance: Vec<VarianceReport>,
    /// Caveats for the reader of the values.
    pub notes: Vec<String>,
}

/// Runs that differ only in the seed of the particles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EnsembleReport {
    pub folder: String,
    /// The grid's keys without the width and the seed of the particles.
    pub parameters: Map<String, Value>,
    pub width: usize,
    pub runs: Vec<usize>,
    /// Updates of each run, and its mean-field time.
    pub steps: Vec<u64>,
    pub times: Vec<f64>,
    /// (1/m) Σ |a_j| |w_j| over a > 0 and over a < 0, averaged over the runs.
    pub mass_plus: Option<f64>,
    pub mass_minus: Option<f64>,
}

/// Two ensembles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairReport {
    /// Indices in [`ComparisonReport::ensembles`].
    pub a: usize,
    pub b: usize,
    pub relation: Relation,
    /// Number of pairs of runs over which each value is averaged.
    pub pairs: usize,
    pub gaps: Vec<Gap>,
}

/// One statistic of two ensembles: its root mean square over pairs of runs, one from each ensemble.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    pub quantity: &'static str,
    /// "train", "test", "file", or null for a statistic that is not of predictions.
    pub inputs: Option<&'static str>,
    pub value: Option<f64>,
    /// √((floor_a² + floor_b²)/2), or the only known one of the two.
    pub floor: Option<f64>,
    /// The same statistic between independent runs of ensemble a, and of b.
    pub floor_a: Option<f64>,
    pub floor_b: Option<f64>,
}

/// The variance of the prediction over seeds, as a function of the width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VarianceReport {
    pub folder: String,
    pub parameters: Map<String, Value>,
    pub inputs: &'static str,
    pub seeds: usize,
    pub widths: Vec<WidthReport>,
    /// s in log variance = c + s log m.
    pub exponent: Option<f64>,
    /// Standard error of s, from the jackknife over runs, or over seeds where widths are nested.
    pub standard_error: Option<f64>,
    /// −1
    pub theory: f64,
    /// (s − theory) / standard_error
    pub deviation: Option<f64>,
    /// Whether the particles of a run are the first particles of the wider runs with its seed.
    pub nested: bool,
}

/// The variance at one width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WidthReport {
    pub width: usize,
    /// Unbiased variance, averaged over the inputs.
    pub variance: Option<f64>,
    /// Standard error of the log variance, from the jackknife; null for fewer than three seeds, and in
    /// files of versions that did not store it.
    pub log_error: Option<f64>,
    /// The exponent fitted to this width and the wider ones, with its error; null for the widest.
    pub exponent_from: Option<f64>,
    pub standard_error_from: Option<f64>,
}

/// A row of compare.csv.
#[derive(Serialize)]
struct CsvRow<'a> {
    folder_a: &'a str,
    parameters_a: String,
    width_a: usize,
    folder_b: &'a str,
    parameters_b: String,
    width_b: usize,
    relation: Option<Relation>,
    pairs: Option<usize>,
    quantity: &'a str,
    inputs: Option<&'a str>,
    value: Option<f64>,
    floor: Option<f64>,
    floor_a: Option<f64>,
    floor_b: Option<f64>,
}

impl ComparisonReport {
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|e| Error::engine("compare", e.to_string(), "please report it"))
    }

    /// The same comparison with the two folders exchanged, for the page of the second folder.
    pub fn turned(&self) -> ComparisonReport {
        let mut turned = self.clone();
        turned.folders.reverse();
        for pair in &mut turned.pairs {
            std::mem::swap(&mut pair.a, &mut pair.b);
            for gap in &mut pair.gaps {
                std::mem::swap(&mut gap.floor_a, &mut gap.floor_b);
            }
        }
        turned
    }

    pub fn write_json(&self, path: &Path) -> Result<()> {
        let text = self.to_json()?;
        write_atomically(path, |out| {
            out.write_all(text.as_bytes())
                .map_err(|e| Error::writing(path, e))
        })
    }

    /// One row per pair of ensembles and quantity, then one per variance (quantity
    /// prediction_variance, both widths the same).
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        write_atomically(path, |out| {
            let mut writer = csv::Writer::from_writer(out);
            let at = |e: csv::Error| Error::writing(path, e.into());
            self.gap_rows()
                .chain(self.variance_rows())
                .try_for_each(|row| writer.serialize(row))
                .map_err(at)?;
            writer.flush().map_err(|e| Error::writing(path, e))
        })
    }

    fn gap_rows(&self) -> impl Iterator<Item = CsvRow<'_>> {
        let each = self.pairs.iter();
        each.flat_map(|pair| pair.gaps.iter().map(move |gap| (pair, gap)))
            .map(|(pair, gap)| {
                let (a, b) = (&self.ensembles[pair.a], &self.ensembles[pair.b]);
                CsvRow {
                    folder_a: &a.folder,
                    parameters_a: json(&a.parameters),
                    width_a: a.width,
                    folder_b: &b.folder,
                    parameters_b: json(&b.parameters),
                    width_b: b.width,
                    relation: Some(pair.relation),
                    pairs: Some(pair.pairs),
                    quantity: gap.quantity,
                    inputs: gap.inputs,
                    value: gap.value,
                    floor: gap.floor,
                    floor_a: gap.floor_a,
                    floor_b: gap.floor_b,
                }
            })
    }

    fn variance_rows(&self) -> impl Iterator<Item = CsvRow<'_>> {
        let each = self.variance.iter();
        each.flat_map(|of| {
            of.widths.iter().map(move |at| CsvRow {
                folder_a: &of.folder,
                parameters_a: json(&of.parameters),
                width_a: at.width,
                folder_b: &of.folder,
                parameters_b: json(&of.parameters),
                width_b: at.width,
                relation: None,
                pairs: None,
                quantity: "prediction_variance",
                inputs: Some(of.inputs),
                value: at.variance,
                floor: None,
                floor_a: None,
                floor_b: None,
            })
        })
    }
}

/// The parameters as JSON, such as `{"seed":1}`; empty if there are none.
fn json(parameters: &Map<String, Value>) -> String {
    if parameters.is_empty() {
        return String::new();
    }
    serde_json::to_string(parameters).unwrap_or_default()
}
