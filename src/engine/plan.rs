//! How the work of a batch is cut: shards, tiles and dispatches, as tables. Pure code, no device.
//!
//! Particles live in blocks of `lanes`; blocks fill shards, each below the largest binding. A run
//! is cut into tiles, and a tile never leaves its shard. The tiles of a run depend on (m, n, d)
//! and the [`Tiling`] alone, never on shards or on the other runs, so neither do its bits.
//!
//! No invocation of a kernel makes more than [`TURNS_MOST`] turns of its loops, whatever m, n and d
//! are ([`Reach`]). Where a workgroup would make more, its particles or samples are shared out to several
//! rows, which are done one after another: each adds to the sums that the one before it left. So sums
//! take no more memory than without this cut, with two exceptions: velocity keeps partial sums of G, for
//! some particles at a time (gradient_sums.rs), and residual three numbers for each range of samples
//! ([`ranges`]).

use std::ops::Range;

use crate::error::{Error, Result};

mod gradient_sums;
pub mod ranges;
mod row;
pub mod tiled;

use gradient_sums::{GradientSums, Ranges};
pub use row::{NONE, Part, Pass, PredictRow, RangeRow, ReduceRow, Row, Span, UpdateRow};

/// Largest number of loop iterations of an invocation of a kernel, including those that find a loop's end.
/// llvmpipe silently ends all loops of an invocation after 65 535 iterations; short invocations also avoid
/// the watchdog of a desktop.
pub const TURNS_MOST: usize = 1 << 15;

/// Sums of a tile beyond its n predictions: Σa², Σ|w|², Σ|a||w|.
pub const MOMENTS: usize = 3;

/// Partial sums of a run take at most an eighth of the bytes of its particles, or this many if that is more.
const SUMS_FREE: usize = 1 << 20;
/// Partial sums of a run take no more bytes than this, however many particles it has.
const SUMS_MOST: usize = 64 << 20;
/// Tiles of a run, at most, where its tile size may grow: more of them only cost time in `reduce`.
const TILES_MOST: usize = 4096;

/// The sizes of a kernel family that decide how work is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    /// Particles in a block of storage.
    pub lanes: usize,
    /// Particles in a tile of `predict`, a multiple of `lanes`; more where m is large.
    pub tile: usize,
    /// Whether the tile size stays the same, however large m is.
    pub fixed: bool,
    /// Threads of a `predict` workgroup, a power of two.
    pub threads: usize,
    /// Samples that a `predict` thread holds.
    pub samples: usize,
    /// Consecutive threads that must read the same particles.
    pub subgroup_width: usize,
    /// Particles of a `velocity_update` workgroup, a multiple of `lanes`.
    pub update: usize,
    /// Sums that a `reduce` workgroup makes.
    pub columns: usize,
    /// The most partial sums that `residual` adds up per sample.
    pub groups: usize,
    /// Threads of a `residual` workgroup.
    pub residual: usize,
    /// Largest number of loop iterations of an invocation, [`TURNS_MOST`] except in tests.
    pub turns: usize,
    pub reach: Reach,
    /// How the kernels tiled over d cut their work, where they are used.
    pub tiled: Option<tiled::Cut>,
    /// Whether residual goes range by range even where there is only one range.
    pub ranged: bool,
}

/// The largest work of a workgroup for which its invocations stay below the limit of loop iterations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// predict: particles, whole blocks.
    pub particles: usize,
    /// The moments of predict_tiled, which have a workgroup of their own: particles, whole blocks.
    pub moments: usize,
    /// velocity_update: samples.
    pub samples: usize,
}

/// Limits of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest storage binding, in bytes.
    pub binding: u64,
}

/// Sizes of one run, for one set of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Particles, and the index of the first in its network.
    pub m: usize,
    pub particle: usize,
    pub n: usize,
}

/// Particles of one run that lie side by side in one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub run: usize,
    pub particles: Range<usize>,
    /// Index of the first in its network.
    pub particle: usize,
    pub shard: usize,
    /// First block in the shard.
    pub block: usize,
}

