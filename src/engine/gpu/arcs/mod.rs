//! The exact short cut for d = 2 on the device: particles on the arcs of a circle.
//!
//! A turn of a run that takes it is predict_arcs, residual_arcs and velocity_update_arcs, each
//! beside its direct twin. Positions, sums and magnitudes are functions of the particles alone, so
//! a resume finds the same bits. Sums of a_j w_j are whole numbers, which have no order.
//!
//! residual_arcs has one workgroup for a run, since its scans go around the whole circle: a larger
//! one where a run has many samples, and where even that would loop too long
//! ([`plan::TURNS_MOST`](crate::engine::plan::TURNS_MOST)) the run takes the direct kernels.

mod kernels;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::Gpu;
use super::device::Device;
use super::dispatch::Dispatch;
use super::inputs::DeviceInputs;
use super::kernels::Kernel;
use super::layout::LANES;
use super::layout::NONE;
use super::sample_set::SampleSet;
use super::slots::{Buffers, Slot};
use crate::engine::gpu::stages::arcs::{
    GRADIENTS_GIVEN_ARCS, MEASURE_ARCS, PREDICT_ARCS, RESIDUAL_ARCS, VELOCITY_ARCS,
    VELOCITY_UPDATE_ARCS,
};
use crate::engine::methods::{Machine, Method, RunProperties, choose};
use crate::engine::plan::{Row, Size, Storage, Tiling};
use crate::engine::{Batch, ShortCuts};
use crate::error::Result;
use kernels::{ArcShape, render};
use tables::{ArcRow, Tables, is_within_reach};

/// The place of each run among those that take the short cut. An invocation makes at most `turns` turns of its
/// loops.
pub(super) fn places(
    device: &Device,
    short_cuts: ShortCuts,
    batch: &Batch,
    turns: usize,
) -> Vec<Option<u32>> {
    // residual_arcs binds the most.
    let fits = RESIDUAL_ARCS.common.len() <= device.storage_buffers();
    let shape = ArcShape::new(&device.facts, turns);
    let mut taken = 0;
    let runs = batch.runs.iter();
    runs.map(|run| {
        let data = &batch.datasets[run.train_set];
        let properties = RunProperties::new(batch, run);
        let method = choose(&[Method::Arcs], short_cuts, Machine::Gpu, &properties);
        let taken_here = fits && is_within_reach(data, properties.m, &shape);
        if !(method == Method::Arcs && taken_here) {
            return None;
        }
        taken += 1;
        Some(taken - 1)
    })
    .collect()
}

/// The particles of the runs that take no short cut, and what they are predicted on.
pub(super) fn directly(
    places: &[Option<u32>],
    storage: &Storage,
    sizes: &[Size],
) -> (Storage, Vec<Size>) {
    let mut storage = storage.clone();
    storage.pieces.retain(|piece| places[piece.run].is_none());
    let sizes = sizes.iter().zip(places).map(|(size, place)| Size {
        m: if place.is_none() { size.m } else { 0 },
        ..*size
    });
    (storage, sizes.collect())
}

/// What the engine has besides.
pub(super) struct EngineParts<'a> {
    pub batch: &'a Batch,
    pub storage: &'a Storage,
    pub tiling: &'a Tiling,
    /// See [`places`].
    pub places: &'a [Option<u32>],
    pub shards: &'a [wgpu::Buffer],
    pub train: &'a SampleSet,
    pub checks: bool,
}

struct ArcBuffers {
    /// Those of the circles, and those of the training samples.
    common: Buffers,
    magnitudes: wgpu::Buffer,
    /// Of every particle, shard by shard.
    positions: Vec<wgpu::Buffer>,
}

impl ArcBuffers {
    fn new(device: &Device, tables: &Tables, engine: &EngineParts) -> Result<Self> {
        let usage = wgpu::BufferUsages::STORAGE;
        let buffer = |label, words| device.buffer(label, words, usage);
        let cleared = usage | wgpu::BufferUsages::COPY_DST;
        let magnitudes = device.buffer("magnitudes", tables.runs.len(), cleared)?;
        let train = engine.train.buffers.clone();
        let positions = engine.storage.shards.iter();
        Ok(ArcBuffers {
            common: train
                .with(Slot::ArcRuns, &device.upload("arc runs", &tables.runs)?)
                .with(Slot::Circle, &device.upload("circle", &tables.circle)?)
                .with(Slot::ArcSums, &buffer("arc sums", tables.sums)?)
                .with(Slot::ArcMoments, &buffer("arc moments", tables.moments)?)
                .with(Slot::Gradients, &buffer("gradients", tables.gradients)?)
                .with(Slot::Magnitudes, &magnitudes),
            magnitudes,
            positions: positions
                .map(|blocks| buffer("positions", blocks * LANES))
                .collect::<Result<_>>()?,
        })
    }
}

/// All runs of a batch that take the short cut.
pub(super) struct ArcRuns {
    shape: ArcShape,
    /// Sizes of the workgroups of residual_arcs.
    residual_threads: BTreeSet<u32>,
    /// How many runs these are.
    runs: usize,
    buffers: ArcBuffers,
    rows: Vec<Vec<ArcRow>>,
    /// What a submit begins with: the host may have written particles since the last one.
    measure: Vec<Dispatch>,
}

