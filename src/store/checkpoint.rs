//! Checkpoints: runs/KKK/checkpoint-STEP.safetensors with w (m, d), a (m) and `accumulated`, Σ η g (n);
//! with anchor_a (m) and anchor_c (n) where a run has a [`DualState`]; everything else that a resume needs,
//! and a digest of the whole file, are in the header: see [`super::seal`].

use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::SafeTensors;

use super::Writes;
use super::digest::{HashingWriter, has_valid_digest};
use super::filesystem::{entries, name, open_regular};
use super::format::{FORMAT, RunMetadata, TensorLayout, decode, encode, header, size_of_value};
use super::initial_exponent::{LayerSizes, initial_exponent};
use super::state_encoding::{BLOCK, StateEncoding, blocks};
use crate::engine::{Clock, DualState, Engine, Precision};
use crate::error::{Error, Result};
use crate::model::{StateFormat, Train};
use crate::particles::Particles;

/// A checkpoint file that was found undamaged.
pub struct Checkpoint {
    path: PathBuf,
    bytes: Mmap,
    /// Whether the file has a digest, which then is right.
    sealed: bool,
    pub label: RunMetadata,
    pub clock: Clock,
    pub m: usize,
    pub d: usize,
    state: StateEncoding,
    /// Scale of the dual state, where there is one.
    anchor_scale: Option<f64>,
}

impl Checkpoint {
    /// Writes the present state of a run below `dir`; returns the step of this state.
    pub fn write(
        dir: &Path,
        engine: &mut dyn Engine,
        run: usize,
        label: &RunMetadata,
        writes: &mut Writes,
    ) -> Result<u64> {
        let clock = engine.clock(run);
        let state = StateEncoding::of(engine, run);
        let (m, d) = (engine.batch().runs[run].m, engine.batch().d);
        let path = dir.join(file_name(clock.step));
        let dual_state = engine.dual_state(run);
        let accumulated = engine.accumulated(run)?;
        let header = header(
            &state,
            clock,
            label,
            m,
            d,
            &accumulated,
            dual_state.as_ref(),
        );
        let header = header.map_err(|what| {
            Error::engine(
                "store",
                what,
                "report this: a checkpoint could not be laid out",
            )
        })?;
        let at = |e| Error::writing(&path, e);
        writes.file(&path, |out| {
            let mut sealing = HashingWriter::begin(out, &header).map_err(at)?;
            let mut put = |bytes: &[u8]| sealing.put(bytes).map_err(at);
            put(&encode(&accumulated, Precision::F64))?;
            if let Some(dual_state) = &dual_state {
                put(&encode(&dual_state.c, Precision::F64))?;
            }
            for layer in 0..2 {
                for range in blocks(m) {
                    let block = state.read(engine, run, range)?;
                    let values = if layer == 0 { block.w } else { block.a };
                    put(&encode(&values, state.precision))?;
                }
            }
            if let Some(dual_state) = &dual_state {
                for part in dual_state.a.chunks(BLOCK) {
                    let bytes = part.iter().flat_map(|a| a.to_le_bytes());
                    put(&bytes.collect::<Vec<u8>>())?;
                }
            }
            sealing.finish().map_err(at)
        })?;
        Ok(clock.step)
    }

    /// The newest undamaged checkpoint below `dir`, if there is any; damaged ones are skipped with a
    /// warning.
    ///
    /// # Errors
    /// All checkpoints are damaged, or a newer one has a format that only a later version can read.
    pub fn newest(dir: &Path) -> Result<Option<Checkpoint>> {
        let mut fault = None;
        let all = listed(dir).map_err(|e| Error::reading(dir, e))?;
        for (_, path) in all.into_iter().rev() {
            match Self::open(&path) {
                Ok(checkpoint) => {
                    if !checkpoint.sealed {
                        let path = path.display();
                        tracing::warn!("{path}: no checksum: written by an older version");
                    }
                    return Ok(Some(checkpoint));
                }
                Err(CheckpointFault::Newer(what)) => {
                    return Err(Error::input(
                        path.display().to_string(),
                        what,
                        "use that version of widefield, or a later one",
                    ));
                }
                Err(CheckpointFault::Damaged(what)) => {
                    tracing::warn!("passing over {}: {what}", path.display());
                    fault = fault.or(Some(CheckpointFault::Damaged(what)));
                }
                Err(CheckpointFault::Unreadable(what)) => {
                    tracing::warn!("passing over {}: {what}", path.display());
                    fault = Some(CheckpointFault::Unreadable(what));
                }
            }
        }
        let dir = dir.display();
        match fault {
            None => Ok(None),
            Some(CheckpointFault::Damaged(what)) => Err(Error::input(
                dir.to_string(),
                format!("has only damaged checkpoints: {what}"),
                format!("remove {dir} and `widefield resume` takes this run from its start again"),
            )),
            Some(CheckpointFault::Newer(what) | CheckpointFault::Unreadable(what)) => {
                Err(Error::input(
                    dir.to_string(),
                    format!("has no checkpoint that can be read: {what}"),
                    "check its permissions and the disk",
                ))
            }
        }
    }

