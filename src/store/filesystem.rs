//! Helpers for folders and files: synced folders, leftovers of killed processes, regular files only.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Prefix of the names of files that are still being written.
pub const LEFTOVER: &str = ".widefield-";

/// Syncs a folder, so that names created, changed or removed in it survive a loss of power.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    let opened = match File::open(folder) {
        // The folder may be written to, but not be listed.
        Err(e) if e.kind() == ErrorKind::PermissionDenied => return Ok(()),
        opened => opened?,
    };
    match opened.sync_all() {
        // Some network file systems cannot sync a folder; their servers take care of it.
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// On other systems folders cannot be synced; their file systems keep names in order themselves.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Creates a folder and its missing parents, and syncs them.
pub fn make_folder(dir: &Path) -> Result<()> {
    make_folders(&[dir])
}

/// Creates folders and their missing parents, and syncs them.
pub fn make_folders(dirs: &[impl AsRef<Path>]) -> Result<()> {
    let mut changed = BTreeSet::new();
    for dir in dirs.iter().map(AsRef::as_ref) {
        let missing = dir.ancestors().take_while(|above| !above.exists());
        changed.extend(missing.map(|made| match made.parent() {
            Some(above) if above != Path::new("") => above,
            _ => Path::new("."),
        }));
        std::fs::create_dir_all(dir).map_err(|e| Error::writing(dir, e))?;
    }
    let sync = |folder| sync_folder(folder).map_err(|e| Error::writing(folder, e));
    changed.into_iter().try_for_each(sync)
}

/// Opens a regular file for reading. Folders and files that could block a reader, such as pipes, are
/// refused.
pub fn open_regular(path: &Path) -> io::Result<File> {
    must_be_regular(&path.metadata()?)?;
    let file = File::open(path)?;
    must_be_regular(&file.metadata()?)?;
    Ok(file)
}

pub fn must_be_regular(of: &std::fs::Metadata) -> io::Result<()> {
    match of.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(
            ErrorKind::InvalidInput,
            "it is not a regular file",
        )),
    }
}

/// Removes a file if it exists.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::writing(path, e)),
        _ => Ok(()),
    }
}

/// Opens a file for reading; `None` if it does not exist.
pub fn open_if_there(path: &Path) -> Result<Option<File>> {
    match open_regular(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::reading(path, e)),
    }
}

/// Whether a path exists; a disk error is reported as an error.
pub fn is_there(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|e| Error::reading(path, e))
}

/// The entries of a folder; empty if the folder does not exist.
pub fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        opened => opened?.map(|entry| Ok(entry?.path())).collect(),
    }
}

/// The last component of a path; empty if it is not valid text.
pub fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("")
}

/// Removes the half-written files that killed processes left in a folder. Files of running processes are
/// locked and stay.
pub fn clear_leftovers(folder: &Path) {
    let there = entries(folder).unwrap_or_default().into_iter();
    for path in there.filter(|path| name(path).starts_with(LEFTOVER)) {
        let is_file = path.symlink_metadata().is_ok_and(|of| of.is_file());
        let opened = is_file.then(|| File::options().write(true).open(&path).ok());
        if let Some(file) = opened.flatten()
            && file.try_lock().is_ok()
        {
            // A remaining file does no harm; the next process tries again.
            let _ = std::fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_go_unless_their_writer_lives() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in [".widefield-a", ".widefield-b", ".widefield", "notes"] {
            std::fs::write(at(name), "").unwrap();
        }
        std::fs::create_dir(at(".widefield-c")).unwrap();
        let held = File::open(at(".widefield-b")).unwrap();
        held.try_lock().unwrap();
        clear_leftovers(dir.path());
        let mut left = entries(dir.path()).unwrap();
        left.sort();
        let names: Vec<&str> = left.iter().map(|path| name(path)).collect();
        assert_eq!(
            names,
            [".widefield", ".widefield-b", ".widefield-c", "notes"]
        );
        drop(held);
        clear_leftovers(dir.path());
        assert!(!at(".widefield-b").exists());
    }

    #[test]
    fn only_regular_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open_regular(dir.path()).is_err());
        make_folder(&dir.path().join("a/b/c")).unwrap();
        let file = dir.path().join("a/b/c/file");
        std::fs::write(&file, "").unwrap();
        assert!(open_regular(&file).is_ok());
        assert!(make_folder(&file.join("d")).is_err());
    }
}
