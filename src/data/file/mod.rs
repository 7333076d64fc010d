//! Data files: npz, a pair of npy, csv, MNIST's idx.

mod csv;
mod idx;
mod npy;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::{Dataset, Split, Standardization};
use crate::error::{Error, Result};
use crate::experiment::{DataSpec, FileForm, Loss};

/// Rows of numbers, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub columns: usize,
    pub values: Vec<f64>,
}

impl Table {
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }
}

/// What a file holds before anything is done to it.
struct Raw {
    x: Table,
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
    let standardization = spec.standardize.then(|| statistics(&raw.x));
    let dataset = |path: &Path, raw: Raw| -> Result<Dataset> {
        check_targets(path, &raw.y, loss)?;
        let y = narrow(path, &raw.y, 1)?;
        let x = finish(path, raw.x, standardization.as_ref(), spec.bias)?;
        Ok(Dataset {
            d: x.len() / y.len(),
            x,
            y,
        })
    };
    let train = dataset(path, raw)?;
    let test = match &spec.test_path {
        None => None,
        Some(path) => {
            let raw = read(path, spec.test_targets_path.as_deref(), spec)?;
            let raw = limited(raw, (spec.test > 0).then_some(spec.test), path)?;
            Some(dataset(path, raw)?)
        }
    };
    if let Some(test) = &test
        && test.d != train.d
        && let Some(path) = &spec.test_path
    {
        return Err(Error::input(
            path.display().to_string(),
            format!(
                "its inputs have dimension {}, the training set's {}",
                test.d, train.d
            ),
            "give test samples with the same columns",
        ));
    }
    Ok(Split {
        train,
        test,
        standardization,
    })
}

/// Inputs of a file in any form, targets passed over.
pub fn read_inputs(path: &Path, target: Option<&str>) -> Result<Table> {
    let table = match form(path)? {
        FileForm::Npz => npy::npz_matrix(path, "X")?,
        FileForm::Npy => npy::matrix(path)?,
        FileForm::Csv => csv::inputs(path, target)?,
        FileForm::Idx => idx::images(path)?,
    };
    check_rows(path, &table)?;
    Ok(table)
}

/// Initial particles of an .npz: w as rows, and a.
pub fn particles(path: &Path) -> Result<(Table, Vec<f64>)> {
    let (w, a) = (npy::npz_matrix(path, "w")?, npy::npz_vector(path, "a")?);
    check_rows(path, &w)?;
    check_finite(path, &a, 1, "output weight")?;
    narrow(path, &w.values, w.columns)?;
    narrow(path, &a, 1)?;
    Ok((w, a))
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
            match spec.classes {
                Some(classes) => two_classes(path, raw, classes)?,
                None => raw,
            }
        }
    };
    if raw.x.rows() != raw.y.len() {
        return Err(Error::input(
            path.display().to_string(),
            format!("has {} inputs and {} targets", raw.x.rows(), raw.y.len()),
            "give one target for each row",
        ));
    }
    check_rows(path, &raw.x)?;
    check_finite(path, &raw.y, 1, "target")?;
    Ok(raw)
}

/// Keeps the samples of two classes, labelled −1 and +1.
fn two_classes(path: &Path, raw: Raw, [minus, plus]: [u8; 2]) -> Result<Raw> {
    let mut kept = Raw {
        x: Table {
            columns: raw.x.columns,
            values: Vec::new(),
        },
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

fn check_rows(path: &Path, x: &Table) -> Result<()> {
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
    match y.iter().position(|y| y.abs() != 1.0) {
        None => Ok(()),
        Some(row) => Err(Error::input(
            path.display().to_string(),
            format!(
                "the label in row {row} (counted from 0) is {}, and a classification loss needs labels −1 and +1",
                y[row]
            ),
            "recode the labels (0 and 1 become −1 and +1), pick two classes of an idx file with classes = [3, 8], or use loss = \"square\"",
        )),
    }
}

fn statistics(x: &Table) -> Standardization {
    let n = x.rows() as f64;
    let column = |k: usize| x.values.iter().skip(k).step_by(x.columns);
    let mean: Vec<f64> = (0..x.columns).map(|k| column(k).sum::<f64>() / n).collect();
    let scale = (0..x.columns).map(|k| {
        let deviation = column(k).map(|v| (v - mean[k]).powi(2)).sum::<f64>() / n;
        // A constant column has rounding errors for a deviation.
        let size = column(k).fold(0.0_f64, |a, v| a.max(v.abs()));
        if deviation.sqrt() <= 1e-12 * size {
            1.0
        } else {
            deviation.sqrt()
        }
    });
    Standardization {
        scale: scale.collect(),
        mean,
    }
}

/// Standardises, appends the bias, narrows to f32.
pub fn finish(
    path: &Path,
    x: Table,
    standardization: Option<&Standardization>,
    bias: bool,
) -> Result<Vec<f32>> {
    let mut values = x.values;
    if let Some(s) = standardization {
        for (at, v) in values.iter_mut().enumerate() {
            let k = at % x.columns;
            *v = (*v - s.mean[k]) / s.scale[k];
        }
    }
    let narrow = narrow(path, &values, x.columns)?;
    if !bias {
        return Ok(narrow);
    }
    let rows = narrow.chunks(x.columns);
    Ok(rows
        .flat_map(|row| row.iter().copied().chain([1.0]))
        .collect())
}

fn narrow(path: &Path, values: &[f64], columns: usize) -> Result<Vec<f32>> {
    if let Some(at) = values.iter().position(|v| !(*v as f32).is_finite()) {
        return Err(Error::input(
            path.display().to_string(),
            format!(
                "the value {:e} in row {} (counted from 0) is beyond single precision",
                values[at],
                at / columns
            ),
            "rescale the data, or set standardize = true",
        ));
    }
    Ok(values.iter().map(|&v| v as f32).collect())
}
