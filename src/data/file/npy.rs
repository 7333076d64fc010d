//! .npy and .npz files, any real number format, C or Fortran order.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use npyz::{NpyFile, Order, TypeChar};

use super::Table;
use crate::error::{Error, Result};

/// An array and its shape, in C order.
struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

pub fn matrix(path: &Path) -> Result<Table> {
    as_matrix(open(path)?, path, "the array")
}

pub fn vector(path: &Path) -> Result<Vec<f64>> {
    as_vector(open(path)?, path, "the array")
}

pub fn npz_matrix(path: &Path, name: &str) -> Result<Table> {
    as_matrix(from_npz(path, name)?, path, &format!("array {name}"))
}

pub fn npz_vector(path: &Path, name: &str) -> Result<Vec<f64>> {
    as_vector(from_npz(path, name)?, path, &format!("array {name}"))
}

fn open(path: &Path) -> Result<Array> {
    let file = File::open(path).map_err(|e| Error::reading(path, e))?;
    read(&mut BufReader::new(file), path, "the array")
}

fn from_npz(path: &Path, name: &str) -> Result<Array> {
    let file = File::open(path).map_err(|e| Error::reading(path, e))?;
    let mut zip =
        zip::ZipArchive::new(BufReader::new(file)).map_err(|e| Error::reading(path, e.into()))?;
    let entry = format!("{name}.npy");
    if zip.index_for_name(&entry).is_none() {
        let names: Vec<String> = zip
            .file_names()
            .flatten()
            .map(|name| name.trim_end_matches(".npy").to_owned())
            .collect();
        return Err(Error::input(
            path.display().to_string(),
            format!("has no array {name}; it has: {}", names.join(", ")),
            format!("save it under that name: numpy.savez(file, {name}=…)"),
        ));
    }
    let mut entry = zip
        .by_name(&entry)
        .map_err(|e| Error::reading(path, e.into()))?;
    read(&mut entry, path, &format!("array {name}"))
}

fn read(reader: &mut dyn Read, path: &Path, what: &str) -> Result<Array> {
    let at = |e| Error::reading(path, e);
    let npy = NpyFile::new(reader).map_err(at)?;
    let shape: Vec<usize> = npy.shape().iter().map(|&s| s as usize).collect();
    let order = npy.order();
    let dtype = npy.dtype();
    let format = match &dtype {
        npyz::DType::Plain(format) => Some((format.type_char(), format.size_field())),
        _ => None,
    };
    macro_rules! values {
        ($t:ty) => {
            npy.into_vec::<$t>()
                .map_err(at)?
                .into_iter()
                .map(|v| v as f64)
                .collect()
        };
    }
    let values: Vec<f64> = match format {
        Some((TypeChar::Float, 8)) => values!(f64),
        Some((TypeChar::Float, 4)) => values!(f32),
        Some((TypeChar::Float, 2)) => npy
            .into_vec::<half::f16>()
            .map_err(at)?
            .into_iter()
            .map(f64::from)
            .collect(),
        Some((TypeChar::Int, 8)) => values!(i64),
        Some((TypeChar::Int, 4)) => values!(i32),
        Some((TypeChar::Int, 2)) => values!(i16),
        Some((TypeChar::Int, 1)) => values!(i8),
        Some((TypeChar::Uint, 8)) => values!(u64),
        Some((TypeChar::Uint, 4)) => values!(u32),
        Some((TypeChar::Uint, 2)) => values!(u16),
        Some((TypeChar::Uint, 1)) => values!(u8),
        _ => {
            return Err(Error::input(
                path.display().to_string(),
                format!("{what} has the type {}", dtype.descr()),
                "convert it to real numbers: numpy.asarray(array, dtype=float)",
            ));
        }
    };
    Ok(Array {
        values: match (order, shape.as_slice()) {
            (Order::Fortran, &[rows, columns]) => (0..rows * columns)
                .map(|at| values[at % columns * rows + at / columns])
                .collect(),
            _ => values,
        },
        shape,
    })
}

fn as_matrix(array: Array, path: &Path, what: &str) -> Result<Table> {
    match array.shape[..] {
        [_, columns] if columns > 0 => Ok(Table {
            columns,
            values: array.values,
        }),
        _ => Err(wrong_shape(path, what, &array.shape, "(n, d) with d ≥ 1")),
    }
}

fn as_vector(array: Array, path: &Path, what: &str) -> Result<Vec<f64>> {
    match array.shape[..] {
        [_] | [_, 1] => Ok(array.values),
        _ => Err(wrong_shape(path, what, &array.shape, "(n)")),
    }
}

fn wrong_shape(path: &Path, what: &str, found: &[usize], wanted: &str) -> Error {
    Error::input(
        path.display().to_string(),
        format!("{what} has the shape {found:?}"),
        format!("give it the shape {wanted}"),
    )
}
