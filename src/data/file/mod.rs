//! Data files: npz, a pair of npy, csv, MNIST's idx.

mod csv;
mod idx;
mod npy;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::narrow::{merged, to_f32, warn_of};
use super::{Dataset, Split, Standardization};
use crate::error::{Error, Result};
use crate::experiment::{DataSpec, FileForm};
use crate::model::{Loss, StateFormat};

/// Rows of numbers, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    pub columns: usize,
    pub values: Vec<f64>,
    /// Names of the columns, where the file gives them: all or none.
    pub names: Vec<String>,
}

impl Matrix {
    /// A matrix without column names.
    pub fn unnamed(columns: usize, values: Vec<f64>) -> Self {
        Matrix {
            columns,
            values,
            names: Vec::new(),
        }
    }

    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }
}

/// The contents of a file, before any processing.
struct Raw {
    x: Matrix,
    y: Vec<f64>,
}

/// Training and test samples of a file source.
pub fn load(spec: &DataSpec, loss: Loss) -> Result<Split> {
    let Some(path) = &spec.path else {
        return Err(Error::input(
            "data.path",
            "is missing",
            "name the data file: path = \"data.npz\"",
        ));
    };
    let raw = read(path, spec.targets_path.as_deref(), spec)?;
    let raw = limited(raw, spec.n, path)?;
    let columns = raw.x.names.clone();
    let standardization = spec.standardize.then(|| statistics(&raw.x));
    let dataset = |path: &Path, targets: Option<&Path>, raw: Raw| -> Result<Dataset> {
        let targets = targets.unwrap_or(path);
        check_targets(targets, &raw.y, loss)?;
        let place = targets.display().to_string();
        let y = to_f32(&place, "target", &raw.y, 1, "rescale the targets")?;
        let x = standardised(raw.x, standardization.as_ref());
        let remedy = match spec.standardize {
            true => {
                "subtract what the rows have in common before saving: more than data.standardize can"
            }
            false => "data.standardize = true keeps such rows apart",
        };
        let narrow = narrowed(path, &x, standardization.is_some())?;
        if let Some(rows) = merged(&x.values, &narrow, x.columns, &y) {
            let place = path.display().to_string();
            warn_of(rows, &place, &y, StateFormat::F32, remedy);
        }
        let x = with_bias(narrow, x.columns, spec.bias);
        Ok(Dataset {
            d: x.len() / y.len(),
            x,
            y,
        })
    };
    let train = dataset(path, spec.targets_path.as_deref(), raw)?;
    let test = match &spec.test_path {
        None => None,
        Some(path) => {
            let targets = spec.test_targets_path.as_deref();
            let mut raw = read(path, targets, spec)?;
            raw.x = in_columns(path, raw.x, &columns)?;
            let raw = limited(raw, (spec.test > 0).then_some(spec.test), path)?;
            let d = raw.x.columns + usize::from(spec.bias);
            if d != train.d {
                return Err(Error::input(
                    path.display().to_string(),
                    format!(
                        "its inputs have dimension {d}, the training set's {}",
                        train.d
                    ),
                    "give test samples with the same columns",
                ));
            }
            Some(dataset(path, targets, raw)?)
        }
    };
    Ok(Split {
        train,
        test,
        standardization,
        columns,
    })
}

/// The columns of new inputs in the order of the training data, if both have names.
///
/// # Errors
/// Columns that one of the two lacks.
pub fn in_columns(path: &Path, x: Matrix, wanted: &[String]) -> Result<Matrix> {
    if x.names == wanted || x.names.is_empty() || wanted.is_empty() {
        return Ok(x);
    }
    let lacks = |names: &[String], of: &[String]| -> Vec<String> {
        let missing = of.iter().filter(|name| !names.contains(name));
        missing.cloned().collect()
    };
    let (missing, more) = (lacks(&x.names, wanted), lacks(wanted, &x.names));
    if !missing.is_empty() || !more.is_empty() {
        let described = |what: &str, names: &[String]| match names {
            [] => None,
            names => Some(format!("{what} {}", listed(names))),
        };
        let parts = [
            described("lacks the columns", &missing),
            described("has, beyond those of the training data,", &more),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        return Err(Error::input(
            path.display().to_string(),
            parts.join(", and "),
            format!(
                "give the columns of the training data, in any order: {}",
                listed(wanted)
            ),
        ));
    }
    let place = |name: &String| x.names.iter().position(|other| other == name);
    let order: Vec<usize> = wanted.iter().filter_map(place).collect();
    let rows = x.values.chunks_exact(x.columns);
    let values = rows.flat_map(|row| order.iter().map(|&k| row[k])).collect();
    Ok(Matrix {
        columns: x.columns,
        values,
        names: wanted.to_vec(),
    })
}

/// A list of names for a message, cut after the first few.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(", … ({} in all)", names.len()));
    }
    text
}

