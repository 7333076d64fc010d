//! Reads arrays of untrusted .npy and .npz files: the size that a file announces is compared with
//! the bytes present before anything is allocated, and every array is read to its end.

mod npz;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use npyz::{NpyFile, NpyHeader, Order};
use py_literal::Value;

pub use npz::{MOST_EXPANDED, NpzReader};

use crate::digits::counted;
use crate::error::{Error, Result};
use crate::memory;

/// The longest header that is accepted; those of numpy are below 200 bytes.
const LONGEST_HEADER: usize = 1 << 16;
/// The deepest nesting of brackets in an accepted header: dtypes with fields need four levels.
const DEEPEST_HEADER: usize = 4;

/// An array whose header is read and whose values are not.
pub type Array<'a> = NpyFile<&'a mut dyn Read>;

/// Passes the array of an .npy of `length` bytes to `take`, then reads the rest of it.
///
/// # Errors
/// A header that is not valid, or fewer or more values than it announces.
pub fn array<R>(
    reader: &mut dyn Read,
    length: u64,
    take: impl FnOnce(Array) -> io::Result<R>,
) -> io::Result<R> {
    let text = header(reader, length)?;
    check_shape(&text)?;
    let header = NpyHeader::from_reader(text.as_slice())?;
    let body = length - text.len() as u64;
    if let Some(size) = header.dtype().num_bytes() {
        let (count, size) = (header.len(), size as u64);
        if count.checked_mul(size) != Some(body) {
            let announced = u128::from(count) * u128::from(size);
            return Err(damaged(format!(
                "its header announces {} of {size} bytes each, {announced} bytes, and {body} bytes follow",
                counted(count, "value"),
            )));
        }
    }
    let mut values = io::BufReader::with_capacity(1 << 16, reader);
    let taken = take(NpyFile::with_header(header, &mut values))?;
    // The checksum covers all bytes and is compared at the end, so unread bytes are read too.
    io::copy(&mut values, &mut io::sink())?;
    Ok(taken)
}

/// All values of an array in C order, if they fit in memory.
pub fn values<T: npyz::Deserialize>(array: Array) -> io::Result<Vec<T>> {
    fits(array.len(), size_of::<T>())?;
    in_order(&array)?;
    array.into_vec()
}

/// Refuses an array of several dimensions that is not in C order; all arrays of a run folder are.
pub fn in_order(array: &Array) -> io::Result<()> {
    match array.order() {
        Order::Fortran if array.shape().len() > 1 => Err(damaged("it is in Fortran order".into())),
        _ => Ok(()),
    }
}

/// Refuses `count` values of this size if they do not fit in memory.
pub fn fits(count: u64, size: usize) -> io::Result<()> {
    match memory::lacking(u128::from(count) * size as u128) {
        None => Ok(()),
        Some(lack) => Err(io::Error::new(
            io::ErrorKind::OutOfMemory,
            format!("it {lack}"),
        )),
    }
}

/// Opens a regular file; others are refused, since a pipe has no size and might never end.
pub fn open(path: &Path) -> Result<File> {
    let at = |e| Error::reading(path, e);
    if !std::fs::metadata(path).map_err(at)?.is_file() {
        return Err(Error::input(
            path.display().to_string(),
            "is not a file",
            "give a file: what a pipe delivers has to be saved first",
        ));
    }
    File::open(path).map_err(at)
}

/// The bytes before the values: magic string, version, size and header text.
fn header(reader: &mut dyn Read, length: u64) -> io::Result<Vec<u8>> {
    let mut text = vec![0; 10];
    let short = |_| damaged("it is too short for an .npy array".into());
    reader.read_exact(&mut text).map_err(short)?;
    if !text.starts_with(b"\x93NUMPY") {
        return Err(damaged("it does not begin like an .npy array".into()));
    }
    let mut size = usize::from(u16::from_le_bytes([text[8], text[9]]));
    // From version 2 on, the size of the header has four bytes.
    if text[6] > 1 {
        let mut high = [0; 2];
        reader.read_exact(&mut high).map_err(short)?;
        text.extend(high);
        size |= usize::from(u16::from_le_bytes(high)) << 16;
    }
    let start = text.len();
    if size as u64 > length.saturating_sub(start as u64) {
        return Err(damaged(format!(
            "its header announces {size} bytes, and {length} bytes are there in all"
        )));
    }
    if size > LONGEST_HEADER {
        return Err(damaged(format!(
            "its header has {size} bytes, and none of an array of numbers has more than {LONGEST_HEADER}"
        )));
    }
    text.resize(start + size, 0);
    reader.read_exact(&mut text[start..]).map_err(short)?;
    Ok(text)
}

/// Refuses headers that would overload the parser: deeply nested brackets, and shapes whose product
/// exceeds 64 bits.
fn check_shape(header: &[u8]) -> io::Result<()> {
    let start = if header[6] > 1 { 12 } else { 10 };
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in &header[start..] {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    let wrong = || damaged("its header is not that of an .npy array".into());
    if deepest > DEEPEST_HEADER {
        return Err(wrong());
    }
    let text = std::str::from_utf8(&header[start..]).map_err(|_| wrong())?;
    let Ok(Value::Dict(entries)) = text.trim_end().parse() else {
        return Err(wrong());
    };
    // If a key is given twice, the last one counts.
    let shape = entries.iter().rev().find_map(|(key, value)| match value {
        Value::Tuple(sizes) | Value::List(sizes) if key.as_string()? == "shape" => Some(sizes),
        _ => None,
    });
    let product = shape
        .ok_or_else(wrong)?
        .iter()
        .try_fold(1_u64, |product, size| {
            let size = u64::try_from(size.as_integer()?).ok()?;
            product.checked_mul(size.max(1))
        });
    match product {
        Some(_) => Ok(()),
        None => Err(damaged(
            "its header announces more values than 64 bits count".into(),
        )),
    }
}

fn damaged(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
