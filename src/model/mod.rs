//! What is trained: f(x) = (α/m) Σ_j a_j σ(w_j·x), by descent on
//! F = (1/α²) R(f) + (λ/2m) Σ_j (a_j² + |w_j|²).

mod activation;
mod format;
pub mod loss;
mod network;
mod run;
mod scale;

pub use activation::Activation;
pub use format::StateFormat;
pub use loss::Loss;
pub use network::{Scaling, Train};
pub use run::Run;
pub use scale::ldexp;
