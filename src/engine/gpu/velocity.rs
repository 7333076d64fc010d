//! What the device computes on the way to a step, read back: g and the velocity.

use super::Gpu;
use super::kernels::{Kernel, VELOCITY, render};
use super::layout::block_words;
use super::side::Dispatch;
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

    /// Compiles the velocity kernel, which no run needs to advance.
    fn velocity_kernel(&self) -> Result<Kernel> {
        let most = self.train.runs.iter().map(|run| run.n).max().unwrap_or(0);
        let source = render(VELOCITY, self.batch.d, most as usize, &self.shape)?;
        Kernel::new(&self.device, VELOCITY, &source, self.checks)
    }

    /// The velocity of a run in true units. g and the coefficients are on the device already.
    pub(super) fn read_velocity(&mut self, run: usize) -> Result<Particles> {
        let kernel = match self.velocity.take() {
            Some(kernel) => kernel,
            None => self.velocity_kernel()?,
        };
        let velocity = self.velocity_with(&kernel, run);
        self.velocity = Some(kernel);
        velocity
    }

    fn velocity_with(&self, kernel: &Kernel, run: usize) -> Result<Particles> {
        let d = self.batch.d;
        let common = kernel.bind(&self.device, 0, |name| match name {
            "runs" => &self.train.facts,
            "state" => &self.state,
            "x" => &self.train.x,
            _ => &self.train.residual,
        })?;
        let m = self.batch.runs[run].m;
        let mut velocity = Particles::zeros(m, d);
        for (shard, particles) in self.shards.iter().enumerate() {
            let rows = &self.storage.update[shard];
            let own: Vec<_> = rows
                .iter()
                .filter(|row| row.run as usize == run)
                .copied()
                .collect();
            let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
            let words = self.storage.shards[shard] * block_words(d);
            if own.is_empty() {
                continue;
            }
            let out = self.device.buffer("velocity", words, usage)?;
            let buffer = |name: &str| if name == "velocity" { &out } else { particles };
            if let Some(dispatch) = Dispatch::rows(&self.device, kernel, &own, buffer)? {
                self.device.run("velocity", |encoder| {
                    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                        label: Some("velocity"),
                        timestamp_writes: None,
                    });
                    dispatch.encode(&mut pass, kernel, &common);
                })?;
            }
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
