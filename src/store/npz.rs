//! .npz files: zip archives of .npy arrays, written in a stream.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use npyz::WriterBuilder;
use zip::write::SimpleFileOptions;

use super::places::open_regular;
use crate::error::{Error, Result};

/// Writes arrays one after another, each in blocks.
pub struct NpzWriter<'a> {
    zip: zip::ZipWriter<zip::write::StreamWriter<&'a mut dyn Write>>,
    path: PathBuf,
}

impl<'a> NpzWriter<'a> {
    /// Into `out`; `path` is for messages.
    pub fn new(out: &'a mut dyn Write, path: &Path) -> Self {
        NpzWriter {
            zip: zip::ZipWriter::new_stream(out),
            path: path.to_path_buf(),
        }
    }

    /// One array of this shape. `fill` is called with a sink for the values in C order.
    pub fn array<T: npyz::AutoSerialize>(
        &mut self,
        name: &str,
        shape: &[usize],
        fill: impl FnOnce(&mut dyn FnMut(T) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let at = |e: std::io::Error| Error::writing(&self.path, e);
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .large_file(true);
        self.zip
            .start_file(format!("{name}.npy"), options)
            .map_err(|e| at(e.into()))?;
        let shape: Vec<u64> = shape.iter().map(|&s| s as u64).collect();
        let mut npy = npyz::WriteOptions::<T>::new()
            .default_dtype()
            .shape(&shape)
            .writer(&mut self.zip)
            .begin_nd()
            .map_err(at)?;
        fill(&mut |value| npy.push(&value).map_err(at))?;
        npy.finish().map_err(at)
    }

    /// Writes the archive's directory.
    pub fn finish(self) -> Result<()> {
        let path = self.path;
        self.zip
            .finish()
            .map(|_| ())
            .map_err(|e| Error::writing(&path, e.into()))
    }
}

/// Reads arrays of a .npz file by name.
pub struct NpzReader {
    zip: zip::ZipArchive<BufReader<File>>,
    path: PathBuf,
}

impl NpzReader {
    pub fn open(path: &Path) -> Result<Self> {
        let file = open_regular(path).map_err(|e| Error::reading(path, e))?;
        let zip = zip::ZipArchive::new(BufReader::new(file))
            .map_err(|e| Error::reading(path, e.into()))?;
        Ok(NpzReader {
            zip,
            path: path.to_path_buf(),
        })
    }

    /// Hands the array's shape and reader to `take`, and reads on to its end: only there the
    /// archive's checksum counts.
    pub fn array<R>(
        &mut self,
        name: &str,
        take: impl FnOnce(npyz::NpyFile<&mut dyn Read>) -> std::io::Result<R>,
    ) -> Result<R> {
        let at = |e| Error::reading(&self.path, e);
        let mut entry = self
            .zip
            .by_name(&format!("{name}.npy"))
            .map_err(|e| at(e.into()))?;
        let reader: &mut dyn Read = &mut entry;
        let taken = npyz::NpyFile::new(reader).and_then(take).map_err(at)?;
        std::io::copy(&mut entry, &mut std::io::sink()).map_err(at)?;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::write_atomically;

    #[test]
    fn a_changed_value_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npz");
        write_atomically(&path, |out| {
            let mut npz = NpzWriter::new(out, &path);
            npz.array("f", &[2], |push| [1.25, 2.5].into_iter().try_for_each(push))?;
            npz.finish()
        })
        .unwrap();
        let read = || NpzReader::open(&path)?.array("f", |npy| npy.into_vec::<f64>());
        assert_eq!(read().unwrap(), [1.25, 2.5]);
        let good = std::fs::read(&path).unwrap();
        let value = 2.5_f64.to_le_bytes();
        let at = good.windows(8).position(|bytes| bytes == value).unwrap();
        let mut bad = good.clone();
        bad[at + 6] ^= 1;
        std::fs::write(&path, bad).unwrap();
        assert!(read().is_err());
    }
}
