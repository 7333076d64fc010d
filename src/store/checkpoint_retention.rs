//! Which checkpoints of a run are kept, and which are removed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Writes;
use super::checkpoint::{Checkpoint, CheckpointFault, listed};
use super::format::RunMetadata;
use crate::engine::Engine;
use crate::error::{Error, Result};

/// Number of good checkpoints that are kept.
const KEPT: usize = 2;

/// Writes checkpoints below the folder of a run.
#[derive(Debug)]
pub struct Checkpoints {
    dir: PathBuf,
    /// Steps of checkpoints known to be good, as this process wrote them or read them completely.
    good: BTreeSet<u64>,
    /// The step of a checkpoint written since the others were last checked.
    newest: Option<u64>,
}

impl Checkpoints {
    /// For a run that starts, or that resumes from this checkpoint.
    pub fn new(dir: &Path, from: Option<&Checkpoint>) -> Self {
        Checkpoints {
            dir: dir.to_path_buf(),
            good: from.iter().map(|c| c.clock.step).collect(),
            newest: None,
        }
    }

    /// Writes the present state; [`Checkpoints::remove_superseded`] is to be called once the file is in
    /// place.
    pub fn write(
        &mut self,
        engine: &mut dyn Engine,
        run: usize,
        label: &RunMetadata,
        writes: &mut Writes,
    ) -> Result<()> {
        self.newest = Some(Checkpoint::write(&self.dir, engine, run, label, writes)?);
        Ok(())
    }

    /// To be called once the last checkpoint is in place. This one and the newest good one before it are
    /// kept; older ones are removed, and so are damaged ones, also of later steps, which the run takes
    /// again.
    pub fn remove_superseded(&mut self) -> Result<()> {
        let Some(now) = self.newest.take() else {
            return Ok(());
        };
        self.good.insert(now);
        let all = listed(&self.dir).map_err(|e| Error::writing(&self.dir, e))?;
        let mut kept = 0;
        for (step, path) in all.into_iter().rev() {
            let known = self.good.contains(&step);
            let counts = step <= now;
            if counts && kept == KEPT {
                self.good.remove(&step);
                remove(&path, "it is older than two good ones");
                continue;
            }
            let looked_at = match known {
                true => Ok(()),
                false => Checkpoint::open(&path).map(drop),
            };
            match looked_at {
                Ok(()) => {
                    self.good.insert(step);
                    kept += usize::from(counts);
                }
                Err(CheckpointFault::Damaged(what)) => {
                    tracing::warn!("removing {}: {what}", path.display());
                    remove(&path, "it is damaged");
                }
                // The checkpoint may be good, but cannot be read now.
                Err(CheckpointFault::Newer(_) | CheckpointFault::Unreadable(_)) => {}
            }
        }
        Ok(())
    }
}

/// Removes a checkpoint that is no longer needed; a failure is a warning, not an error.
fn remove(path: &Path, why: &str) {
    let of = path.symlink_metadata();
    if !of.is_ok_and(|of| of.is_file() || of.is_symlink()) {
        return;
    }
    if let Err(e) = std::fs::remove_file(path) {
        tracing::warn!("cannot remove {} ({why}): {e}", path.display());
    }
}
