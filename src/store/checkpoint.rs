//! Checkpoints: runs/KKK/checkpoint-STEP.safetensors with w (m, d), a (m) and, in the header, all
//! else that a resume needs; `accumulated`, Σ η g (n), beside them, and anchor_a (m) and anchor_c
//! (n) where a run has an [`Anchor`].

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use super::format::{decode, encode, header, size_of_value};
use super::state::{BLOCK, State, blocks};
use super::{Identity, write_atomically};
use crate::data::Standardization;
use crate::engine::{Anchor, Clock, Engine, Precision};
use crate::error::{Error, Result};
use crate::experiment::{Choice, Train};
use crate::observe::Best;
use crate::particles::Particles;

/// Checkpoints kept per run.
const KEPT: usize = 2;

/// What a checkpoint says of its run, beyond the numbers: all that a reader needs to use it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// Output scale α.
    pub scaling: f64,
    pub loss: String,
    pub seed: u64,
    pub version: String,
    pub engine: String,
    pub adapter: String,
    /// Sizes of the gpu engine's kernels.
    #[serde(default)]
    pub kernels: Option<String>,
    pub best: Best,
    /// What was done to the inputs of a standardised data file.
    pub standardization: Option<Standardization>,
    /// What decides the run's states; older checkpoints have none.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// Names of the input columns of a data file that gives them.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// A checkpoint on disk that was found whole.
pub struct Checkpoint {
    path: PathBuf,
    bytes: Mmap,
    pub label: Label,
    pub clock: Clock,
    pub m: usize,
    pub d: usize,
    state: State,
    /// Scale of the anchor, where there is one.
    anchor_scale: Option<f64>,
}

impl Checkpoint {
    /// Writes the present state of a run below `dir` and removes all but the newest two.
    pub fn write(dir: &Path, engine: &mut dyn Engine, run: usize, label: &Label) -> Result<()> {
        let clock = engine.clock(run);
        let state = State::of(engine, run);
        let (m, d) = (engine.batch().runs[run].m, engine.batch().d);
        let path = dir.join(format!("checkpoint-{:012}.safetensors", clock.step));
        let anchor = engine.anchor(run).cloned();
        let accumulated = engine.accumulated(run)?;
        let header = header(&state, clock, label, (m, d), &accumulated, anchor.as_ref());
        let header = header.map_err(|what| {
            Error::engine(
                "store",
                what,
                "report this: a checkpoint could not be laid out",
            )
        })?;
        write_atomically(&path, |out| {
            let mut put = |bytes: &[u8]| out.write_all(bytes).map_err(|e| Error::writing(&path, e));
            put(&(header.len() as u64).to_le_bytes())?;
            put(header.as_bytes())?;
            put(&encode(&accumulated, Precision::F64))?;
            if let Some(anchor) = &anchor {
                put(&encode(&anchor.c, Precision::F64))?;
            }
            for layer in 0..2 {
                for range in blocks(m) {
                    let block = state.read(engine, run, range)?;
                    let values = if layer == 0 { block.w } else { block.a };
                    put(&encode(&values, state.precision))?;
                }
            }
            if let Some(anchor) = &anchor {
                for part in anchor.a.chunks(BLOCK) {
                    let bytes = part.iter().flat_map(|a| a.to_le_bytes());
                    put(&bytes.collect::<Vec<u8>>())?;
                }
            }
            Ok(())
        })?;
        for old in paths(dir).into_iter().rev().skip(KEPT) {
            std::fs::remove_file(&old).map_err(|e| Error::writing(&old, e))?;
        }
        Ok(())
    }

