//! .npz files: zip archives of .npy arrays, written in a stream.

use std::io::Write;
use std::path::{Path, PathBuf};

use npyz::WriterBuilder;
use zip::write::SimpleFileOptions;

use crate::error::{Error, Result};

/// Writes arrays one after another, each in blocks.
pub struct NpzWriter<'a> {
    zip: zip::ZipWriter<zip::write::StreamWriter<&'a mut dyn Write>>,
    path: PathBuf,
}

impl<'a> NpzWriter<'a> {
    /// Writes into `out`; `path` is for error messages.
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

    /// Writes the zip archive's directory.
    pub fn finish(self) -> Result<()> {
        let path = self.path;
        self.zip
            .finish()
            .map(|_| ())
            .map_err(|e| Error::writing(&path, e.into()))
    }
}