/// Inputs of a file in any format; its targets are ignored.
pub fn read_inputs(path: &Path, target: Option<&str>) -> Result<Matrix> {
    let table = match form(path)? {
        FileForm::Npz => npy::npz_matrix(path, "X")?,
        FileForm::Npy => npy::matrix(path)?,
        FileForm::Csv => csv::inputs(path, target)?,
        FileForm::Idx => idx::images(path)?,
    };
    check_rows(path, &table)?;
    Ok(table)
}

/// Particles of an .npz.
pub struct StoredParticles {
    /// Input weights as rows.
    pub w: Matrix,
    pub a: Vec<f64>,
    /// The true weights of each layer are 2^exponent times those stored; 0 if the file has no
    /// exponent.
    pub exponent: i64,
}

/// Initial particles of an .npz: w, a, and the exponent if the file has one.
pub fn particles(path: &Path) -> Result<StoredParticles> {
    let w = npy::npz_matrix(path, "w")?;
    let a = npy::npz_vector(path, "a")?;
    check_rows(path, &w)?;
    check_finite(path, &a, 1, "output weight")?;
    let exponent = npy::npz_integer(path, "exponent")?.unwrap_or(0);
    Ok(StoredParticles { w, a, exponent })
}

fn form(path: &Path) -> Result<FileForm> {
    FileForm::of(path).ok_or_else(|| {
        Error::input(
            path.display().to_string(),
            "has an ending that tells no form",
            "use .npz, .npy, .csv, or MNIST's idx files under their usual names",
        )
    })
}

fn read(path: &Path, targets: Option<&Path>, spec: &DataSpec) -> Result<Raw> {
    let second = |form: &str| {
        targets.ok_or_else(|| {
            Error::input(
                path.display().to_string(),
                format!("is {form} file, which holds no targets"),
                "name the file of the targets with targets_path (test_targets_path for a test file)",
            )
        })
    };
    let raw = match form(path)? {
        FileForm::Npz => Raw {
            x: npy::npz_matrix(path, "X")?,
            y: npy::npz_vector(path, "y")?,
        },
        FileForm::Npy => Raw {
            x: npy::matrix(path)?,
            y: npy::vector(second("an npy")?)?,
        },
        FileForm::Csv => {
            let Some(target) = &spec.target else {
                return Err(Error::input(
                    path.display().to_string(),
                    "its column of targets is not known",
                    "name it: target = \"column\"",
                ));
            };
            let (x, y) = csv::samples(path, target)?;
            Raw { x, y }
        }
        FileForm::Idx => {
            let raw = Raw {
                x: idx::images(path)?,
                y: idx::labels(second("an idx image")?)?,
            };
            check_count(path, targets, &raw)?;
            match spec.classes {
                Some(classes) => two_classes(path, raw, classes)?,
                None => raw,
            }
        }
    };
    check_count(path, targets, &raw)?;
    check_rows(path, &raw.x)?;
    check_finite(targets.unwrap_or(path), &raw.y, 1, "target")?;
    Ok(raw)
}

/// Checks that there is one target per input; the targets may be in a second file.
fn check_count(path: &Path, targets: Option<&Path>, raw: &Raw) -> Result<()> {
    let (inputs, count) = (raw.x.rows(), raw.y.len());
    if inputs == count {
        return Ok(());
    }
    let of = targets.map_or(String::new(), |file| format!(" in {}", file.display()));
    Err(Error::input(
        path.display().to_string(),
        format!("has {inputs} inputs, and there are {count} targets{of}"),
        "give one target for each row, from files that belong together",
    ))
}

/// Keeps the samples of two classes, labelled −1 and +1.
fn two_classes(path: &Path, raw: Raw, [minus, plus]: [u8; 2]) -> Result<Raw> {
    let mut kept = Raw {
        x: Matrix::unnamed(raw.x.columns, Vec::new()),
        y: Vec::new(),
    };
    for (row, &y) in raw.x.values.chunks(raw.x.columns).zip(&raw.y) {
        let label = match y {
            y if y == f64::from(minus) => -1.0,
            y if y == f64::from(plus) => 1.0,
            _ => continue,
        };
        kept.x.values.extend_from_slice(row);
        kept.y.push(label);
    }
    for (class, label) in [(minus, -1.0), (plus, 1.0)] {
        if !kept.y.contains(&label) {
            return Err(Error::input(
                path.display().to_string(),
                format!("has no sample of class {class}"),
                "choose classes that occur in the labels",
            ));
        }
    }
    Ok(kept)
}

