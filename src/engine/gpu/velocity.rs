//! What the device computes on the way to a step, read back: g and the velocity.

use super::Gpu;
use super::layout::block_words;
use super::side::Dispatch;
use crate::error::Result;
use crate::experiment::{StateFormat, Train};
use crate::particles::Particles;

impl Gpu {
    /// Words of g.
    pub(super) fn read_words(&self, first: usize, count: usize) -> Result<Vec<f64>> {
        let mut words = Vec::with_capacity(count);
        let piece = (self.readback.size() / 4) as usize;
        for start in (0..count).step_by(piece) {
            let length = piece.min(count - start);
            let at = (first + start) as u64 * 4;
            self.fetch(
                &self.train.residual,
                at,
                length as u64 * 4,
                |part: &[f32]| {
                    words.extend(part.iter().map(|&word| f64::from(word)));
                },
            )?;
        }
        Ok(words)
    }

    /// The velocity of a run in true units. g and the coefficients are on the device already.
    pub(super) fn read_velocity(&mut self, run: usize) -> Result<Particles> {
        match self.arcs_of(run) {
            None if self.velocity.is_none() => self.velocity = Some(self.velocity_kernels()?),
            Some(arcs) if self.velocity_arcs.is_none() => {
                self.velocity_arcs = Some(arcs.velocity_kernel(&self.device, self.checks)?);
            }
            _ => {}
        }
        self.velocity_of(run)
    }

    /// What is to be dispatched in one shard.
    fn velocity_stages<'a>(
        &'a self,
        run: usize,
        shard: usize,
        other: impl Fn(&str) -> &'a wgpu::Buffer,
    ) -> Result<Vec<Dispatch>> {
        let device = &self.device;
        if let (Some(arcs), Some(kernel)) = (self.arcs_of(run), &self.velocity_arcs) {
            let buffer = |name: &str| match name {
                "runs" => &self.train.facts,
                "state" => &self.state,
                name => other(name),
            };
            let stage = arcs.velocity(device, kernel, (run, shard), buffer)?;
            return Ok(stage.into_iter().collect());
        }
        let kernels = self.velocity.as_deref().unwrap_or_default();
        let stages = &self.update;
        stages.dispatches(device, kernels, shard, Some(run), other)
    }

    fn velocity_of(&self, run: usize) -> Result<Particles> {
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
            let stages = self.velocity_stages(run, shard, buffer)?;
            self.device.run("velocity", |encoder| {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: Some("velocity"),
                    timestamp_writes: None,
                });
                stages.iter().for_each(|stage| stage.encode(&mut pass));
            })?;
            self.read_shard((&out, StateFormat::F32), shard, run, &(0..m), &mut velocity)?;
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
