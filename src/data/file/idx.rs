//! MNIST's idx files, gzip or not (told by their first bytes).

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use flate2::read::GzDecoder;

use super::Table;
use crate::error::{Error, Result};

/// Type byte of unsigned bytes, the only one MNIST and its kin use.
const UNSIGNED_BYTE: u8 = 8;

/// Images as rows of pixels in [0, 1].
pub fn images(path: &Path) -> Result<Table> {
    let (shape, bytes) = read(path)?;
    if shape.len() < 2 {
        return Err(Error::input(
            path.display().to_string(),
            format!("holds an array of shape {shape:?}, not images"),
            "give the image file as path and the label file as targets_path",
        ));
    }
    Ok(Table {
        columns: shape[1..].iter().product::<usize>().max(1),
        values: bytes.iter().map(|&b| f64::from(b) / 255.0).collect(),
    })
}

/// Labels as they are.
pub fn labels(path: &Path) -> Result<Vec<f64>> {
    let (shape, bytes) = read(path)?;
    if shape.len() != 1 {
        return Err(Error::input(
            path.display().to_string(),
            format!("holds an array of shape {shape:?}, not labels"),
            "give the label file as targets_path",
        ));
    }
    Ok(bytes.iter().map(|&b| f64::from(b)).collect())
}

fn read(path: &Path) -> Result<(Vec<usize>, Vec<u8>)> {
    let at = |e| Error::reading(path, e);
    let mut file = BufReader::new(File::open(path).map_err(at)?);
    let mut magic = [0; 2];
    let known = file.read_exact(&mut magic).is_ok();
    file.rewind().map_err(at)?;
    let mut bytes = Vec::new();
    if known && magic == [0x1f, 0x8b] {
        GzDecoder::new(file).read_to_end(&mut bytes).map_err(at)?;
    } else {
        file.read_to_end(&mut bytes).map_err(at)?;
    }
    let wrong = |what: String| {
        Error::input(
            path.display().to_string(),
            what,
            "give an idx file of unsigned bytes, as MNIST has them, whole",
        )
    };
    let &[0, 0, UNSIGNED_BYTE, dimensions, ..] = bytes.as_slice() else {
        return Err(wrong("does not begin like an idx file of bytes".into()));
    };
    let start = 4 + 4 * usize::from(dimensions);
    let Some(header) = bytes.get(4..start) else {
        return Err(wrong("ends within its header".into()));
    };
    let (sizes, _) = header.as_chunks::<4>();
    let shape: Vec<usize> = sizes
        .iter()
        .map(|s| u32::from_be_bytes(*s) as usize)
        .collect();
    let count = shape.iter().try_fold(1_usize, |a, &b| a.checked_mul(b));
    let body = bytes.split_off(start);
    if count != Some(body.len()) {
        return Err(wrong(format!(
            "announces the shape {shape:?} and holds {} values",
            body.len()
        )));
    }
    Ok((shape, body))
}
