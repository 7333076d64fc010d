//! snapshots.npz: the first m' ≤ 4096 particles at log-spaced steps.
//!
//! During a run they are appended to a log (`.snapshots`), so that little memory is needed and a crash
//! loses none; at the end they are written to the .npz.

use std::path::{Path, PathBuf};

use super::filesystem::{is_there, remove};
use super::snapshot_log::{Snapshot, SnapshotLog, snapshot_log};
use super::state_encoding::StateEncoding;
use super::{NpzWriter, Writes};
use crate::arrays::{NpzReader, values};
use crate::engine::{Engine, Precision};
use crate::error::{Error, Result};
use crate::particles::Particles;

/// Largest number of particles in a snapshot.
pub const PARTICLES: usize = 4096;

/// The snapshots of one run.
#[derive(Debug)]
pub struct Snapshots {
    snapshot_log: SnapshotLog,
    path: PathBuf,
    /// Step of the newest snapshot.
    last: Option<u64>,
    /// Whether some snapshots may not have been synced yet.
    unsynced: bool,
    /// Whether the .npz has all snapshots, once it is in place.
    finished: bool,
}

impl Snapshots {
    /// No snapshots yet, for a run of width m in folder `dir`.
    pub fn new(dir: &Path, m: usize, d: usize) -> Self {
        Snapshots {
            snapshot_log: snapshot_log(dir, m.min(PARTICLES), d),
            path: dir.join("snapshots.npz"),
            last: None,
            unsynced: false,
            finished: false,
        }
    }

    /// Keeps the snapshots of an earlier session up to `step`, if the run takes any. Warns of damaged or
    /// missing ones.
    pub fn reopen(dir: &Path, m: usize, d: usize, step: u64, expected: bool) -> Result<Self> {
        let mut snapshots = Snapshots::new(dir, m, d);
        if !expected {
            return Ok(snapshots);
        }
        let lost = |what: &str| {
            let path = snapshots.path.display();
            tracing::warn!(
                "{path}: {what}: the snapshots up to step {step} are lost; the run goes on without \
                 them, and `widefield run` on the experiment.toml would take them again"
            );
            Vec::new()
        };
        let mut kept = if snapshots.snapshot_log.exists()? {
            snapshots.snapshot_log.whole(true)?.collect::<Result<_>>()?
        } else if is_there(&snapshots.path)? {
            snapshots.finished().unwrap_or_else(|_| lost("is damaged"))
        } else if step > 0 {
            lost("is not there")
        } else {
            Vec::new()
        };
        kept.retain(|(at, _)| *at <= step);
        snapshots.last = kept.last().map(|(at, _)| *at);
        snapshots.snapshot_log.start(&kept)?;
        snapshots.unsynced = true;
        Ok(snapshots)
    }

    /// Adds a snapshot of the present state of a run, unless there is one of this step.
    pub fn take(&mut self, engine: &mut dyn Engine, run: usize) -> Result<()> {
        let step = engine.clock(run).step;
        if self.last == Some(step) {
            return Ok(());
        }
        let range = 0..self.snapshot_log.m;
        let particles = StateEncoding::of(engine, run).read(engine, run, range)?;
        match self.last.replace(step) {
            None => self.snapshot_log.start(&[(step, particles)])?,
            Some(_) => self.snapshot_log.add(&(step, particles))?,
        }
        self.unsynced = true;
        Ok(())
    }

    /// Makes `writes` sync the snapshots so far before its own files appear: a checkpoint relies on them.
    pub fn sync(&mut self, writes: &mut Writes) {
        if std::mem::take(&mut self.unsynced) {
            writes.rely_on(&self.snapshot_log.path);
        }
    }

    /// Reads the .npz of a finished session.
    fn finished(&self) -> Result<Vec<Snapshot>> {
        let mut npz = NpzReader::open(&self.path)?;
        let steps = npz.array("step", |npy| values::<i64>(npy))?;
        let mut layer = |name| {
            npz.array(name, |npy| match npy.dtype().num_bytes() {
                Some(4) => Ok(values::<f32>(npy)?.iter().map(|&v| f64::from(v)).collect()),
                _ => values(npy),
            })
        };
        let (w, a): (Vec<f64>, Vec<f64>) = (layer("w")?, layer("a")?);
        let (s, m, d) = (steps.len(), self.snapshot_log.m, self.snapshot_log.d);
        if (w.len(), a.len()) != (s * m * d, s * m) {
            return Err(Error::input(
                self.path.display().to_string(),
                format!(
                    "holds {} values of w and {} of a at {s} steps",
                    w.len(),
                    a.len()
                ),
                "remove it",
            ));
        }
        let each = w.chunks_exact(m * d).zip(a.chunks_exact(m));
        let each = each.map(|(w, a)| Particles {
            d,
            w: w.to_vec(),
            a: a.to_vec(),
        });
        Ok(steps.iter().map(|&s| s as u64).zip(each).collect())
    }

    /// Writes snapshots.npz: step (s), w (s, m', d), a (s, m'); f32 for engines in f32 unless
    /// norms have outgrown it.
    pub fn finish(&mut self, precision: Precision, writes: &mut Writes) -> Result<()> {
        if !self.snapshot_log.exists()? {
            return Ok(());
        }
        let mut steps = Vec::new();
        let mut largest = 0.0_f64;
        for snapshot in self.snapshot_log.whole(true)? {
            let (step, p) = snapshot?;
            steps.push(step as i64);
            largest = p.w.iter().chain(&p.a).fold(largest, |l, v| l.max(v.abs()));
        }
        let (s, m, d) = (steps.len(), self.snapshot_log.m, self.snapshot_log.d);
        let single = precision == Precision::F32 && largest <= f64::from(f32::MAX);
        writes.file(&self.path, |out| {
            let mut npz = NpzWriter::new(out, &self.path);
            npz.array("step", &[s], |push| steps.into_iter().try_for_each(push))?;
            for (name, shape) in [("w", vec![s, m, d]), ("a", vec![s, m])] {
                let each = |push: &mut dyn FnMut(f64) -> Result<()>| {
                    for snapshot in self.snapshot_log.whole(false)? {
                        let (_, p) = snapshot?;
                        let values = if name == "w" { p.w } else { p.a };
                        values.into_iter().try_for_each(&mut *push)?;
                    }
                    Ok(())
                };
                if single {
                    npz.array(name, &shape, |push| each(&mut |v| push(v as f32)))?;
                } else {
                    npz.array(name, &shape, |push| each(&mut |v| push(v)))?;
                }
            }
            npz.finish()
        })?;
        self.finished = true;
        Ok(())
    }

    /// Removes the log once snapshots.npz is in place.
    pub fn remove_superseded(&mut self) -> Result<()> {
        match std::mem::take(&mut self.finished) {
            true => remove(&self.snapshot_log.path),
            false => Ok(()),
        }
    }
}
