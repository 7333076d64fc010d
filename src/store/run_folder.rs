//! How a process takes a run folder: for a new run, to go on with one, or to read it.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::atomic::write_atomically;
use super::filesystem::{
    clear_leftovers, entries, make_folder, name, open_regular, remove, sync_folder,
};
use super::lock;
use crate::engine::select::Request;
use crate::error::{Error, Result};
use crate::experiment::{KEPT_DATA, is_kept_name, kept_name};

/// Files that a run writes into the folder itself, besides experiment.toml.
const FILES: [&str; 7] = [
    "summary.json",
    "metrics.csv",
    "certificate.json",
    "verdicts.json",
    "report.html",
    "compare.csv",
    "compare.json",
];

/// Endings of the pictures and movies in figures.
const PICTURES: [&str; 5] = ["svg", "png", "gif", "apng", "mp4"];

/// File that stores which engine the run was asked for.
const REQUEST: &str = ".engine";

/// Data files up to this size are copied into a run's folder.
const KEPT_BYTES: u64 = 16 << 20;

/// A folder that holds, or will hold, the results of one experiment. Locked while it is open for
/// writing, so that two processes never share one.
#[derive(Debug)]
pub struct RunFolder {
    dir: PathBuf,
    lock: Option<File>,
    folder_use: FolderUse,
    request: Option<Request>,
}

/// What [`RunFolder::begin`] may do with its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FolderUse {
    /// Use it if it holds no run.
    New,
    /// Use it, or the first of NAME-2, NAME-3, … that is free if other processes took the name.
    NewOrNext,
    /// Remove the run that it holds, then use it.
    Overwrite,
    /// Continue the run that it holds.
    GoOn,
    /// Continue the run that it holds, with a new experiment.toml.
    Rewrite,
}

impl RunFolder {
    /// A folder for a new run. Nothing is written before [`RunFolder::begin`]. A folder that already holds
    /// a run is refused unless `force`.
    pub fn plan(dir: &Path, force: bool) -> Result<Self> {
        if dir.exists() && !dir.is_dir() {
            return Err(Error::input(
                dir.display().to_string(),
                "is not a folder",
                "choose another folder with --out",
            ));
        }
        if !force {
            must_be_free(dir)?;
        }
        Ok(RunFolder {
            dir: dir.to_path_buf(),
            lock: None,
            folder_use: if force {
                FolderUse::Overwrite
            } else {
                FolderUse::New
            },
            request: None,
        })
    }

