//! MNIST's idx files, gzip-compressed or not (recognised by their first bytes).

use std::io::{BufReader, Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::Matrix;
use crate::arrays;
use crate::error::{Error, Result};
use crate::memory;

/// Type code of unsigned bytes, the only type that MNIST and similar data sets use.
const UNSIGNED_BYTE: u8 = 8;

/// Images as rows of pixels in [0, 1].
pub fn images(path: &Path) -> Result<Matrix> {
    let (shape, bytes) = read(path)?;
    if shape.len() < 2 {
        return Err(Error::input(
            path.display().to_string(),
            format!("holds an array of shape {shape:?}, not images"),
            "give the image file as path and the label file as targets_path",
        ));
    }
    Ok(Matrix::unnamed(
        shape[1..].iter().product::<usize>().max(1),
        bytes.iter().map(|&b| f64::from(b) / 255.0).collect(),
    ))
}

/// Labels, unchanged.
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
    let file = arrays::open(path)?;
    let length = file.metadata().map_err(at)?.len();
    let mut file = BufReader::new(file);
    let mut magic = [0; 2];
    let known = file.read_exact(&mut magic).is_ok();
    file.rewind().map_err(at)?;
    let is_gzip = known && magic == [0x1f, 0x8b];
    let (mut reader, most): (Box<dyn Read>, u64) = match is_gzip {
        // A gzip file may have several members, as gzip itself allows.
        true => (
            Box::new(MultiGzDecoder::new(file)),
            length.saturating_mul(arrays::MOST_EXPANDED),
        ),
        false => (Box::new(file), length),
    };
    let wrong = |what: String| {
        Error::input(
            path.display().to_string(),
            what,
            "give an idx file of unsigned bytes, as MNIST has them, whole",
        )
    };
    let mut start = [0; 4];
    let known = reader.read_exact(&mut start).is_ok();
    let (true, [0, 0, UNSIGNED_BYTE, dimensions]) = (known, start) else {
        return Err(wrong("does not begin like an idx file of bytes".into()));
    };
    let mut sizes = vec![0; 4 * usize::from(dimensions)];
    if reader.read_exact(&mut sizes).is_err() {
        return Err(wrong("ends within its header".into()));
    }
    let (sizes, _) = sizes.as_chunks::<4>();
    let shape: Vec<usize> = sizes
        .iter()
        .map(|s| u32::from_be_bytes(*s) as usize)
        .collect();
    let count = shape
        .iter()
        .try_fold(1_u64, |a, &b| a.checked_mul(b as u64))
        .filter(|&count| count <= most);
    let Some(count) = count else {
        return Err(wrong(format!(
            "announces the shape {shape:?}, and holds {length} bytes in all"
        )));
    };
    // Memory for the bytes, their f64 values, and a second copy of those where classes are
    // selected.
    memory::require(
        &path.display().to_string(),
        &format!("an array of shape {shape:?}"),
        17 * u128::from(count),
        "give fewer images, or use a machine with more memory",
    )?;
    let mut body = Vec::new();
    // Reading one byte more than announced detects a file that is too long.
    reader.take(count + 1).read_to_end(&mut body).map_err(at)?;
    if count != body.len() as u64 {
        let more = if body.len() as u64 > count {
            "more"
        } else {
            "fewer"
        };
        return Err(wrong(format!(
            "announces the shape {shape:?}, {count} values, and holds {more}"
        )));
    }
    Ok((shape, body))
}
