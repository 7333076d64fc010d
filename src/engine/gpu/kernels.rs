//! Kernels: WGSL rendered for one d and one shape, and the pipelines made of it.

use minijinja::context;

use super::device::Device;
use super::shape::Shape;
use super::slots::{Buffers, Slot};
use super::stages::{
    GRADIENT_SUMS, RANGES, RESIDUAL, Stage, UPDATE_FROM_SUMS, VELOCITY_FROM_SUMS,
    VELOCITY_GRADIENT_SUMS, VELOCITY_UPDATE, naive, tiled,
};
use super::templates::{halves, shared, write};
use crate::engine::Batch;
use crate::engine::plan::ranges::RANGE_SUMS;
use crate::error::Result;
use crate::model::StateFormat;

/// What kernels depend on of a batch. The rest is their shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchProperties {
    pub d: usize,
    /// The largest training set of the batch: runs that need no blocked summation get the same bits
    /// with and without it.
    pub n_most: usize,
    pub state: StateFormat,
}

impl BatchProperties {
    pub fn of(batch: &Batch) -> Self {
        let sizes = batch
            .runs
            .iter()
            .map(|run| batch.datasets[run.train_set].n());
        BatchProperties {
            d: batch.d,
            n_most: sizes.max().unwrap_or(0),
            state: batch.state,
        }
    }
}

/// Coordinates that geometry takes in a turn of its loop over them.
pub(super) const UNROLLED: usize = 64;

/// What a stage of velocity does about partial sums of G.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GradientSumsUse {
    /// It goes over all samples.
    None,
    /// It leaves them.
    Leave,
    /// It adds up what others have left.
    Add,
}

impl GradientSumsUse {
    fn of(stage: Stage) -> Self {
        let leave = [
            GRADIENT_SUMS,
            VELOCITY_GRADIENT_SUMS,
            tiled::GRADIENT_SUMS,
            tiled::VELOCITY_GRADIENT_SUMS,
        ];
        let add = [
            UPDATE_FROM_SUMS,
            VELOCITY_FROM_SUMS,
            tiled::UPDATE_FROM_SUMS,
            tiled::VELOCITY_FROM_SUMS,
        ];
        match stage {
            _ if leave.contains(&stage) => GradientSumsUse::Leave,
            _ if add.contains(&stage) => GradientSumsUse::Add,
            _ => GradientSumsUse::None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            GradientSumsUse::None => "none",
            GradientSumsUse::Leave => "leave",
            GradientSumsUse::Add => "add",
        }
    }
}

/// The WGSL of a stage.
pub(super) fn render(stage: Stage, properties: &BatchProperties, shape: &Shape) -> Result<String> {
    let BatchProperties { d, n_most, state } = *properties;
    let sums = GradientSumsUse::of(stage);
    let blocked = sums != GradientSumsUse::Add && n_most > shape.update_chunk;
    let own = match stage.name {
        "predict" => context! {
            row_vectors => shape.row_vectors(d),
            subgroup_width => shape.subgroup_width,
            threads => shape.predict_threads,
            samples => shape.predict_samples,
            chunk => shape.predict_chunk,
            staged => shape.predict_staged,
        },
        "geometry" => context! { row_vectors => shape.row_vectors(d), unrolled => UNROLLED },
        "reduce" => context! { threads => shape.reduce_threads },
        _ if naive::STAGES.contains(&stage) => context! {
            row_vectors => shape.row_vectors(d),
            threads => shape.update_threads,
        },
        _ if naive::RANGES.contains(&stage) => context! { range_sums => RANGE_SUMS },
        _ if stage == RESIDUAL || RANGES.contains(&stage) => context! {
            sums => "lib/sums_of_tiles.wgsl",
            threads => shape.residual_threads,
            halves => halves(shape.residual_threads),
            range_sums => RANGE_SUMS,
        },
        _ if tiled::STAGES.contains(&stage) => context! {
            row_vectors => shape.row_vectors(d),
            update => !tiled::VELOCITY_STAGES.contains(&stage),
            bits_only => stage != tiled::PREDICT,
            chunk => shape.update_chunk,
            sums => sums.name(),
            blocked,
            tile => shape.tiles.context(&stage, shape.subgroup_width, state),
        },
        _ => context! {
            row_vectors => shape.row_vectors(d),
            update => [VELOCITY_UPDATE, GRADIENT_SUMS, UPDATE_FROM_SUMS].contains(&stage),
            sums => sums.name(),
            subgroup_width => shape.subgroup_width,
            threads => shape.update_threads,
            width => shape.update_width,
            vectors => shape.update_vectors,
            stage => if sums == GradientSumsUse::Add { 0 } else { shape.update_stage },
            chunk => shape.update_chunk,
            blocked,
        },
    };
    write(stage, context! { ..own, ..shared(d, state) })
}

