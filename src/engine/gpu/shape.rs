//! The shape of the kernels: everything that may be tuned, in one place.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::adapter::{AdapterFacts, Kind};
use super::layout::LANES;
use super::stages::KernelFamily;
use super::tiles::Tiles;
use crate::engine::plan::Tiling;
use crate::error::{Error, Result};

/// Largest d of the kernels.
pub const D_MOST: usize = 4096;
/// Largest d of the kernels that hold a whole sample or particle in registers.
pub(super) const D_HELD: usize = 64;
/// What names the naive kernels, in place of sizes.
pub const NAIVE: &str = "naive";
/// The most partial sums that `residual` adds up per sample.
const GROUPS: usize = 32;

/// Sizes of the kernels for one d on one kind of adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// predict: threads of a workgroup, a power of two.
    pub predict_threads: usize,
    /// predict: samples that a thread holds.
    pub predict_samples: usize,
    /// Lanes of a subgroup that read for one another and broadcast it, where that beats reading the same
    /// word in every lane; 1 otherwise.
    #[serde(rename = "lockstep")]
    pub subgroup_width: usize,
    /// predict: fetches of particles added up before they join the main sum.
    pub predict_chunk: usize,
    /// predict: whether blocks of particles pass through workgroup memory. Not with subgroup_width.
    pub predict_staged: bool,
    /// predict: least particles of a tile.
    pub tile: usize,
    /// Tiles of just this size, however large m is.
    pub tile_fixed: bool,
    pub reduce_threads: usize,
    /// residual: threads of a workgroup, a power of two.
    pub residual_threads: usize,
    pub update_threads: usize,
    /// velocity: particles side by side in a vector: 1, 2 or 4.
    pub update_width: usize,
    /// velocity: vectors that a thread holds.
    pub update_vectors: usize,
    /// velocity: samples that pass through workgroup memory at a time; 0 for none, and with
    /// subgroup_width.
    pub update_stage: usize,
    /// velocity: samples added up before they join the main sum.
    pub update_chunk: usize,
    /// Kernels tiled over d in place of those that hold a whole sample or particle.
    pub tiled: bool,
    #[serde(flatten)]
    pub tiles: Tiles,
    /// The naive kernels in place of all others: their text is [`NAIVE`].
    #[serde(skip)]
    pub naive: bool,
}

impl Shape {
    /// What is sensible on this adapter. `tile` overrides the particles of a tile.
    pub fn new(facts: &AdapterFacts, d: usize, tile: Option<usize>) -> Self {
        let mut shape = if facts.kind == Kind::Software {
            Shape::software(d, facts.subgroup_width())
        } else {
            Shape::hardware(d)
        };
        shape.tiles.tiled_subgroup = facts.subgroup_width();
        if shape.tiled {
            shape.tile = shape.tiles.tiled_particles;
        }
        if let Some(tile) = tile {
            shape.tile = tile.next_multiple_of(LANES).max(LANES);
            shape.tile_fixed = true;
        }
        shape
    }

    /// A GPU: at most about 128 registers per thread, many small workgroups.
    pub(super) fn hardware(d: usize) -> Self {
        Shape {
            predict_threads: 64,
            predict_samples: match d {
                0..=8 => 8,
                9..=24 => 4,
                25..=40 => 2,
                _ => 1,
            },
            subgroup_width: 1,
            predict_chunk: 16,
            predict_staged: false,
            tile: 64,
            tile_fixed: false,
            reduce_threads: 64,
            residual_threads: 256,
            update_threads: 64,
            update_width: match d {
                0..=16 => 4,
                17..=32 => 2,
                _ => 1,
            },
            update_vectors: if d <= 4 { 2 } else { 1 },
            update_stage: 0,
            update_chunk: 1024,
            tiled: d > D_HELD,
            tiles: Tiles::hardware(d),
            naive: false,
        }
    }

    /// A processor: few large workgroups. llvmpipe turns a load that all lanes share into one load
    /// per lane, so lanes broadcast what they read (twice as fast).
    pub(super) fn software(d: usize, subgroup_width: usize) -> Self {
        Shape {
            predict_threads: 16.max(subgroup_width),
            predict_samples: 8,
            subgroup_width,
            predict_chunk: 64 / subgroup_width.clamp(4, 64),
            predict_staged: false,
            tile: 512,
            tile_fixed: false,
            reduce_threads: 32,
            residual_threads: 32,
            update_threads: 32.max(subgroup_width),
            update_width: 4,
            update_vectors: if d <= 8 { 2 } else { 1 },
            update_stage: 0,
            update_chunk: 1024,
            tiled: d > D_HELD,
            tiles: Tiles::software(subgroup_width),
            naive: false,
        }
    }

    /// The naive kernels: a thread per sample, per particle, or per range of samples in residual.
    fn plain(self) -> Self {
        Shape {
            predict_threads: LANES,
            predict_samples: 1,
            subgroup_width: 1,
            tile: if self.tile_fixed { self.tile } else { LANES },
            residual_threads: 1,
            update_threads: LANES,
            update_width: 1,
            update_vectors: 1,
            tiled: false,
            naive: true,
            ..self
        }
    }

