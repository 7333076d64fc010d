//! What the device computes on the way to a step, read back: g and the velocity.

use super::Gpu;
use super::layout::block_words;
use super::update::PartKernel;
use crate::error::Result;
use crate::experiment::Train;
use crate::particles::Particles;

impl Gpu {
    /// Words of g.
    pub(super) fn read_words(&self, first: usize, count: usize) -> Result<Vec<f64>> {
        let mut words = Vec::with_capacity(count);
        let piece = (self.readback.size() / 4) as usize;
        for start in (0..count).step_by(piece) {
            let length = piece.min(count - start);
            let at = (first + start) as u64 * 4;
            self.fetch(&self.train.residual, at, length as u64 * 4, |part| {
                words.extend(part.iter().map(|&word| f64::from(word)));
            })?;
        }
        Ok(words)
    }

    /// The velocity of a run in true units. g and the coefficients are on the device already.
    pub(super) fn read_velocity(&mut self, run: usize) -> Result<Particles> {
        let kernels = match self.velocity.take() {
            Some(kernels) => kernels,
            None => self.velocity_kernels()?,
        };
        let velocity = self.velocity_with(&kernels, run);
        self.velocity = Some(kernels);
        velocity
    }

    fn velocity_with(&self, kernels: &[PartKernel], run: usize) -> Result<Particles> {
        let d = self.batch.d;
        let m = self.batch.runs[run].m;
        let mut velocity = Particles::zeros(m, d);
        for (shard, particles) in self.shards.iter().enumerate() {
            if !self
                .storage
                .pieces
                .iter()
                .any(|p| (p.run, p.shard) == (run, shard))
            {
                continue;
            }
            let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
            let words = self.storage.shards[shard] * block_words(d);
            let out = self.device.buffer("velocity", words, usage)?;
            let buffer = |name: &str| if name == "velocity" { &out } else { particles };
            let stages = &self.update;
            let stages = stages.dispatches(&self.device, kernels, shard, Some(run), buffer)?;
            self.device.run("velocity", |encoder| {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: Some("velocity"),
                    timestamp_writes: None,
                });
                stages.iter().for_each(|stage| stage.encode(&mut pass));
            })?;
            self.read_shard(&out, shard, run, &(0..m), &mut velocity)?;
        }
        let unit = 2f64.powi(self.clocks[run].exponent);
        let train = self.batch.runs[run].train;
        if train != Train::Input {
            velocity.a.iter_mut().for_each(|v| *v *= unit);
        }
        if train != Train::Output {
            velocity.w.iter_mut().for_each(|v| *v *= unit);
        }
        Ok(velocity)
    }
}
