//! One kind of samples (training or test) on the device, and the stages that end in residual.

use super::device::Device;
use super::dispatch::Dispatch;
use super::inputs::{DeviceInputs, set_of};
use super::kernels::{Compiler, Kernel};
use super::layout::{self, HEADER, NO_LOSS, SUBMIT_STEPS};
use super::slots::{Buffers, Slot};
use super::stages::REDUCE;
use crate::engine::plan::{self, Prediction};
use crate::engine::{Batch, Sample};
use crate::error::Result;

/// Most words of the records of one submit, but always room for one.
const RECORDS_MOST: usize = 1 << 20;

/// Places among [`super::stages::KernelFamily::ranges`].
const MASSES: usize = 1;
const STEP: usize = 3;

/// The kernels of these stages, compiled once for both kinds of samples.
pub(super) struct SampleSetKernels {
    pub predict: Kernel,
    pub reduce: Kernel,
    /// None where all runs go range by range.
    pub residual: Option<Kernel>,
    /// In the order of [`super::stages::KernelFamily::ranges`], where some run needs them.
    pub ranges: Vec<Kernel>,
}

impl SampleSetKernels {
    /// With the kernels for ranges of samples, if they are needed.
    pub fn new(compiler: &Compiler, ranges: bool) -> Result<Self> {
        let family = compiler.shape.family();
        let compile = |stage| compiler.kernel(stage);
        let ranges = family.ranges().into_iter().filter(|_| ranges);
        Ok(SampleSetKernels {
            predict: compile(family.predict())?,
            reduce: compile(REDUCE)?,
            residual: family.residual().map(compile).transpose()?,
            ranges: ranges.map(compile).collect::<Result<_>>()?,
        })
    }
}

/// What both kinds of samples have in common.
pub(super) struct CommonBuffers<'a> {
    /// State, schedule, and activation bits for kernels that leave them.
    pub buffers: &'a Buffers,
    pub shards: &'a [wgpu::Buffer],
    /// The place of each run among those that take the short cut for d = 2.
    pub arcs: &'a [Option<u32>],
}

pub(super) struct SampleSet {
    pub runs: Vec<layout::RunConstants>,
    pub x: DeviceInputs,
    /// All buffers that its stages share, of which some are read as well:
    pub buffers: Buffers,
    pub residual: wgpu::Buffer,
    pub history: wgpu::Buffer,
    /// Σ η g of the steps taken, in f64, as g lies.
    pub accumulated: wgpu::Buffer,
    /// Most evaluations of one submit, and words of one (all runs).
    pub slots: usize,
    pub record: usize,
    /// predict, reduce, residual, in their order.
    pub dispatches: Vec<Dispatch>,
}

/// Samples of every run.
pub(super) fn sizes(batch: &Batch, sample: Sample) -> Vec<plan::Size> {
    let n = |run| set_of(run, sample).map_or(0, |set| batch.datasets[set].n());
    let runs = batch.runs.iter();
    runs.map(|run| plan::Size {
        m: run.held_count(),
        particle: run.held().start,
        n: n(run),
    })
    .collect()
}

