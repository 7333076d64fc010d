//! widefield: a particle simulator of infinitely wide two-layer ReLU networks.

pub mod cli;
pub mod data;
pub mod engine;
pub mod error;
pub mod experiment;
pub mod flow;
pub mod observe;
pub mod particles;
pub mod store;
pub mod verify;

pub use error::{Error, Result};

/// Version of the crate, as run folders record it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
