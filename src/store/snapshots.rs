//! snapshots.npz: the first m' ≤ 4096 particles at log-spaced steps.
//!
//! During a run they gather in a file of their own (`.snapshots`), so that memory stays small and
//! a crash loses none; at the end they become the .npz.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use super::state::State;
use super::{NpzWriter, write_atomically};
use crate::arrays::{NpzReader, values};
use crate::engine::{Engine, Precision};
use crate::error::{Error, Result};
use crate::particles::Particles;

/// Particles per snapshot, at most.
pub const PARTICLES: usize = 4096;

/// The snapshots of one run.
#[derive(Debug)]
pub struct Snapshots {
    gathering: PathBuf,
    path: PathBuf,
    m: usize,
    d: usize,
    /// Step of the newest snapshot.
    last: Option<u64>,
}

/// A snapshot: the step, and (w, a) in true units.
type Snapshot = (u64, Particles);

impl Snapshots {
    /// None yet, below `dir`, for a run of width m.
    pub fn new(dir: &Path, m: usize, d: usize) -> Self {
        Snapshots {
            gathering: dir.join(".snapshots"),
            path: dir.join("snapshots.npz"),
            m: m.min(PARTICLES),
            d,
            last: None,
        }
    }

    /// Goes on from an earlier session with the snapshots up to `step`.
    pub fn reopen(dir: &Path, m: usize, d: usize, step: u64) -> Result<Self> {
        let mut snapshots = Snapshots::new(dir, m, d);
        let mut kept = if snapshots.gathering.exists() {
            snapshots.gathered()?.collect::<Result<Vec<_>>>()?
        } else if snapshots.path.exists() {
            snapshots.finished()?
        } else {
            Vec::new()
        };
        kept.retain(|(at, _)| *at <= step);
        snapshots.last = kept.last().map(|(at, _)| *at);
        write_atomically(&snapshots.gathering, |out| {
            kept.iter().try_for_each(|s| snapshots.append(out, s))
        })?;
        Ok(snapshots)
    }

    /// Adds the present state of a run, once.
    pub fn take(&mut self, engine: &mut dyn Engine, run: usize) -> Result<()> {
        let step = engine.clock(run).step;
        if self.last.replace(step) == Some(step) {
            return Ok(());
        }
        let particles = State::of(engine, run).read(engine, run, 0..self.m)?;
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.gathering)
            .map_err(|e| Error::writing(&self.gathering, e))?;
        self.append(&mut file, &(step, particles))
    }

    fn append(&self, out: &mut dyn Write, (step, p): &Snapshot) -> Result<()> {
        let mut bytes = step.to_le_bytes().to_vec();
        bytes.extend(p.w.iter().chain(&p.a).flat_map(|v| v.to_le_bytes()));
        out.write_all(&bytes)
            .map_err(|e| Error::writing(&self.gathering, e))
    }

    /// Reads what was gathered. A last snapshot cut off by a crash is left out.
    fn gathered(&self) -> Result<impl Iterator<Item = Result<Snapshot>>> {
        let file = File::open(&self.gathering).map_err(|e| Error::reading(&self.gathering, e))?;
        let mut reader = BufReader::new(file);
        let (m, d) = (self.m, self.d);
        let mut bytes = vec![0_u8; 8 + 8 * m * (d + 1)];
        let path = self.gathering.clone();
        Ok(std::iter::from_fn(move || {
            match reader.read_exact(&mut bytes) {
                Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return None,
                Err(e) => return Some(Err(Error::reading(&path, e))),
                Ok(()) => {}
            }
            let (words, _) = bytes.as_chunks::<8>();
            let values: Vec<f64> = words[1..].iter().map(|b| f64::from_le_bytes(*b)).collect();
            let particles = Particles {
                d,
                w: values[..m * d].to_vec(),
                a: values[m * d..].to_vec(),
            };
            Some(Ok((u64::from_le_bytes(words[0]), particles)))
        }))
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
        let each = w.chunks(self.m * self.d).zip(a.chunks(self.m));
        let each = each.map(|(w, a)| Particles {
            d: self.d,
            w: w.to_vec(),
            a: a.to_vec(),
        });
        Ok(steps.iter().map(|&s| s as u64).zip(each).collect())
    }

    /// Writes snapshots.npz: step (s), w (s, m', d), a (s, m'); f32 for engines in f32 unless
    /// norms have outgrown it.
    pub fn finish(&self, precision: Precision) -> Result<()> {
        if !self.gathering.exists() {
            return Ok(());
        }
        let mut steps = Vec::new();
        let mut largest = 0.0_f64;
        for snapshot in self.gathered()? {
            let (step, p) = snapshot?;
            steps.push(step as i64);
            largest = p.w.iter().chain(&p.a).fold(largest, |l, v| l.max(v.abs()));
        }
        let (s, m, d) = (steps.len(), self.m, self.d);
        let single = precision == Precision::F32 && largest <= f64::from(f32::MAX);
        write_atomically(&self.path, |out| {
            let mut npz = NpzWriter::new(out, &self.path);
            npz.array("step", &[s], |push| steps.into_iter().try_for_each(push))?;
            for (name, shape) in [("w", vec![s, m, d]), ("a", vec![s, m])] {
                let each = |push: &mut dyn FnMut(f64) -> Result<()>| {
                    for snapshot in self.gathered()? {
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
        std::fs::remove_file(&self.gathering).map_err(|e| Error::writing(&self.gathering, e))
    }
}
