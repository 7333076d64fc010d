//! Data sets: inputs X (n, d) and targets y (n), from generators or files.

pub(crate) mod file;
mod generate;
pub(crate) mod narrow;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::experiment::{DataSpec, Source};
use crate::model::{Loss, StateFormat};

/// Training or test samples of one run. Values are f32 on every engine, so that all engines compute
/// with the same numbers; the f64 reference converts them exactly.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Input dimension, the bias coordinate included.
    pub d: usize,
    /// Inputs, row-major (n, d).
    pub x: Vec<f32>,
    /// Targets (n); ±1 for classification.
    pub y: Vec<f32>,
}

impl Dataset {
    /// Number of samples.
    pub fn n(&self) -> usize {
        self.y.len()
    }

    /// The samples that a run with this state format uses: for f16, inputs are rounded to the
    /// nearest f16, with a warning if rows with different targets become equal.
    ///
    /// # Errors
    /// Inputs that f16 cannot hold.
    pub fn rounded(mut self, state: StateFormat) -> Result<Self> {
        if state == StateFormat::F32 {
            return Ok(self);
        }
        let x = narrow::to_f16(&self)?;
        if let Some(rows) = narrow::merged(&self.x, &x, self.d, &self.y) {
            let remedy = "data.standardize = true may keep such rows apart, and \"f32\" does";
            narrow::warn_of(rows, "precision.state", &self.y, state, remedy);
        }
        self.x = x;
        Ok(self)
    }

    /// A digest of the samples, equal exactly if d, X and y are equal.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for size in [self.d, self.n()] {
            hasher.update(&(size as u64).to_le_bytes());
        }
        for values in [&self.x, &self.y] {
            hasher.update(bytemuck::cast_slice(values));
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Input i, of length d.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.x[i * self.d..(i + 1) * self.d]
    }
}

/// The samples of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    pub train: Dataset,
    pub test: Option<Dataset>,
    /// Standardisation of the training inputs, which new inputs need too; `None` without it.
    pub standardization: Option<Standardization>,
    /// Names of the input columns, used to match the columns of new inputs; empty if the file has
    /// none.
    pub columns: Vec<String>,
}

/// x ↦ (x − mean) / scale, column by column, with the training set's statistics; scale is 1 for
/// a constant column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standardization {
    pub mean: Vec<f64>,
    pub scale: Vec<f64>,
}

/// Draws or reads the samples of a run. Drawn samples depend on (spec, seed) alone, and sample i
/// does not depend on n: a smaller training set is the beginning of a larger one.
///
/// # Errors
/// Anything wrong with a file, with the file, the place in it and the remedy; targets that are not
/// ±1 with a classification loss; numbers that f32 cannot hold; samples that do not fit in memory.
pub fn load(spec: &DataSpec, seed: u64, loss: Loss) -> Result<Split> {
    match spec.source {
        Source::File => file::load(spec, loss),
        _ => {
            generate::fits(spec)?;
            let split = generate::generate(spec, seed);
            generate::check(spec, &split)?;
            Ok(split)
        }
    }
}

/// Reads inputs for a trained network of input dimension d: the rows of an .npz (array X), an .npy,
/// a .csv (without the training data's target column, if it is there) or idx images. The
/// standardisation and bias of the training inputs are applied; targets are set to 0. Columns are
/// matched by name if both have names: `columns` are those of the training data.
///
/// # Errors
/// Those of [`load`]; rows whose length does not give d; columns other than those of the training
/// data.
pub fn read_inputs(
    path: &Path,
    d: usize,
    spec: &DataSpec,
    standardization: Option<&Standardization>,
    columns: &[String],
) -> Result<Dataset> {
    let x = file::read_inputs(path, spec.target.as_deref())?;
    if columns.is_empty() && spec.target.is_some() && !x.names.is_empty() {
        tracing::warn!(
            "{}: its columns are taken in their order: the checkpoint is of a version that kept no names",
            path.display()
        );
    }
    let x = file::in_columns(path, x, columns)?;
    let bias = spec.source == Source::File && spec.bias;
    let expected = d - usize::from(bias);
    if x.columns != expected {
        let added = if bias { ", and a bias is added" } else { "" };
        return Err(Error::input(
            path.display().to_string(),
            format!("its rows have {} values", x.columns),
            format!("the network was trained on inputs of {expected} values{added}: give as many"),
        ));
    }
    let n = x.rows();
    let x = file::finish(path, x, standardization, bias)?;
    Ok(Dataset {
        d,
        x,
        y: vec![0.0; n],
    })
}