    /// The newest checkpoint below `dir` that is whole, if there is any; damaged ones are passed
    /// over with a warning. An error if all are damaged.
    pub fn newest(dir: &Path) -> Result<Option<Checkpoint>> {
        let mut damage = None;
        for path in paths(dir).into_iter().rev() {
            match Self::open(&path) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(what) => {
                    tracing::warn!("passing over {}: {what}", path.display());
                    damage = Some(what);
                }
            }
        }
        damage.map_or(Ok(None), |what| {
            Err(Error::input(
                dir.display().to_string(),
                format!("has only damaged checkpoints: {what}"),
                "start again with `widefield run` on the folder's experiment.toml",
            ))
        })
    }

    fn open(path: &Path) -> std::result::Result<Checkpoint, String> {
        let text = |e: &dyn std::fmt::Display| e.to_string();
        let file = File::open(path).map_err(|e| text(&e))?;
        // SAFETY: checkpoints are replaced by renaming, never changed in place.
        let bytes = unsafe { Mmap::map(&file) }.map_err(|e| text(&e))?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| text(&e))?;
        let map = metadata.metadata().clone().unwrap_or_default();
        let get = |key: &str| map.get(key).ok_or(format!("its header lacks `{key}`"));
        let number = |key: &str| -> std::result::Result<i64, String> {
            get(key)?.parse().map_err(|_| format!("bad `{key}`"))
        };
        let label = serde_json::from_str(get("label")?).map_err(|e| text(&e))?;
        let train = get("train")?;
        let train = Train::ALL.iter().find(|t| t.name() == train);
        let train = *train.ok_or("bad `train`")?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| text(&e))?;
        let w = tensors.tensor("w").map_err(|e| text(&e))?;
        let &[m, d] = w.shape() else {
            return Err("w is not a matrix".into());
        };
        let state = State {
            precision: match w.dtype() {
                Dtype::F32 => Precision::F32,
                _ => Precision::F64,
            },
            exponent: number("exponent")? as i32,
            lacking: number("lacking_exponent")? as i32,
            train,
        };
        let clock = Clock {
            step: number("step")? as u64,
            // The shortest decimal that reads back to the same bits.
            time: get("time")?.parse().map_err(|_| "bad `time`")?,
            exponent: state.exponent,
            diverged: None,
        };
        let anchor_scale = map.get("anchor_scale").map(|text| text.parse());
        let anchor_scale = anchor_scale.transpose().map_err(|_| "bad `anchor_scale`")?;
        Ok(Checkpoint {
            path: path.to_path_buf(),
            bytes,
            label,
            clock,
            m,
            d,
            state,
            anchor_scale,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Σ η g (n) over the steps taken; older checkpoints of the gpu engine have none.
    pub fn accumulated(&self) -> Result<Option<Vec<f64>>> {
        let tensors = SafeTensors::deserialize(&self.bytes);
        let tensors = tensors.map_err(|e| self.damaged(e.to_string()))?;
        let sum = tensors.tensor("accumulated").ok();
        Ok(sum.map(|sum| decode(sum.data(), Precision::F64)))
    }

    fn damaged(&self, what: String) -> Error {
        Error::input(
            self.path.display().to_string(),
            what,
            "its experiment.toml was changed, or the file is damaged: start again with `widefield run`",
        )
    }

    /// Puts the state back into an engine, bit for bit.
    pub fn restore(&self, engine: &mut dyn Engine, run: usize) -> Result<()> {
        let (m, d) = (engine.batch().runs[run].m, engine.batch().d);
        let damaged = |what: String| self.damaged(what);
        if (m, d) != (self.m, self.d) {
            return Err(damaged(format!(
                "holds {} particles of dimension {}, the experiment has {m} of {d}",
                self.m, self.d
            )));
        }
        let tensors = SafeTensors::deserialize(&self.bytes).map_err(|e| damaged(e.to_string()))?;
        let layer = |name| tensors.tensor(name).map_err(|e| damaged(e.to_string()));
        let (w, a) = (layer("w")?, layer("a")?);
        let size = size_of_value(self.state.precision);
        for range in blocks(m) {
            let part = |bytes: &[u8], width: usize| {
                let (from, to) = (range.start * width * size, range.end * width * size);
                decode(&bytes[from..to], self.state.precision)
            };
            let block = Particles {
                d,
                w: part(w.data(), d),
                a: part(a.data(), 1),
            };
            engine.write(run, range.start, &self.state.scale(block, -1))?;
        }
        engine.set_clock(run, self.clock)?;
        let train_set = engine.batch().runs[run].train_set;
        let n = engine.batch().datasets[train_set].n();
        // Other inputs, to predict on, have no use for it.
        if let Some(sum) = self.accumulated()?.filter(|sum| sum.len() == n) {
            engine.set_accumulated(run, sum)?;
        }
        let Some(scale) = self.anchor_scale else {
            return Ok(());
        };
        let a = decode(layer("anchor_a")?.data(), Precision::F32);
        let anchor = Anchor {
            scale,
            a: a.into_iter().map(|a| a as f32).collect(),
            c: decode(layer("anchor_c")?.data(), Precision::F64),
        };
        engine.set_anchor(run, anchor)
    }
}

/// Paths of the checkpoints below `dir`, oldest first.
fn paths(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
            name.starts_with("checkpoint-") && name.ends_with(".safetensors")
        })
        .collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Batch, Run, reference::Reference};
    use crate::experiment::{Loss, StateFormat};
    use std::sync::Arc;

    fn engine() -> Reference {
        let data = crate::data::Dataset {
            d: 2,
            x: vec![1.0, 2.0],
            y: vec![1.0],
        };
        let mut engine = Reference::new(Batch {
            d: 2,
            datasets: vec![Arc::new(data)],
            runs: vec![Run::simple(3, Loss::Square)],
            state: StateFormat::F32,
        });
        let block = Particles {
            d: 2,
            w: vec![0.1, 0.2, 0.3, 1.0 / 3.0, -0.5, 1e-300],
            a: vec![1.0, -2.0, 0.7],
        };
        engine.write(0, 0, &block).unwrap();
        engine
    }

    fn label() -> Label {
        Label {
            scaling: 1.0,
            loss: "square".into(),
            seed: 7,
            version: "0".into(),
            engine: "reference".into(),
            adapter: "none".into(),
            kernels: None,
            best: Best::default(),
            standardization: None,
            identity: None,
            columns: Vec::new(),
        }
    }

    #[test]
    fn restores_bit_for_bit_and_keeps_two() {
        let dir = tempfile::tempdir().unwrap();
        let mut source = engine();
        source.set_accumulated(0, vec![0.25]).unwrap();
        for step in 1..=4 {
            let clock = Clock {
                step,
                time: step as f64 / 3.0,
                ..Clock::default()
            };
            source.set_clock(0, clock).unwrap();
            Checkpoint::write(dir.path(), &mut source, 0, &label()).unwrap();
        }
        assert_eq!(paths(dir.path()).len(), KEPT);
        let newest = Checkpoint::newest(dir.path()).unwrap().unwrap();
        assert_eq!(newest.label, label());
        let mut other = engine();
        other.write(0, 0, &Particles::zeros(3, 2)).unwrap();
        newest.restore(&mut other, 0).unwrap();
        assert_eq!(other.accumulated(0).unwrap(), [0.25]);
        assert_eq!(other.read(0, 0..3).unwrap(), source.read(0, 0..3).unwrap());
        assert_eq!(other.clock(0), source.clock(0));
    }

    #[test]
    fn a_damaged_checkpoint_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut source = engine();
        for step in [1, 2] {
            let clock = Clock {
                step,
                ..Clock::default()
            };
            source.set_clock(0, clock).unwrap();
            Checkpoint::write(dir.path(), &mut source, 0, &label()).unwrap();
        }
        let newest = paths(dir.path()).pop().unwrap();
        let bytes = std::fs::read(&newest).unwrap();
        std::fs::write(&newest, &bytes[..bytes.len() - 1]).unwrap();
        let found = Checkpoint::newest(dir.path()).unwrap().unwrap();
        assert_eq!(found.clock.step, 1);
        std::fs::remove_file(paths(dir.path()).remove(0)).unwrap();
        let none = Checkpoint::newest(dir.path()).err().unwrap();
        assert!(none.to_string().contains("only damaged"), "{none}");
        std::fs::remove_file(paths(dir.path()).remove(0)).unwrap();
        assert!(Checkpoint::newest(dir.path()).unwrap().is_none());
    }
}