impl SampleSet {
    pub fn new(
        device: &Device,
        kernels: &SampleSetKernels,
        batch: &Batch,
        sample: Sample,
        plan: &Prediction,
        x: DeviceInputs,
        common: &CommonBuffers,
    ) -> Result<Self> {
        let runs = run_constants(batch, sample, plan, &x, common.arcs);
        let last = runs
            .last()
            .map_or((0, 0), |run| (run.residual + run.n, run.record));
        let (predictions, record) = (last.0 as usize, last.1 as usize);
        let slots = (RECORDS_MOST / record.max(1)).clamp(1, SUBMIT_STEPS);
        let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let both_ways = storage | wgpu::BufferUsages::COPY_DST;
        let residual = device.buffer("residual", predictions, both_ways)?;
        let history = device.buffer(
            "history",
            2 * SUBMIT_STEPS * runs.len() + slots * record,
            storage,
        )?;
        let words = predictions * size_of::<f64>() / 4;
        let accumulated = device.buffer("accumulated", words, both_ways)?;
        let buffers = common
            .buffers
            .clone()
            .with(Slot::Runs, &device.upload("runs", &runs)?)
            .with(Slot::Y, &device.upload("y", &targets(batch, sample))?)
            .with(Slot::Sums, &device.buffer("sums", plan.words, storage)?)
            .with(Slot::Residual, &residual)
            .with(Slot::Accumulated, &accumulated)
            .with(Slot::History, &history);
        let predict_common = kernels.predict.bind(device, &buffers)?;
        let mut dispatches = Vec::new();
        for (rows, shard) in plan.predict.iter().zip(common.shards) {
            let own = buffers.clone().with(Slot::Particles, shard);
            let predict = &kernels.predict;
            dispatches.extend(Dispatch::passes(
                device,
                predict,
                &predict_common,
                rows,
                &x,
                &own,
            )?);
        }
        if !plan.reduce.is_empty() {
            let own = kernels.reduce.bind(device, &buffers)?;
            let (reduce, rows) = (&kernels.reduce, &plan.reduce);
            dispatches.extend(Dispatch::passes(device, reduce, &own, rows, &x, &buffers)?);
        }
        for (order, kernel) in kernels.ranges.iter().enumerate() {
            let needs = |row: &&plan::RangeRow| match (order, sample) {
                (MASSES, Sample::Test) => false,
                (MASSES, Sample::Train) => batch.runs[row.run as usize].loss.is_coupled(),
                (STEP, _) => row.sample == 0,
                _ => true,
            };
            let rows: Vec<_> = plan.ranges.iter().filter(needs).copied().collect();
            let own = kernel.bind(device, &buffers)?;
            dispatches.extend(Dispatch::passes(device, kernel, &own, &rows, &x, &buffers)?);
        }
        let whole = |run: &layout::RunConstants| run.arcs == layout::NONE && run.ranges == 1;
        if let Some(residual) = &kernels.residual
            && runs.iter().any(whole)
        {
            let own = residual.bind(device, &buffers)?;
            dispatches.push(Dispatch::each(device, residual, own, runs.len()));
        }
        Ok(SampleSet {
            runs,
            x,
            buffers,
            residual,
            history,
            accumulated,
            slots,
            record,
            dispatches,
        })
    }
}

/// y of the data sets in use, side by side as [`DeviceInputs`] has their rows.
fn targets(batch: &Batch, sample: Sample) -> Vec<f32> {
    let used = |index: &usize| {
        let mut runs = batch.runs.iter();
        runs.any(|run| set_of(run, sample) == Some(*index))
    };
    let sets = (0..batch.datasets.len()).filter(used);
    sets.flat_map(|index| batch.datasets[index].y.iter().copied())
        .collect()
}

/// [`layout::RunConstants`] of every run.
fn run_constants(
    batch: &Batch,
    sample: Sample,
    plan: &Prediction,
    x: &DeviceInputs,
    arcs: &[Option<u32>],
) -> Vec<layout::RunConstants> {
    let mut residual = 0;
    let mut history = 0;
    let mut runs = Vec::new();
    for ((run, size), sums) in batch.runs.iter().zip(sizes(batch, sample)).zip(&plan.sums) {
        runs.push(layout::RunConstants {
            n: size.n as u32,
            stride: sums.stride as u32,
            sums: sums.first as u32,
            groups: sums.groups as u32,
            sample: set_of(run, sample).map_or(0, |set| x.first(set)) as u32,
            residual,
            history,
            record: 0,
            loss: match sample {
                Sample::Train => run.loss.code(),
                Sample::Test => NO_LOSS,
            },
            parameter: run.loss.parameter().map_or(0.0, |(_, value)| value as f32),
            train: layout::train_code(run.train),
            norm_scaled: u32::from(run.norm_scaled),
            samples: size.n as f32,
            m: run.m as f32,
            alpha: run.alpha as f32,
            lambda: run.lambda as f32,
            // Short cuts are for training.
            arcs: match sample {
                Sample::Train => arcs[runs.len()].unwrap_or(layout::NONE),
                Sample::Test => layout::NONE,
            },
            ranges: sums.ranges as u32,
        });
        residual += size.n as u32;
        history += (HEADER + size.n) as u32;
    }
    runs.iter_mut().for_each(|run| run.record = history);
    runs
}
