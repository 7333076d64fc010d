//! The gpu engine: f32 on any adapter that wgpu knows. Nothing else in the crate knows wgpu.
//!
//! Particles live in shards of blocks ([`super::plan`]); a turn is predict, reduce, residual and
//! velocity_update, the WGSL files of `shaders/` rendered for one d. Every sum has a fixed order
//! and there are no float atomics: on one adapter and driver a run is repeatable bit for bit.
//! Runs of d = 2 may take a short cut (`arcs`).

use std::sync::Arc;
use std::time::Duration;

use super::plan::{self, Limits, Storage};
use super::{Batch, Clock, Sample, ShortCuts, fits_memory, particles_of};
use crate::error::{Error, Result};
use crate::model::StateFormat;

mod adapter;
mod advance;
mod arcs;
mod ceilings;
mod contract;
mod device;
mod geometry;
mod inputs;
#[cfg(test)]
mod kernel_tests;
mod kernels;
mod layout;
mod shape;
mod side;
mod stages;
#[cfg(test)]
mod step_tests;
mod templates;
mod tiles;
mod transfer;
mod tune;
mod turns;
mod update;
mod velocity;

pub use adapter::{AdapterFacts, DRIVERS, Kind, adapters, default_adapter, select};
pub use ceilings::ceilings;
pub use shape::{D_MOST, NAIVE};

use advance::Pace;
use arcs::Arcs;
use device::Device;
use geometry::GeometryStage;
use inputs::Inputs;
use kernels::{Kernel, Problem, render};
use layout::{SUBMIT_STEPS, State, block_words, shard_words};
use shape::{D_HELD, Shape};
use side::{Common, Dispatch, Side, SideKernels, sizes};
use stages::REDUCE;
use update::{PartKernel, Room, Update};

/// What may be chosen of a gpu engine. No choice but the adapter, the tile, the kernels, the turns, how
/// much of X is bound and the short cuts changes a bit of the results.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Part of an adapter's name; `None` takes a GPU, never a software adapter.
    pub adapter: Option<String>,
    /// Most bytes of a shard; the adapter's largest binding otherwise.
    pub shard_bytes: Option<u64>,
    /// Most bytes of X that a kernel binds; the adapter's largest binding otherwise.
    pub inputs_bytes: Option<u64>,
    /// Particles of a tile, rounded up to whole blocks; chosen by m, n and d otherwise.
    pub tile: Option<usize>,
    /// Most bytes of activation bits that large d keeps from predict to velocity. Where those of all
    /// particles do not fit they are computed twice, with the same results. An eighth of what
    /// particles and data take, but at least 4 MiB, where not given.
    pub kept_bytes: Option<u64>,
    /// Sizes of the kernels, as a summary records them: `key=value,…`, the rest as usual for the
    /// adapter.
    pub kernels: Option<String>,
    /// Where no kernels are named: measure which are fastest here, once, if the batch is large.
    pub tune: bool,
    pub short_cuts: ShortCuts,
    /// How long a submit is made to last: 0.3 s where not given, as drivers reset a device that is
    /// silent for seconds.
    pub submit: Option<Duration>,
    /// The most turns of loops that an invocation makes: [`plan::TURNS_MOST`] where not given (tests
    /// cut more, or not at all).
    pub turns: Option<usize>,
    /// Bound all indices and loops of the kernels (tests do; it costs time).
    pub checks: bool,
}

/// An engine on one adapter.
pub struct Gpu {
    batch: Batch,
    device: Arc<Device>,
    shape: Shape,
    checks: bool,
    turns: usize,
    storage: Storage,
    shards: Vec<wgpu::Buffer>,
    state: wgpu::Buffer,
    schedule: wgpu::Buffer,
    train: Side,
    test: Side,
    update: Update,
    /// What follows the training side's stages in a step.
    step: Vec<Dispatch>,
    /// What the runs that take the short cut for d = 2 need.
    arcs: Option<Arcs>,
    /// Made when first asked for, as are the three after it.
    velocity: Option<Vec<PartKernel>>,
    velocity_arcs: Option<Kernel>,
    gradients_given: Option<Vec<Dispatch>>,
    geometry: Option<GeometryStage>,
    /// Where everything that is read passes through.
    readback: wgpu::Buffer,
    clocks: Vec<Clock>,
    /// Whether the device holds what predict leaves for velocity at the present state.
    predicted: bool,
    pace: Pace,
}

