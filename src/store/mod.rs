//! The run folder: experiment.toml, summary.json, metrics.csv and, per run, checkpoints,
//! particles and snapshots. numpy, pandas, PyTorch and JAX open every file without our code.
//!
//! Every file is written under a temporary name and then renamed, so a reader never sees half of one.

mod atomic;
mod checkpoint;
mod checkpoint_retention;
mod digest;
mod elapsed;
mod filesystem;
mod format;
mod identity;
mod initial_exponent;
mod lock;
mod metrics;
mod npz;
mod paths;
mod polished;
mod run_folder;
mod snapshot_log;
mod snapshots;
mod state_encoding;
mod summary;

pub use crate::arrays::NpzReader;
pub use atomic::{Writes, write_atomically};
pub use checkpoint::Checkpoint;
pub use checkpoint_retention::Checkpoints;
pub use elapsed::Elapsed;
pub use format::RunMetadata;
pub use identity::Identity;
pub use metrics::Metrics;
pub use npz::NpzWriter;
pub use polished::{read_polished, remove_polished, write_polished};
pub use run_folder::RunFolder;
pub use snapshots::Snapshots;
pub use state_encoding::{StateEncoding, blocks, write_particles};
pub use summary::{Checked, Checks, LastRow, RunSummary, Summary, diverged_at};