    /// Copies small data files into the folder, so that it can be moved to where the originals do not
    /// exist. The name of a copy is [`kept_name`] of the path; an existing copy stays.
    ///
    /// # Errors
    /// A copy that cannot be written.
    pub fn keep_data<'a>(&self, paths: impl Iterator<Item = &'a Path>) -> Result<()> {
        let folder = self.dir.join(KEPT_DATA);
        for path in paths {
            let copy = folder.join(kept_name(path));
            let small = std::fs::metadata(path).is_ok_and(|of| of.len() <= KEPT_BYTES);
            if !small || copy.exists() {
                continue;
            }
            make_folder(&folder)?;
            let content = std::fs::read(path).map_err(|e| Error::reading(path, e))?;
            write_atomically(&copy, |out| {
                out.write_all(&content)
                    .map_err(|e| Error::writing(&copy, e))
            })?;
        }
        Ok(())
    }

    /// A folder for a new run below `parent`: NAME, or the first of NAME-2, NAME-3, … that holds no run
    /// when [`RunFolder::begin`] is called.
    pub fn plan_next(parent: &Path, name: &str) -> Self {
        RunFolder {
            dir: parent.join(name),
            lock: None,
            folder_use: FolderUse::NewOrNext,
            request: None,
        }
    }

    /// Creates the folder, removes an older run from it, and writes experiment.toml: from then on it holds
    /// a run. From a reopened folder only the verdicts are removed, as its state will change.
    pub fn begin(&mut self, toml: &str) -> Result<()> {
        let fresh = self.lock.is_none();
        match self.folder_use {
            FolderUse::New => {
                self.lock = Some(self.locked()?);
                // Checked again, as another process may have begun a run since.
                must_be_free(&self.dir)?;
            }
            FolderUse::NewOrNext => self.lock_next()?,
            FolderUse::Overwrite => self.lock = Some(self.locked()?),
            FolderUse::GoOn | FolderUse::Rewrite => {}
        }
        if fresh {
            self.empty()?;
        } else {
            remove(&self.verdicts())?;
        }
        if fresh {
            self.write_request()?;
        }
        if fresh || self.folder_use == FolderUse::Rewrite {
            self.rewrite_experiment(toml)?;
        }
        self.folder_use = FolderUse::GoOn;
        Ok(())
    }

    /// Creates the folder and takes its lock.
    fn locked(&self) -> Result<File> {
        make_folder(&self.dir)?;
        lock::lock(&self.dir)
    }

    /// Tries one name after another until a free folder is locked.
    fn lock_next(&mut self) -> Result<()> {
        let first = self.dir.clone();
        let name = name(&first).to_owned();
        for number in 2.. {
            let free = |dir: &Path| dir.is_dir() || !dir.exists();
            if free(&self.dir) && must_be_free(&self.dir).is_ok() {
                make_folder(&self.dir)?;
                if let Some(file) = lock::try_lock(&self.dir)?
                    && must_be_free(&self.dir).is_ok()
                {
                    self.lock = Some(file);
                    return Ok(());
                }
            }
            self.dir = first.with_file_name(format!("{name}-{number}"));
        }
        Ok(())
    }

    /// Removes the files of an older run, and nothing else: the folder may hold other files, also below
    /// runs and figures.
    fn empty(&self) -> Result<()> {
        clear_leftovers(&self.dir);
        let (runs, figures) = (self.dir.join("runs"), self.figures());
        clear_leftovers(&figures);
        let listed = |dir: &Path| entries(dir).map_err(|e| Error::reading(dir, e));
        for dir in listed(&runs)? {
            if is_run_name(name(&dir)) {
                std::fs::remove_dir_all(&dir).map_err(|e| Error::writing(&dir, e))?;
            }
        }
        for path in listed(&figures)? {
            let ending = path.extension().and_then(|e| e.to_str());
            if PICTURES.contains(&ending.unwrap_or("")) {
                remove(&path)?;
            }
        }
        let copies = self.dir.join(KEPT_DATA);
        clear_leftovers(&copies);
        for path in listed(&copies)? {
            if is_kept_name(name(&path)) {
                remove(&path)?;
            }
        }
        for dir in [runs, figures, copies] {
            // The folder stays if other files are in it.
            let _ = std::fs::remove_dir(dir);
        }
        for name in FILES {
            remove(&self.dir.join(name))?;
        }
        for path in self.comparisons(&["csv", "json"])? {
            remove(&path)?;
        }
        remove(&self.seconds())?;
        remove(&self.dir.join(REQUEST))?;
        sync_folder(&self.dir).map_err(|e| Error::writing(&self.dir, e))
    }

    /// Stores which engine was asked for: a resume without a checkpoint needs it.
    pub fn ask_for(&mut self, request: Request) {
        self.request = Some(request);
    }

    /// Which engine the run was asked for; `None` for folders of older versions.
    pub fn request(&self) -> Option<Request> {
        let path = self.dir.join(REQUEST);
        let text = match open_regular(&path).and_then(std::io::read_to_string) {
            Err(e) if e.kind() == ErrorKind::NotFound => return None,
            text => text.map_err(|e| e.to_string()),
        };
        let request = text.and_then(|text| serde_json::from_str(&text).map_err(|e| e.to_string()));
        let warn_of = |e: &String| {
            tracing::warn!(
                "{}: which engine the run was asked for cannot be read ({e}): name it with --engine",
                path.display()
            );
        };
        request.inspect_err(warn_of).ok()
    }

    fn write_request(&self) -> Result<()> {
        let Some(request) = &self.request else {
            return Ok(());
        };
        let path = self.dir.join(REQUEST);
        write_atomically(&path, |out| {
            serde_json::to_writer(out, request).map_err(|e| Error::writing(&path, e.into()))
        })
    }

    fn rewrite_experiment(&self, toml: &str) -> Result<()> {
        let path = self.experiment();
        write_atomically(&path, |out| {
            out.write_all(toml.as_bytes())
                .map_err(|e| Error::writing(&path, e))
        })
    }

    /// An existing run folder, to continue writing. Files that a killed process left half written are
    /// removed.
    pub fn reopen(dir: &Path) -> Result<Self> {
        let folder = Self::open(dir)?;
        let lock = lock::lock(dir)?;
        clear_leftovers(dir);
        clear_leftovers(&folder.figures());
        let runs = entries(&dir.join("runs")).unwrap_or_default();
        runs.iter().for_each(|run| clear_leftovers(run));
        Ok(RunFolder {
            lock: Some(lock),
            ..folder
        })
    }

    /// Makes [`RunFolder::begin`] write experiment.toml anew in a reopened folder, for example if the run
    /// gets more steps.
    pub fn change_experiment(&mut self) {
        self.folder_use = FolderUse::Rewrite;
    }

    /// An existing run folder, for reading.
    pub fn open(dir: &Path) -> Result<Self> {
        if !Self::holds_a_run(dir) {
            return Err(Error::input(
                dir.display().to_string(),
                "is not a run folder: it has no experiment.toml",
                "give the folder that `widefield run` wrote (its --out)",
            ));
        }
        Ok(RunFolder {
            dir: dir.to_path_buf(),
            lock: None,
            request: None,
            folder_use: FolderUse::GoOn,
        })
    }

    /// Whether `run` wrote this folder.
    pub fn holds_a_run(dir: &Path) -> bool {
        match dir.join("experiment.toml").try_exists() {
            Ok(there) => there,
            // On any other error the folder may hold a run, so it is not overwritten.
            Err(e) => e.kind() != ErrorKind::NotADirectory,
        }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Refuses a folder that holds a run, or files that a run would overwrite.
fn must_be_free(dir: &Path) -> Result<()> {
    if RunFolder::holds_a_run(dir) {
        return Err(Error::input(
            dir.display().to_string(),
            "holds a run already",
            "choose another folder with --out, go on with `widefield resume`, or overwrite it with --force",
        ));
    }
    let below = |name| entries(&dir.join(name)).unwrap_or_default().into_iter();
    let files = FILES.map(|name| dir.join(name)).into_iter();
    let files = files.filter(|path| path.exists());
    let runs = below("runs").filter(|path| is_run_name(name(path)));
    let found = files.chain(runs).chain(below("figures")).next();
    match found {
        None => Ok(()),
        Some(path) => Err(Error::input(
            dir.display().to_string(),
            format!(
                "has no experiment.toml, but {}, which a run writes over or removes",
                path.strip_prefix(dir).unwrap_or(&path).display()
            ),
            "choose another folder with --out, or overwrite it with --force",
        )),
    }
}

/// Whether a folder below runs has the name of a run: 000, 001, …
fn is_run_name(name: &str) -> bool {
    name.len() >= 3 && name.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_never_overwritten_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = RunFolder::plan(dir.path(), false).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        first.begin("title = 'x'").unwrap();
        first.make_runs(&[0]).unwrap();
        let busy = RunFolder::reopen(dir.path()).unwrap_err();
        assert!(busy.to_string().contains("in use"), "{busy}");
        drop(first);
        let taken = RunFolder::plan(dir.path(), false).unwrap_err();
        assert!(taken.to_string().contains("--force"), "{taken}");
        assert_eq!(taken.exit_code(), 2);
        let mut forced = RunFolder::plan(dir.path(), true).unwrap();
        assert!(dir.path().join("runs").exists());
        forced.begin("title = 'y'").unwrap();
        assert!(!dir.path().join("runs").exists());
        let none = RunFolder::open(&dir.path().join("elsewhere")).unwrap_err();
        assert!(none.to_string().contains("not a run folder"), "{none}");
    }

    #[test]
    fn names_count_up_also_when_two_begin_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let plan = || RunFolder::plan_next(dir.path(), "a");
        let (mut first, mut second) = (plan(), plan());
        first.begin("").unwrap();
        second.begin("").unwrap();
        assert_eq!(first.dir(), dir.path().join("a"));
        assert_eq!(second.dir(), dir.path().join("a-2"));
        drop(first);
        let mut third = plan();
        third.begin("").unwrap();
        assert_eq!(third.dir(), dir.path().join("a-3"));
        std::fs::write(dir.path().join("b"), "").unwrap();
        let mut other = RunFolder::plan_next(dir.path(), "b");
        other.begin("").unwrap();
        assert_eq!(other.dir(), dir.path().join("b-2"));
    }

    #[test]
    fn a_run_that_began_meanwhile_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let plan = || RunFolder::plan(dir.path(), false).unwrap();
        let (mut first, mut second) = (plan(), plan());
        first.begin("title = 'first'").unwrap();
        drop(first);
        let taken = second.begin("title = 'second'").unwrap_err();
        assert!(taken.to_string().contains("holds a run already"), "{taken}");
        let text = std::fs::read_to_string(second.experiment()).unwrap();
        assert_eq!(text, "title = 'first'");
    }

    #[test]
    fn other_things_in_the_folder_stay() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        let notes = ["log.txt", "runs/other/experiment.toml", "figures/notes.txt"];
        put(notes[0]);
        put(notes[1]);
        RunFolder::plan(dir.path(), false).unwrap();
        for ours in ["figures/risk.svg", "runs/000/x", "summary.json"] {
            put(ours);
            let error = RunFolder::plan(dir.path(), false).unwrap_err().to_string();
            assert!(error.contains("has no experiment.toml, but"), "{error}");
            put(notes[2]);
            let mut forced = RunFolder::plan(dir.path(), true).unwrap();
            forced.begin("").unwrap();
            assert!(!dir.path().join(ours).exists(), "{ours}");
            assert!(notes.iter().all(|name| dir.path().join(name).exists()));
            std::fs::remove_file(forced.experiment()).unwrap();
            std::fs::remove_dir_all(forced.figures()).unwrap();
        }
    }

    #[test]
    fn leftovers_of_killed_processes_go_with_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = RunFolder::plan(dir.path(), false).unwrap();
        first.begin("").unwrap();
        first.make_runs(&[0]).unwrap();
        std::fs::create_dir(first.figures()).unwrap();
        drop(first);
        let places = ["", "runs/000", "figures"].map(|place| dir.path().join(place));
        for place in &places {
            std::fs::write(place.join(".widefield-x"), "").unwrap();
        }
        RunFolder::reopen(dir.path()).unwrap();
        for place in &places {
            assert!(!place.join(".widefield-x").exists(), "{}", place.display());
        }
    }
}
