//! The gpu engine: f32 on any adapter that wgpu knows. Nothing else in the crate knows wgpu.
//!
//! Particles live in shards of blocks ([`super::plan`]); a step is predict, reduce, residual and
//! velocity_update, the kernels of `shaders/kernels/` rendered for one d. Every sum has a fixed order
//! and there are no float atomics: on one adapter and driver a run is repeatable bit for bit.
//! Runs of d = 2 may take a short cut (`arcs`).

use std::sync::Arc;
use std::time::Duration;

use super::plan::Storage;
use super::{Batch, Clock, Engine, Sample, ShortCuts};
use crate::error::{Error, Result};

mod adapter;
mod advance;
mod arcs;
mod ceilings;
mod device;
mod dispatch;
mod engine_impl;
mod geometry;
mod inputs;
#[cfg(test)]
mod kernel_tests;
mod kernels;
mod layout;
mod sample_set;
mod shape;
mod slots;
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
mod work;

pub use adapter::{AdapterFacts, DRIVERS, Kind, adapters, default_adapter, select};
pub use ceilings::ceilings;
pub use shape::{D_MOST, NAIVE};

use advance::SubmitSize;
use arcs::ArcRuns;
use device::Device;
use dispatch::Dispatch;
use geometry::GeometryStage;
use kernels::{BatchProperties, Compiler, Kernel};
use layout::{SUBMIT_STEPS, StepState, block_words, shard_words};
use sample_set::{CommonBuffers, SampleSet, SampleSetKernels};
use shape::Shape;
use slots::Slot;
use update::{PartKernel, Updater};
use work::{Work, check_shape};

/// Why `auto` takes the cpu engine.
pub(super) const NO_DEFAULT: &str = "no GPU found; software adapters are used only when named";

/// The name of the kernels that are usual for an adapter, untuned.
const DEFAULT_KERNELS: &str = "default";

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
    /// The most turns of loops that an invocation makes: [`TURNS_MOST`](super::plan::TURNS_MOST) where not given (tests
    /// cut more, or not at all).
    pub turns: Option<usize>,
    /// Bound all indices and loops of the kernels (tests do; it costs time).
    pub checks: bool,
}

/// Whether there are kernels for this d.
pub fn reaches(d: usize) -> bool {
    (1..=D_MOST).contains(&d)
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
    train: SampleSet,
    test: SampleSet,
    update: Updater,
    /// What follows the stages on training samples in a step.
    step: Vec<Dispatch>,
    /// What the runs that take the short cut for d = 2 need.
    arcs: Option<ArcRuns>,
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
    submit_size: SubmitSize,
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
        let places = arcs::places(&device, options.short_cuts, &batch, work::turns(options));
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
        check_shape(&device, &batch, &shape)?;
        let mut work = Work::new(&device, &batch, &shape, options)?;
        let update = Updater::new(&device, shape.family(), batch.d, &mut work)?;
        let compiler = Compiler {
            device: &device,
            properties: BatchProperties::of(&batch),
            shape: &shape,
            checks: options.checks,
        };
        let kernels = SampleSetKernels::new(&compiler, work.has_ranges())?;

        let runs = batch.runs.len();
        let buffer = |label, words| device.buffer(label, words, BOTH_WAYS);
        let shards = work.storage.shards.iter();
        let shards = shards
            .map(|&blocks| buffer("particles", shard_words(blocks, batch.d, batch.state)))
            .collect::<Result<Vec<_>>>()?;
        let state = buffer("state", runs * size_of::<StepState>() / 4)?;
        let schedule = buffer("schedule", SUBMIT_STEPS * (1 + runs))?;
        let common = CommonBuffers {
            buffers: &update
                .buffers
                .clone()
                .with(Slot::State, &state)
                .with(Slot::Schedule, &schedule),
            shards: &shards,
            arcs: &work.places,
        };
        let set = |sample, plan, inputs| {
            SampleSet::new(&device, &kernels, &batch, sample, plan, inputs, &common)
        };
        let mut train = set(Sample::Train, &work.train, work.trained_on)?;
        let test = set(Sample::Test, &work.test, work.tested_on)?;
        let mut step = update.step(&compiler, &train, &shards)?;
        let arcs = ArcRuns::new(
            &device,
            &arcs::EngineParts {
                batch: &batch,
                storage: &work.storage,
                tiling: &work.tiling,
                places: &work.places,
                shards: &shards,
                train: &train,
                checks: options.checks,
            },
        )?;
        let arcs = arcs.map(|(arcs, first)| {
            train.dispatches.extend(first.predict);
            step.extend(first.update);
            arcs
        });
        let readback = readback(&device, &batch, &work.storage, [&train, &test])?;
        Ok(Gpu {
            clocks: vec![Clock::default(); runs],
            submit_size: SubmitSize::new(options.submit),
            checks: options.checks,
            turns: work::turns(options),
            storage: work.storage,
            batch,
            device,
            shape,
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

    fn compiler(&self) -> Compiler<'_> {
        Compiler {
            device: &self.device,
            properties: BatchProperties::of(&self.batch),
            shape: &self.shape,
            checks: self.checks,
        }
    }
}

const BOTH_WAYS: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE
    .union(wgpu::BufferUsages::COPY_SRC)
    .union(wgpu::BufferUsages::COPY_DST);

/// An engine with kernels that are usual for the adapter, are named, or, where `kernels` is `None`, are
/// measured to be the fastest.
///
/// # Errors
/// Those of [`Gpu::new`].
pub(super) fn build(
    batch: Batch,
    adapter: Option<&str>,
    kernels: Option<&str>,
    short_cuts: ShortCuts,
) -> Result<Box<dyn Engine>> {
    let options = Options {
        adapter: adapter.map(str::to_owned),
        kernels: kernels.filter(|k| *k != DEFAULT_KERNELS).map(str::to_owned),
        tune: kernels.is_none(),
        short_cuts,
        ..Options::default()
    };
    Ok(Box::new(Gpu::new(batch, &options)?))
}

/// Room for the records of a submit, and for particles, a few megabytes at a time.
fn readback(
    device: &Device,
    batch: &Batch,
    storage: &Storage,
    sets: [&SampleSet; 2],
) -> Result<wgpu::Buffer> {
    let runs = batch.runs.len();
    let history = |set: &SampleSet| 2 * SUBMIT_STEPS * runs + set.slots * set.record;
    let records = sets.map(history).into_iter().max().unwrap_or(0);
    let staged = (device::UPLOAD / 4).max(block_words(batch.d));
    let largest = storage.shards.iter().max();
    let stored = largest.map_or(0, |blocks| blocks * block_words(batch.d));
    let words = staged
        .min(stored)
        .max(records + runs * size_of::<StepState>() / 4);
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    device.buffer("readback", words, usage)
}

fn check(batch: &Batch) -> Result<()> {
    let refuse = |what: String, remedy: &str| Err(Error::engine("gpu", what, remedy));
    if !reaches(batch.d) {
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
