//! Kernels: WGSL rendered for one d and one shape, and the pipelines made of it.

use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::device::Device;
use super::layout::{HEADER, RESCALE_ABOVE, TURNS, loss_code, train_code};
use super::shape::{LANES, Shape};
use super::tiled;
use crate::error::{Error, Result};
use crate::experiment::{Loss, Train};

/// The names of all bindings; a name's place is its binding number in every stage.
const SLOTS: [&str; 16] = [
    "runs",
    "state",
    "schedule",
    "x",
    "y",
    "sums",
    "residual",
    "history",
    "rows",
    "particles",
    "velocity",
    "bits",
    "parts",
    "units",
    "start",
    "tallies",
];

/// A stage: its name, its WGSL file, and what it binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage {
    pub name: &'static str,
    pub file: &'static str,
    /// Group 0: what belongs to the samples.
    pub common: &'static [&'static str],
    /// Group 1: what belongs to a shard, and the rows.
    pub shard: &'static [&'static str],
}

pub(super) const PREDICT: Stage = Stage {
    name: "predict",
    file: "predict.wgsl",
    common: &["runs", "state", "schedule", "x", "sums"],
    shard: &["rows", "particles"],
};
pub(super) const REDUCE: Stage = Stage {
    name: "reduce",
    file: "reduce.wgsl",
    common: &["runs", "state", "schedule", "sums"],
    shard: &["rows"],
};
pub(super) const RESIDUAL: Stage = Stage {
    name: "residual",
    file: "residual.wgsl",
    common: &[
        "runs", "state", "schedule", "y", "sums", "residual", "history",
    ],
    shard: &[],
};
pub(super) const VELOCITY_UPDATE: Stage = Stage {
    name: "velocity_update",
    file: "velocity_update.wgsl",
    common: &["runs", "state", "x", "residual"],
    shard: &["rows", "particles"],
};
pub(super) const VELOCITY: Stage = Stage {
    name: "velocity",
    file: "velocity_update.wgsl",
    common: &["runs", "state", "x", "residual"],
    shard: &["rows", "particles", "velocity"],
};
pub(super) const GEOMETRY: Stage = Stage {
    name: "geometry",
    file: "geometry.wgsl",
    common: &["runs", "units", "x"],
    shard: &["rows", "particles", "start", "tallies"],
};

macro_rules! wgsl {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../shaders/", $name)))
    };
}

const FILES: [(&str, &str); 22] = [
    wgsl!("common.wgsl"),
    wgsl!("idle.wgsl"),
    wgsl!("losses.wgsl"),
    wgsl!("step.wgsl"),
    wgsl!("predict.wgsl"),
    wgsl!("reduce.wgsl"),
    wgsl!("residual.wgsl"),
    wgsl!("velocity_update.wgsl"),
    wgsl!("planes.wgsl"),
    wgsl!("predict_moments.wgsl"),
    wgsl!("take.wgsl"),
    wgsl!("pull.wgsl"),
    wgsl!("update.wgsl"),
    wgsl!("tiled.wgsl"),
    wgsl!("moments.wgsl"),
    wgsl!("predict_tiled.wgsl"),
    wgsl!("predict_product.wgsl"),
    wgsl!("predict_bits.wgsl"),
    wgsl!("velocity_update_tiled.wgsl"),
    wgsl!("velocity_product.wgsl"),
    wgsl!("update_output.wgsl"),
    wgsl!("geometry.wgsl"),
];

/// The WGSL of a stage. `n_most` is the largest training set of the batch: runs that need no
/// blocked summation get the same bits with and without it.
pub(super) fn render(stage: Stage, d: usize, n_most: usize, shape: &Shape) -> Result<String> {
    let slot = Value::from_pairs(SLOTS.iter().enumerate().map(|(i, name)| (*name, i)));
    let loss = Value::from_pairs(
        [
            ("square", Loss::Square),
            ("logistic", Loss::Logistic),
            ("exponential", Loss::Exponential),
            ("softmin", Loss::Softmin),
            ("hinge", Loss::Hinge),
            ("squared_hinge", Loss::SquaredHinge),
        ]
        .map(|(name, loss)| (name, loss_code(loss))),
    );
    let train = Value::from_pairs(
        [
            ("both", Train::Both),
            ("output", Train::Output),
            ("input", Train::Input),
        ]
        .map(|(name, train)| (name, train_code(train))),
    );
    let shared = context! {
        d, slot, loss, train,
        axes => ["x", "y", "z", "w"],
        lanes => LANES,
        row_vectors => shape.row_vectors(d),
        turns => TURNS,
        header => HEADER,
        // As exact decimals: both are written to be read back without rounding.
        rescale_above => format!("{RESCALE_ABOVE:.1}"),
        huge => format!("{:.1}", f32::MAX),
    };
    let own = match stage.name {
        "predict" => context! {
            lockstep => shape.lockstep,
            threads => shape.predict_threads,
            samples => shape.predict_samples,
            chunk => shape.predict_chunk,
            staged => shape.predict_staged,
        },
        "geometry" => context! {},
        "reduce" => context! { threads => shape.reduce_threads },
        "residual" => context! {
            threads => shape.residual_threads,
            halves => halves(shape.residual_threads),
        },
        _ if tiled::STAGES.contains(&stage) => context! {
            entry => stage.name,
            update => !tiled::VELOCITY_STAGES.contains(&stage),
            bits_only => stage != tiled::PREDICT,
            chunk => shape.update_chunk,
            blocked => n_most > shape.update_chunk,
            ..shape.tiles.context(&stage, shape.lockstep)
        },
        _ => context! {
            entry => stage.name,
            update => stage.name == VELOCITY_UPDATE.name,
            lockstep => shape.lockstep,
            threads => shape.update_threads,
            width => shape.update_width,
            vectors => shape.update_vectors,
            stage => shape.update_stage,
            chunk => shape.update_chunk,
            blocked => n_most > shape.update_chunk,
        },
    };
    let failed = |error: minijinja::Error| {
        Error::engine(
            "gpu",
            format!("the {} kernel cannot be written: {error}", stage.name),
            "this is a fault of widefield: please report it",
        )
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in FILES {
        environment.add_template(name, source).map_err(failed)?;
    }
    environment
        .get_template(stage.file)
        .and_then(|template| template.render(context! { ..own, ..shared }))
        .map_err(failed)
}

/// w/2, w/4, …, 1
fn halves(w: usize) -> Vec<usize> {
    std::iter::successors(Some(w / 2), |half| Some(half / 2))
        .take_while(|half| *half > 0)
        .collect()
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
                // SAFETY: the kernels are our own; all loops end, and all indices come from plan.rs,
                // whose tables stay inside the buffers (tests run with the checks on as well).
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

    /// Binds group 0 or 1 of the stage to the buffers of these names.
    pub fn bind<'a>(
        &self,
        device: &Device,
        group: u32,
        buffer: impl Fn(&'static str) -> &'a wgpu::Buffer,
    ) -> Result<wgpu::BindGroup> {
        let names = if group == 0 {
            self.stage.common
        } else {
            self.stage.shard
        };
        let entries: Vec<_> = SLOTS
            .iter()
            .enumerate()
            .filter(|(_, name)| names.contains(name))
            .map(|(binding, name)| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: buffer(name).as_entire_binding(),
            })
            .collect();
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