/// Where the sums of a run lie, in words of the buffer of sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumsLayout {
    /// Words from one tile (or group) to the next: n + [`MOMENTS`].
    pub stride: usize,
    /// The partial sums that `residual` adds up.
    pub first: usize,
    pub groups: usize,
    /// Ranges of samples that residual is cut into.
    pub ranges: usize,
}

/// Where the particles of a batch lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Blocks of each shard.
    pub shards: Vec<usize>,
    /// In order of runs and particles.
    pub pieces: Vec<Piece>,
}

/// The rows of work of predict, reduce and residual, for one kind of samples (training or test).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// predict: the rows of each shard.
    pub predict: Vec<Vec<PredictRow>>,
    /// reduce: empty where no run has more tiles than groups.
    pub reduce: Vec<ReduceRow>,
    /// residual: the ranges of the runs that are cut into several.
    pub ranges: Vec<RangeRow>,
    pub sums: Vec<SumsLayout>,
    /// Length of the buffer of sums.
    pub words: usize,
}

impl Piece {
    /// Its particles, where a block holds `lanes` of them.
    pub fn span(&self, lanes: usize) -> Span {
        Span {
            run: self.run as u32,
            first: (self.block * lanes) as u32,
            count: self.particles.len() as u32,
            particle: self.particle as u32,
        }
    }
}

impl Tiling {
    /// Samples of a row of predict, at most.
    pub fn predicted(&self) -> usize {
        let held = self.threads * self.samples;
        self.tiled.as_ref().map_or(held, |cut| cut.samples)
    }

    /// Particles in a tile of a run.
    pub fn tile_of(&self, Size { m, n, .. }: Size, d: usize) -> usize {
        let allowed = (m * (d + 1) * 4 / 8).clamp(SUMS_FREE, SUMS_MOST);
        let mut tile = self.tile;
        while !self.fixed && tile < m {
            let tiles = m.div_ceil(tile);
            if tiles <= TILES_MOST && tiles * (n + MOMENTS) * 4 <= allowed {
                break;
            }
            tile *= 2;
        }
        tile
    }
}

/// Places the particles of all runs. `sizes` are those of the training sets; `shard` is the
/// largest shard in bytes, at most the largest binding.
///
/// # Errors
/// When a tile does not fit in a shard.
pub fn storage(
    sizes: &[Size],
    d: usize,
    tiling: &Tiling,
    limits: &Limits,
    shard: Option<u64>,
) -> Result<Storage> {
    let bytes = shard.unwrap_or(limits.binding).min(limits.binding);
    // Lanes are counted in u32 by the kernels.
    let capacity = ((bytes / (tiling.lanes * (d + 1) * 4) as u64) as usize)
        .min(u32::MAX as usize / (tiling.lanes * (d + 1)));
    let mut shards: Vec<usize> = Vec::new();
    let mut pieces: Vec<Piece> = Vec::new();
    for (run, &size) in sizes.iter().enumerate() {
        let tile = tiling.tile_of(size, d);
        for first in (0..size.m).step_by(tile) {
            let last = (first + tile).min(size.m);
            let blocks = (last - first).div_ceil(tiling.lanes);
            if blocks > capacity {
                return Err(Error::engine(
                    "gpu",
                    format!(
                        "a tile of {tile} particles (d = {d}) does not fit in a shard of {bytes} bytes"
                    ),
                    "choose larger shards",
                ));
            }
            let full = shards.last().is_none_or(|used| used + blocks > capacity);
            if full {
                shards.push(0);
            }
            let shard = shards.len() - 1;
            match pieces.last_mut() {
                Some(piece) if piece.run == run && !full => piece.particles.end = last,
                _ => pieces.push(Piece {
                    run,
                    particles: first..last,
                    particle: size.particle + first,
                    shard,
                    block: shards[shard],
                }),
            }
            shards[shard] += blocks;
        }
    }
    Ok(Storage { shards, pieces })
}

