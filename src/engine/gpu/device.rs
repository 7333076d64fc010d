//! The device: everything that can fail on it, turned into errors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::adapter::{self, AdapterFacts};
use crate::error::{Error, Result};
use crate::model::StateFormat;

/// A wait beyond this means that the device hangs. Submits are made to last half a second.
const PATIENCE: Duration = Duration::from_secs(120);
const RESUME: &str = "`widefield resume` the run folder to go on from its last checkpoint";

pub(super) struct Device {
    pub facts: AdapterFacts,
    limits: wgpu::Limits,
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// The first thing that went wrong outside an error scope.
    fault: Arc<Mutex<Option<String>>>,
}

fn note(fault: &Mutex<Option<String>>, message: String) {
    if let Ok(mut first) = fault.lock() {
        first.get_or_insert(message);
    }
}

impl Device {
    pub fn open(name: Option<&str>) -> Result<Self> {
        let (adapter, facts) = adapter::find(name)?;
        let limits = adapter.limits();
        let (mut welcome, mut experimental) = (WELCOME, wgpu::ExperimentalFeatures::disabled());
        if !facts.matrices.is_empty() {
            welcome |= wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
            // SAFETY: experimental features may have faults; of this one only kernels make use
            // for which it was asked by name.
            experimental = unsafe { wgpu::ExperimentalFeatures::enabled() };
        }
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("widefield"),
            required_limits: limits.clone(),
            required_features: adapter.features() & welcome,
            experimental_features: experimental,
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(request).map_err(|error| {
            Error::engine(
                "gpu",
                format!("{} cannot be opened: {error}", facts.name),
                "check its driver, or use --engine cpu",
            )
        })?;
        let fault = Arc::new(Mutex::new(None));
        let lost = Arc::clone(&fault);
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                note(&lost, format!("the device was lost: {message}"));
            }
        });
        let uncaptured = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            note(&uncaptured, error.to_string());
        }));
        Ok(Device {
            facts,
            limits,
            device,
            queue,
            fault,
        })
    }

    /// An error unless kernels can read and write numbers of this format.
    pub fn check_format(&self, state: StateFormat) -> Result<()> {
        if state == StateFormat::F16 && !self.facts.has_f16() {
            return Err(Error::input(
                "precision.state",
                format!(
                    "\"f16\" needs an adapter that has f16, and {} has not",
                    self.facts.name
                ),
                "use \"f32\", or another adapter: `widefield adapters` lists what they have",
            ));
        }
        Ok(())
    }

    /// An error unless kernels may use cooperative matrices with this edge, which `subgroup` threads share. An
    /// edge of 0 stands for none.
    pub fn check_matrix(&self, edge: usize, subgroup: usize) -> Result<()> {
        let fits = |own: &u32| *own as usize == edge;
        if edge == 0
            || self.facts.matrices.iter().any(fits) && subgroup == self.facts.subgroup_width()
        {
            return Ok(());
        }
        let AdapterFacts { name, matrices, .. } = &self.facts;
        Err(Error::input(
            "--kernels",
            format!(
                "matrices of edge {edge} shared by {subgroup} threads: {name} has edges {matrices:?} in subgroups of {}",
                self.facts.subgroup_width()
            ),
            "leave out tiled_predict_matrix",
        ))
    }

    /// Largest storage binding, in bytes.
    pub fn binding(&self) -> u64 {
        let limits = &self.limits;
        limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size)
    }

    /// Most storage buffers that a kernel binds.
    pub fn storage_buffers(&self) -> usize {
        self.limits.max_storage_buffers_per_shader_stage as usize
    }

    /// Most workgroups in one dimension of a dispatch.
    pub fn workgroups(&self) -> u32 {
        self.limits.max_compute_workgroups_per_dimension
    }

    /// Runs wgpu calls under error scopes. `what` says what they were for, with its size.
    pub fn scoped<T>(&self, what: &str, calls: impl FnOnce(&wgpu::Device) -> T) -> Result<T> {
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let value = calls(&self.device);
        let internal = pollster::block_on(internal.pop());
        let validation = pollster::block_on(validation.pop());
        let memory = pollster::block_on(memory.pop());
        if let Some(error) = memory {
            return Err(Error::engine(
                "gpu",
                format!("{} has no memory left for {what}: {error}", self.facts.name),
                "use fewer neurons or fewer runs in a grid, close what else uses it, or use --engine cpu",
            ));
        }
        match validation.or(internal) {
            // Whatever is asked of a lost device fails.
            Some(_) if self.check().is_err() => self.check().map(|()| value),
            Some(error) => Err(Error::engine(
                "gpu",
                format!("{what} failed on {}: {error}", self.facts.name),
                "update its driver, or use --engine cpu",
            )),
            None => Ok(value),
        }
    }

    /// A buffer of zeros of at least one vector of four words, bound as a whole where it is for
    /// storage.
    pub fn buffer(
        &self,
        label: &str,
        words: usize,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer> {
        let most = match usage.contains(wgpu::BufferUsages::STORAGE) {
            true => ("binding", self.binding()),
            false => ("buffer", self.limits.max_buffer_size),
        };
        self.buffer_up_to(label, words, usage, most)
    }

    /// A buffer, unless it takes more than the most bytes of its kind.
    fn buffer_up_to(
        &self,
        label: &str,
        words: usize,
        usage: wgpu::BufferUsages,
        (kind, most): (&str, u64),
    ) -> Result<wgpu::Buffer> {
        let size = words.max(4) as u64 * 4;
        let what = format!("{label} ({size} bytes)");
        if size > most {
            return Err(Error::engine(
                "gpu",
                format!(
                    "{what} exceeds the largest {kind} of {} ({most} bytes)",
                    self.facts.name,
                ),
                "use fewer samples or fewer runs in a grid, or use --engine cpu",
            ));
        }
        self.scoped(&what, |device| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation: false,
            })
        })
    }

    /// A storage buffer that holds `data` (u32 or f32 words, or structs of them).
    pub fn upload<T: bytemuck::Pod>(&self, label: &str, data: &[T]) -> Result<wgpu::Buffer> {
        let bytes: &[u8] = bytemuck::cast_slice(data);
        let buffer = self.buffer(label, bytes.len() / 4, UPLOADED)?;
        self.fill(&buffer, bytes)?;
        Ok(buffer)
    }

    /// The same, of which kernels bind a part at a time.
    pub fn upload_beyond_binding<T: bytemuck::Pod>(
        &self,
        label: &str,
        data: &[T],
    ) -> Result<wgpu::Buffer> {
        let bytes: &[u8] = bytemuck::cast_slice(data);
        let most = ("buffer", self.limits.max_buffer_size);
        let buffer = self.buffer_up_to(label, bytes.len() / 4, UPLOADED, most)?;
        self.fill(&buffer, bytes)?;
        Ok(buffer)
    }

    fn fill(&self, buffer: &wgpu::Buffer, bytes: &[u8]) -> Result<()> {
        let mut offset = 0;
        for piece in bytes.chunks(UPLOAD) {
            self.write(buffer, offset, piece)?;
            self.flush()?;
            offset += piece.len() as u64;
        }
        Ok(())
    }

    /// Stages bytes for a buffer; they arrive with the next submit.
    pub fn write(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) -> Result<()> {
        self.scoped("an upload", |_| {
            self.queue.write_buffer(buffer, offset, bytes);
        })
    }

    /// Makes staged writes arrive, and frees their staging memory.
    pub fn flush(&self) -> Result<()> {
        let index = self.queue.submit([]);
        self.wait(index)
    }

    /// Records commands, submits them and waits for their end.
    pub fn run(&self, label: &str, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> Result<()> {
        let index = self.scoped(label, |device| {
            let mut encoder = device
                .create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(label) });
            record(&mut encoder);
            self.queue.submit([encoder.finish()])
        })?;
        self.wait(index)
    }

    fn wait(&self, index: wgpu::SubmissionIndex) -> Result<()> {
        let poll = wgpu::PollType::Wait {
            submission_index: Some(index),
            timeout: Some(PATIENCE),
        };
        // wgpu 30 panics when the device is lost while it waits.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.device.poll(poll)));
        self.check()?;
        match outcome {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(wgpu::PollError::Timeout)) => Err(Error::lost(
                "gpu",
                format!(
                    "{} did not answer for {} s",
                    self.facts.name,
                    PATIENCE.as_secs()
                ),
                RESUME,
            )),
            Ok(Err(error)) => Err(self.broken(&error.to_string())),
            Err(_) => Err(self.broken("the device was lost")),
        }
    }

    fn check(&self) -> Result<()> {
        match self.fault.lock() {
            Ok(fault) => match &*fault {
                Some(message) => Err(self.broken(message)),
                None => Ok(()),
            },
            Err(_) => Err(self.broken("an error handler failed")),
        }
    }

    fn broken(&self, message: &str) -> Error {
        Error::lost("gpu", format!("{}: {message}", self.facts.name), RESUME)
    }

    /// Lends the first `bytes` of a readback buffer to `take`. No submitted work may be using it.
    pub fn mapped<T>(
        &self,
        buffer: &wgpu::Buffer,
        bytes: u64,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        let slice = buffer.slice(..bytes);
        let (sender, receiver) = mpsc::channel();
        slice.map_async(wgpu::MapMode::Read, move |outcome| {
            let _ = sender.send(outcome);
        });
        self.flush()?;
        let outcome = receiver
            .recv_timeout(PATIENCE)
            .map_err(|error| self.broken(&error.to_string()))?;
        outcome.map_err(|error| self.broken(&error.to_string()))?;
        let view = slice
            .get_mapped_range()
            .map_err(|error| self.broken(&error.to_string()))?;
        let value = take(&view);
        drop(view);
        buffer.unmap();
        Ok(value)
    }
}

/// Features that are used where the adapter has them.
const WELCOME: wgpu::Features = wgpu::Features::SUBGROUP
    .union(wgpu::Features::SHADER_F16)
    .union(wgpu::Features::SHADER_INT64)
    .union(wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS);

const UPLOADED: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST);

/// Bytes staged at a time.
pub(super) const UPLOAD: usize = 8 << 20;
