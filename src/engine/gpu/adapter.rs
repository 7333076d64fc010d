//! Adapters: what there is, and which one to take.

use std::sync::LazyLock;

use crate::engine::FEWER;
use crate::error::{Error, Result};
use crate::memory::units;

/// What kind of machine an adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Discrete,
    Integrated,
    Virtual,
    /// Vulkan in software, on the processor. Used only when named.
    Software,
    Other,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Discrete => "discrete GPU",
            Kind::Integrated => "integrated GPU",
            Kind::Virtual => "virtual GPU",
            Kind::Software => "software",
            Kind::Other => "other",
        })
    }
}

/// What wgpu says of an adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterFacts {
    pub name: String,
    pub driver: String,
    pub kind: Kind,
    /// "vulkan", "metal" or "dx12".
    pub backend: String,
    /// Largest buffer, in bytes.
    pub max_buffer: u64,
    /// Largest storage binding, in bytes: the size of a shard.
    pub max_binding: u64,
    /// Bytes of the largest memory of its own, where it has one and the backend says (Vulkan does).
    pub memory: Option<u64>,
    /// Workgroup memory, in bytes.
    pub workgroup_memory: u32,
    /// Most threads of a workgroup.
    pub workgroup_threads: u32,
    /// Threads that run in subgroup_width: fewest and most.
    pub subgroup: (u32, u32),
    /// Edges of the square cooperative matrices of f16 that it multiplies with sums in f32.
    pub matrices: Vec<u32>,
    /// Those of f16, f64, int64, int64 atomics, subgroup, timestamps, cooperative matrix that it
    /// has.
    pub features: Vec<&'static str>,
}

impl AdapterFacts {
    /// Lanes of its subgroups where they can lend words to each other and their number is fixed;
    /// else 1.
    pub(super) fn subgroup_width(&self) -> usize {
        match self.subgroup {
            (least, most) if least == most && self.features.contains(&"subgroup") => most as usize,
            _ => 1,
        }
    }

    /// Whether its kernels can read and write f16.
    pub fn has_f16(&self) -> bool {
        self.features.contains(&"f16")
    }

    /// Whether it computes with words of 64 bits in every way.
    pub(super) fn has_wide_words(&self) -> bool {
        let has = |feature| self.features.contains(&feature);
        has("int64") && has("int64 atomics")
    }

    /// Refuses what exceeds its own memory, where that is known: before buffers are made,
    /// as a driver may lose the device over it.
    pub fn fits(&self, what: &str, bytes: u64) -> Result<()> {
        match self.memory {
            Some(memory) if bytes > memory => Err(Error::input(
                "network.width",
                format!(
                    "{what} needs {bytes} bytes ({}), and {} has {}",
                    units(bytes.into()),
                    self.name,
                    units(memory.into())
                ),
                FEWER,
            )),
            _ => Ok(()),
        }
    }

    fn of(adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let limits = adapter.limits();
        let present = adapter.features();
        let features = [
            (wgpu::Features::SHADER_F16, "f16"),
            (wgpu::Features::SHADER_F64, "f64"),
            (wgpu::Features::SHADER_INT64, "int64"),
            (wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS, "int64 atomics"),
            (wgpu::Features::SUBGROUP, "subgroup"),
            (wgpu::Features::TIMESTAMP_QUERY, "timestamps"),
            (
                wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX,
                "cooperative matrix",
            ),
        ];
        AdapterFacts {
            kind: match info.device_type {
                wgpu::DeviceType::DiscreteGpu => Kind::Discrete,
                wgpu::DeviceType::IntegratedGpu => Kind::Integrated,
                wgpu::DeviceType::VirtualGpu => Kind::Virtual,
                wgpu::DeviceType::Cpu => Kind::Software,
                wgpu::DeviceType::Other => Kind::Other,
            },
            driver: format!("{} {}", info.driver, info.driver_info)
                .trim()
                .to_string(),
            backend: info.backend.to_string(),
            max_buffer: limits.max_buffer_size,
            max_binding: limits.max_storage_buffer_binding_size,
            memory: memory(adapter).filter(|_| info.device_type != wgpu::DeviceType::Cpu),
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            workgroup_threads: limits.max_compute_invocations_per_workgroup,
            subgroup: (info.subgroup_min_size, info.subgroup_max_size),
            matrices: matrices(adapter),
            features: features
                .into_iter()
                .filter(|(feature, _)| present.contains(*feature))
                .map(|(_, name)| name)
                .collect(),
            name: info.name,
        }
    }
}

/// See [`AdapterFacts::memory`].
#[cfg(not(target_vendor = "apple"))]
fn memory(adapter: &wgpu::Adapter) -> Option<u64> {
    // SAFETY: nothing is made from the handles and they do not outlive the adapter: its properties
    // are read.
    let properties = unsafe {
        let raw = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = raw.shared_instance().raw_instance();
        instance.get_physical_device_memory_properties(raw.raw_physical_device())
    };
    let own = ash::vk::MemoryHeapFlags::DEVICE_LOCAL;
    let heaps = properties.memory_heaps_as_slice().iter();
    let own = heaps.filter(|heap| heap.flags.contains(own));
    own.map(|heap| heap.size).max()
}

#[cfg(target_vendor = "apple")]
fn memory(_: &wgpu::Adapter) -> Option<u64> {
    None
}

/// See [`AdapterFacts::matrices`].
fn matrices(adapter: &wgpu::Adapter) -> Vec<u32> {
    use wgpu::CooperativeScalarType::{F16, F32};
    let square = |p: &wgpu::CooperativeMatrixProperties| {
        let edge = (p.m_size == p.n_size && p.n_size == p.k_size).then_some(p.m_size);
        edge.filter(|_| p.ab_type == F16 && p.cr_type == F32 && !p.saturating_accumulation)
    };
    let all = adapter.cooperative_matrix_properties();
    all.iter().filter_map(square).collect()
}

