//! The lock of a run folder: one process writes to it at a time; the lock file names the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::filesystem::must_be_regular;
use crate::error::{Error, Result};

/// How long to wait for the lock of a process that is ending.
const DYING: Duration = Duration::from_secs(1);

/// The holder of a lock, as stored in the lock file.
#[derive(Debug, Serialize, Deserialize)]
struct Owner {
    pid: u32,
    host: String,
    /// Seconds since 1970.
    since: u64,
    command: String,
}

impl Owner {
    fn this_process() -> Self {
        let words: Vec<_> = std::env::args_os().collect();
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        Owner {
            pid: std::process::id(),
            host: host(),
            since: now().as_secs(),
            command: words.join(" "),
        }
    }

    fn describe(&self) -> String {
        let seconds = now().as_secs().saturating_sub(self.since);
        let time = match seconds {
            0..120 => format!("{seconds} s"),
            120..7200 => format!("{} min", seconds / 60),
            _ => format!("{} h", seconds / 3600),
        };
        let plain = |text: &str| text.replace(char::is_control, " ");
        let (pid, host, command) = (self.pid, plain(&self.host), plain(&self.command));
        format!("process {pid} on {host}, for {time}: {command}")
    }
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(unix)]
fn host() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "this machine".into())
}

/// Takes the lock of a folder; the system releases it when the process ends. `None` if another process has
/// it.
pub fn try_lock(dir: &Path) -> Result<Option<File>> {
    let path = dir.join(".lock");
    let mut file = open(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(e)) => return Err(Error::writing(&path, e)),
    }
    // The lock is held whether or not this succeeds; the text is for messages of other processes.
    let _ = file.set_len(0);
    let _ = serde_json::to_string(&Owner::this_process())
        .map(|text| file.write_all((text + "\n").as_bytes()));
    Ok(Some(file))
}

/// Takes the lock of a folder, or reports which process has it. A killed process still holds its lock for a
/// moment, while its memory is released.
pub fn lock(dir: &Path) -> Result<File> {
    let start = Instant::now();
    loop {
        if let Some(file) = try_lock(dir)? {
            return Ok(file);
        }
        if start.elapsed() > DYING {
            return Err(in_use(dir));
        }
        std::thread::sleep(DYING / 50);
    }
}

fn in_use(dir: &Path) -> Error {
    let mut text = String::new();
    let read = open(&dir.join(".lock")).map(|file| file.take(1 << 16).read_to_string(&mut text));
    let owner = read.ok().and_then(|_| serde_json::from_str(&text).ok());
    let who = owner.map_or(String::new(), |owner: Owner| {
        format!(" ({})", owner.describe())
    });
    Error::input(
        dir.display().to_string(),
        format!("is in use by another widefield process{who}"),
        "wait for it to end, or choose another folder with --out",
    )
}

/// Opens the lock file, created if it is missing; symbolic links are not followed.
fn open(path: &Path) -> Result<File> {
    let linked = |of: std::fs::Metadata| of.is_symlink();
    if path.symlink_metadata().is_ok_and(linked) {
        return Err(Error::input(
            path.display().to_string(),
            "is a symbolic link, which a lock must not be",
            "remove it",
        ));
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
    }
    let file = options.open(path).map_err(|e| Error::writing(path, e))?;
    let regular = file.metadata().and_then(|of| must_be_regular(&of));
    regular.map_err(|e| Error::writing(path, e))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".lock"), "of an older owner, and longer").unwrap();
        let held = lock(dir.path()).unwrap();
        let busy = lock(dir.path()).unwrap_err().to_string();
        let pid = std::process::id().to_string();
        for part in ["in use", &pid, &host(), " s: "] {
            assert!(busy.contains(part), "{part}: {busy}");
        }
        drop(held);
        assert!(lock(dir.path()).is_ok());
        std::fs::write(dir.path().join(".lock"), "\0").unwrap();
        let _held = lock(dir.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("other");
        std::fs::write(&other, "precious").unwrap();
        std::os::unix::fs::symlink(&other, dir.path().join(".lock")).unwrap();
        let error = lock(dir.path()).unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "precious");
    }
}