/// The passes of velocity and update, for kernels that hold a particle in registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatePlan {
    /// Of each shard, in the order in which they are done.
    pub passes: Vec<Vec<Pass>>,
    /// Words of the buffer of partial sums of G.
    pub gradient_sums: usize,
}

/// Cuts velocity and update. `sizes` are those of the training sets. Partial sums of G take at most `room`
/// bytes, except that there is always room for those of one workgroup's particles.
pub fn update(
    sizes: &[Size],
    d: usize,
    tiling: &Tiling,
    storage: &Storage,
    room: u64,
) -> UpdatePlan {
    let words = tiling.update * d;
    let mut update = UpdatePlan {
        passes: Vec::new(),
        gradient_sums: 0,
    };
    for spans in spans(tiling.update, tiling.lanes, storage) {
        let (mut whole, mut cut, mut gradient_sums) =
            (Vec::new(), Vec::new(), GradientSums::default());
        for row in spans.into_iter().map(UpdateRow::of) {
            let size = sizes[row.run as usize];
            let workgroups = size.m.div_ceil(tiling.update);
            match Ranges::new(size, tiling.reach.samples, workgroups, words) {
                None => whole.push(UpdateRow {
                    samples: size.n as u32,
                    ..row
                }),
                Some(ranges) => {
                    if (gradient_sums.words + ranges.sums() * words) as u64 * 4 > room {
                        gradient_sums.close(&mut cut);
                    }
                    gradient_sums.cut(row, &ranges, words);
                    update.gradient_sums = update.gradient_sums.max(gradient_sums.words);
                }
            }
        }
        gradient_sums.close(&mut cut);
        let mut passes = Vec::new();
        Pass::append(&mut passes, Part::Velocity, whole);
        passes.append(&mut cut);
        update.passes.push(passes);
    }
    update
}

/// Cuts velocity and update for the naive kernels: velocity adds up G in a buffer, range after range of
/// samples, and then update takes the step.
pub fn velocity_then_update(sizes: &[Size], tiling: &Tiling, storage: &Storage) -> Vec<Vec<Pass>> {
    let most = tiling.reach.samples;
    let shard = |spans: Vec<Span>| {
        let rows: Vec<_> = spans.into_iter().map(UpdateRow::of).collect();
        let over_samples = |row: &UpdateRow| {
            let (row, n) = (*row, sizes[row.run as usize].n);
            let starts = (0..n.max(1)).step_by(most).enumerate();
            starts.map(move |(adds, start)| UpdateRow {
                sample: start as u32,
                samples: most.min(n - start) as u32,
                adds: adds as u32,
                ..row
            })
        };
        let mut passes = Vec::new();
        let velocity = rows.iter().flat_map(over_samples).collect();
        Pass::append(&mut passes, Part::Velocity, velocity);
        Pass::append(&mut passes, Part::Update, rows);
        passes
    };
    let shards = spans(tiling.update, tiling.lanes, storage);
    shards.into_iter().map(shard).collect()
}

/// The particles of each shard in spans of one run and at most `most` particles, where a block holds `lanes`
/// of them.
pub fn spans(most: usize, lanes: usize, storage: &Storage) -> Vec<Vec<Span>> {
    let mut spans = vec![Vec::new(); storage.shards.len()];
    for piece in &storage.pieces {
        spans[piece.shard].extend(piece.span(lanes).parts(most));
    }
    spans
}

