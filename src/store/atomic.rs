//! Files that appear whole or not at all, and that a loss of power does not take back.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::places::{LEFTOVER, sync_folder};
use crate::error::{Error, Result};

/// Lets `fill` write beside `path`, then renames onto it. On any error the old file stays; a new
/// one keeps its permissions.
pub fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
) -> Result<()> {
    let at = |e| Error::writing(path, e);
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut beside = tempfile::Builder::new()
        .prefix(LEFTOVER)
        .permissions_like_create()
        .tempfile_in(folder)
        // Of the kind alone: its words name the file beside.
        .map_err(|e| at(e.kind().into()))?;
    // Held until the file is in place or its process is gone: who clears leftovers away looks. A
    // file system without locks has no such helper either.
    let _ = beside.as_file().try_lock();
    let mut writer = BufWriter::with_capacity(1 << 20, beside.as_file_mut());
    fill(&mut writer)?;
    writer.flush().map_err(at)?;
    drop(writer);
    if let Some(old) = std::fs::symlink_metadata(path).ok().filter(|m| m.is_file()) {
        let keeps = beside.as_file().set_permissions(old.permissions());
        keeps.map_err(at)?;
    }
    beside.as_file().sync_all().map_err(at)?;
    beside.persist(path).map_err(|e| at(e.error))?;
    sync_folder(folder).map_err(at)
}

/// Temporary files are private by default; results should have the usual permissions.
trait PermissionsLikeCreate {
    fn permissions_like_create(&mut self) -> &mut Self;
}

impl PermissionsLikeCreate for tempfile::Builder<'_, '_> {
    #[cfg(unix)]
    fn permissions_like_create(&mut self) -> &mut Self {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask applies on top, as for File::create.
        self.permissions(std::fs::Permissions::from_mode(0o666))
    }

    #[cfg(not(unix))]
    fn permissions_like_create(&mut self) -> &mut Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let put = |text: &'static str, fail: bool| {
            write_atomically(&path, |out| {
                out.write_all(text.as_bytes())
                    .map_err(|e| Error::writing(&path, e))?;
                if fail {
                    let full = std::io::ErrorKind::StorageFull;
                    return Err(Error::writing(&path, full.into()));
                }
                Ok(())
            })
        };
        put("old", false).unwrap();
        let error = put("new", true).unwrap_err();
        assert!(error.to_string().contains("free some space"), "{error}");
        assert_eq!(error.exit_code(), 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_replaced_file_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
        let put = || write_atomically(&path, |_| Ok(())).unwrap();
        put();
        let usual = mode();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        put();
        assert_eq!(mode(), 0o640);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        put();
        assert_eq!(mode(), usual);
    }
}
