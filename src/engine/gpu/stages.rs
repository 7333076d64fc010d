//! The stages on a GPU: which file of `shaders/` has each, and what it binds.

use super::slots::Slot::{self, *};
use crate::engine::plan::Part;

/// A stage: its name, its WGSL file, and what it binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage {
    pub name: &'static str,
    pub file: &'static str,
    /// Group 0: what belongs to the samples.
    pub common: &'static [Slot],
    /// Group 1: the rows, the samples that they name, and what belongs to a shard.
    pub shard: &'static [Slot],
}

/// Kernels that together compute a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KernelFamily {
    /// A thread holds whole samples or particles.
    Held,
    /// For large d: see [`tiled`].
    Tiled,
    /// See [`naive`].
    Naive,
}

impl KernelFamily {
    pub fn predict(self) -> Stage {
        match self {
            KernelFamily::Held => PREDICT,
            KernelFamily::Tiled => tiled::PREDICT,
            KernelFamily::Naive => naive::PREDICT,
        }
    }

    /// residual of runs that are one range of samples; none where all runs go range by range.
    pub fn residual(self) -> Option<Stage> {
        match self {
            KernelFamily::Held | KernelFamily::Tiled => Some(RESIDUAL),
            KernelFamily::Naive => None,
        }
    }

    /// residual of runs whose samples are cut into ranges: predictions, masses, residuals, the step.
    pub fn ranges(self) -> [Stage; 4] {
        match self {
            KernelFamily::Held | KernelFamily::Tiled => RANGES,
            KernelFamily::Naive => naive::RANGES,
        }
    }

    /// What computes velocity and takes the step.
    pub fn step(self) -> Vec<(Part, Stage)> {
        match self {
            KernelFamily::Held => vec![
                (Part::Velocity, VELOCITY_UPDATE),
                (Part::GradientSums, GRADIENT_SUMS),
                (Part::FromSums, UPDATE_FROM_SUMS),
            ],
            KernelFamily::Tiled => vec![
                (Part::Bits, tiled::PREDICT_BITS),
                (Part::Velocity, tiled::VELOCITY_UPDATE),
                (Part::GradientSums, tiled::GRADIENT_SUMS),
                (Part::FromSums, tiled::UPDATE_FROM_SUMS),
                (Part::Output, tiled::UPDATE_OUTPUT),
            ],
            KernelFamily::Naive => vec![
                (Part::Velocity, naive::VELOCITY),
                (Part::Update, naive::UPDATE),
            ],
        }
    }

    /// What computes a velocity that is read.
    pub fn velocity(self) -> Vec<(Part, Stage)> {
        match self {
            KernelFamily::Held => vec![
                (Part::Velocity, VELOCITY),
                (Part::GradientSums, VELOCITY_GRADIENT_SUMS),
                (Part::FromSums, VELOCITY_FROM_SUMS),
            ],
            KernelFamily::Tiled => vec![
                (Part::Bits, tiled::VELOCITY_BITS),
                (Part::Velocity, tiled::VELOCITY),
                (Part::GradientSums, tiled::VELOCITY_GRADIENT_SUMS),
                (Part::FromSums, tiled::VELOCITY_FROM_SUMS),
                (Part::Output, tiled::VELOCITY_OUTPUT),
            ],
            KernelFamily::Naive => vec![(Part::Velocity, naive::VELOCITY)],
        }
    }
}

