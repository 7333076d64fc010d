//! velocity and update on the device: kernels and tables in their order, and what they share.

use super::Gpu;
use super::device::Device;
use super::inputs::Inputs;
use super::kernels::{Kernel, Problem, render};
use super::side::Dispatch;
use super::stages::tiled;
use super::stages::{
    PULL, Stage, UPDATE_PULLED, VELOCITY, VELOCITY_PULL, VELOCITY_PULLED, VELOCITY_UPDATE,
};
use crate::engine::plan::{self, Part, Pass, Size, Storage, Tiling};
use crate::error::Result;

/// Who updates the particles.
pub(super) struct Update {
    /// In each shard, one after another.
    passes: Vec<Vec<Pass>>,
    /// Activation bits, and parts of w·G: nothing but for the kernels tiled over d.
    pub bits: wgpu::Buffer,
    parts: wgpu::Buffer,
    /// Partial sums of G: nothing but for runs whose samples are cut into ranges.
    pulls: wgpu::Buffer,
}

/// The most bytes that what is passed on from kernel to kernel may take.
pub(super) struct Room {
    pub bits: u64,
    pub pulls: u64,
}

/// A kernel of velocity or update, with what it binds of the samples.
pub(super) struct PartKernel {
    part: Part,
    kernel: Kernel,
    common: wgpu::BindGroup,
}

impl Update {
    /// Cuts the work, and makes predict leave what it needs on the training samples.
    pub fn new(
        device: &Device,
        tiling: &Tiling,
        d: usize,
        trained: &[Size],
        storage: &Storage,
        room: Room,
        train: &mut plan::Prediction,
    ) -> Result<Self> {
        let (passes, bits, parts, pulls) = match &tiling.tiled {
            Some(cut) => {
                let update = cut.update(trained, d, tiling, storage, (room.bits, room.pulls));
                update.keep(train, trained, tiling.lanes);
                (update.passes, update.bits, update.parts, update.pulls)
            }
            None => {
                let update = plan::update(trained, d, tiling, storage, room.pulls);
                (update.passes, 0, 0, update.pulls)
            }
        };
        let usage = wgpu::BufferUsages::STORAGE;
        Ok(Update {
            passes,
            bits: device.buffer("bits", bits, usage)?,
            parts: device.buffer("parts", parts, usage)?,
            pulls: device.buffer("partial sums of velocity", pulls, usage)?,
        })
    }

    /// The kernels that its passes name: those of a step, or those of a velocity that is read.
    pub fn stages(&self, tiled: bool, step: bool) -> Vec<(Part, Stage)> {
        let all = match (tiled, step) {
            (false, true) => vec![
                (Part::Velocity, VELOCITY_UPDATE),
                (Part::Pull, PULL),
                (Part::Pulled, UPDATE_PULLED),
            ],
            (false, false) => vec![
                (Part::Velocity, VELOCITY),
                (Part::Pull, VELOCITY_PULL),
                (Part::Pulled, VELOCITY_PULLED),
            ],
            (true, true) => vec![
                (Part::Bits, tiled::PREDICT_BITS),
                (Part::Velocity, tiled::VELOCITY_UPDATE),
                (Part::Pull, tiled::PULL),
                (Part::Pulled, tiled::UPDATE_PULLED),
                (Part::Output, tiled::UPDATE_OUTPUT),
            ],
            (true, false) => vec![
                (Part::Bits, tiled::VELOCITY_BITS),
                (Part::Velocity, tiled::VELOCITY),
                (Part::Pull, tiled::VELOCITY_PULL),
                (Part::Pulled, tiled::VELOCITY_PULLED),
                (Part::Output, tiled::VELOCITY_OUTPUT),
            ],
        };
        let named = |part| self.passes.iter().flatten().any(|pass| pass.part == part);
        all.into_iter().filter(|(part, _)| named(*part)).collect()
    }

    /// What is to be dispatched in one shard, for all runs or for one.
    pub fn dispatches<'a>(
        &'a self,
        device: &Device,
        kernels: &[PartKernel],
        (shard, run): (usize, Option<usize>),
        inputs: &Inputs,
        other: impl Fn(&str) -> &'a wgpu::Buffer,
    ) -> Result<Vec<Dispatch>> {
        let buffer = |name: &str| match name {
            "bits" => &self.bits,
            "parts" => &self.parts,
            "pulls" => &self.pulls,
            name => other(name),
        };
        let mut dispatches = Vec::new();
        for pass in &self.passes[shard] {
            let wanted = |row: &&plan::Row| run.is_none_or(|run| row.run as usize == run);
            let rows: Vec<_> = pass.rows.iter().filter(wanted).copied().collect();
            let own = kernels.iter().filter(|kernel| kernel.part == pass.part);
            for PartKernel { kernel, common, .. } in own {
                dispatches.extend(Dispatch::passes(
                    device, kernel, common, &rows, inputs, buffer,
                )?);
            }
        }
        Ok(dispatches)
    }
}

impl PartKernel {
    /// Compiles the stages of a step or of a velocity. `buffer` gives what belongs to the samples.
    pub fn compile<'a>(
        device: &Device,
        stages: Vec<(Part, Stage)>,
        source: impl Fn(Stage) -> Result<String>,
        checks: bool,
        buffer: impl Fn(&str) -> &'a wgpu::Buffer,
    ) -> Result<Vec<Self>> {
        let one = |(part, stage)| {
            let kernel = Kernel::new(device, stage, &source(stage)?, checks)?;
            let common = kernel.bind(device, &buffer)?;
            Ok(PartKernel {
                part,
                kernel,
                common,
            })
        };
        stages.into_iter().map(one).collect()
    }
}

impl Gpu {
    /// The kernels of velocity, which no run needs to advance.
    pub(super) fn velocity_kernels(&self) -> Result<Vec<PartKernel>> {
        let problem = Problem::of(&self.batch);
        let source = |stage| render(stage, &problem, &self.shape);
        let stages = self.update.stages(self.shape.tiled, false);
        PartKernel::compile(
            &self.device,
            stages,
            source,
            self.checks,
            |name| match name {
                "runs" => &self.train.facts,
                "state" => &self.state,
                _ => &self.train.residual,
            },
        )
    }
}