impl Gpu {
    /// An engine whose particles are all zero.
    ///
    /// # Errors
    /// No such adapter, d beyond [`D_MOST`], buffers beyond the adapter's limits or memory.
    pub fn new(batch: Batch, options: &Options) -> Result<Self> {
        check(&batch)?;
        let device = Arc::new(Device::open(options.adapter.as_deref())?);
        device.check_format(batch.state)?;
        let plain = Shape::new(&device.facts, batch.d, options.tile);
        let places = arcs::places(&device, options.short_cuts, &batch, turns(options));
        let shape = match &options.kernels {
            Some(kernels) => plain.with(kernels)?,
            None if options.tune && tune::is_worth(&batch, &places) => {
                tune::fastest(&device, batch.d, batch.state)?
            }
            None => plain,
        };
        Gpu::on(device, batch, shape, options)
    }

    fn on(device: Arc<Device>, batch: Batch, shape: Shape, options: &Options) -> Result<Self> {
        let d = batch.d;
        if d > D_HELD && !shape.tiled && !shape.naive {
            return Err(Error::input(
                "--kernels",
                format!("tiled=false is for d up to {D_HELD}, and this experiment has d = {d}"),
                "leave out tiled, or --kernels",
            ));
        }
        if shape.naive && batch.state == StateFormat::F16 {
            return Err(Error::input(
                "--kernels",
                "the naive kernels compute on f32, and this experiment stores \"f16\"",
                "use precision.state = \"f32\", or leave out --kernels",
            ));
        }
        if shape.tiled {
            device.check_matrix(shape.tiles.matrix(batch.state), shape.tiles.tiled_subgroup)?;
        }
        let limits = Limits {
            binding: device.binding(),
        };
        let trained = sizes(&batch, Sample::Train);
        let tested = sizes(&batch, Sample::Test);
        let turns = turns(options);
        let mut tiling = shape.tiling(d, turns);
        let storage = plan::storage(&trained, d, &tiling, &limits, options.shard_bytes)?;
        let needed = bytes(&batch, &storage);
        match device.facts.kind {
            Kind::Software => fits_memory(&batch, needed.into())?,
            _ => device.facts.fits(&particles_of(&batch), needed)?,
        }
        let bound = options.inputs_bytes.unwrap_or(limits.binding);
        let inputs = |sample| {
            let bound = (bound.min(limits.binding), tiling.predicted());
            Inputs::new(&device, &batch, sample, shape.row_vectors(d), bound)
        };
        let (trained_on, tested_on) = (inputs(Sample::Train)?, inputs(Sample::Test)?);
        tiling.reach.samples = tiling.reach.samples.min(trained_on.most());
        let short_cuts = match shape.naive {
            true => ShortCuts::Never,
            false => options.short_cuts,
        };
        let places = arcs::places(&device, short_cuts, &batch, turns);
        let (direct, predicted) = arcs::directly(&places, &storage, &trained);
        let mut train = plan::prediction(&predicted, &trained, d, &tiling, &limits, &direct)?;
        let test = plan::prediction(&tested, &trained, d, &tiling, &limits, &storage)?;

        if shape.naive {
            check_ranges(&[&train, &test], turns)?;
        }

        let problem = Problem::of(&batch);
        let source = |stage| render(stage, &problem, &shape);
        let compile = |stage| Kernel::new(&device, stage, &source(stage)?, options.checks);
        let family = shape.family();
        let cut = !(train.ranges.is_empty() && test.ranges.is_empty());
        let ranges = family.ranges().into_iter().filter(|_| cut);
        let kernels = SideKernels {
            predict: compile(family.predict())?,
            reduce: compile(REDUCE)?,
            residual: family.residual().map(compile).transpose()?,
            ranges: ranges.map(compile).collect::<Result<_>>()?,
        };
        let fair = plan::tiled::room(needed);
        let room = Room {
            bits: options.kept_bytes.unwrap_or(fair).min(limits.binding),
            gradient_sums: fair.min(limits.binding),
        };
        let update = Update::new(
            &device,
            (family, &tiling),
            d,
            &trained,
            &direct,
            room,
            &mut train,
        )?;

        let runs = batch.runs.len();
        let both_ways = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let shards = storage
            .shards
            .iter()
            .map(|&blocks| {
                device.buffer("particles", shard_words(blocks, d, batch.state), both_ways)
            })
            .collect::<Result<Vec<_>>>()?;
        let state = device.buffer("state", runs * size_of::<State>() / 4, both_ways)?;
        let schedule = device.buffer("schedule", SUBMIT_STEPS * (1 + runs), both_ways)?;
        let common = Common {
            state: &state,
            schedule: &schedule,
            shards: &shards,
            bits: &update.bits,
            arcs: &places,
        };
        let mut train = Side::new(
            &device,
            &kernels,
            &batch,
            Sample::Train,
            &train,
            trained_on,
            &common,
        )?;
        let test = Side::new(
            &device,
            &kernels,
            &batch,
            Sample::Test,
            &test,
            tested_on,
            &common,
        )?;
        let stages = update.named(family.step());
        let parts =
            PartKernel::compile(&device, stages, source, options.checks, |name| match name {
                "runs" => &train.facts,
                "state" => &state,
                _ => &train.residual,
            })?;
        let mut step = Vec::new();
        for (index, shard) in shards.iter().enumerate() {
            let own = |name: &str| match name {
                "velocity" => &update.velocity,
                _ => shard,
            };
            step.extend(update.dispatches(&device, &parts, (index, None), &train.x, own)?);
        }
        let mut arcs = Arcs::new(
            &device,
            &arcs::Shared {
                batch: &batch,
                storage: &storage,
                tiling: &tiling,
                places: &places,
                shards: &shards,
                state: &state,
                schedule: &schedule,
                train: &train,
                checks: options.checks,
            },
        )?;
        if let Some(arcs) = &mut arcs {
            train.dispatches.append(&mut arcs.predict);
            step.append(&mut arcs.update);
        }
        let history = |side: &Side| SUBMIT_STEPS * runs + side.slots * side.record;
        let staged = (device::UPLOAD / 4).max(block_words(d));
        let stored = storage
            .shards
            .iter()
            .max()
            .map_or(0, |blocks| blocks * block_words(d));
        let words = staged
            .min(stored)
            .max(history(&train).max(history(&test)) + runs * size_of::<State>() / 4);
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let readback = device.buffer("readback", words, usage)?;
        Ok(Gpu {
            clocks: vec![Clock::default(); runs],
            pace: Pace::new(options.submit),
            checks: options.checks,
            batch,
            device,
            shape,
            turns,
            storage,
            shards,
            state,
            schedule,
            train,
            test,
            update,
            step,
            arcs,
            velocity: None,
            velocity_arcs: None,
            gradients_given: None,
            predicted: false,
            geometry: None,
            readback,
        })
    }
}