pub(super) const PREDICT: Stage = Stage {
    name: "predict",
    file: "kernels/predict.wgsl",
    common: &[Runs, State, Schedule, Sums],
    shard: &[Rows, X, Particles],
};
pub(super) const REDUCE: Stage = Stage {
    name: "reduce",
    file: "kernels/reduce.wgsl",
    common: &[Runs, State, Schedule, Sums],
    shard: &[Rows],
};
pub(super) const RESIDUAL: Stage = Stage {
    name: "residual",
    file: "kernels/residual.wgsl",
    common: &[
        Runs,
        State,
        Schedule,
        Y,
        Sums,
        Residual,
        History,
        Accumulated,
    ],
    shard: &[],
};
/// One after another: see [`KernelFamily::ranges`].
pub(super) const RANGES: [Stage; 4] = [
    Stage {
        name: "range_predictions",
        file: "kernels/residual_range.wgsl",
        common: &[Runs, State, Schedule, Y, Sums, Residual, History],
        shard: &[Rows],
    },
    Stage {
        name: "range_masses",
        file: "kernels/residual_range.wgsl",
        common: &[Runs, State, Schedule, Y, Sums, Residual],
        shard: &[Rows],
    },
    Stage {
        name: "range_residuals",
        file: "kernels/residual_range.wgsl",
        common: &[Runs, State, Schedule, Y, Sums, Residual, Accumulated],
        shard: &[Rows],
    },
    Stage {
        name: "range_step",
        file: "kernels/residual_range.wgsl",
        common: &[Runs, State, Schedule, Sums, History],
        shard: &[Rows],
    },
];
pub(super) const VELOCITY_UPDATE: Stage = Stage {
    name: "velocity_update",
    file: "kernels/velocity_update.wgsl",
    common: &[Runs, State, Residual],
    shard: &[Rows, X, Particles],
};
pub(super) const VELOCITY: Stage = Stage {
    name: "velocity",
    file: "kernels/velocity_update.wgsl",
    common: &[Runs, State, Residual],
    shard: &[Rows, X, Particles, Velocity],
};
/// Partial sums of G of runs that move, and the step from them.
pub(super) const GRADIENT_SUMS: Stage = Stage {
    name: "accumulate_gradient",
    file: "kernels/velocity_update.wgsl",
    common: &[Runs, State, Residual],
    shard: &[Rows, X, Particles, GradientSums],
};
pub(super) const UPDATE_FROM_SUMS: Stage = Stage {
    name: "update_from_sums",
    file: "kernels/velocity_update.wgsl",
    common: &[State],
    shard: &[Rows, Particles, GradientSums],
};
/// Partial sums of G of any run, and the velocity from them.
pub(super) const VELOCITY_GRADIENT_SUMS: Stage = Stage {
    name: "velocity_accumulate_gradient",
    file: "kernels/velocity_update.wgsl",
    common: &[Runs, Residual],
    shard: &[Rows, X, Particles, GradientSums],
};
pub(super) const VELOCITY_FROM_SUMS: Stage = Stage {
    name: "velocity_from_sums",
    file: "kernels/velocity_update.wgsl",
    common: &[State],
    shard: &[Rows, Particles, Velocity, GradientSums],
};
pub(super) const GEOMETRY: Stage = Stage {
    name: "geometry",
    file: "kernels/geometry.wgsl",
    common: &[Runs, Units],
    shard: &[Rows, X, Particles, Start, Alive, Partials],
};

pub(super) mod naive {
    //! One short kernel per stage, written as the equations are: no subgroups, no workgroup memory, no
    //! tiles over d. The first thing to try where results of a new driver are wrong.
    //!
    //! velocity is left in a buffer, update adds it. residual is four kernels, as no thread waits for others.

    use super::{Slot::*, Stage};

    pub(in super::super) const PREDICT: Stage = Stage {
        name: "naive_predict",
        file: "kernels/naive/predict.wgsl",
        common: &[Runs, State, Schedule, Sums],
        shard: &[Rows, X, Particles],
    };
    const RESIDUAL: &str = "kernels/naive/residual.wgsl";
    pub(in super::super) const RANGES: [Stage; 4] = [
        Stage {
            name: "naive_predictions",
            file: RESIDUAL,
            common: &[Runs, State, Schedule, Y, Sums, Residual, History],
            shard: &[Rows],
        },
        Stage {
            name: "naive_masses",
            file: RESIDUAL,
            common: &[Runs, State, Schedule, Y, Sums, Residual],
            shard: &[Rows],
        },
        Stage {
            name: "naive_residuals",
            file: RESIDUAL,
            common: &[Runs, State, Schedule, Y, Sums, Residual, Accumulated],
            shard: &[Rows],
        },
        Stage {
            name: "naive_step",
            file: RESIDUAL,
            common: &[Runs, State, Schedule, Sums, History],
            shard: &[Rows],
        },
    ];
    pub(in super::super) const VELOCITY: Stage = Stage {
        name: "naive_velocity",
        file: "kernels/naive/velocity.wgsl",
        common: &[Runs, State, Residual],
        shard: &[Rows, X, Particles, Velocity],
    };
    pub(in super::super) const UPDATE: Stage = Stage {
        name: "naive_update",
        file: "kernels/naive/update.wgsl",
        common: &[State],
        shard: &[Rows, Particles, Velocity],
    };

    /// Those that do not go over samples range by range.
    pub(in super::super) const STAGES: [Stage; 3] = [PREDICT, VELOCITY, UPDATE];
}

pub(super) mod tiled {
    //! The stages for large d, tiled over d: how they follow one another, and what they leave to each
    //! other.
    //!
    //! predict_tiled leaves activation bits, velocity_update_tiled reads them, steps w and leaves parts
    //! of w·G, update_output sums those and steps a. Where the bits of a batch do not fit, a kernel
    //! makes those of one chunk of particles again before it is updated ([`plan::tiled`]). Where samples
    //! are cut into ranges, velocity_update_tiled is two kernels (plan/gradient_sums.rs).

    use super::{Slot::*, Stage};

