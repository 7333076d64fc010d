//! Ceilings of an adapter: multiply-adds in registers, and a copy, in WGSL.

use std::time::Duration;

use minijinja::{Environment, UndefinedBehavior, context};

use super::adapter::Kind;
use super::device::Device;
use super::kernels::Kernel;
use super::stages::Stage;
use crate::engine::ceilings::{Ceilings, best_rate};
use crate::engine::plan::TURNS_MOST;
use crate::error::{Error, Result};

const WGSL: &str = include_str!("../../../shaders/kernels/ceiling.wgsl");

/// Independent chains of a thread.
const CHAINS: usize = 12;
/// Binding numbers.
const BINDINGS: [&str; 3] = ["count", "source", "target"];

/// How the work is spread.
struct Spread {
    threads: usize,
    workgroups: u32,
    /// Multiply-adds of a chain in an iteration of the loop.
    unrolled: usize,
    /// Bytes of a buffer, far beyond the caches.
    bytes: u64,
    /// A launch this long hides what a submit costs.
    least: Duration,
}

impl Spread {
    /// Many waves of workgroups for the largest GPUs; a few for a processor.
    fn new(device: &Device) -> Self {
        let software = device.facts.kind == Kind::Software;
        let (threads, workgroups, unrolled, bytes, least) = match software {
            true => (32, 256, 16, 16 << 20, 40),
            false => (256, 16_384, 32, 256 << 20, 30),
        };
        Spread {
            threads,
            workgroups,
            unrolled,
            bytes: device.binding().min(bytes),
            least: Duration::from_millis(least),
        }
    }
}

/// What the adapter reaches, by the wall clock around submits; it is chosen by name as
/// [`super::select`] does.
///
/// # Errors
/// No such adapter, or it failed.
pub fn ceilings(adapter: Option<&str>) -> Result<Ceilings> {
    let device = Device::open(adapter)?;
    let spread = Spread::new(&device);
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
    let words = (spread.bytes / 4) as usize;
    let count = device.buffer("count", 1, usage)?;
    let source = device.buffer("source", words, usage)?;
    let target = device.buffer("target", words, usage)?;
    device.write(&source, 0, bytemuck::cast_slice(&[0.999_f32, 1e-3]))?;
    let buffers = [&count, &source, &target];

    let fma = CeilingKernel::new(&device, "fma_loop", &[0, 1, 2], &buffers, &spread)?;
    let work = 2 * CHAINS * spread.unrolled * spread.threads * spread.workgroups as usize;
    let flops = best_rate(work as f64, spread.least, |k| {
        // One iteration finds the loop's end.
        let launches = k.div_ceil(TURNS_MOST as u32 - 1);
        device.write(&count, 0, &k.div_ceil(launches).to_le_bytes())?;
        fma.times(&device, launches)
    })?;
    let copy = CeilingKernel::new(&device, "copy", &[1, 2], &buffers, &spread)?;
    let rate = best_rate(2.0 * spread.bytes as f64, spread.least, |k| {
        copy.times(&device, k)
    })?;
    Ok(Ceilings {
        fma_gflops: flops / 1e9,
        copy_gb_per_s: rate / 1e9,
    })
}

/// One entry of the shader, ready to run.
struct CeilingKernel {
    kernel: Kernel,
    bindings: wgpu::BindGroup,
    workgroups: u32,
}

impl CeilingKernel {
    /// `bound` are the bindings that the entry uses.
    fn new(
        device: &Device,
        entry: &'static str,
        bound: &[usize],
        buffers: &[&wgpu::Buffer; BINDINGS.len()],
        spread: &Spread,
    ) -> Result<Self> {
        let stage = Stage {
            name: entry,
            file: "kernels/ceiling.wgsl",
            common: &[],
            shard: &[],
        };
        let kernel = Kernel::new(
            device,
            stage,
            &render(entry, spread.threads, spread.unrolled)?,
            false,
        )?;
        let entries: Vec<_> = bound
            .iter()
            .map(|&binding| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: buffers[binding].as_entire_binding(),
            })
            .collect();
        let bindings = device.scoped("the bindings of the ceilings", |device| {
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(entry),
                layout: &kernel.pipeline.get_bind_group_layout(0),
                entries: &entries,
            })
        })?;
        Ok(CeilingKernel {
            kernel,
            bindings,
            workgroups: spread.workgroups,
        })
    }

    /// So many dispatches in one submit, to its end.
    fn times(&self, device: &Device, count: u32) -> Result<()> {
        let label = self.kernel.stage.name;
        device.run(label, |encoder| {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(label),
                timestamp_writes: None,
            });
            pass.set_pipeline(&self.kernel.pipeline);
            pass.set_bind_group(0, &self.bindings, &[]);
            for _ in 0..count {
                pass.dispatch_workgroups(self.workgroups, 1, 1);
            }
        })
    }
}

fn render(entry: &str, threads: usize, unrolled: usize) -> Result<String> {
    let slot: std::collections::BTreeMap<_, _> =
        BINDINGS.iter().enumerate().map(|(i, b)| (*b, i)).collect();
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let context = context! { entry, threads, unrolled, slot, chains => CHAINS };
    environment.render_str(WGSL, context).map_err(|error| {
        Error::engine(
            "gpu",
            format!("the {entry} kernel cannot be written: {error}"),
            "this is a fault of widefield: please report it",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_holds_every_multiply_add_it_is_counted_for() {
        let source = render("fma_loop", 64, 3).unwrap_or_default();
        assert_eq!(source.matches("= fma(").count(), CHAINS * 3);
        for entry in ["fma_loop", "copy"] {
            let source = render(entry, 64, 3).unwrap_or_default();
            let module = naga::front::wgsl::parse_str(&source);
            assert!(module.is_ok(), "{:?}\n{source}", module.err());
        }
    }
}
