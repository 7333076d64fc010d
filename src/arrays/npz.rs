//! .npz files: zip archives of .npy arrays.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::{Array, array, damaged};
use crate::error::{Error, Result};

/// Deflate expands one byte to at most this many.
pub const MOST_EXPANDED: u64 = 1032;

/// Reads arrays of an .npz file by name, each to its end, so that its checksum is verified.
pub struct NpzReader {
    zip: ZipArchive<BufReader<File>>,
    path: PathBuf,
}

impl NpzReader {
    pub fn open(path: &Path) -> Result<Self> {
        let file = crate::arrays::open(path)?;
        let zip =
            ZipArchive::new(BufReader::new(file)).map_err(|e| Error::reading(path, e.into()))?;
        Ok(NpzReader {
            zip,
            path: path.to_path_buf(),
        })
    }

    /// Names of the arrays.
    pub fn names(&self) -> Vec<String> {
        let names = self.zip.file_names().flatten();
        names
            .map(|name| name.trim_end_matches(".npy").to_owned())
            .collect()
    }

    /// Whether there is an array of this name.
    pub fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(&format!("{name}.npy")).is_some()
    }

    /// Passes the array of this name to `take`.
    pub fn array<R>(&mut self, name: &str, take: impl FnOnce(Array) -> io::Result<R>) -> Result<R> {
        let at = |e: io::Error| {
            let what = io::Error::new(e.kind(), format!("array {name}: {e}"));
            Error::reading(&self.path, what)
        };
        let entry = self.zip.by_name(&format!("{name}.npy"));
        let mut entry = entry.map_err(|e| at(e.into()))?;
        let (size, packed) = (entry.size(), entry.compressed_size());
        if size
            > packed
                .saturating_mul(MOST_EXPANDED)
                .saturating_add(MOST_EXPANDED)
        {
            return Err(at(damaged(format!(
                "it announces {size} bytes, more than {packed} compressed ones can hold"
            ))));
        }
        array(&mut entry, size, take).map_err(at)
    }
}
