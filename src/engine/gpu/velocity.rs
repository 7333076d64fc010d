//! What the device computes on the way to a step, read back: g and the velocity.

use super::Gpu;
use super::layout::block_words;
use super::side::Dispatch;
use crate::error::{Error, Result};
use crate::model::{StateFormat, Train};
use crate::particles::Particles;

impl Gpu {
    /// Numbers per training sample of a run: g, or Σ η g.
    pub(super) fn read_samples<S: bytemuck::Pod + Into<f64>>(
        &self,
        buffer: &wgpu::Buffer,
        run: usize,
    ) -> Result<Vec<f64>> {
        let facts = self.train.runs[run];
        let (first, count) = (facts.residual as usize, facts.n as usize);
        let size = size_of::<S>();
        let piece = self.readback.size() as usize / size;
        let mut numbers = Vec::with_capacity(count);
        for start in (0..count).step_by(piece) {
            let bytes = (piece.min(count - start) * size) as u64;
            let at = ((first + start) * size) as u64;
            self.fetch(buffer, at, bytes, |part: &[S]| {
                numbers.extend(part.iter().map(|&number| number.into()));
            })?;
        }
        Ok(numbers)
    }

    /// Puts Σ η g of a run back.
    pub(super) fn write_accumulated(&mut self, run: usize, sum: &[f64]) -> Result<()> {
        let facts = self.train.runs[run];
        if sum.len() != facts.n as usize {
            return Err(Error::engine(
                "gpu",
                format!("{} sums of residuals for {} samples", sum.len(), facts.n),
                "check that the checkpoint and the experiment belong together",
            ));
        }
        let at = u64::from(facts.residual) * size_of::<f64>() as u64;
        let bytes = bytemuck::cast_slice(sum);
        self.device.write(&self.train.accumulated, at, bytes)?;
        self.device.flush()
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
            return arcs.velocity(device, kernel, (run, shard), &self.train.x, buffer);
        }
        let kernels = self.velocity.as_deref().unwrap_or_default();
        let stages = &self.update;
        stages.dispatches(device, kernels, (shard, Some(run)), &self.train.x, other)
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
            self.one_by_one("velocity", &stages)?;
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
