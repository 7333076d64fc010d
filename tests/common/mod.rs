//! Shared by the tests: the engines under test.

#![allow(dead_code)] // each test binary uses its own part

use widefield::engine::cpu::{self, Cpu};
use widefield::engine::gpu::{self, Gpu};
use widefield::engine::methods::gram::Gram;
use widefield::engine::{Batch, Engine, ShortCuts, reference::Reference};
use widefield::error::Result;

pub mod bracket;
pub mod oracle;
pub mod skip;
pub mod test_folder;

use skip::{Missing, skip};

pub type Make = Box<dyn Fn(Batch) -> Result<Box<dyn Engine>>>;

pub fn reference(batch: Batch) -> Result<Box<dyn Engine>> {
    Ok(Box::new(Reference::new(batch)))
}

/// The cpu engine with these options.
pub fn cpu_with(options: cpu::Options) -> Make {
    Box::new(move |batch| Ok(Box::new(Cpu::new(batch, &options)?)))
}

/// The gpu engine with these options, on the adapter of [`gpu_adapter`] and with checks on.
pub fn gpu_with(options: gpu::Options) -> Make {
    Box::new(move |batch| {
        let options = gpu::Options {
            adapter: gpu_adapter(),
            checks: true,
            ..options.clone()
        };
        Ok(Box::new(Gpu::new(batch, &options)?))
    })
}

/// An engine in which all output-only runs use the Gram matrix.
pub fn gram_around(make: Make) -> Make {
    Box::new(move |batch| Ok(Gram::around(make(batch)?, ShortCuts::Always)))
}

/// The adapter under test: WIDEFIELD_ADAPTER, else a GPU, else the software adapter. Without one,
/// `None`, and the calling test reports that it skips what needs one.
#[track_caller]
pub fn gpu_adapter() -> Option<String> {
    let named = std::env::var("WIDEFIELD_ADAPTER").ok();
    let first = || {
        let found = gpu::default_adapter().or_else(|| gpu::adapters().into_iter().next());
        found.map(|facts| facts.name)
    };
    let adapter = named.or_else(first);
    if adapter.is_none() {
        skip(
            Missing::Adapter,
            "no GPU and no software Vulkan driver, so the gpu engine stays untested here (tests/run.sh installs one)",
        );
    }
    adapter
}

/// Every engine that this machine can run, by name.
#[track_caller]
pub fn engines() -> Vec<(&'static str, Make)> {
    let mut engines: Vec<(&'static str, Make)> = vec![
        ("reference", Box::new(reference)),
        ("cpu", cpu_with(cpu::Options::default())),
        (
            "cpu with short cuts",
            gram_around(cpu_with(cpu::Options {
                short_cuts: ShortCuts::Always,
                ..cpu::Options::default()
            })),
        ),
    ];
    if gpu_adapter().is_some() {
        engines.push(("gpu", gpu_with(gpu::Options::default())));
        engines.push((
            "gpu with short cuts",
            gram_around(gpu_with(gpu::Options {
                short_cuts: ShortCuts::Always,
                ..gpu::Options::default()
            })),
        ));
    }
    engines
}
