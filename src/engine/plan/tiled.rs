//! The tables of the kernels tiled over d.
//!
//! predict_tiled leaves a bit per particle and sample, whether z > 0. A word has the bits of a particle and
//! 32 samples. Of a block, the words for the first 32 samples lie side by side, then those for the next 32.
//! Where all bits of a batch would take too much memory, predict leaves none; then particles are updated
//! chunk by chunk, and the bits of a chunk are computed again just before its update.

use std::collections::BTreeMap;

use super::gradient_sums::{GradientSums, Ranges};
use super::{
    NONE, Part, Pass, Piece, PredictRow, Prediction, Reach, Size, Span, Storage, Tiling, UpdateRow,
};

/// Bits take at most an eighth of the bytes of the particles and data, or this many if that is more.
const BITS_FREE: u64 = 4 << 20;

/// The work of one workgroup of each kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Particles at a time: whole blocks.
    pub particles: usize,
    /// Samples of a predict_tiled workgroup: whole words of bits.
    pub samples: usize,
    /// Coordinates of a velocity_update_tiled workgroup: a multiple of four.
    pub coordinates: usize,
}

/// The passes of velocity and update, for kernels tiled over d.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TiledUpdatePlan {
    /// Of each shard, in the order in which they are done.
    pub passes: Vec<Vec<Pass>>,
    /// Words of the buffer of activation bits.
    pub bits: usize,
    /// Words of the buffer of parts of w·G.
    pub parts: usize,
    /// Words of the buffer of partial sums of G.
    pub gradient_sums: usize,
    /// Where predict leaves the bits of each piece, by shard and first particle; empty where it
    /// leaves none.
    kept: BTreeMap<(usize, u32), u32>,
}

/// The most bytes that kernels may leave to one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Activation bits.
    pub bits: u64,
    /// Partial sums of G.
    pub gradient_sums: u64,
}

/// Bytes that activation bits, and partial sums of G, may take beside particles and data of `bytes`.
pub fn room(bytes: u64) -> u64 {
    BITS_FREE.max(bytes / 8)
}

impl Cut {
    /// The rows of one tile, whose sums go to the words from `out` on: those of its moments, then those of its
    /// samples.
    pub(super) fn predict(
        &self,
        tile: Span,
        out: usize,
        n: usize,
        reach: &Reach,
    ) -> impl Iterator<Item = PredictRow> {
        let moments = move |(adds, part): (usize, Span)| PredictRow {
            out: out as u32,
            moments: (out + n) as u32,
            adds: adds as u32,
            ..PredictRow::of(part)
        };
        let sums = move |(adds, part): (usize, Span)| PredictRow {
            out: out as u32,
            adds: adds as u32,
            ..PredictRow::of(part)
        };
        let moments = tile.parts(reach.moments).enumerate().map(moments);
        let sums = tile.parts(reach.particles).enumerate().map(sums);
        moments.chain(sums.flat_map(move |part| self.samples(part, n)))
    }

    fn samples(&self, tile: PredictRow, n: usize) -> impl Iterator<Item = PredictRow> {
        let most = self.samples;
        (0..n).step_by(most).map(move |sample| PredictRow {
            sample: sample as u32,
            samples: most.min(n - sample) as u32,
            out: tile.out + sample as u32,
            ..tile
        })
    }

