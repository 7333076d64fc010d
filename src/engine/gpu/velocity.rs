//! The stages one by one: g and the velocity read back, and an update by a g from the host.

use super::Gpu;
use super::device::UPLOAD;
use super::dispatch::Dispatch;
use super::layout::{StepState, block_words};
use super::slots::{Buffers, Slot};
use crate::engine::RunUpdate;
use crate::engine::step::eta_exponent;
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
        let constants = self.train.runs[run];
        let (first, count) = (constants.residual as usize, constants.n as usize);
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

    /// Puts g of a run on the device, in single precision.
    pub(super) fn give_residual(&self, run: usize, g: &[f64]) -> Result<()> {
        let constants = self.train.runs[run];
        if g.len() != constants.n as usize {
            return Err(Error::engine(
                "gpu",
                format!("{} residuals for {} samples", g.len(), constants.n),
                "give one per training sample",
            ));
        }
        let g: Vec<f32> = g.iter().map(|&g| g as f32).collect();
        let at = u64::from(constants.residual) * size_of::<f32>() as u64;
        let (pieces, size) = (g.chunks(UPLOAD / 4), size_of::<f32>());
        for (k, piece) in pieces.enumerate() {
            let at = at + (k * UPLOAD / 4 * size) as u64;
            self.device
                .write(&self.train.residual, at, bytemuck::cast_slice(piece))?;
            self.device.flush()?;
        }
        Ok(())
    }

    /// Makes velocity read the residual that was given.
    pub(super) fn use_given(&mut self) -> Result<()> {
        let Some(arcs) = &self.arcs else {
            return Ok(());
        };
        let given = match self.gradients_given.take() {
            Some(given) => given,
            None => arcs.gradients_given(&self.device, self.checks)?,
        };
        let done = self.one_by_one("gradients", &given);
        self.gradients_given = Some(given);
        done
    }

    /// update: the steps of the runs that take one.
    pub(super) fn take_updates(&mut self, updates: &[Option<RunUpdate>]) -> Result<()> {
        for (run, update) in updates.iter().enumerate() {
            if let Some(update) = update {
                self.give_residual(run, update.residual)?;
            }
        }
        self.use_given()?;
        let runs = self.batch.runs.iter().zip(&self.clocks).zip(updates);
        let states: Vec<StepState> = runs
            .map(|((run, clock), u)| StepState::of(run, clock, u))
            .collect();
        self.device
            .write(&self.state, 0, bytemuck::cast_slice(&states))?;
        self.predicted = false;
        self.one_by_one("update", &self.step)?;
        for (clock, update) in self.clocks.iter_mut().zip(updates) {
            if let Some(update) = update {
                clock.advance_by(&update.scalars);
            }
        }
        Ok(())
    }

    /// Puts Σ η g of a run back.
    pub(super) fn write_accumulated(&mut self, run: usize, sum: &[f64]) -> Result<()> {
        let constants = self.train.runs[run];
        if sum.len() != constants.n as usize {
            return Err(Error::engine(
                "gpu",
                format!(
                    "{} sums of residuals for {} samples",
                    sum.len(),
                    constants.n
                ),
                "check that the checkpoint and the experiment belong together",
            ));
        }
        let at = u64::from(constants.residual) * size_of::<f64>() as u64;
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
    fn velocity_stages(&self, run: usize, shard: usize, own: &Buffers) -> Result<Vec<Dispatch>> {
        let (device, inputs) = (&self.device, &self.train.x);
        if let (Some(arcs), Some(kernel)) = (self.arcs_of(run), &self.velocity_arcs) {
            return arcs.velocity(device, kernel, shard, run, inputs, own);
        }
        let kernels = self.velocity.as_deref().unwrap_or_default();
        self.update
            .dispatches(device, kernels, shard, Some(run), inputs, own)
    }

    fn velocity_of(&self, run: usize) -> Result<Particles> {
        let d = self.batch.d;
        let m = self.batch.runs[run].held_count();
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
            let own = Buffers::default()
                .with(Slot::Particles, particles)
                .with(Slot::Velocity, &out);
            let stages = self.velocity_stages(run, shard, &own)?;
            self.one_by_one("velocity", &stages)?;
            self.read_shard((&out, StateFormat::F32), shard, run, &(0..m), &mut velocity)?;
        }
        // Forces and decays are stored times 2^u.
        let (of, exponent) = (&self.batch.runs[run], self.clocks[run].exponent);
        let unit = 2f64.powi(exponent - eta_exponent(of, exponent));
        let train = of.train;
        if train != Train::Input {
            velocity.a.iter_mut().for_each(|v| *v *= unit);
        }
        if train != Train::Output {
            velocity.w.iter_mut().for_each(|v| *v *= unit);
        }
        Ok(velocity)
    }
}