    pub(in super::super) const PREDICT: Stage = Stage {
        name: "predict_tiled",
        file: "kernels/predict_tiled.wgsl",
        common: &[Runs, State, Schedule, Sums],
        shard: &[Rows, X, Particles, Bits],
    };
    /// The bits of runs that move.
    pub(in super::super) const PREDICT_BITS: Stage = Stage {
        name: "predict_bits",
        file: "kernels/predict_tiled.wgsl",
        common: &[Runs, State],
        shard: &[Rows, X, Particles, Bits],
    };
    pub(in super::super) const VELOCITY_UPDATE: Stage = Stage {
        name: "velocity_update_tiled",
        file: "kernels/velocity_update_tiled.wgsl",
        common: &[Runs, State, Residual],
        shard: &[Rows, X, Particles, Bits, Parts],
    };
    /// Partial sums of G of runs that move, and the step of w from them.
    pub(in super::super) const GRADIENT_SUMS: Stage = Stage {
        name: "accumulate_gradient_tiled",
        file: "kernels/velocity_update_tiled.wgsl",
        common: &[Runs, State, Residual],
        shard: &[Rows, X, Bits, GradientSums],
    };
    pub(in super::super) const UPDATE_FROM_SUMS: Stage = Stage {
        name: "update_from_sums_tiled",
        file: "kernels/velocity_update_tiled.wgsl",
        common: &[State],
        shard: &[Rows, Particles, Parts, GradientSums],
    };
    pub(in super::super) const UPDATE_OUTPUT: Stage = Stage {
        name: "update_output",
        file: "kernels/update_output.wgsl",
        common: &[State],
        shard: &[Rows, Particles, Parts],
    };
    /// The bits of any run.
    pub(in super::super) const VELOCITY_BITS: Stage = Stage {
        name: "velocity_bits",
        file: "kernels/predict_tiled.wgsl",
        common: &[Runs],
        shard: &[Rows, X, Particles, Bits],
    };
    pub(in super::super) const VELOCITY: Stage = Stage {
        name: "velocity_tiled",
        file: "kernels/velocity_update_tiled.wgsl",
        common: &[Runs, State, Residual],
        shard: &[Rows, X, Particles, Bits, Parts, Velocity],
    };
    /// Partial sums of G of any run, and the velocity of w from them.
    pub(in super::super) const VELOCITY_GRADIENT_SUMS: Stage = Stage {
        name: "velocity_accumulate_gradient_tiled",
        file: "kernels/velocity_update_tiled.wgsl",
        common: &[Runs, Residual],
        shard: &[Rows, X, Bits, GradientSums],
    };
    pub(in super::super) const VELOCITY_FROM_SUMS: Stage = Stage {
        name: "velocity_from_sums_tiled",
        file: "kernels/velocity_update_tiled.wgsl",
        common: &[State],
        shard: &[Rows, Particles, Parts, Velocity, GradientSums],
    };
    pub(in super::super) const VELOCITY_OUTPUT: Stage = Stage {
        name: "velocity_output",
        file: "kernels/update_output.wgsl",
        common: &[State],
        shard: &[Rows, Particles, Parts, Velocity],
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

    use super::{Slot::*, Stage};

    pub(in super::super) const MEASURE_ARCS: Stage = Stage {
        name: "measure_arcs",
        file: "kernels/measure_arcs.wgsl",
        common: &[Runs, Magnitudes],
        shard: &[Rows, Particles],
    };
    pub(in super::super) const PREDICT_ARCS: Stage = Stage {
        name: "predict_arcs",
        file: "kernels/predict_arcs.wgsl",
        common: &[
            Runs, State, Schedule, ArcRuns, Circle, ArcSums, ArcMoments, Magnitudes,
        ],
        shard: &[Rows, Particles, Positions],
    };
    pub(in super::super) const RESIDUAL_ARCS: Stage = Stage {
        name: "residual_arcs",
        file: "kernels/residual.wgsl",
        common: &[
            Runs,
            State,
            Schedule,
            Y,
            Residual,
            History,
            Accumulated,
            ArcRuns,
            Circle,
            ArcSums,
            ArcMoments,
            Magnitudes,
            Gradients,
        ],
        shard: &[],
    };
    /// What velocity reads, for a residual that the host has set.
    pub(in super::super) const GRADIENTS_GIVEN_ARCS: Stage = Stage {
        name: "gradients_given_arcs",
        file: "kernels/gradients_given_arcs.wgsl",
        common: &[Runs, Residual, ArcRuns, Circle, Gradients],
        shard: &[],
    };
    pub(in super::super) const VELOCITY_UPDATE_ARCS: Stage = Stage {
        name: "velocity_update_arcs",
        file: "kernels/velocity_update_arcs.wgsl",
        common: &[Runs, State, ArcRuns, Magnitudes, Gradients],
        shard: &[Rows, Particles, Positions],
    };
    pub(in super::super) const VELOCITY_ARCS: Stage = Stage {
        name: "velocity_arcs",
        file: "kernels/velocity_update_arcs.wgsl",
        common: &[Runs, State, ArcRuns, Gradients],
        shard: &[Rows, Particles, Velocity, Positions],
    };
}