    /// Cuts velocity and update. `sizes` are those of the training sets. What kernels leave to one another
    /// takes at most `room`, except that there is always room for the particles of one workgroup.
    pub fn update(
        &self,
        sizes: &[Size],
        d: usize,
        tiling: &Tiling,
        storage: &Storage,
        room: Room,
    ) -> TiledUpdatePlan {
        let words = |piece: &Piece| sizes[piece.run].n.div_ceil(32);
        let padded = |particles: usize| particles.next_multiple_of(tiling.lanes);
        let all = |piece: &Piece| padded(piece.particles.len()) * words(piece);
        let total: usize = storage.pieces.iter().map(all).sum();
        let keeps = total as u64 * 4 <= room.bits;
        let mut update = TiledUpdatePlan {
            passes: vec![Vec::new(); storage.shards.len()],
            bits: 0,
            parts: 0,
            gradient_sums: 0,
            kept: BTreeMap::new(),
        };
        let columns = d.div_ceil(self.coordinates);
        let words_of_sum = self.particles * self.coordinates;
        let (mut chunk, mut shard, mut bits) = (ChunkRows::default(), 0, 0);
        for piece in &storage.pieces {
            let start = piece.block * tiling.lanes;
            if keeps {
                let first = (piece.shard, start as u32);
                update.kept.insert(first, bits as u32);
            }
            let size = sizes[piece.run];
            let workgroups = size.m.div_ceil(self.particles) * columns;
            let ranges = Ranges::new(size, tiling.reach.samples, workgroups, words_of_sum);
            let own_sums = ranges.map_or(0, |r| r.sums() * columns * words_of_sum);
            for span in piece.span(tiling.lanes).parts(self.particles) {
                let own = padded(span.count as usize) * words(piece);
                let full = !keeps && (bits + own) as u64 * 4 > room.bits
                    || own_sums > 0
                        && (chunk.gradient_sums.words + own_sums) as u64 * 4 > room.gradient_sums;
                if full || piece.shard != shard {
                    chunk.close(&mut update.passes[shard]);
                    shard = piece.shard;
                    bits = if keeps { bits } else { 0 };
                }
                if !keeps {
                    let row = PredictRow {
                        bits: bits as u32,
                        ..PredictRow::of(span)
                    };
                    chunk.make_bits(self, row, size, d, tiling);
                }
                let row = UpdateRow {
                    bits: bits as u32,
                    ..UpdateRow::of(span)
                };
                chunk.update(self, row, size, d, ranges.as_ref());
                bits += own;
                update.bits = update.bits.max(bits);
                update.parts = update.parts.max(chunk.parts);
                update.gradient_sums = update.gradient_sums.max(chunk.gradient_sums.words);
            }
        }
        chunk.close(&mut update.passes[shard]);
        update
    }
}

/// The rows of a chunk: of particles that are updated together.
#[derive(Default)]
struct ChunkRows {
    bits: Vec<PredictRow>,
    velocity: Vec<UpdateRow>,
    gradient_sums: GradientSums,
    output: Vec<UpdateRow>,
    /// Words of parts of w·G.
    parts: usize,
}

impl ChunkRows {
    /// Adds rows that compute the bits of the particles of `row` again, or extends those of the particles
    /// before them, up to the size of a tile of predict.
    fn make_bits(&mut self, cut: &Cut, row: PredictRow, size: Size, d: usize, tiling: &Tiling) {
        let tile = tiling.tile_of(size, d).min(tiling.reach.particles) as u32;
        let rows = size.n.div_ceil(cut.samples);
        let last = self.bits.len().saturating_sub(rows);
        let span = self.bits.get_mut(last..).unwrap_or_default();
        let goes_on = span.first().is_some_and(|before| {
            before.run == row.run
                && before.first + before.count == row.first
                && before.count + row.count <= tile
        });
        match goes_on {
            true => span.iter_mut().for_each(|part| part.count += row.count),
            false => self.bits.extend(cut.samples(row, size.n)),
        }
    }

    /// Adds rows that update the particles of `row`.
    fn update(&mut self, cut: &Cut, row: UpdateRow, size: Size, d: usize, ranges: Option<&Ranges>) {
        self.output.push(UpdateRow {
            part: self.parts as u32,
            bits: NONE,
            ..row
        });
        for coordinate in (0..d).step_by(cut.coordinates) {
            let row = UpdateRow {
                samples: size.n as u32,
                coordinate: coordinate as u32,
                part: self.parts as u32,
                ..row
            };
            match ranges {
                None => self.velocity.push(row),
                Some(ranges) => {
                    self.gradient_sums
                        .cut(row, ranges, cut.particles * cut.coordinates)
                }
            }
            self.parts += cut.particles;
        }
    }

    /// Appends the passes of its rows, and is empty again.
    fn close(&mut self, passes: &mut Vec<Pass>) {
        let mut chunk = std::mem::take(self);
        if !chunk.bits.is_empty() {
            passes.push(Pass::Bits(chunk.bits));
        }
        Pass::append(passes, Part::Velocity, chunk.velocity);
        chunk.gradient_sums.close(passes);
        Pass::append(passes, Part::Output, chunk.output);
    }
}

impl TiledUpdatePlan {
    /// Makes predict leave the bits on the training samples, if there is room for all.
    pub fn keep(&self, prediction: &mut Prediction, sizes: &[Size], lanes: usize) {
        for (shard, rows) in prediction.predict.iter_mut().enumerate() {
            for row in rows {
                let pieces = self.kept.range((shard, 0)..=(shard, row.first));
                if let Some((&(_, first), bits)) = pieces.last() {
                    let words = sizes[row.run as usize].n.div_ceil(32);
                    let blocks = (row.first - first) as usize / lanes;
                    row.bits = bits + (blocks * lanes * words) as u32;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
