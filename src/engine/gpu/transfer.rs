//! Particles to and from the device, a few megabytes at a time.

use std::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::Gpu;
use super::device::UPLOAD;
use super::layout::LANES;
use super::layout::{block_words, pack, to_f16, unpack};
use crate::engine::plan::Piece;
use crate::error::{Error, Result};
use crate::model::{Run, StateFormat};
use crate::particles::Particles;

/// Consecutive particles of one shard, few enough to stage at once.
struct Transfer {
    /// Particles of the run.
    particles: Range<usize>,
    /// Blocks of the shard that hold them, and the first particle's lane in the first of them.
    shard: usize,
    blocks: Range<usize>,
    lane: usize,
}

/// Cuts particles of a run into parts of at most `most` blocks, each in one shard.
fn transfers(pieces: &[Piece], run: usize, range: &Range<usize>, most: usize) -> Vec<Transfer> {
    let mut found = Vec::new();
    for piece in pieces.iter().filter(|piece| piece.run == run) {
        let end = range.end.min(piece.particles.end);
        let mut start = range.start.max(piece.particles.start);
        while start < end {
            let offset = start - piece.particles.start;
            let lane = offset % LANES;
            let stop = end.min(start - lane + most * LANES);
            let first = piece.block + offset / LANES;
            found.push(Transfer {
                particles: start..stop,
                shard: piece.shard,
                blocks: first..first + (lane + stop - start).div_ceil(LANES),
                lane,
            });
            start = stop;
        }
    }
    found
}

impl Gpu {
    /// Blocks staged at a time.
    fn stage(&self) -> usize {
        (UPLOAD / (block_words(self.batch.d) * 4)).max(1)
    }

    pub(super) fn check_run(&self, run: usize) -> Result<()> {
        let start = self
            .batch
            .runs
            .get(run)
            .map_or(0, |known| known.held().start);
        self.held(run, start..start).map(|_| ())
    }

    /// The places of these particles of a run among those that the device holds.
    pub(super) fn held(&self, run: usize, range: Range<usize>) -> Result<Range<usize>> {
        match self.batch.runs.get(run).map(Run::held) {
            Some(held)
                if held.start <= range.start
                    && range.start <= range.end
                    && range.end <= held.end =>
            {
                Ok(range.start - held.start..range.end - held.start)
            }
            _ => Err(Error::engine(
                "gpu",
                format!("there are no particles {range:?} in run {run}"),
                "check that the checkpoint and the experiment belong together",
            )),
        }
    }

    pub(super) fn write_particles(
        &mut self,
        run: usize,
        first: usize,
        block: &Particles,
    ) -> Result<()> {
        let range = first..first + block.m();
        if block.d != self.batch.d {
            return Err(Error::engine(
                "gpu",
                format!(
                    "particles of d = {} do not fit d = {}",
                    block.d, self.batch.d
                ),
                "check that the checkpoint and the experiment belong together",
            ));
        }
        let words = block_words(self.batch.d);
        let state = self.batch.state;
        let m = self.batch.runs[run].held_count();
        for part in transfers(&self.storage.pieces, run, &range, self.stage()) {
            let count = part.particles.len();
            let first_word = part.blocks.start * words;
            let whole = part.lane == 0 && (count.is_multiple_of(LANES) || part.particles.end == m);
            let mut blocks = vec![0.0; part.blocks.len() * words];
            let shard = &self.shards[part.shard];
            if !whole {
                // The neighbours in the first and the last block stay as they are.
                let range = first_word..first_word + blocks.len();
                self.fetch_numbers(shard, state, range, |old| blocks.copy_from_slice(old))?;
            }
            pack(
                block,
                part.particles.start - first,
                count,
                part.lane,
                &mut blocks,
            );
            let at = (first_word * state.bytes()) as u64;
            match state {
                StateFormat::F32 => self
                    .device
                    .write(shard, at, bytemuck::cast_slice(&blocks))?,
                StateFormat::F16 => {
                    let stored = to_f16(&blocks);
                    check_size(&blocks, &stored)?;
                    self.device
                        .write(shard, at, bytemuck::cast_slice(&stored))?;
                }
            }
            self.device.flush()?;
        }
        Ok(())
    }

