//! velocity and update on the device: kernels and tables in their order, and what they share.

use bytemuck::Pod;

use super::Gpu;
use super::device::Device;
use super::dispatch::Dispatch;
use super::inputs::DeviceInputs;
use super::kernels::{Compiler, Kernel};
use super::layout::block_words;
use super::sample_set::SampleSet;
use super::slots::{Buffers, Slot};
use super::stages::{KernelFamily, Stage};
use super::work::Work;
use crate::engine::plan::{self, Part, Pass};
use crate::error::Result;

/// Takes the step of all runs: the passes of velocity and update, and the buffers that one leaves to the next.
pub(super) struct Updater {
    /// Of each shard, in the order in which they are done.
    passes: Vec<Vec<Pass>>,
    /// What kernels leave to one another: activation bits and parts of w·G where they are tiled over d,
    /// partial sums of G where samples are cut into ranges, the velocity of a shard for the naive ones.
    pub buffers: Buffers,
}

/// A kernel of velocity or update, with what it binds of the samples.
pub(super) struct PartKernel {
    part: Part,
    kernel: Kernel,
    common: wgpu::BindGroup,
}

impl Updater {
    /// Cuts the work, and makes predict leave what it needs on the training samples.
    pub fn new(device: &Device, family: KernelFamily, d: usize, work: &mut Work) -> Result<Self> {
        let (tiling, storage, trained) = (&work.tiling, &work.direct, &work.trained);
        let (passes, bits, parts, gradient_sums) = match (family, &tiling.tiled) {
            (KernelFamily::Naive, _) => {
                let passes = plan::velocity_then_update(trained, tiling, storage);
                (passes, 0, 0, 0)
            }
            (_, Some(cut)) => {
                let update = cut.update(trained, d, tiling, storage, work.room);
                update.keep(&mut work.train, trained, tiling.lanes);
                (
                    update.passes,
                    update.bits,
                    update.parts,
                    update.gradient_sums,
                )
            }
            (_, None) => {
                let update = plan::update(trained, d, tiling, storage, work.room.gradient_sums);
                (update.passes, 0, 0, update.gradient_sums)
            }
        };
        let velocity = match family {
            KernelFamily::Naive => storage
                .shards
                .iter()
                .max()
                .map_or(0, |b| b * block_words(d)),
            _ => 0,
        };
        let usage = wgpu::BufferUsages::STORAGE;
        let empty = Buffers::default();
        Ok(Updater {
            passes,
            buffers: empty
                .with(Slot::Bits, &device.buffer("bits", bits, usage)?)
                .with(Slot::Parts, &device.buffer("parts", parts, usage)?)
                .with(
                    Slot::GradientSums,
                    &device.buffer("gradient sums", gradient_sums, usage)?,
                )
                .with(
                    Slot::Velocity,
                    &device.buffer("velocity of a shard", velocity, usage)?,
                ),
        })
    }

    /// What takes the step of all runs, shard by shard.
    pub fn step(
        &self,
        compiler: &Compiler,
        train: &SampleSet,
        shards: &[wgpu::Buffer],
    ) -> Result<Vec<Dispatch>> {
        let stages = self.named(compiler.shape.family().step());
        let kernels = PartKernel::compile(compiler, stages, &train.buffers)?;
        let mut step = Vec::new();
        for (shard, particles) in shards.iter().enumerate() {
            let own = Buffers::default().with(Slot::Particles, particles);
            let device = compiler.device;
            step.extend(self.dispatches(device, &kernels, shard, None, &train.x, &own)?);
        }
        Ok(step)
    }

    /// Those of some stages that its passes name.
    fn named(&self, stages: Vec<(Part, Stage)>) -> Vec<(Part, Stage)> {
        let named = |part| self.passes.iter().flatten().any(|pass| pass.part() == part);
        stages
            .into_iter()
            .filter(|(part, _)| named(*part))
            .collect()
    }

    /// What is to be dispatched in one shard, for all runs or for one.
    pub fn dispatches(
        &self,
        device: &Device,
        kernels: &[PartKernel],
        shard: usize,
        run: Option<usize>,
        inputs: &DeviceInputs,
        others: &Buffers,
    ) -> Result<Vec<Dispatch>> {
        let buffers = self.buffers.and(others);
        let mut dispatches = Vec::new();
        for pass in &self.passes[shard] {
            let own = kernels.iter().filter(|kernel| kernel.part == pass.part());
            for kernel in own {
                dispatches.extend(match pass {
                    Pass::Bits(rows) => kernel.on(device, rows, run, inputs, &buffers)?,
                    Pass::Update(_, rows) => kernel.on(device, rows, run, inputs, &buffers)?,
                });
            }
        }
        Ok(dispatches)
    }
}

impl PartKernel {
    /// Compiles the stages of a step or of a velocity. `buffers` belong to the samples.
    fn compile(
        compiler: &Compiler,
        stages: Vec<(Part, Stage)>,
        buffers: &Buffers,
    ) -> Result<Vec<Self>> {
        let one = |(part, stage)| {
            let kernel = compiler.kernel(stage)?;
            let common = kernel.bind(compiler.device, buffers)?;
            Ok(PartKernel {
                part,
                kernel,
                common,
            })
        };
        stages.into_iter().map(one).collect()
    }

    /// What it does on a table, for all runs or for one.
    fn on<R: plan::Row + Pod>(
        &self,
        device: &Device,
        rows: &[R],
        run: Option<usize>,
        inputs: &DeviceInputs,
        buffers: &Buffers,
    ) -> Result<Vec<Dispatch>> {
        let wanted = |row: &&R| run.is_none_or(|run| row.run() == run);
        let rows: Vec<_> = rows.iter().filter(wanted).copied().collect();
        Dispatch::passes(device, &self.kernel, &self.common, &rows, inputs, buffers)
    }
}

impl Gpu {
    /// The kernels of velocity, which no run needs to advance.
    pub(super) fn velocity_kernels(&self) -> Result<Vec<PartKernel>> {
        let stages = self.update.named(self.shape.family().velocity());
        PartKernel::compile(&self.compiler(), stages, &self.train.buffers)
    }
}