impl AdapterFacts {
    /// Name and kind, for messages.
    pub(crate) fn brief(&self) -> String {
        format!("{} ({})", self.name, self.kind)
    }

    /// Name, driver and backend: what summaries and checkpoints record, and what the adapter can be
    /// chosen by.
    pub fn describe(&self) -> String {
        format!("{}, {} ({})", self.name, self.driver, self.backend)
    }
}

/// What to install where there is no adapter.
#[cfg(target_os = "linux")]
pub const DRIVERS: &str = "install the package mesa-vulkan-drivers, which drives AMD and Intel GPUs and has the \
                           software adapter llvmpipe, or, for an NVIDIA GPU, the driver of its vendor";
#[cfg(not(target_os = "linux"))]
pub const DRIVERS: &str = "install the graphics driver of the GPU's vendor";

/// All adapters; none where there is no driver.
pub fn adapters() -> Vec<AdapterFacts> {
    enumerate().iter().map(AdapterFacts::of).collect()
}

/// The adapter that `--engine auto` takes: a discrete GPU, else an integrated one.
pub fn default_adapter() -> Option<AdapterFacts> {
    let all = adapters();
    choose(&all, None).map(|index| all[index].clone())
}

/// The facts of the adapter that [`super::Gpu::new`] would take.
///
/// A name is any part of an adapter's description (name, driver, backend), in either case; it may name a software adapter.
/// Without one: a discrete GPU, else an integrated one, never a software adapter.
///
/// # Errors
/// When no adapter fits; the message lists those that exist.
pub fn select(name: Option<&str>) -> Result<AdapterFacts> {
    find(name).map(|(_, facts)| facts)
}

pub(super) fn find(name: Option<&str>) -> Result<(wgpu::Adapter, AdapterFacts)> {
    let mut found = enumerate();
    let facts: Vec<_> = found.iter().map(AdapterFacts::of).collect();
    match choose(&facts, name) {
        Some(index) => Ok((found.swap_remove(index), facts[index].clone())),
        None => Err(refusal(&facts, name)),
    }
}

/// One for the whole process: drivers keep memory for each that ever was.
static INSTANCE: LazyLock<wgpu::Instance> = LazyLock::new(|| {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env())
});

fn enumerate() -> Vec<wgpu::Adapter> {
    pollster::block_on(INSTANCE.enumerate_adapters(wgpu::Backends::all()))
}

fn choose(all: &[AdapterFacts], name: Option<&str>) -> Option<usize> {
    let of_kind = |kind| all.iter().position(|facts| facts.kind == kind);
    match name.map(str::to_lowercase) {
        Some(part) => all
            .iter()
            .position(|facts| facts.describe().to_lowercase().contains(&part)),
        None => of_kind(Kind::Discrete).or_else(|| of_kind(Kind::Integrated)),
    }
}

fn refusal(all: &[AdapterFacts], name: Option<&str>) -> Error {
    let (place, what) = match name {
        Some(name) => (
            format!("--adapter {name}"),
            "no adapter's name, driver or backend contains it",
        ),
        None => (
            "--engine gpu".into(),
            "no discrete or integrated GPU was found",
        ),
    };
    if all.is_empty() {
        let remedy = format!("there are no adapters at all: {DRIVERS}, or use --engine cpu");
        return Error::input(place, what, remedy);
    }
    let list: Vec<_> = all
        .iter()
        .map(|facts| format!("{:?} ({})", facts.name, facts.kind))
        .collect();
    Error::input(
        place,
        what,
        format!(
            "name one with --adapter, from: {}; or use --engine cpu",
            list.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(name: &str, kind: Kind) -> AdapterFacts {
        AdapterFacts {
            name: name.into(),
            driver: String::new(),
            kind,
            backend: "vulkan".into(),
            max_buffer: 0,
            max_binding: 0,
            memory: None,
            workgroup_memory: 0,
            workgroup_threads: 0,
            subgroup: (32, 32),
            matrices: Vec::new(),
            features: Vec::new(),
        }
    }

    #[test]
    fn software_is_taken_only_when_named() {
        let mut all = vec![facts("llvmpipe (LLVM 15)", Kind::Software)];
        assert_eq!(choose(&all, None), None);
        assert_eq!(choose(&all, Some("LLVMpipe")), Some(0));
        assert_eq!(choose(&all, Some("radeon")), None);
        all.push(facts("Iris", Kind::Integrated));
        assert_eq!(choose(&all, None), Some(1));
        all.push(facts("H200", Kind::Discrete));
        assert_eq!(choose(&all, None), Some(2));
    }

    #[test]
    fn what_exceeds_the_memory_is_refused_with_both_numbers() {
        let mut small = facts("Iris", Kind::Integrated);
        assert!(small.fits("100 particles", u64::MAX).is_ok());
        small.memory = Some(8_000_000_000);
        assert!(small.fits("100 particles", 8_000_000_000).is_ok());
        let error = small.fits("100 particles", 8_000_000_001).unwrap_err();
        let said = "100 particles needs 8000000001 bytes (8.0 GB), and Iris has 8.0 GB";
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn a_refusal_lists_what_exists() {
        let all = [facts("llvmpipe (LLVM 15)", Kind::Software)];
        let message = refusal(&all, Some("radeon")).to_string();
        assert!(message.contains("radeon") && message.contains("llvmpipe"));
        assert!(refusal(&[], None).to_string().contains("--engine cpu"));
    }
}
