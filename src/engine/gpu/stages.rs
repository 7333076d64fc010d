//! The stages on a GPU: which file of `shaders/` has each, and what it binds.

/// A stage: its name, its WGSL file, and what it binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage {
    pub name: &'static str,
    pub file: &'static str,
    /// Group 0: what belongs to the samples.
    pub common: &'static [&'static str],
    /// Group 1: the rows, the samples that they name, and what belongs to a shard.
    pub shard: &'static [&'static str],
}

pub(super) const PREDICT: Stage = Stage {
    name: "predict",
    file: "kernels/predict.wgsl",
    common: &["runs", "state", "schedule", "sums"],
    shard: &["rows", "x", "particles"],
};
pub(super) const REDUCE: Stage = Stage {
    name: "reduce",
    file: "kernels/reduce.wgsl",
    common: &["runs", "state", "schedule", "sums"],
    shard: &["rows"],
};
pub(super) const RESIDUAL: Stage = Stage {
    name: "residual",
    file: "kernels/residual.wgsl",
    common: &[
        "runs",
        "state",
        "schedule",
        "y",
        "sums",
        "residual",
        "history",
        "accumulated",
    ],
    shard: &[],
};
/// residual of runs whose samples are cut into ranges, one after another.
pub(super) const RANGES: [Stage; 4] = [
    Stage {
        name: "range_predictions",
        file: "kernels/residual_range.wgsl",
        common: &[
            "runs", "state", "schedule", "y", "sums", "residual", "history",
        ],
        shard: &["rows"],
    },
    Stage {
        name: "range_masses",
        file: "kernels/residual_range.wgsl",
        common: &["runs", "state", "schedule", "y", "sums", "residual"],
        shard: &["rows"],
    },
    Stage {
        name: "range_residuals",
        file: "kernels/residual_range.wgsl",
        common: &[
            "runs",
            "state",
            "schedule",
            "y",
            "sums",
            "residual",
            "accumulated",
        ],
        shard: &["rows"],
    },
    Stage {
        name: "range_step",
        file: "kernels/residual_range.wgsl",
        common: &["runs", "state", "schedule", "sums", "history"],
        shard: &["rows"],
    },
];
pub(super) const VELOCITY_UPDATE: Stage = Stage {
    name: "velocity_update",
    file: "kernels/velocity_update.wgsl",
    common: &["runs", "state", "residual"],
    shard: &["rows", "x", "particles"],
};
pub(super) const VELOCITY: Stage = Stage {
    name: "velocity",
    file: "kernels/velocity_update.wgsl",
    common: &["runs", "state", "residual"],
    shard: &["rows", "x", "particles", "velocity"],
};
/// Partial sums of G of runs that move, and the step from them.
pub(super) const GRADIENT_SUMS: Stage = Stage {
    name: "accumulate_gradient",
    file: "kernels/velocity_update.wgsl",
    common: &["runs", "state", "residual"],
    shard: &["rows", "x", "particles", "gradient_sums"],
};
pub(super) const UPDATE_FROM_SUMS: Stage = Stage {
    name: "update_from_sums",
    file: "kernels/velocity_update.wgsl",
    common: &["state"],
    shard: &["rows", "particles", "gradient_sums"],
};
/// Partial sums of G of any run, and the velocity from them.
pub(super) const VELOCITY_GRADIENT_SUMS: Stage = Stage {
    name: "velocity_accumulate_gradient",
    file: "kernels/velocity_update.wgsl",
    common: &["runs", "residual"],
    shard: &["rows", "x", "particles", "gradient_sums"],
};
pub(super) const VELOCITY_FROM_SUMS: Stage = Stage {
    name: "velocity_from_sums",
    file: "kernels/velocity_update.wgsl",
    common: &["state"],
    shard: &["rows", "particles", "velocity", "gradient_sums"],
};
pub(super) const GEOMETRY: Stage = Stage {
    name: "geometry",
    file: "kernels/geometry.wgsl",
    common: &["runs", "units"],
    shard: &["rows", "x", "particles", "start", "alive", "partials"],
};

pub(super) mod tiled {
    //! The stages for large d, tiled over d: how they follow one another, and what they leave to each
    //! other.
    //!
    //! predict_tiled leaves activation bits, velocity_update_tiled reads them, steps w and leaves parts
    //! of w·G, update_output sums those and steps a. Where the bits of a batch do not fit, a kernel
    //! makes those of one chunk of particles again before it is updated ([`plan::tiled`]). Where samples
    //! are cut into ranges, velocity_update_tiled is two kernels (plan/gradient_sums.rs).

    use super::Stage;

