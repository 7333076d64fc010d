//! Atomic writes: a file appears completely or not at all, and survives a loss of power once synced.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::NamedTempFile;

use super::filesystem::{LEFTOVER, open_regular, sync_folder};
use crate::error::{Error, Result};

/// Largest number of files that wait to be synced; each is open.
const WAITING: usize = 64;

/// Number of syncs in parallel, which a disk combines.
const ABREAST: usize = 16;

/// Lets `fill` write a temporary file beside `path`, then renames it to `path`. On an error the old file
/// stays; a new file gets the permissions of the old one.
pub fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
) -> Result<()> {
    let mut writes = Writes::default();
    writes.file(path, fill)?;
    writes.commit()
}

/// As [`write_atomically`], without a sync: a loss of power may undo it.
pub fn write_unsynced(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
) -> Result<()> {
    Written::beside(path, fill)?.put_in_place()
}

/// Several files that are synced together. Each appears whole or not at all, in the order in which they were
/// written, and all have appeared after [`Writes::commit`].
#[derive(Debug, Default)]
pub struct Writes {
    written: Vec<Written>,
    relied_on: Vec<PathBuf>,
}

impl Writes {
    /// Lets `fill` write a temporary file beside `path`, which is renamed to `path` later.
    pub fn file(
        &mut self,
        path: &Path,
        fill: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
    ) -> Result<()> {
        self.written.push(Written::beside(path, fill)?);
        match self.written.len() < WAITING {
            true => Ok(()),
            false => self.commit(),
        }
    }

    /// Makes [`Writes::commit`] sync an existing file before any of these files appears.
    pub fn rely_on(&mut self, path: &Path) {
        self.relied_on.push(path.to_path_buf());
    }

    /// Syncs all files and renames them into place.
    pub fn commit(&mut self) -> Result<()> {
        let written = std::mem::take(&mut self.written);
        let relied_on = std::mem::take(&mut self.relied_on);
        side_by_side(&relied_on, |path| {
            let synced = open_regular(path).and_then(|file| file.sync_all());
            synced.map_err(|e| Error::writing(path, e))
        })?;
        side_by_side(&written, Written::sync)?;
        let folders: BTreeSet<_> = written.iter().map(|file| file.folder.clone()).collect();
        written.into_iter().try_for_each(Written::put_in_place)?;
        let folders: Vec<_> = folders.into_iter().collect();
        side_by_side(&folders, |folder| {
            sync_folder(folder).map_err(|e| Error::writing(folder, e))
        })
    }
}

/// A temporary file beside the file that it will replace.
#[derive(Debug)]
struct Written {
    beside: NamedTempFile,
    path: PathBuf,
    folder: PathBuf,
}

impl Written {
    fn beside(
        path: &Path,
        fill: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
    ) -> Result<Self> {
        let at = |e| Error::writing(path, e);
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut beside = tempfile::Builder::new()
            .prefix(LEFTOVER)
            .permissions_like_create()
            .tempfile_in(folder)
            // Only the kind of the error: its message would name the temporary file.
            .map_err(|e| at(e.kind().into()))?;
        // Locked until the file is in place or its process has ended: locked files are not removed as leftovers. On a
        // file system without locks nothing is removed.
        let _ = beside.as_file().try_lock();
        let mut writer = BufWriter::with_capacity(1 << 20, beside.as_file_mut());
        fill(&mut writer)?;
        writer.flush().map_err(at)?;
        drop(writer);
        if let Some(old) = std::fs::symlink_metadata(path).ok().filter(|m| m.is_file()) {
            let keeps = beside.as_file().set_permissions(old.permissions());
            keeps.map_err(at)?;
        }
        Ok(Written {
            beside,
            path: path.to_path_buf(),
            folder: folder.to_path_buf(),
        })
    }

    fn sync(&self) -> Result<()> {
        let synced = self.beside.as_file().sync_all();
        synced.map_err(|e| Error::writing(&self.path, e))
    }

    fn put_in_place(self) -> Result<()> {
        let placed = self.beside.persist(&self.path);
        placed.map_err(|e| Error::writing(&self.path, e.error))?;
        Ok(())
    }
}

/// Calls `with` on all items, several in parallel.
///
/// # Errors
/// The first one, in the order of the items.
fn side_by_side<T: Sync>(items: &[T], with: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    if let [one] = items {
        return with(one);
    }
    let part = items.len().div_ceil(ABREAST).max(1);
    thread::scope(|scope| {
        let with = &with;
        let parts = items.chunks(part);
        let threads: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().try_for_each(with)))
            .collect();
        let outcomes = threads.into_iter().map(|thread| match thread.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        // Waits for all of them, as the scope does anyway.
        let outcomes: Vec<_> = outcomes.collect();
        outcomes.into_iter().collect()
    })
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

    #[test]
    fn many_files_appear_together() {
        let dir = tempfile::tempdir().unwrap();
        let path = |k: usize| dir.path().join(format!("{}/{k}", k % 7));
        (0..7).for_each(|k| std::fs::create_dir(dir.path().join(k.to_string())).unwrap());
        let there = || (0..100).filter(|&k| path(k).exists()).count();
        let mut writes = Writes::default();
        for k in 0..100 {
            let put = writes.file(&path(k), |out| {
                out.write_all(&[k as u8])
                    .map_err(|e| Error::writing(&path(k), e))
            });
            put.unwrap();
            // All but the last few are in place already, as each waiting file takes a handle.
            assert_eq!(there(), (k + 1) / WAITING * WAITING);
        }
        writes.rely_on(&path(0));
        writes.commit().unwrap();
        assert!((0..100).all(|k| std::fs::read(path(k)).unwrap() == [k as u8]));
        // If a file that they rely on is missing, none of them appears.
        writes.rely_on(&dir.path().join("missing"));
        writes.file(&path(100), |_| Ok(())).unwrap();
        let error = writes.commit().unwrap_err().to_string();
        assert!(error.contains("missing"), "{error}");
        drop(writes);
        assert!(!path(100).exists());
        let left: usize = (0..7)
            .map(|k| {
                std::fs::read_dir(dir.path().join(k.to_string()))
                    .unwrap()
                    .count()
            })
            .sum();
        assert_eq!(left, 100);
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