    pub fn family(&self) -> KernelFamily {
        match (self.naive, self.tiled) {
            (true, _) => KernelFamily::Naive,
            (_, true) => KernelFamily::Tiled,
            _ => KernelFamily::Held,
        }
    }

    /// As `key=value,key=value,…`: what summaries record and [`Shape::with`] reads.
    pub fn to_text(self) -> String {
        if self.naive {
            return NAIVE.to_owned();
        }
        let Ok(Value::Object(map)) = serde_json::to_value(self) else {
            return String::new();
        };
        let used = map
            .iter()
            .filter(|(k, _)| self.tiled || !k.starts_with("tiled_"));
        let pairs: Vec<_> = used.map(|(k, v)| format!("{k}={v}")).collect();
        pairs.join(",")
    }

    /// This shape with some of its sizes changed.
    ///
    /// # Errors
    /// A key that is not one of the shape's, a value of the wrong type, sizes that do not go
    /// together.
    pub fn with(self, text: &str) -> Result<Self> {
        if text == NAIVE {
            return Ok(self.plain());
        }
        let refuse = |what: String| {
            let keys = "it takes `default` or `naive`, each alone, or KEY=VALUE,… as the summary of a run \
                 records them: ";
            Error::input("--kernels", what, format!("{keys}{}", self.to_text()))
        };
        let Ok(Value::Object(mut map)) = serde_json::to_value(self) else {
            return Ok(self);
        };
        for pair in text.split(',').filter(|pair| !pair.is_empty()) {
            let known = pair.split_once('=').and_then(|(key, value)| {
                let value = serde_json::from_str(value).ok()?;
                map.get_mut(key).map(|old| *old = value)
            });
            known.ok_or_else(|| refuse(format!("cannot use `{pair}`")))?;
        }
        let shape: Shape = serde_json::from_value(Value::Object(map))
            .map_err(|e| refuse(format!("cannot use `{text}`: {e}")))?;
        match shape.flaw() {
            Some(flaw) => Err(refuse(format!("cannot use `{text}`: {flaw}"))),
            None => Ok(shape),
        }
    }

    /// Why kernels of this shape would be wrong.
    fn flaw(&self) -> Option<&'static str> {
        let powers = [
            self.predict_threads,
            self.residual_threads,
            self.reduce_threads,
            self.update_threads,
            self.subgroup_width,
        ];
        let positive = [
            self.predict_samples,
            self.predict_chunk,
            self.update_vectors,
            self.update_chunk,
            self.tile,
        ];
        if !powers.iter().all(|size| size.is_power_of_two()) {
            return Some("numbers of threads and lanes are powers of two");
        }
        if positive.contains(&0) || !self.tile.is_multiple_of(LANES) {
            return Some("samples, vectors and chunks are at least 1, and a tile is whole blocks");
        }
        if ![1, 2, 4].contains(&self.update_width) {
            return Some("update_width is 1, 2 or 4");
        }
        if !self.updated().is_multiple_of(LANES) {
            return Some("update_threads · update_width · update_vectors is a multiple of 64");
        }
        if self.subgroup_width > 1 && (self.predict_staged || self.update_stage > 0) {
            return Some(
                "lanes broadcast words to each other, or these pass through workgroup memory",
            );
        }
        if !self.update_chunk.is_multiple_of(self.update_stage.max(1)) {
            return Some("update_stage divides update_chunk");
        }
        if self.subgroup_width > self.predict_threads.min(self.update_threads) {
            return Some(
                "a workgroup has at least as many threads as lanes that broadcast to each other",
            );
        }
        if self.tiled && !self.update_chunk.is_multiple_of(32) {
            return Some(
                "tiled kernels add up whole words of 32 samples: update_chunk is one of them",
            );
        }
        if self.tiled {
            return self.tiles.flaw(self.subgroup_width);
        }
        None
    }

    /// Particles of a workgroup that holds particles in registers.
    fn updated(&self) -> usize {
        self.update_threads * self.update_width * self.update_vectors
    }

    /// How work is cut for these kernels, if an invocation makes at most `turns` turns of its loops.
    pub fn tiling(&self, d: usize, turns: usize) -> Tiling {
        Tiling {
            lanes: LANES,
            tile: self.tile,
            fixed: self.tile_fixed,
            threads: self.predict_threads,
            samples: self.predict_samples,
            subgroup_width: self.subgroup_width,
            update: self.updated(),
            columns: self.reduce_threads,
            groups: GROUPS,
            residual: self.residual_threads,
            turns,
            reach: self.reach(d, turns),
            tiled: self.tiled.then(|| self.tiles.cut()),
            ranged: self.naive,
        }
    }

    /// Vectors of four words in a row of X, padded with zeros.
    pub fn row_vectors(&self, d: usize) -> usize {
        let vectors = d.div_ceil(4);
        match self.tiled {
            true => vectors.next_multiple_of(self.tiles.slice()),
            false => vectors,
        }
    }
}
