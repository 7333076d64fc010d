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
//! atoms θ_k, then the directions that violate its dual most are added. No bound relies on the finite
//! solver: both are computed from the measure and the dual weights themselves, and the dual bound needs
//! only the maximum of |V| over the sphere ([`Sphere`]: exact for d ≤ 3, searched beyond, where [`prove_maximum`] proves a
//! bound of it on request). [`kernel`] does the same for γ2, the margin in the kernel space of output-only training.
//!
//! Sources: Chizat & Bach 2020 (the two margins); Bach 2017, Breaking the curse of dimensionality
//! with convex neural networks (column generation over neurons).

mod active_atoms;
mod arrangement;
mod branch_and_bound;
mod column_generation;
mod conflict;
mod conic;
pub mod description;
mod double_double;
mod engine_ascent;
mod finite_game;
mod finite_lasso;
mod input_matrix;
pub mod kernel;
mod kink_ascent;
mod local_ascent;
pub mod margin;
mod marked;
mod matrix_game;
mod measure;
mod missing_direction;
pub mod penalised;
mod proof;
pub mod run_certificate;
#[cfg(test)]
mod scale_tests;
mod solver_cache;
mod sphere;
#[cfg(test)]
mod tests;

pub use branch_and_bound::{ProofLimits, ProvedMaximum, prove_maximum};
pub use conflict::Conflict;
pub use engine_ascent::EngineAscent;
pub use input_matrix::InputMatrix;
pub use local_ascent::{CpuAscent, LocalAscent, LocalMaximum, Probes};
pub use measure::Measure;
pub use proof::ProofOptions;
pub use solver_cache::{Optimum, SolverCache, SolverCaches, StartingPoint};
pub use sphere::{Maximum, PartialProof, Proof, Sphere};

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

/// The result of a solve: bounds of the optimum, and the primal and dual points that prove them.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    pub bounds: Bounds,
    /// Whether the dual side holds for every direction, or for those searched.
    pub proof: Proof,
    /// The direction θ (d) with the largest |V| of the dual point.
    pub worst_direction: Vec<f64>,
    /// The measure whose network has the value of the primal bound.
    pub measure: Measure,
    /// The dual point (n): p for a margin, q for a penalised risk.
    pub dual: Vec<f64>,
    /// Finite problems solved.
    pub rounds: usize,
}

/// Options of a solve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SolverOptions {
    /// Relative gap at which to stop.
    pub tolerance: f64,
    /// Finite problems at most.
    pub rounds: usize,
    /// Random directions of the final search where d > 3; rounds before it take fewer.
    pub probes: usize,
    /// Whether to prove the bound of the dual point at the end where d > 3.
    pub proof: Option<ProofOptions>,
}

impl Default for SolverOptions {
    fn default() -> Self {
        SolverOptions {
            tolerance: 1e-6,
            rounds: 300,
            probes: 10_000,
            proof: None,
        }
    }
}