fn limited(mut raw: Raw, n: Option<usize>, path: &Path) -> Result<Raw> {
    if let Some(n) = n {
        if n > raw.y.len() {
            return Err(Error::input(
                path.display().to_string(),
                format!("has {} samples, and {n} are asked for", raw.y.len()),
                "lower n, or leave it out to take all",
            ));
        }
        raw.y.truncate(n);
        raw.x.values.truncate(n * raw.x.columns);
    }
    Ok(raw)
}

fn check_rows(path: &Path, x: &Matrix) -> Result<()> {
    if x.values.is_empty() {
        return Err(Error::input(
            path.display().to_string(),
            "has no samples",
            "give at least one row with at least one value",
        ));
    }
    check_finite(path, &x.values, x.columns, "input")
}

fn check_finite(path: &Path, values: &[f64], columns: usize, what: &str) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::input(
            path.display().to_string(),
            format!(
                "{what} in row {}, column {} is {} (counted from 0)",
                at / columns,
                at % columns,
                values[at]
            ),
            "remove or replace values that are not finite",
        )),
    }
}

fn check_targets(path: &Path, y: &[f64], loss: Loss) -> Result<()> {
    if !loss.is_classification() {
        return Ok(());
    }
    let Some(row) = y.iter().position(|y| y.abs() != 1.0) else {
        return Ok(());
    };
    let is_csv = FileForm::of(path) == Some(FileForm::Csv);
    let remedy = match y.iter().all(|y| [0.0, 1.0].contains(y)) {
        true if is_csv => "write -1 for 0, or use loss = \"square\"",
        // With unsigned labels 2·0 − 1 would be 255 or more.
        true => {
            "save the labels as 2 * y.astype(\"f4\") - 1 with numpy, which makes −1 of 0 or False, or use loss = \"square\""
        }
        false => {
            "recode the labels, pick two classes of an idx file with classes = [3, 8], or use loss = \"square\""
        }
    };
    Err(Error::input(
        path.display().to_string(),
        format!(
            "the label in row {row} (counted from 0) is {}, and a classification loss needs labels −1 and +1",
            y[row]
        ),
        remedy,
    ))
}

fn statistics(x: &Matrix) -> Standardization {
    let n = x.rows() as f64;
    let column = |k: usize| {
        let values = x.values.iter().skip(k).step_by(x.columns);
        let size = values.clone().fold(0.0_f64, |a, v| a.max(v.abs()));
        // Values are scaled by a power of two near their size, so that sums and squares stay within
        // f64.
        let unit = match size {
            0.0 => 1.0,
            _ => 2.0_f64.powi((size.log2().floor() as i32).clamp(-1000, 1000)),
        };
        let mean = values.clone().map(|v| v / unit).sum::<f64>() / n;
        let squares = values.map(|v| (v / unit - mean).powi(2));
        let deviation = (squares.sum::<f64>() / n).sqrt();
        // The deviation of a constant column is not exactly 0, because of rounding.
        match deviation <= 1e-12 * (size / unit) {
            true => (mean * unit, 1.0),
            false => (mean * unit, deviation * unit),
        }
    };
    let (mean, scale) = (0..x.columns).map(column).unzip();
    Standardization { mean, scale }
}

/// Applies the statistics of the training set.
fn standardised(mut x: Matrix, standardization: Option<&Standardization>) -> Matrix {
    if let Some(s) = standardization {
        for (at, v) in x.values.iter_mut().enumerate() {
            let k = at % x.columns;
            *v = (*v - s.mean[k]) / s.scale[k];
        }
    }
    x
}

/// Inputs as f32, with errors for those that f32 cannot hold.
fn narrowed(path: &Path, x: &Matrix, is_standardised: bool) -> Result<Vec<f32>> {
    let (what, remedy) = match is_standardised {
        true => (
            "standardised value",
            "rescale the data, and write 0 where a value that small means nothing",
        ),
        false => (
            "value",
            "rescale the data, or set data.standardize = true; write 0 where a value that small means nothing",
        ),
    };
    to_f32(
        &path.display().to_string(),
        what,
        &x.values,
        x.columns,
        remedy,
    )
}

fn with_bias(x: Vec<f32>, columns: usize, bias: bool) -> Vec<f32> {
    match bias {
        false => x,
        true => {
            let rows = x.chunks(columns);
            rows.flat_map(|row| row.iter().copied().chain([1.0]))
                .collect()
        }
    }
}

/// New inputs as the network needs them: standardised, in f32, with the bias coordinate.
pub fn finish(
    path: &Path,
    x: Matrix,
    standardization: Option<&Standardization>,
    bias: bool,
) -> Result<Vec<f32>> {
    let x = standardised(x, standardization);
    let narrow = narrowed(path, &x, standardization.is_some())?;
    Ok(with_bias(narrow, x.columns, bias))
}