    pub(in super::super) const PREDICT: Stage = Stage {
        name: "predict_tiled",
        file: "kernels/predict_tiled.wgsl",
        common: &["runs", "state", "schedule", "sums"],
        shard: &["rows", "x", "particles", "bits"],
    };
    /// The bits of runs that move.
    pub(in super::super) const PREDICT_BITS: Stage = Stage {
        name: "predict_bits",
        file: "kernels/predict_tiled.wgsl",
        common: &["runs", "state"],
        shard: &["rows", "x", "particles", "bits"],
    };
    pub(in super::super) const VELOCITY_UPDATE: Stage = Stage {
        name: "velocity_update_tiled",
        file: "kernels/velocity_update_tiled.wgsl",
        common: &["runs", "state", "residual"],
        shard: &["rows", "x", "particles", "bits", "parts"],
    };
    /// Partial sums of G of runs that move, and the step of w from them.
    pub(in super::super) const GRADIENT_SUMS: Stage = Stage {
        name: "accumulate_gradient_tiled",
        file: "kernels/velocity_update_tiled.wgsl",
        common: &["runs", "state", "residual"],
        shard: &["rows", "x", "bits", "gradient_sums"],
    };
    pub(in super::super) const UPDATE_FROM_SUMS: Stage = Stage {
        name: "update_from_sums_tiled",
        file: "kernels/velocity_update_tiled.wgsl",
        common: &["state"],
        shard: &["rows", "particles", "parts", "gradient_sums"],
    };
    pub(in super::super) const UPDATE_OUTPUT: Stage = Stage {
        name: "update_output",
        file: "kernels/update_output.wgsl",
        common: &["state"],
        shard: &["rows", "particles", "parts"],
    };
    /// The bits of any run.
    pub(in super::super) const VELOCITY_BITS: Stage = Stage {
        name: "velocity_bits",
        file: "kernels/predict_tiled.wgsl",
        common: &["runs"],
        shard: &["rows", "x", "particles", "bits"],
    };
    pub(in super::super) const VELOCITY: Stage = Stage {
        name: "velocity_tiled",
        file: "kernels/velocity_update_tiled.wgsl",
        common: &["runs", "state", "residual"],
        shard: &["rows", "x", "particles", "bits", "parts", "velocity"],
    };
    /// Partial sums of G of any run, and the velocity of w from them.
    pub(in super::super) const VELOCITY_GRADIENT_SUMS: Stage = Stage {
        name: "velocity_accumulate_gradient_tiled",
        file: "kernels/velocity_update_tiled.wgsl",
        common: &["runs", "residual"],
        shard: &["rows", "x", "bits", "gradient_sums"],
    };
    pub(in super::super) const VELOCITY_FROM_SUMS: Stage = Stage {
        name: "velocity_from_sums_tiled",
        file: "kernels/velocity_update_tiled.wgsl",
        common: &["state"],
        shard: &["rows", "particles", "parts", "velocity", "gradient_sums"],
    };
    pub(in super::super) const VELOCITY_OUTPUT: Stage = Stage {
        name: "velocity_output",
        file: "kernels/update_output.wgsl",
        common: &["state"],
        shard: &["rows", "particles", "parts", "velocity"],
    };

    /// All of them.
    pub(in super::super) const STAGES: [Stage; 11] = [
        PREDICT,
        PREDICT_BITS,
        VELOCITY_UPDATE,
        GRADIENT_SUMS,
        UPDATE_FROM_SUMS,
        UPDATE_OUTPUT,
        VELOCITY_BITS,
        VELOCITY,
        VELOCITY_GRADIENT_SUMS,
        VELOCITY_FROM_SUMS,
        VELOCITY_OUTPUT,
    ];
    /// Those that leave the particles as they are, on the way to a velocity that is read.
    pub(in super::super) const VELOCITY_STAGES: [Stage; 5] = [
        VELOCITY_BITS,
        VELOCITY,
        VELOCITY_GRADIENT_SUMS,
        VELOCITY_FROM_SUMS,
        VELOCITY_OUTPUT,
    ];
}

pub(super) mod arcs {
    //! The stages of the short cut for d = 2.

    use super::Stage;

    pub(in super::super) const MEASURE_ARCS: Stage = Stage {
        name: "measure_arcs",
        file: "kernels/measure_arcs.wgsl",
        common: &["runs", "magnitudes"],
        shard: &["rows", "particles"],
    };
    pub(in super::super) const PREDICT_ARCS: Stage = Stage {
        name: "predict_arcs",
        file: "kernels/predict_arcs.wgsl",
        common: &[
            "runs",
            "state",
            "schedule",
            "arc_runs",
            "circle",
            "arc_sums",
            "arc_moments",
            "magnitudes",
        ],
        shard: &["rows", "particles", "positions"],
    };
    pub(in super::super) const RESIDUAL_ARCS: Stage = Stage {
        name: "residual_arcs",
        file: "kernels/residual.wgsl",
        common: &[
            "runs",
            "state",
            "schedule",
            "y",
            "residual",
            "history",
            "accumulated",
            "arc_runs",
            "circle",
            "arc_sums",
            "arc_moments",
            "magnitudes",
            "gradients",
        ],
        shard: &[],
    };
    /// What velocity reads, for a residual that the host has set.
    pub(in super::super) const GRADIENTS_GIVEN_ARCS: Stage = Stage {
        name: "gradients_given_arcs",
        file: "kernels/gradients_given_arcs.wgsl",
        common: &["runs", "residual", "arc_runs", "circle", "gradients"],
        shard: &[],
    };
    pub(in super::super) const VELOCITY_UPDATE_ARCS: Stage = Stage {
        name: "velocity_update_arcs",
        file: "kernels/velocity_update_arcs.wgsl",
        common: &["runs", "state", "arc_runs", "magnitudes", "gradients"],
        shard: &["rows", "particles", "positions"],
    };
    pub(in super::super) const VELOCITY_ARCS: Stage = Stage {
        name: "velocity_arcs",
        file: "kernels/velocity_update_arcs.wgsl",
        common: &["runs", "state", "arc_runs", "gradients"],
        shard: &["rows", "particles", "velocity", "positions"],
    };
}