/// What follows the direct kernels in a step.
pub(super) struct ArcStep {
    /// predict_arcs and residual_arcs.
    pub predict: Vec<Dispatch>,
    /// velocity_update_arcs.
    pub update: Vec<Dispatch>,
}

impl ArcRuns {
    /// None where no run takes the short cut.
    pub fn new(device: &Device, engine: &EngineParts) -> Result<Option<(Self, ArcStep)>> {
        if engine.places.iter().all(Option::is_none) {
            return Ok(None);
        }
        let shape = ArcShape::new(&device.facts, engine.tiling.turns);
        let storage = engine.storage;
        let EngineParts {
            batch,
            places,
            tiling,
            ..
        } = engine;
        let tables = Tables::new(batch, places, storage, tiling, &shape);
        let buffers = ArcBuffers::new(device, &tables, engine)?;
        let compile = |stage, shape: &ArcShape| -> Result<(Kernel, wgpu::BindGroup)> {
            let kernel = Kernel::new(device, stage, &render(stage, shape)?, engine.checks)?;
            let common = kernel.bind(device, &buffers.common)?;
            Ok((kernel, common))
        };
        let over_particles = |stage| -> Result<Vec<Dispatch>> {
            let (kernel, common) = compile(stage, &shape)?;
            let mut dispatches = Vec::new();
            let shards = engine.shards.iter().zip(&buffers.positions);
            for (rows, (particles, positions)) in tables.rows.iter().zip(shards) {
                let own = Buffers::default()
                    .with(Slot::Particles, particles)
                    .with(Slot::Positions, positions);
                dispatches.extend(Dispatch::passes(
                    device,
                    &kernel,
                    &common,
                    rows,
                    &engine.train.x,
                    &own,
                )?);
            }
            Ok(dispatches)
        };
        let mut predict = over_particles(PREDICT_ARCS)?;
        let runs = &tables.runs;
        let residual_threads: BTreeSet<u32> = runs.iter().map(|run| run.threads).collect();
        for &threads in &residual_threads {
            let shape = ArcShape {
                residual_threads: threads as usize,
                ..shape
            };
            let (kernel, common) = compile(RESIDUAL_ARCS, &shape)?;
            predict.push(Dispatch::each(device, &kernel, common, runs.len()));
        }
        let step = ArcStep {
            predict,
            update: over_particles(VELOCITY_UPDATE_ARCS)?,
        };
        let arcs = ArcRuns {
            measure: over_particles(MEASURE_ARCS)?,
            shape,
            residual_threads,
            runs: tables.runs.len(),
            rows: tables.rows,
            buffers,
        };
        Ok(Some((arcs, step)))
    }

    /// Encodes what a submit begins with.
    pub fn begin(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.clear_buffer(&self.buffers.magnitudes, 0, None);
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some(MEASURE_ARCS.name),
            timestamp_writes: None,
        });
        self.measure
            .iter()
            .for_each(|stage| stage.encode(&mut pass));
    }

    /// What makes velocity read a residual that the host has set, which no run needs to advance.
    pub fn gradients_given(&self, device: &Device, checks: bool) -> Result<Vec<Dispatch>> {
        let of_size = |&threads: &u32| {
            let shape = ArcShape {
                residual_threads: threads as usize,
                ..self.shape
            };
            let source = render(GRADIENTS_GIVEN_ARCS, &shape)?;
            let kernel = Kernel::new(device, GRADIENTS_GIVEN_ARCS, &source, checks)?;
            let common = kernel.bind(device, &self.buffers.common)?;
            Ok(Dispatch::each(device, &kernel, common, self.runs))
        };
        self.residual_threads.iter().map(of_size).collect()
    }

    /// Compiles the velocity kernel, which no run needs to advance.
    pub fn velocity_kernel(&self, device: &Device, checks: bool) -> Result<Kernel> {
        let source = render(VELOCITY_ARCS, &self.shape)?;
        Kernel::new(device, VELOCITY_ARCS, &source, checks)
    }

    /// What is to be dispatched for the velocity of a run in one shard.
    pub fn velocity(
        &self,
        device: &Device,
        kernel: &Kernel,
        shard: usize,
        run: usize,
        inputs: &DeviceInputs,
        own: &Buffers,
    ) -> Result<Vec<Dispatch>> {
        let common = kernel.bind(device, &self.buffers.common)?;
        let own = own
            .clone()
            .with(Slot::Positions, &self.buffers.positions[shard]);
        let rows = self.rows[shard].iter().filter(|row| row.run() == run);
        let rows: Vec<_> = rows.copied().collect();
        Dispatch::passes(device, kernel, &common, &rows, inputs, &own)
    }
}

impl Gpu {
    /// The short cut for d = 2, if the run takes it.
    pub(super) fn arcs_of(&self, run: usize) -> Option<&ArcRuns> {
        let taken = self.train.runs.get(run).is_some_and(|r| r.arcs != NONE);
        self.arcs.as_ref().filter(|_| taken)
    }
}
