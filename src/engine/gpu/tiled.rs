//! The stages for large d, tiled over d: how they follow one another, and what they leave to each
//! other.
//!
//! predict_tiled leaves activation bits, velocity_update_tiled reads them, steps w and leaves parts
//! of w·G, update_output sums those and steps a. Where the bits of a batch do not fit, a kernel
//! makes those of one chunk of particles again before it is updated ([`plan::tiled`]). Where samples
//! are cut into ranges, velocity_update_tiled is two kernels (plan/pulls.rs).

use super::kernels::Stage;

pub(super) const PREDICT: Stage = Stage {
    name: "predict_tiled",
    file: "predict_tiled.wgsl",
    common: &["runs", "state", "schedule", "sums"],
    shard: &["rows", "x", "particles", "bits"],
};
/// The bits of runs that move.
pub(super) const PREDICT_BITS: Stage = Stage {
    name: "predict_bits",
    file: "predict_tiled.wgsl",
    common: &["runs", "state"],
    shard: &["rows", "x", "particles", "bits"],
};
pub(super) const VELOCITY_UPDATE: Stage = Stage {
    name: "velocity_update_tiled",
    file: "velocity_update_tiled.wgsl",
    common: &["runs", "state", "residual"],
    shard: &["rows", "x", "particles", "bits", "parts"],
};
/// Partial sums of G of runs that move, and the step of w from them.
pub(super) const PULL: Stage = Stage {
    name: "pull_tiled",
    file: "velocity_update_tiled.wgsl",
    common: &["runs", "state", "residual"],
    shard: &["rows", "x", "bits", "pulls"],
};
pub(super) const UPDATE_PULLED: Stage = Stage {
    name: "update_pulled_tiled",
    file: "velocity_update_tiled.wgsl",
    common: &["state"],
    shard: &["rows", "particles", "parts", "pulls"],
};
pub(super) const UPDATE_OUTPUT: Stage = Stage {
    name: "update_output",
    file: "update_output.wgsl",
    common: &["state"],
    shard: &["rows", "particles", "parts"],
};
/// The bits of any run.
pub(super) const VELOCITY_BITS: Stage = Stage {
    name: "velocity_bits",
    file: "predict_tiled.wgsl",
    common: &["runs"],
    shard: &["rows", "x", "particles", "bits"],
};
pub(super) const VELOCITY: Stage = Stage {
    name: "velocity_tiled",
    file: "velocity_update_tiled.wgsl",
    common: &["runs", "state", "residual"],
    shard: &["rows", "x", "particles", "bits", "parts", "velocity"],
};
/// Partial sums of G of any run, and the velocity of w from them.
pub(super) const VELOCITY_PULL: Stage = Stage {
    name: "velocity_pull_tiled",
    file: "velocity_update_tiled.wgsl",
    common: &["runs", "residual"],
    shard: &["rows", "x", "bits", "pulls"],
};
pub(super) const VELOCITY_PULLED: Stage = Stage {
    name: "velocity_pulled_tiled",
    file: "velocity_update_tiled.wgsl",
    common: &["state"],
    shard: &["rows", "particles", "parts", "velocity", "pulls"],
};
pub(super) const VELOCITY_OUTPUT: Stage = Stage {
    name: "velocity_output",
    file: "update_output.wgsl",
    common: &["state"],
    shard: &["rows", "particles", "parts", "velocity"],
};

/// All of them.
pub(super) const STAGES: [Stage; 11] = [
    PREDICT,
    PREDICT_BITS,
    VELOCITY_UPDATE,
    PULL,
    UPDATE_PULLED,
    UPDATE_OUTPUT,
    VELOCITY_BITS,
    VELOCITY,
    VELOCITY_PULL,
    VELOCITY_PULLED,
    VELOCITY_OUTPUT,
];
/// Those that leave the particles as they are, on the way to a velocity that is read.
pub(super) const VELOCITY_STAGES: [Stage; 5] = [
    VELOCITY_BITS,
    VELOCITY,
    VELOCITY_PULL,
    VELOCITY_PULLED,
    VELOCITY_OUTPUT,
];
