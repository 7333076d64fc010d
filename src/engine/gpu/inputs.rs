//! X of one kind of samples (training or test) on the device.
//!
//! The rows of all data sets in use lie one after another in one buffer. Where it exceeds the
//! largest binding, a kernel binds a window of it: windows overlap by half, so that samples of at
//! most half a window lie in one, wherever they begin. A row of a table names no more samples than
//! that ([`DeviceInputs::most`]), and its window with them.

use std::ops::Range;

use super::device::Device;
use super::layout;
use crate::engine::{Batch, Sample, plan};
use crate::error::{Error, Result};
use crate::model::{Run, StateFormat};

/// A window begins at a multiple of this many rows, and so at a multiple of 256 bytes, where every adapter can
/// bind.
const STEP: u64 = 32;

/// X of one kind of samples, for all runs.
pub(super) struct DeviceInputs {
    buffer: wgpu::Buffer,
    row_bytes: u64,
    /// First sample of each data set of the batch.
    first: Vec<usize>,
    /// First sample of each run.
    starts: Vec<u64>,
    windows: Windows,
}

/// How the rows of X are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Windows {
    rows: u64,
    /// Rows of half a window, where X does not fit into one binding.
    half: Option<u64>,
}

impl DeviceInputs {
    /// Sends X to the device, each row padded to `row_vectors` vectors of four words. A window has at most
    /// `binding` bytes, and room for the `least` samples that a row of a table may always name.
    pub fn new(
        device: &Device,
        batch: &Batch,
        sample: Sample,
        row_vectors: usize,
        binding: u64,
        least: usize,
    ) -> Result<Self> {
        let row_bytes = (4 * row_vectors * batch.state.bytes()) as u64;
        let mut x: Vec<f32> = Vec::new();
        let mut first = vec![0; batch.datasets.len()];
        let mut samples = 0;
        for (index, set) in batch.datasets.iter().enumerate() {
            let used = |run| set_of(run, sample) == Some(index);
            if !batch.runs.iter().any(used) {
                continue;
            }
            first[index] = samples;
            samples += set.n();
            for i in 0..set.n() {
                x.extend_from_slice(set.row(i));
                x.resize(x.len().next_multiple_of(4 * row_vectors), 0.0);
            }
        }
        // A row of zeros for workgroups that have no sample.
        x.resize((samples + 1) * 4 * row_vectors, 0.0);
        let windows = Windows::new(samples as u64 + 1, row_bytes, binding, least as u64)?;
        let start = |run| set_of(run, sample).map_or(0, |set| first[set] as u64);
        Ok(DeviceInputs {
            buffer: match batch.state {
                StateFormat::F32 => device.upload_beyond_binding("x", &x)?,
                StateFormat::F16 => device.upload_beyond_binding("x", &layout::to_f16(&x))?,
            },
            row_bytes,
            starts: batch.runs.iter().map(start).collect(),
            first,
            windows,
        })
    }

    /// The most samples that a row of a table may name.
    pub fn most(&self) -> usize {
        self.windows.half.map_or(usize::MAX, |half| half as usize)
    }

    /// The first sample of a data set among those of its kind.
    pub fn first(&self, set: usize) -> usize {
        self.first[set]
    }

    /// The window that holds the samples of a row of a table.
    pub fn window_of(&self, row: &impl plan::Row) -> u64 {
        self.windows.of(self.place(row))
    }

    /// Where the samples of a row of a table begin in its window, in rows of X.
    pub fn place_in(&self, window: u64, row: &impl plan::Row) -> u32 {
        (self.place(row) - self.windows.range(window).start) as u32
    }

    fn place(&self, row: &impl plan::Row) -> u64 {
        self.starts[row.run()] + u64::from(row.sample())
    }

    /// X as a window binds it.
    pub fn bound(&self, window: u64) -> wgpu::BindingResource<'_> {
        let Range { start, end } = self.windows.range(window);
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: start * self.row_bytes,
            size: wgpu::BufferSize::new((end - start) * self.row_bytes),
        })
    }
}

impl Windows {
    /// Windows of at most `binding` bytes, of which half a window has at least `least` rows.
    fn new(rows: u64, row_bytes: u64, binding: u64, least: u64) -> Result<Self> {
        if rows * row_bytes <= binding {
            return Ok(Windows { rows, half: None });
        }
        let half = binding / (2 * row_bytes) / STEP * STEP;
        if half < least.max(1) {
            return Err(Error::engine(
                "gpu",
                format!(
                    "{} samples of {row_bytes} bytes do not fit into a binding of {binding} bytes",
                    2 * least
                ),
                "use fewer inputs, or --engine cpu",
            ));
        }
        Ok(Windows {
            rows,
            half: Some(half),
        })
    }

    /// The window of samples that begin at a row.
    fn of(&self, row: u64) -> u64 {
        self.half.map_or(0, |half| row / half)
    }

    /// The rows of a window.
    fn range(&self, window: u64) -> Range<u64> {
        match self.half {
            None => 0..self.rows,
            Some(half) => window * half..self.rows.min((window + 2) * half),
        }
    }
}

/// The data set of a run.
pub(super) fn set_of(run: &Run, sample: Sample) -> Option<usize> {
    match sample {
        Sample::Train => Some(run.train_set),
        Sample::Test => run.test_set,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_what_they_are_bound_for() {
        for (rows, row_bytes, binding, least) in [
            (1000, 16, 2048, 1),
            (100_003, 784 * 4, 1 << 20, 64),
            (4097, 8, 1 << 14, 512),
        ] {
            let windows = Windows::new(rows, row_bytes, binding, least).unwrap();
            let half = windows.half.unwrap();
            assert!(half >= least);
            for first in 0..rows {
                for last in [first, (first + half - 1).min(rows - 1)] {
                    let range = windows.range(windows.of(first));
                    assert!(range.contains(&first) && range.contains(&last));
                    assert!(range.end <= rows && (range.start * row_bytes).is_multiple_of(256));
                    assert!((range.end - range.start) * row_bytes <= binding);
                }
            }
            // The twin: two samples more do not fit wherever they begin.
            let longer = |first: u64| {
                let last = first + half + 1;
                last < rows && !windows.range(windows.of(first)).contains(&last)
            };
            assert!((0..rows).any(longer));
        }
    }

    #[test]
    fn what_fits_is_bound_as_a_whole() {
        let whole = Windows::new(128, 16, 2048, 64).unwrap();
        assert_eq!((whole.half, whole.range(0)), (None, 0..128));
        let error = Windows::new(129, 16, 2048, 65).unwrap_err().to_string();
        assert!(error.contains("130 samples of 16 bytes"), "{error}");
    }
}
