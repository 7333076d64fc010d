//! .npy and .npz files of any real number type, in C or Fortran order.

use std::path::Path;

use npyz::{DType, Order, TypeChar};

use super::Matrix;
use crate::arrays::{self, NpzReader, array};
use crate::error::{Error, Result};

/// Up to this size f64 represents every whole number exactly.
pub const WHOLE: u64 = 1 << 53;
/// Remedy for whole numbers beyond it.
pub const WHOLE_REMEDY: &str =
    "subtract what all rows have in common, such as the least value of the column, before saving";

/// An array and its shape, in C order.
struct DecodedArray {
    shape: Vec<usize>,
    values: Vec<f64>,
}

pub fn matrix(path: &Path) -> Result<Matrix> {
    as_matrix(open(path)?, path, "the array")
}

pub fn vector(path: &Path) -> Result<Vec<f64>> {
    as_vector(open(path)?, path, "the array")
}

pub fn npz_matrix(path: &Path, name: &str) -> Result<Matrix> {
    as_matrix(from_npz(path, name)?, path, &format!("array {name}"))
}

pub fn npz_vector(path: &Path, name: &str) -> Result<Vec<f64>> {
    as_vector(from_npz(path, name)?, path, &format!("array {name}"))
}

/// A single whole number; `None` if the file has no array of this name.
pub fn npz_integer(path: &Path, name: &str) -> Result<Option<i64>> {
    if !NpzReader::open(path)?.has(name) {
        return Ok(None);
    }
    let array = from_npz(path, name)?;
    match array.values[..] {
        [value] if value.fract() == 0.0 && value.abs() <= WHOLE as f64 => Ok(Some(value as i64)),
        _ => Err(Error::input(
            path.display().to_string(),
            format!("array {name} is not one whole number"),
            "write it as numpy.int64(…), or leave it out",
        )),
    }
}

fn open(path: &Path) -> Result<DecodedArray> {
    let mut file = arrays::open(path)?;
    let length = file.metadata().map_err(|e| Error::reading(path, e))?.len();
    let read = array(&mut file, length, |npy| Ok(read(npy)));
    found(
        read.map_err(|e| Error::reading(path, e))?,
        path,
        "the array",
    )
}

fn from_npz(path: &Path, name: &str) -> Result<DecodedArray> {
    let mut npz = NpzReader::open(path)?;
    if !npz.has(name) {
        return Err(Error::input(
            path.display().to_string(),
            format!("has no array {name}; it has: {}", npz.names().join(", ")),
            format!("save it under that name: numpy.savez(file, {name}=…)"),
        ));
    }
    let read = npz.array(name, |npy| Ok(read(npy)))?;
    found(read, path, &format!("array {name}"))
}

/// Reasons why an array cannot be used.
enum ArrayFault {
    Damaged(std::io::Error),
    /// The array does not fit in memory.
    TooLarge(String),
    /// The type is not one of real numbers.
    Type(DType),
    /// A whole number that f64 cannot represent.
    Whole(i128),
}

/// An array, or the error message for its fault.
fn found(
    read: std::result::Result<DecodedArray, ArrayFault>,
    path: &Path,
    what: &str,
) -> Result<DecodedArray> {
    let wrong = |fault: String, remedy: &str| {
        Err(Error::input(
            path.display().to_string(),
            format!("{what} {fault}"),
            remedy,
        ))
    };
    match read {
        Ok(array) => Ok(array),
        Err(ArrayFault::Damaged(error)) => Err(Error::reading(path, error)),
        Err(ArrayFault::TooLarge(lack)) => {
            wrong(lack, "save fewer rows, or use a machine with more memory")
        }
        Err(ArrayFault::Whole(value)) => wrong(
            format!("holds {value}, and whole numbers beyond 2^53 would be rounded"),
            WHOLE_REMEDY,
        ),
        Err(ArrayFault::Type(dtype)) => {
            let kind = match &dtype {
                DType::Plain(of) => match of.type_char() {
                    TypeChar::Complex => "complex numbers",
                    TypeChar::Object => "Python objects",
                    TypeChar::ByteStr | TypeChar::UnicodeStr => "text",
                    TypeChar::TimeDelta | TypeChar::DateTime => "times",
                    TypeChar::Float => "floating-point numbers of an unusual size",
                    _ => "no numbers",
                },
                _ => "records of several fields",
            };
            let remedy = match kind {
                "complex numbers" => {
                    "give real numbers: real and imaginary parts as columns, numpy.hstack([X.real, X.imag])"
                }
                _ => "convert it to real numbers: numpy.asarray(array, dtype=float)",
            };
            wrong(format!("has the type {}: {kind}", dtype.descr()), remedy)
        }
    }
}

fn read(npy: arrays::Array) -> std::result::Result<DecodedArray, ArrayFault> {
    let shape: Vec<usize> = npy.shape().iter().map(|&s| s as usize).collect();
    let order = npy.order();
    let dtype = npy.dtype();
    let format = match &dtype {
        DType::Plain(format) => Some((format.type_char(), format.size_field())),
        _ => None,
    };
    // Memory for the stored values, their f64 values, and a reordered or narrowed copy.
    let bytes = u128::from(npy.len()) * (dtype.num_bytes().unwrap_or(0) as u128 + 16);
    if let Some(lack) = crate::memory::lacking(bytes) {
        return Err(ArrayFault::TooLarge(lack));
    }
    macro_rules! values {
        ($t:ty) => {
            npy.into_vec::<$t>()
                .map_err(ArrayFault::Damaged)?
                .into_iter()
                .map(f64::from)
                .collect()
        };
    }
    macro_rules! whole {
        ($t:ty) => {{
            let values = npy.into_vec::<$t>().map_err(ArrayFault::Damaged)?;
            let rounded = |v: &$t| *v as f64 as i128 != i128::from(*v);
            if let Some(value) = values.iter().find(|v| rounded(v)) {
                return Err(ArrayFault::Whole((*value).into()));
            }
            values.into_iter().map(|v| v as f64).collect()
        }};
    }
    let values: Vec<f64> = match format {
        Some((TypeChar::Float, 8)) => values!(f64),
        Some((TypeChar::Float, 4)) => values!(f32),
        Some((TypeChar::Float, 2)) => values!(half::f16),
        Some((TypeChar::Int, 8)) => whole!(i64),
        Some((TypeChar::Int, 4)) => values!(i32),
        Some((TypeChar::Int, 2)) => values!(i16),
        Some((TypeChar::Int, 1)) => values!(i8),
        Some((TypeChar::Uint, 8)) => whole!(u64),
        Some((TypeChar::Uint, 4)) => values!(u32),
        Some((TypeChar::Uint, 2)) => values!(u16),
        Some((TypeChar::Uint, 1)) => values!(u8),
        // numpy converts True to 1.
        Some((TypeChar::Bool, 1)) => values!(bool),
        _ => return Err(ArrayFault::Type(dtype)),
    };
    Ok(DecodedArray {
        values: match (order, shape.as_slice()) {
            (Order::Fortran, &[rows, columns]) => (0..rows * columns)
                .map(|at| values[at % columns * rows + at / columns])
                .collect(),
            _ => values,
        },
        shape,
    })
}

fn as_matrix(array: DecodedArray, path: &Path, what: &str) -> Result<Matrix> {
    match array.shape[..] {
        [_, columns] if columns > 0 => Ok(Matrix::unnamed(columns, array.values)),
        _ => Err(wrong_shape(path, what, &array.shape, "(n, d) with d ≥ 1")),
    }
}

fn as_vector(array: DecodedArray, path: &Path, what: &str) -> Result<Vec<f64>> {
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