/// An error where a thread of the naive kernels would loop too long over the ranges of a run.
fn check_ranges(plans: &[&plan::Prediction], turns: usize) -> Result<()> {
    let most = plan::ranges::most_of_one_thread(turns);
    let sums = plans.iter().flat_map(|plan| &plan.sums);
    match sums.map(|sums| sums.ranges).max() {
        Some(ranges) if ranges > most => Err(Error::input(
            "--kernels",
            format!(
                "naive: samples in {ranges} ranges are too many for one thread, {most} at most"
            ),
            "use fewer samples, or leave out --kernels",
        )),
        _ => Ok(()),
    }
}

fn turns(options: &Options) -> usize {
    options.turns.unwrap_or(plan::TURNS_MOST)
}

/// What particles and data take.
fn bytes(batch: &Batch, storage: &Storage) -> u64 {
    let particles = storage.shards.iter().sum::<usize>() * block_words(batch.d);
    let samples: usize = batch.datasets.iter().map(|set| set.n()).sum();
    ((particles + samples * batch.d) * batch.state.bytes()) as u64
}

fn check(batch: &Batch) -> Result<()> {
    let refuse = |what: String, remedy: &str| Err(Error::engine("gpu", what, remedy));
    if batch.d == 0 || batch.d > D_MOST {
        return refuse(
            format!(
                "its kernels have d from 1 to {D_MOST}, and this experiment has d = {}",
                batch.d
            ),
            "use --engine cpu",
        );
    }
    if batch.runs.is_empty() {
        return refuse("the batch has no runs".into(), "give it one");
    }
    for (index, run) in batch.runs.iter().enumerate() {
        let sets = [Some(run.train_set), run.test_set];
        let fits = |set: &usize| {
            batch
                .datasets
                .get(*set)
                .is_some_and(|data| data.d == batch.d)
        };
        if run.held_count() == 0 || !sets.iter().flatten().all(fits) {
            return refuse(
                format!("run {index} has no particles, or data of another d"),
                "check its width and its data",
            );
        }
    }
    Ok(())
}
