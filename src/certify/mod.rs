//! Certificates of optimality: how far a network is from the infinite-width optimum.
//!
//! Over signed measures ν on the unit sphere, a network is f(x) = ∫ σ(θ·x) dν(θ), and both ends of
//! training are convex problems:
//!
//! ```text
//! margin      γ1 = max over |ν| ≤ 1 of min_i y_i f(x_i)
//!                = min over p in the simplex of max_θ |Σ_i p_i y_i σ(θ·x_i)|
//! penalised   min over ν of R(f) + λ|ν|
//!                = max over q of −R*(q) subject to |Σ_i q_i σ(θ·x_i)| ≤ λ for every θ
//! ```
//!
//! [`margin`] and [`penalised`] solve them by column generation: the finite problem over some
//! atoms θ_k, then the directions that violate its dual most are added. Whatever the finite solver
//! does, no bound rests on it: a lower and an upper bound are computed from the measure and the
//! dual weights themselves, and the dual side needs one thing only, the maximum of |V| over the
//! sphere ([`Sphere`]: exact for d ≤ 3, searched beyond). [`kernel`] does the same for γ2, the
//! margin in the kernel space of output-only training.
//!
//! Sources: Chizat & Bach 2020 (the two margins); Bach 2017, Breaking the curse of dimensionality
//! with convex neural networks (column generation over neurons).

mod arrangement;
mod climb;
mod conflict;
mod conic;
mod engine_climb;
mod game;
mod ground;
mod inputs;
pub mod kernel;
pub mod margin;
mod measure;
mod missing;
pub mod penalised;
mod pool;
mod progress;
mod ridge;
#[cfg(test)]
mod scales;
mod sphere;
pub mod standing;
#[cfg(test)]
mod tests;
mod twofold;
pub mod words;

pub use climb::{Climb, CpuClimb, Peak, Probes};
pub use conflict::Conflict;
pub use engine_climb::EngineClimb;
pub use ground::{Ground, Grounds, Optimum};
pub use inputs::Inputs;
pub use measure::Measure;
pub use sphere::{Maximum, Proof, Sphere};

/// A lower and an upper bound of an optimal value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub lower: f64,
    pub upper: f64,
}

impl Bounds {
    /// upper − lower, which rounding may make a little negative; then 0.
    pub fn gap(&self) -> f64 {
        (self.upper - self.lower).max(0.0)
    }

    /// The gap as a share of the upper bound; 0 where there is no gap.
    pub fn relative_gap(&self) -> f64 {
        match self.gap() {
            0.0 => 0.0,
            gap => gap / self.upper.abs(),
        }
    }
}

/// What a solve ends with: bounds of the optimum, the points that prove them, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    pub bounds: Bounds,
    /// Whether the dual side holds for every direction, or for those searched.
    pub proof: Proof,
    /// The direction θ (d) that the dual point leaves largest.
    pub worst_direction: Vec<f64>,
    /// The measure found: a small network with the value of the primal bound.
    pub measure: Measure,
    /// The dual point (n): p for a margin, q for a penalised risk.
    pub dual: Vec<f64>,
    /// Finite problems solved.
    pub rounds: usize,
}

/// How hard a solve tries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effort {
    /// Relative gap at which to stop.
    pub tolerance: f64,
    /// Finite problems at most.
    pub rounds: usize,
    /// Random directions of the search that ends a solve where d > 3; the rounds before it take
    /// fewer.
    pub probes: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Effort {
            tolerance: 1e-6,
            rounds: 300,
            probes: 10_000,
        }
    }
}