    pub(super) fn read_particles(&mut self, run: usize, range: Range<usize>) -> Result<Particles> {
        let mut particles = Particles::zeros(range.len(), self.batch.d);
        for shard in 0..self.shards.len() {
            let stored = (&self.shards[shard], self.batch.state);
            self.read_shard(stored, shard, run, &range, &mut particles)?;
        }
        Ok(particles)
    }

    /// Reads those particles of `range` that lie in one shard from a buffer of this format, which
    /// is laid out like that shard.
    pub(super) fn read_shard(
        &self,
        (buffer, format): (&wgpu::Buffer, StateFormat),
        shard: usize,
        run: usize,
        range: &Range<usize>,
        particles: &mut Particles,
    ) -> Result<()> {
        let words = block_words(self.batch.d);
        for part in transfers(&self.storage.pieces, run, range, self.stage()) {
            if part.shard != shard {
                continue;
            }
            let stored = part.blocks.start * words..part.blocks.end * words;
            self.fetch_numbers(buffer, format, stored, |blocks| {
                let to = part.particles.start - range.start;
                unpack(blocks, part.lane, part.particles.len(), to, particles);
            })?;
        }
        Ok(())
    }

    /// Lends numbers of a buffer to `take`, widened to f32.
    fn fetch_numbers<T>(
        &self,
        buffer: &wgpu::Buffer,
        format: StateFormat,
        numbers: Range<usize>,
        take: impl FnOnce(&[f32]) -> T,
    ) -> Result<T> {
        let at = (numbers.start * format.bytes()) as u64;
        let bytes = (numbers.len() * format.bytes()) as u64;
        match format {
            StateFormat::F32 => self.fetch(buffer, at, bytes, take),
            StateFormat::F16 => self.fetch(buffer, at, bytes, |stored: &[f16]| {
                take(&stored.to_f32_vec())
            }),
        }
    }

    /// Lends a part of a buffer to `take`.
    pub(super) fn fetch<S: bytemuck::Pod, T>(
        &self,
        buffer: &wgpu::Buffer,
        at: u64,
        bytes: u64,
        take: impl FnOnce(&[S]) -> T,
    ) -> Result<T> {
        self.device.run("read", |encoder| {
            encoder.copy_buffer_to_buffer(buffer, at, &self.readback, 0, bytes);
        })?;
        self.device.mapped(&self.readback, bytes, |bytes| {
            take(bytemuck::cast_slice(bytes))
        })
    }
}

/// An error where rounding to f16 made a finite number infinite.
fn check_size(values: &[f32], stored: &[f16]) -> Result<()> {
    let mut pairs = values.iter().zip(stored);
    match pairs.find(|(value, stored)| value.is_finite() && !stored.is_finite()) {
        Some((value, _)) => Err(Error::input(
            "precision.state",
            format!(
                "\"f16\" cannot hold the weight {value:e}: it ends at {}",
                f16::MAX
            ),
            "use \"f32\", or a smaller init.scale_a and init.scale_w",
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_cover_a_range_once_and_stay_in_their_piece() {
        let piece = |run, particles: Range<usize>, shard, block| Piece {
            run,
            particle: particles.start,
            particles,
            shard,
            block,
        };
        let pieces = [
            piece(0, 0..70, 0, 0),
            piece(1, 0..256, 0, 2),
            piece(1, 256..500, 1, 0),
        ];
        for range in [0..500, 1..2, 63..65, 255..257, 200..499] {
            let parts = transfers(&pieces, 1, &range, 2);
            let mut next = range.start;
            for part in &parts {
                assert_eq!(part.particles.start, next);
                assert!(part.blocks.len() <= 2);
                let (shard, start, block) = if next < 256 { (0, 0, 2) } else { (1, 256, 0) };
                assert_eq!(part.shard, shard);
                let slot = (part.blocks.start - block) * LANES + part.lane;
                assert_eq!(slot, next - start);
                next = part.particles.end;
            }
            assert_eq!(next, range.end);
        }
    }
}
