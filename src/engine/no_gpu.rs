//! In place of the gpu engine in a build without the feature `gpu`: there are no adapters, and asking
//! for one is an error.

use super::{Batch, Ceilings, Engine, ShortCuts};
use crate::error::{Error, Result};

/// Why `auto` takes the cpu engine.
pub const NO_DEFAULT: &str = "this build has no gpu engine";

/// Whether there are kernels for this d: there are none.
pub fn reaches(_: usize) -> bool {
    false
}

/// The name of the simple kernels.
pub const NAIVE: &str = "naive";

/// An adapter: none.
pub enum AdapterFacts {}

impl AdapterFacts {
    pub fn brief(&self) -> String {
        match *self {}
    }

    pub fn has_f16(&self) -> bool {
        match *self {}
    }
}

pub fn default_adapter() -> Option<AdapterFacts> {
    None
}

/// # Errors
/// Always.
pub fn select(name: Option<&str>) -> Result<AdapterFacts> {
    let place = match name {
        Some(name) => format!("--adapter {name}"),
        None => "--engine gpu".into(),
    };
    Err(Error::input(
        place,
        NO_DEFAULT,
        "build with --features gpu, or use --engine cpu",
    ))
}

/// # Errors
/// Always.
pub fn build(
    _: Batch,
    adapter: Option<&str>,
    _: Option<&str>,
    _: ShortCuts,
) -> Result<Box<dyn Engine>> {
    match select(adapter)? {}
}

/// # Errors
/// Always.
pub fn ceilings(adapter: Option<&str>) -> Result<Ceilings> {
    match select(adapter)? {}
}
