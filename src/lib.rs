//! widefield: a particle simulator of infinitely wide two-layer ReLU networks.
//!
//! # The model
//!
//! A neuron is a particle (a_j, w_j). The network is f(x) = (α/m) Σ_j a_j σ(w_j·x) with
//! σ(z) = max(z, 0), σ'(0) = 0. Particles descend
//!
//! ```text
//! F = (1/α²) R(f) + (λ/2m) Σ_j (a_j² + |w_j|²)        by   θ̇_j = −m ∇_θj F :
//!
//! predict    f_i = (α/m) Σ_j a_j σ(w_j·x_i)
//! residual   g_i = ∂R/∂f_i                               (it contains the 1/n)
//! velocity   G_j = Σ_i g_i 1[w_j·x_i > 0] x_i
//!            ȧ_j = −(1/α) w_j·G_j − λ a_j,   ẇ_j = −(1/α) a_j G_j − λ w_j
//! update     θ_j += η θ̇_j
//! ```
//!
//! As m grows, this is a Wasserstein gradient flow over measures (Chizat & Bach 2018).
//!
//! # The letters
//!
//! d input dimension with the bias; n samples X (n, d), y (n); m width; w (m, d), a (m) particles;
//! α output scale; R risk, g residual; λ weight decay; η step, t = Σ η mean-field time.
//!
//! # The map
//!
//! [`model`] what is trained: losses, layers, scaling, a run · [`experiment`] a TOML file, validated, with its
//! grid · [`data`] samples · [`particles`] where
//! neurons start, and counter-based random numbers · [`engine`] the four stages, on three engines
//! behind one trait: `reference` (f64, the arbiter), `cpu` (f32, SIMD), `gpu` (f32, WGSL) ·
//! [`flow`] drives any engine · [`observe`] norms, margins, errors · [`certify`] bounds of the
//! optimum · [`store`] the run folder · [`plot`] its figures · [`report`] its page · [`compare`]
//! trained networks of different widths · [`expect`] what a paper claims, judged ·
//! [`reproduction`] the page of all verdicts · [`verify`] an engine against the reference ·
//! [`mod@bench`] an engine against the machine's ceilings · [`cli`] the commands.
//! Imports go downward only: cli → reproduction → report → plot → expect → compare → flow → store → bench →
//! verify → certify → observe → engine → particles → data → experiment → model → random → arrays → memory →
//! digits → error. `arrays` reads .npy and .npz files, `memory` says what fits there, `digits` writes numbers.
//!
//! # Features
//!
//! `cli` the program and [`cli`] · `figures` [`plot`], [`report`], [`reproduction`] · `gpu` the gpu engine. All are
//! on by default; `cli` includes `figures`. Without any, the rest is the library.
//!
//! # An example
//!
//! ```
//! use std::sync::Arc;
//! use widefield::data::Dataset;
//! use widefield::engine::{Batch, Engine, Sample, Steps, reference::Reference};
//! use widefield::model::{Loss, Run, StateFormat};
//! use widefield::particles::Particles;
//!
//! # fn main() -> widefield::Result<()> {
//! let data = Dataset { d: 1, x: vec![1.0], y: vec![2.0] };
//! let batch = Batch {
//!     d: 1,
//!     datasets: vec![Arc::new(data)],
//!     runs: vec![Run::simple(1, Loss::SQUARE)],
//!     state: StateFormat::F32,
//! };
//! let mut engine = Reference::new(batch);
//! engine.write(0, 0, &Particles { d: 1, w: vec![1.0], a: vec![1.0] })?;
//! // g = f − y = −1, so both layers move by +η.
//! assert_eq!(engine.velocity(0)?.a, [1.0]);
//! engine.advance(&Steps { eta: vec![0.5], evaluate: vec![false] })?;
//! assert_eq!(engine.predict(Sample::Train)?[0].f, [2.25]);
//! # Ok(())
//! # }
//! ```

mod arrays;
pub mod bench;
pub mod certify;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compare;
pub mod data;
pub mod digits;
pub mod engine;
pub mod error;
pub mod expect;
pub mod experiment;
pub mod flow;
mod memory;
pub mod model;
pub mod observe;
pub mod particles;
#[cfg(feature = "figures")]
pub mod plot;
pub mod random;
#[cfg(feature = "figures")]
pub mod report;
#[cfg(feature = "figures")]
pub mod reproduction;
pub mod store;
pub mod verify;

pub use error::{Error, Result};

/// Version of the crate, as run folders record it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
