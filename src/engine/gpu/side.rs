//! One kind of samples (training or test) on the device, and the stages that end in residual.

use std::collections::BTreeMap;
use std::ops::Range;

use bytemuck::Pod;

use super::device::Device;
use super::inputs::{Inputs, set_of};
use super::kernels::{Compiler, Kernel};
use super::layout::{self, HEADER, NO_LOSS, SUBMIT_STEPS};
use super::slots::{Buffers, Slot};
use super::stages::REDUCE;
use crate::engine::plan::{self, Prediction};
use crate::engine::{Batch, Sample};
use crate::error::Result;

/// Most words of the records of one submit, but always room for one.
const RECORDS_MOST: usize = 1 << 20;

/// Places among [`super::stages::Family::ranges`].
const MASSES: usize = 1;
const STEP: usize = 3;

/// Rows of a piece of a table: so few that what they name, at most [`plan::TURNS_MOST`] turns each,
/// is over soon on a slow adapter, too.
const PIECE: usize = 512;

/// One kernel on one table, ready to be encoded: as a whole, or in pieces.
pub(super) struct Dispatch {
    whole: Launch,
    pieces: Vec<Launch>,
}

/// One kernel on a table or a part of it.
pub(super) struct Launch {
    pipeline: wgpu::ComputePipeline,
    common: wgpu::BindGroup,
    own: Option<wgpu::BindGroup>,
    workgroups: (u32, u32),
}

impl Launch {
    pub fn encode(&self, pass: &mut wgpu::ComputePass) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.common, &[]);
        if let Some(own) = &self.own {
            pass.set_bind_group(1, own, &[]);
        }
        pass.dispatch_workgroups(self.workgroups.0, self.workgroups.1, 1);
    }
}

impl Dispatch {
    /// A stage whose work is a table, which names samples in one window of X.
    fn rows<R: plan::Row + Pod>(
        device: &Device,
        kernel: &Kernel,
        common: &wgpu::BindGroup,
        mut rows: Vec<R>,
        (inputs, window): (&Inputs, u64),
        buffers: &Buffers,
    ) -> Result<Self> {
        for row in &mut rows {
            let x = inputs.place_in(window, &*row);
            row.place(x);
        }
        let label = format!("{} rows", kernel.stage.name);
        let table = device.upload(&label, &rows)?;
        let launch = |range: Range<usize>| -> Result<Launch> {
            let table = wgpu::BufferBinding {
                buffer: &table,
                offset: (range.start * size_of::<R>()) as u64,
                size: wgpu::BufferSize::new((range.len() * size_of::<R>()) as u64),
            };
            Ok(Launch {
                pipeline: kernel.pipeline.clone(),
                common: common.clone(),
                own: Some(kernel.bind_rows(device, buffers, table, inputs.bound(window))?),
                workgroups: plan::fold(range.len(), device.workgroups()),
            })
        };
        let starts = (0..rows.len()).step_by(PIECE);
        let pieces = starts.map(|start| launch(start..rows.len().min(start + PIECE)));
        Ok(Dispatch {
            whole: launch(0..rows.len())?,
            pieces: match rows.len() > PIECE {
                true => pieces.collect::<Result<_>>()?,
                false => Vec::new(),
            },
        })
    }

    /// A stage whose work is a table: one dispatch for each window of X that it names samples of,
    /// and where rows add to what others left, one after another, as [`plan::Row::adds`] says.
    pub fn passes<R: plan::Row + Pod>(
        device: &Device,
        kernel: &Kernel,
        common: &wgpu::BindGroup,
        rows: &[R],
        inputs: &Inputs,
        buffers: &Buffers,
    ) -> Result<Vec<Self>> {
        let names_samples = kernel.stage.shard.contains(&Slot::X);
        let mut passes: BTreeMap<(u32, u64), Vec<R>> = BTreeMap::new();
        for row in rows {
            let window = if names_samples {
                inputs.window_of(row)
            } else {
                0
            };
            passes.entry((row.adds(), window)).or_default().push(*row);
        }
        let one = |((_, window), rows): ((u32, u64), Vec<_>)| {
            Dispatch::rows(device, kernel, common, rows, (inputs, window), buffers)
        };
        passes.into_iter().map(one).collect()
    }

