//! Where the keys of an experiment come from.

use std::path::{Path, PathBuf};

use toml::Value;

use super::mistakes::Location;
use super::value::ValueError;

/// The text that keys are read from, and its precedence.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub label: &'a str,
    pub text: &'a str,
    pub folder: &'a Path,
    pub precedence: Precedence<'a>,
}

/// Layers of keys; each overrides the ones before it.
#[derive(Clone, Copy)]
pub(super) enum Precedence<'a> {
    File,
    /// The section `[quick]` of the file.
    Quick,
    /// One `--set`.
    Set(&'a Location),
}

impl Precedence<'_> {
    pub fn overrides(self) -> bool {
        !matches!(self, Precedence::File)
    }
}

impl Origin<'_> {
    pub fn location(&self, start: usize, name: &str, grid: bool) -> Location {
        let name = match grid {
            true => grid_name(name),
            false => name.to_owned(),
        };
        let line = line_of(self.text, start);
        let text = match self.precedence {
            Precedence::Set(location) => return location.clone(),
            Precedence::File => format!("{}:{line}: {name}", self.label),
            Precedence::Quick => format!("{}:{line}: quick.{name}", self.label),
        };
        Location { text, order: start }
    }

    /// The copy of a data file next to this experiment file, if the data file no longer exists, as
    /// after a run folder was moved.
    fn kept(&self, path: &Path) -> Option<PathBuf> {
        let copy = self.folder.join(KEPT_DATA).join(kept_name(path));
        let moved = matches!(self.precedence, Precedence::File) && !path.exists() && copy.exists();
        std::path::absolute(copy).ok().filter(|_| moved)
    }

    /// Makes a path of the file absolute, so that the resolved file works from any folder.
    pub fn absolute(&self, key: &str, value: &mut Value) -> std::result::Result<(), ValueError> {
        let Some(path) = value.as_str().filter(|_| key.ends_with("path")) else {
            return Ok(());
        };
        let full = std::path::absolute(self.folder.join(path)).ok();
        let full = full.map(|full| self.kept(&full).unwrap_or(full));
        let text = full
            .as_deref()
            .filter(|_| !path.is_empty())
            .and_then(Path::to_str);
        *value = match text {
            Some(text) => text.into(),
            None => {
                return Err(ValueError::found(
                    value,
                    "a file's path, in folders of UTF-8 names",
                ));
            }
        };
        Ok(())
    }
}

/// Subfolder of a run folder for the copies of data files, see [`kept_name`].
pub const KEPT_DATA: &str = "data";

/// Whether a file name has the form that [`kept_name`] gives.
pub fn is_kept_name(name: &str) -> bool {
    let hex = |digest: &str| digest.len() == 8 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    name.split_once('-').is_some_and(|(digest, _)| hex(digest))
}

/// The name of a data file's copy in a run folder: the file name and a digest of the whole path,
/// which separates files of the same name.
pub fn kept_name(path: &Path) -> String {
    let digest = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{}-{name}", &digest[..8])
}

/// A key of the grid as messages and resolved files write it.
pub(super) fn grid_name(key: &str) -> String {
    match key.contains('.') {
        true => format!("grid.\"{key}\""),
        false => format!("grid.{key}"),
    }
}

/// The number of the line that holds a byte.
pub(super) fn line_of(text: &str, byte: usize) -> usize {
    1 + text
        .bytes()
        .take(byte)
        .filter(|byte| *byte == b'\n')
        .count()
}
