//! velocity and update on the device: kernels and tables in their order, and what they share.

use super::Gpu;
use super::device::Device;
use super::inputs::Inputs;
use super::kernels::{Kernel, Problem, render};
use super::layout::block_words;
use super::side::Dispatch;
use super::stages::{Family, Stage};
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
    gradient_sums: wgpu::Buffer,
    /// The velocity of a shard: nothing but for the naive kernels.
    pub velocity: wgpu::Buffer,
}

/// The most bytes that what is passed on from kernel to kernel may take.
pub(super) struct Room {
    pub bits: u64,
    pub gradient_sums: u64,
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
        (family, tiling): (Family, &Tiling),
        d: usize,
        trained: &[Size],
        storage: &Storage,
        room: Room,
        train: &mut plan::Prediction,
    ) -> Result<Self> {
        let (passes, bits, parts, gradient_sums) = match &tiling.tiled {
            _ if family == Family::Naive => (
                plan::velocity_then_update(trained, tiling, storage),
                0,
                0,
                0,
            ),
            Some(cut) => {
                let update =
                    cut.update(trained, d, tiling, storage, (room.bits, room.gradient_sums));
                update.keep(train, trained, tiling.lanes);
                (
                    update.passes,
                    update.bits,
                    update.parts,
                    update.gradient_sums,
                )
            }
            None => {
                let update = plan::update(trained, d, tiling, storage, room.gradient_sums);
                (update.passes, 0, 0, update.gradient_sums)
            }
        };
        let velocity = match family {
            Family::Naive => storage
                .shards
                .iter()
                .max()
                .map_or(0, |b| b * block_words(d)),
            _ => 0,
        };
        let usage = wgpu::BufferUsages::STORAGE;
        Ok(Update {
            passes,
            bits: device.buffer("bits", bits, usage)?,
            parts: device.buffer("parts", parts, usage)?,
            gradient_sums: device.buffer("gradient sums", gradient_sums, usage)?,
            velocity: device.buffer("velocity of a shard", velocity, usage)?,
        })
    }

    /// Those of some stages that its passes name.
    pub fn named(&self, stages: Vec<(Part, Stage)>) -> Vec<(Part, Stage)> {
        let named = |part| self.passes.iter().flatten().any(|pass| pass.part == part);
        stages
            .into_iter()
            .filter(|(part, _)| named(*part))
            .collect()
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
            "gradient_sums" => &self.gradient_sums,
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
        let stages = self.update.named(self.shape.family().velocity());
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