/// Compiles stages for one batch and one shape.
pub(super) struct Compiler<'a> {
    pub device: &'a Device,
    pub properties: BatchProperties,
    pub shape: &'a Shape,
    pub checks: bool,
}

impl Compiler<'_> {
    pub fn kernel(&self, stage: Stage) -> Result<Kernel> {
        let source = render(stage, &self.properties, self.shape)?;
        Kernel::new(self.device, stage, &source, self.checks)
    }
}

/// A compiled stage.
pub(super) struct Kernel {
    pub stage: Stage,
    pub pipeline: wgpu::ComputePipeline,
}

impl Kernel {
    /// Compiles WGSL. With `checks`, indices and loops are bounded by the driver's leave.
    pub fn new(device: &Device, stage: Stage, source: &str, checks: bool) -> Result<Self> {
        let what = format!("the {} kernel", stage.name);
        let pipeline = device.scoped(&what, |device| {
            let descriptor = wgpu::ShaderModuleDescriptor {
                label: Some(stage.name),
                source: wgpu::ShaderSource::Wgsl(source.into()),
            };
            let module = if checks {
                device.create_shader_module(descriptor)
            } else {
                // SAFETY: the kernels are our own; all loops end, and all indices come from plan.rs
                // and arcs/tables.rs, whose tables stay inside the buffers (tests run with the
                // checks on as well).
                unsafe {
                    device.create_shader_module_trusted(
                        descriptor,
                        wgpu::ShaderRuntimeChecks::unchecked(),
                    )
                }
            };
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(stage.name),
                layout: None,
                module: &module,
                entry_point: Some(stage.name),
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: None,
            })
        })?;
        Ok(Kernel { stage, pipeline })
    }

    /// Binds group 0 of the stage.
    pub fn bind(&self, device: &Device, buffers: &Buffers) -> Result<wgpu::BindGroup> {
        let whole = |slot| Ok(buffers.get(slot)?.as_entire_binding());
        self.bind_group(device, 0, whole)
    }

    /// Binds group 1 of the stage: its table and X to parts of them, the rest to whole buffers.
    pub fn bind_rows<'a>(
        &self,
        device: &Device,
        buffers: &'a Buffers,
        rows: wgpu::BufferBinding<'a>,
        x: wgpu::BindingResource<'a>,
    ) -> Result<wgpu::BindGroup> {
        self.bind_group(device, 1, |slot| {
            Ok(match slot {
                Slot::Rows => wgpu::BindingResource::Buffer(rows.clone()),
                Slot::X => x.clone(),
                slot => buffers.get(slot)?.as_entire_binding(),
            })
        })
    }

    fn bind_group<'a>(
        &self,
        device: &Device,
        group: u32,
        resource: impl Fn(Slot) -> Result<wgpu::BindingResource<'a>>,
    ) -> Result<wgpu::BindGroup> {
        let slots = if group == 0 {
            self.stage.common
        } else {
            self.stage.shard
        };
        let entry = |slot: &Slot| -> Result<wgpu::BindGroupEntry> {
            Ok(wgpu::BindGroupEntry {
                binding: *slot as u32,
                resource: resource(*slot)?,
            })
        };
        let entries = slots.iter().map(entry).collect::<Result<Vec<_>>>()?;
        let what = format!("the bindings of {}", self.stage.name);
        device.scoped(&what, |device| {
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(self.stage.name),
                layout: &self.pipeline.get_bind_group_layout(group),
                entries: &entries,
            })
        })
    }
}