    /// A stage with a workgroup for each of `count` runs.
    pub fn each(device: &Device, kernel: &Kernel, common: wgpu::BindGroup, count: usize) -> Self {
        Dispatch {
            whole: Launch {
                pipeline: kernel.pipeline.clone(),
                common,
                own: None,
                workgroups: plan::fold(count, device.workgroups()),
            },
            pieces: Vec::new(),
        }
    }

    /// What it consists of, in order.
    pub fn pieces(&self) -> &[Launch] {
        match self.pieces.is_empty() {
            true => std::slice::from_ref(&self.whole),
            false => &self.pieces,
        }
    }

    pub fn encode(&self, pass: &mut wgpu::ComputePass) {
        self.whole.encode(pass);
    }
}

/// The kernels of these stages, compiled once for both kinds of samples.
pub(super) struct SideKernels {
    pub predict: Kernel,
    pub reduce: Kernel,
    /// None where all runs go range by range.
    pub residual: Option<Kernel>,
    /// In the order of [`super::stages::Family::ranges`], where some run needs them.
    pub ranges: Vec<Kernel>,
}

impl SideKernels {
    /// With the kernels for ranges of samples, if they are needed.
    pub fn new(compiler: &Compiler, ranges: bool) -> Result<Self> {
        let family = compiler.shape.family();
        let compile = |stage| compiler.kernel(stage);
        let ranges = family.ranges().into_iter().filter(|_| ranges);
        Ok(SideKernels {
            predict: compile(family.predict())?,
            reduce: compile(REDUCE)?,
            residual: family.residual().map(compile).transpose()?,
            ranges: ranges.map(compile).collect::<Result<_>>()?,
        })
    }
}

/// What both kinds of samples have in common.
pub(super) struct Common<'a> {
    /// State, schedule, and activation bits for kernels that leave them.
    pub buffers: &'a Buffers,
    pub shards: &'a [wgpu::Buffer],
    /// The place of each run among those that take the short cut for d = 2.
    pub arcs: &'a [Option<u32>],
}

pub(super) struct Side {
    pub runs: Vec<layout::Run>,
    pub x: Inputs,
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

impl Side {
    pub fn new(
        device: &Device,
        kernels: &SideKernels,
        (batch, sample): (&Batch, Sample),
        plan: &Prediction,
        x: Inputs,
        common: &Common,
    ) -> Result<Self> {
        let runs = facts(batch, sample, plan, &x, common.arcs);
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
            SUBMIT_STEPS * runs.len() + slots * record,
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
        let whole = |run: &layout::Run| run.arcs == layout::NONE && run.ranges == 1;
        if let Some(residual) = &kernels.residual
            && runs.iter().any(whole)
        {
            let own = residual.bind(device, &buffers)?;
            dispatches.push(Dispatch::each(device, residual, own, runs.len()));
        }
        Ok(Side {
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

/// y of the data sets in use, side by side as [`Inputs`] has their rows.
fn targets(batch: &Batch, sample: Sample) -> Vec<f32> {
    let used = |index: &usize| {
        let mut runs = batch.runs.iter();
        runs.any(|run| set_of(run, sample) == Some(*index))
    };
    let sets = (0..batch.datasets.len()).filter(used);
    sets.flat_map(|index| batch.datasets[index].y.iter().copied())
        .collect()
}

fn facts(
    batch: &Batch,
    sample: Sample,
    plan: &Prediction,
    x: &Inputs,
    arcs: &[Option<u32>],
) -> Vec<layout::Run> {
    let mut residual = 0;
    let mut history = 0;
    let mut runs = Vec::new();
    for ((run, size), sums) in batch.runs.iter().zip(sizes(batch, sample)).zip(&plan.sums) {
        runs.push(layout::Run {
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
