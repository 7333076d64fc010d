//! Dispatches: a kernel on a table of work, whole or in pieces.

use std::collections::BTreeMap;
use std::ops::Range;

use bytemuck::Pod;

use super::device::Device;
use super::inputs::DeviceInputs;
use super::kernels::Kernel;
use super::slots::{Buffers, Slot};
use crate::engine::plan;
use crate::error::Result;

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
        inputs: &DeviceInputs,
        window: u64,
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
        inputs: &DeviceInputs,
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
            Dispatch::rows(device, kernel, common, rows, inputs, window, buffers)
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
