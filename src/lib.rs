//! widefield: a particle simulator of infinitely wide two-layer ReLU networks.
pub mod data;
pub mod engine;
pub mod error;
pub mod experiment;
pub mod observe;
pub mod particles;
pub mod store;
pub mod verify;

pub use error::{Error, Result};
