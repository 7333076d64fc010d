//! The error type of the crate: what was wrong, where, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that the user wrote (a flag, a key of an experiment, a data file) cannot be used.
    #[error("{place}: {what}\n  {remedy}")]
    Input {
        /// The flag, or `file:line: key`.
        place: String,
        what: String,
        remedy: String,
    },
    /// Several mistakes of the user, in the order of their lines; each is an [`Error::Input`].
    #[error("{}", joined(.0))]
    Several(Vec<Error>),
    /// An operation of the file system failed.
    #[error("cannot {action} {}: {source}\n  {remedy}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
        remedy: String,
    },
    /// The engine or its device refused a request or failed.
    #[error("{engine} engine: {what}\n  {remedy}")]
    Engine {
        engine: &'static str,
        what: String,
        remedy: String,
    },
    /// The device was lost or does not answer; a new engine may continue from the last checkpoints.
    #[error("{engine} engine: {what}\n  {remedy}")]
    Lost {
        engine: &'static str,
        what: String,
        remedy: String,
    },
    /// Some runs produced a number that is not finite.
    #[error("{what}\n  {remedy}")]
    Diverged { what: String, remedy: String },
    /// A check of `widefield verify`, or a claim of an experiment, failed.
    #[error("{what}\n  {remedy}")]
    Verify { what: String, remedy: String },
    /// A certificate could not be computed.
    #[error("{what}\n  {remedy}")]
    Certificate { what: String, remedy: String },
    /// A figure could not be drawn.
    #[error("{what}\n  {remedy}")]
    Figure { what: String, remedy: String },
    /// Interrupted by the user; the checkpoint is written.
    #[error("interrupted; the checkpoint is in {}\n  widefield resume {} goes on from there\n  widefield plot {} draws what there is so far, and its page", folder.display(), folder.display(), folder.display())]
    Interrupted { folder: PathBuf },
}

/// The messages of the errors, one after another.
fn joined(errors: &[Error]) -> String {
    let each = errors.iter().map(ToString::to_string);
    each.collect::<Vec<_>>().join("\n")
}

/// Exit code after Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

impl Error {
    /// Exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Input { .. } | Error::Several(_) => 2,
            Error::Interrupted { .. } => INTERRUPTED,
            _ => 1,
        }
    }

    pub fn input(
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Error::Input {
            place: place.into(),
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// These errors as one; `Ok` if there are none.
    pub fn all(mut errors: Vec<Error>) -> Result<()> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.swap_remove(0)),
            _ => Err(Error::Several(errors)),
        }
    }

    /// The errors of [`Error::Several`]; any other error alone.
    pub fn each(&self) -> &[Error] {
        match self {
            Error::Several(all) => all,
            one => std::slice::from_ref(one),
        }
    }

    pub fn engine(
        engine: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Error::Engine {
            engine,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// A device that was lost or that does not answer in time.
    pub fn lost(engine: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::Lost {
            engine,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// Adds to an error that ended a training how to continue from the checkpoints.
    pub fn with_checkpoints(mut self, folder: &Path) -> Self {
        if let Error::Engine { remedy, .. }
        | Error::Lost { remedy, .. }
        | Error::File { remedy, .. } = &mut self
        {
            remedy.push_str(&format!(
                "\n  the newest checkpoints are below {0}; `widefield resume {0}` goes on from them",
                folder.display()
            ));
        }
        self
    }

    /// A file named by the user could not be read: an [`Error::Input`].
    pub fn reading(path: &Path, source: io::Error) -> Self {
        let remedy = match source.kind() {
            // Loading makes the paths of experiment files absolute.
            io::ErrorKind::NotFound if path.is_absolute() => {
                "check the path; in an experiment file, a relative one starts at the folder of that file, in --set at the current folder"
            }
            io::ErrorKind::NotFound => {
                "check the path; a relative one starts at the current folder"
            }
            io::ErrorKind::PermissionDenied => "check its permissions",
            _ => "check that it is a complete, readable file",
        };
        Error::input(
            path.display().to_string(),
            format!("cannot be read: {source}"),
            remedy,
        )
    }

    /// A file of the run folder could not be written, which ends the run.
    pub fn writing(path: &Path, source: io::Error) -> Self {
        let remedy = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some space; files already there are whole"
            }
            io::ErrorKind::PermissionDenied => {
                "choose a folder that you may write to, or change its permissions"
            }
            io::ErrorKind::NotFound => "its folder cannot be found or made: check the path",
            _ => "check the disk",
        };
        Error::File {
            action: "write",
            path: path.to_path_buf(),
            source,
            remedy: remedy.into(),
        }
    }
}
