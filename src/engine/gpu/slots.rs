//! What kernels bind: a slot for every buffer that some kernel reads or writes.

use crate::error::{Error, Result};

macro_rules! slots {
    ($($(#[$doc:meta])* $slot:ident = $name:literal,)*) => {
        /// A buffer by what it holds. Its number is its binding in every stage.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Slot {
            $($(#[$doc])* $slot,)*
        }

        impl Slot {
            pub const ALL: &[Slot] = &[$(Slot::$slot,)*];

            /// What templates call it: `slot.name`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Slot::$slot => $name,)*
                }
            }
        }
    };
}

slots! {
    /// What stays the same of each run, and what changes.
    Runs = "runs",
    State = "state",
    /// Evaluations and η of the steps of a submit.
    Schedule = "schedule",
    X = "x",
    Y = "y",
    /// Partial sums of predictions and moments.
    Sums = "sums",
    /// g
    Residual = "residual",
    History = "history",
    /// Σ η g
    Accumulated = "accumulated",
    /// The table of a kernel.
    Rows = "rows",
    Particles = "particles",
    Velocity = "velocity",
    /// Activation bits.
    Bits = "bits",
    /// Parts of w·G.
    Parts = "parts",
    /// Of geometry: units of a run, a² − |w|² at the start, results of workgroups, who is alive.
    Units = "units",
    Start = "start",
    Partials = "partials",
    /// Of the short cut for d = 2: see arcs/tables.rs.
    ArcRuns = "arc_runs",
    Circle = "circle",
    ArcSums = "arc_sums",
    ArcMoments = "arc_moments",
    Magnitudes = "magnitudes",
    Gradients = "gradients",
    Positions = "positions",
    /// Partial sums of G.
    GradientSums = "gradient_sums",
    Alive = "alive",
}

/// Buffers, each at its slot.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers {
    at: Vec<(Slot, wgpu::Buffer)>,
}

impl Buffers {
    /// Puts a buffer at a slot, in place of what was there.
    pub fn with(mut self, slot: Slot, buffer: &wgpu::Buffer) -> Self {
        self.at.retain(|(other, _)| *other != slot);
        self.at.push((slot, buffer.clone()));
        self
    }

    /// These and others, which go first.
    pub fn and(&self, others: &Buffers) -> Self {
        let all = others.at.iter();
        all.fold(self.clone(), |all, (slot, buffer)| all.with(*slot, buffer))
    }

    /// # Errors
    /// Where nothing is at the slot.
    pub fn get(&self, slot: Slot) -> Result<&wgpu::Buffer> {
        let found = self.at.iter().find(|(other, _)| *other == slot);
        found.map(|(_, buffer)| buffer).ok_or_else(|| {
            Error::engine(
                "gpu",
                format!("a kernel binds `{}`, which nobody gave it", slot.name()),
                "this is a fault of widefield: please report it",
            )
        })
    }
}