/// Cuts the sums over particles. `sizes` are those of the samples to predict on; `trained` those
/// of the training sets, which decide the tiles.
///
/// # Errors
/// When the partial sums of the batch exceed a binding.
pub fn prediction(
    sizes: &[Size],
    trained: &[Size],
    d: usize,
    tiling: &Tiling,
    limits: &Limits,
    storage: &Storage,
) -> Result<Prediction> {
    let mut predict = vec![Vec::new(); storage.shards.len()];
    let (mut reduce, mut cut) = (Vec::new(), Vec::new());
    let mut sums = Vec::new();
    let mut words = 0;
    let mut pieces = storage.pieces.iter().peekable();
    for (run, size) in sizes.iter().enumerate() {
        let tile = tiling.tile_of(trained[run], d);
        let tiles = size.m.div_ceil(tile);
        let stride = size.n + MOMENTS;
        let first = words;
        words += tiles * stride;
        while let Some(piece) = pieces.next_if(|piece| piece.run == run) {
            let spans = piece.span(tiling.lanes).parts(tile);
            for (index, span) in (piece.particles.start / tile..).zip(spans) {
                let out = first + index * stride;
                let rows = &mut predict[piece.shard];
                match &tiling.tiled {
                    Some(cut) => rows.extend(cut.predict(span, out, size.n, &tiling.reach)),
                    None => rows.extend(tile_rows(tiling, span, out, size.n)),
                }
            }
        }
        let direct = tiles <= tiling.groups;
        let each = if direct {
            1
        } else {
            tiles.div_ceil(tiling.groups)
        };
        let groups = tiles.div_ceil(each);
        let summed = if direct { first } else { words };
        if !direct {
            for group in 0..groups {
                let tile = group * each;
                let last = tiles.min(tile + each);
                for column in (0..stride).step_by(tiling.columns) {
                    let starts = (tile..last).step_by(tiling.turns / 2);
                    reduce.extend(starts.enumerate().map(|(adds, start)| ReduceRow {
                        run: run as u32,
                        first: (first + start * stride + column) as u32,
                        tiles: (tiling.turns / 2).min(last - start) as u32,
                        columns: tiling.columns.min(stride - column) as u32,
                        out: (words + group * stride + column) as u32,
                        adds: adds as u32,
                    }));
                }
            }
            words += groups * stride;
        }
        let most = ranges::most(groups, tiling);
        let own = match (tiles, tiling.ranged) {
            (0, _) => Vec::new(),
            (_, ranged) => ranges::rows(run, size.n, most, words, ranged),
        };
        sums.push(SumsLayout {
            stride,
            first: summed,
            groups,
            ranges: own.len().max(1),
        });
        words += own.len() * ranges::RANGE_SUMS;
        cut.extend(own);
    }
    let bytes = words as u64 * 4;
    if bytes > limits.binding {
        return Err(Error::engine(
            "gpu",
            format!(
                "the partial sums of {} runs take {bytes} bytes, and the adapter binds at most {}",
                sizes.len(),
                limits.binding
            ),
            "put fewer runs in a grid, or use fewer samples, or --engine cpu",
        ));
    }
    Ok(Prediction {
        predict,
        reduce,
        ranges: cut,
        sums,
        words,
    })
}

/// The rows of one tile, one for each workgroup's worth of samples. Its sums go to the words from `out` on.
/// Without samples it still has a row, for its moments.
fn tile_rows(
    tiling: &Tiling,
    tile: Span,
    out: usize,
    n: usize,
) -> impl Iterator<Item = PredictRow> {
    let Tiling {
        threads,
        samples: held,
        subgroup_width,
        reach,
        ..
    } = *tiling;
    let parts = tile.parts(reach.particles).enumerate();
    parts.flat_map(move |(adds, part)| {
        let starts = (0..n.max(1)).step_by(threads * held);
        starts.map(move |sample| {
            let samples = (n - sample).min(threads * held);
            let columns = samples
                .div_ceil(held)
                .max(subgroup_width)
                .next_power_of_two();
            PredictRow {
                sample: sample as u32,
                samples: samples as u32,
                out: (out + sample) as u32,
                slices: (threads / columns) as u32,
                moments: if sample == 0 { (out + n) as u32 } else { NONE },
                adds: adds as u32,
                ..PredictRow::of(part)
            }
        })
    })
}

/// Workgroups in two dimensions, at least `rows` in all, none beyond `limit` in either.
pub fn fold(rows: usize, limit: u32) -> (u32, u32) {
    let y = rows.div_ceil(limit as usize).max(1);
    (rows.div_ceil(y) as u32, y as u32)
}

#[cfg(test)]
mod tests;