    pub(super) fn open(path: &Path) -> std::result::Result<Checkpoint, CheckpointFault> {
        let file = open_regular(path)?;
        let length = file.metadata()?.len();
        // The digest is checked by reading: a disk error in a mapped file would end the process.
        let sealed = has_valid_digest(&file, length)?;
        // SAFETY: checkpoints are replaced by renaming, never changed in place.
        let bytes = unsafe { Mmap::map(&file) }?;
        let text = |e: &dyn std::fmt::Display| e.to_string();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| text(&e))?;
        let map = metadata.metadata().clone().unwrap_or_default();
        let get = |key: &str| map.get(key).ok_or(format!("its header lacks `{key}`"));
        let bad = |key: &str| format!("bad `{key}` in its header");
        must_be_known(map.get("format"), map.get("version"), sealed)?;
        let label: RunMetadata = serde_json::from_str(get("label")?).map_err(|e| text(&e))?;
        let train = get("train")?;
        let train = Train::ALL.iter().find(|t| t.name() == train);
        let train = *train.ok_or_else(|| bad("train"))?;
        let anchor_scale = map.get("anchor_scale").map(|text| text.parse());
        let anchor_scale = anchor_scale.transpose().map_err(|_| bad("anchor_scale"))?;
        let TensorLayout { precision, m, d } = TensorLayout::of(&metadata, anchor_scale.is_some())?;
        let power = |key: &str| get(key)?.parse::<i32>().map_err(|_| bad(key));
        let state = StateEncoding {
            precision,
            exponent: power("exponent")?,
            lacking: power("lacking_exponent")?,
            train,
        };
        let clock = Clock {
            step: get("step")?.parse().map_err(|_| bad("step"))?,
            // The shortest decimal that reads back to the same bits.
            time: get("time")?.parse().map_err(|_| bad("time"))?,
            exponent: state.exponent,
            diverged: None,
        };
        if step_of(path) != Some(clock.step) {
            let what = format!(
                "its name tells another step than its header, {}",
                clock.step
            );
            return Err(what.into());
        }
        Ok(Checkpoint {
            path: path.to_path_buf(),
            bytes,
            sealed,
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

    /// Refuses a state that an engine cannot hold.
    ///
    /// # Errors
    /// The engine stores true values, and the weights exceed 10³⁰⁸; or a layer that does not train has values
    /// beyond f32, in which the engine stores them.
    pub fn check_engine(&self, engine: &dyn Engine) -> Result<()> {
        self.encoding_for(engine).map(|_| ())
    }

    /// Hands over the particles block by block, with the first of each block, as the file has them.
    fn each_block(&self, take: &mut dyn FnMut(usize, Particles) -> Result<()>) -> Result<()> {
        let tensors = SafeTensors::deserialize(&self.bytes);
        let tensors = tensors.map_err(|e| self.damaged(e.to_string()))?;
        let layer = |name| {
            tensors
                .tensor(name)
                .map_err(|e| self.damaged(e.to_string()))
        };
        let (w, a) = (layer("w")?, layer("a")?);
        let (d, size) = (self.d, size_of_value(self.state.precision));
        for range in blocks(self.m) {
            let part = |bytes: &[u8], width: usize| {
                let (from, to) = (range.start * width * size, range.end * width * size);
                decode(&bytes[from..to], self.state.precision)
            };
            let block = Particles {
                d,
                w: part(w.data(), d),
                a: part(a.data(), 1),
            };
            take(range.start, block)?;
        }
        Ok(())
    }

    /// See [`initial_exponent`].
    fn initial_exponent(&self, state: StateFormat) -> Result<Option<i32>> {
        let (mut w, mut a) = (LayerSizes::default(), LayerSizes::default());
        self.each_block(&mut |_, block| {
            w.add(&block.w);
            a.add(&block.a);
            Ok(())
        })?;
        Ok(initial_exponent((&w, &a), self.m, self.state.train, state))
    }

    /// How the values of the file become those that an engine stores. An engine keeps the exponent of the engine
    /// that wrote the file, unless one of the two stores true values: then it is 0, or follows from the weights.
    fn encoding_for(&self, engine: &dyn Engine) -> Result<StateEncoding> {
        let refuse =
            |what: &str, remedy: &str| Err(Error::engine(engine.name(), what.to_owned(), remedy));
        let written = self.state;
        match (engine.precision(), written.precision) {
            (Precision::F64, _) if written.lacking != 0 => refuse(
                "it stores weights as they are, and those of the checkpoint exceed 10³⁰⁸",
                "resume on --engine cpu or gpu, which keep a power of two beside them",
            ),
            (Precision::F64, _) => Ok(StateEncoding {
                exponent: 0,
                ..written
            }),
            (Precision::F32, Precision::F64) if written.exponent == 0 => {
                match self.initial_exponent(engine.batch().state)? {
                    Some(exponent) => Ok(StateEncoding {
                        exponent,
                        ..written
                    }),
                    None => refuse(
                        "weights of the checkpoint are beyond the range of single precision",
                        "resume on --engine reference, which stores them in f64",
                    ),
                }
            }
            (Precision::F32, _) => Ok(written),
        }
    }

    /// Puts the state back into an engine: bit for bit where the engine stores it as the one that wrote it.
    ///
    /// # Errors
    /// Those of [`Checkpoint::check_engine`], and a size that the run does not have.
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
        let encoding = self.encoding_for(engine)?;
        self.each_block(&mut |first, block| engine.write(run, first, &encoding.scale(block, -1)))?;
        let clock = Clock {
            exponent: encoding.exponent,
            ..self.clock
        };
        engine.set_clock(run, clock)?;
        let train_set = engine.batch().runs[run].train_set;
        let n = engine.batch().datasets[train_set].n();
        // The sum does not apply where the engine only predicts on other inputs.
        if let Some(sum) = self.accumulated()?.filter(|sum| sum.len() == n) {
            engine.set_accumulated(run, sum)?;
        }
        let Some(scale) = self.anchor_scale else {
            return Ok(());
        };
        let a = decode(layer("anchor_a")?.data(), Precision::F32);
        let dual_state = DualState {
            scale,
            a: a.into_iter().map(|a| a as f32).collect(),
            c: decode(layer("anchor_c")?.data(), Precision::F64),
        };
        engine.set_dual_state(run, dual_state)
    }
}

/// Why a file is not accepted as a checkpoint.
#[derive(Debug)]
pub(super) enum CheckpointFault {
    /// The content is not what was written.
    Damaged(String),
    /// The file is undamaged but in a format that only a later version can read.
    Newer(String),
    /// It is not a regular file, or reading it failed; its content may be good.
    Unreadable(String),
}

impl From<String> for CheckpointFault {
    fn from(what: String) -> Self {
        CheckpointFault::Damaged(what)
    }
}

impl From<std::io::Error> for CheckpointFault {
    fn from(e: std::io::Error) -> Self {
        use std::io::ErrorKind::{InvalidData, UnexpectedEof};
        match e.kind() {
            UnexpectedEof => CheckpointFault::Damaged("it ends too early".into()),
            InvalidData => CheckpointFault::Damaged(e.to_string()),
            _ => CheckpointFault::Unreadable(e.to_string()),
        }
    }
}

/// Refuses a format other than [`FORMAT`] and the first one, which has no digest.
fn must_be_known(
    format: Option<&String>,
    version: Option<&String>,
    sealed: bool,
) -> std::result::Result<(), CheckpointFault> {
    let number = match format {
        Some(text) => text
            .parse()
            .map_err(|_| "bad `format` in its header".to_owned())?,
        None => 1,
    };
    if number > FORMAT {
        let version = version.map_or("a later version", String::as_str);
        return Err(CheckpointFault::Newer(format!(
            "has format {number}, written by widefield {version}; this version knows formats up to {FORMAT}"
        )));
    }
    match (number, sealed) {
        (1, false) | (FORMAT, true) => Ok(()),
        (_, false) => Err("its header has lost its checksum".to_owned().into()),
        (_, true) => Err(format!("format {number} has no checksum").into()),
    }
}

fn file_name(step: u64) -> String {
    format!("checkpoint-{step:012}.safetensors")
}

/// The step in the name of a checkpoint file; `None` for other names.
fn step_of(path: &Path) -> Option<u64> {
    let name = name(path);
    let digits = name
        .strip_prefix("checkpoint-")?
        .strip_suffix(".safetensors")?;
    let step = digits.parse().ok()?;
    (name == file_name(step)).then_some(step)
}

/// Steps and paths of the files below `dir` that are named like checkpoints, oldest first.
pub(super) fn listed(dir: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let named = |path: PathBuf| Some((step_of(&path)?, path));
    let mut listed: Vec<_> = entries(dir)?.into_iter().filter_map(named).collect();
    listed.sort();
    Ok(listed)
}

#[cfg(test)]
mod tests;
