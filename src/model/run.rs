//! One run of a network.

use std::ops::Range;

use super::{Activation, Loss, Train};

/// One run: f(x) = (α/m) Σ_j a_j σ(w_j·x) trained on
/// F = (1/α²) R(f) + (λ/2m) Σ_j (a_j² + |w_j|²).
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Width m.
    pub m: usize,
    /// The range of particles that one engine holds, if several share a run; otherwise all.
    pub part: Option<Range<usize>>,
    /// Index of the training set among those of the batch.
    pub train_set: usize,
    /// Index of the test set, if there is one.
    pub test_set: Option<usize>,
    pub loss: Loss,
    pub activation: Activation,
    /// Which layers are trained.
    pub train: Train,
    /// Output scale α.
    pub alpha: f64,
    /// Weight decay λ.
    pub lambda: f64,
    /// Multiply each step by max(1, √((1/m) Σ a²)).
    pub norm_scaled: bool,
    /// k: the targets depend on the first k ≤ d coordinates only.
    pub informative: Option<usize>,
}

impl Run {
    /// A run of both layers with α = 1, λ = 0 on data set 0 without a test set.
    pub fn simple(m: usize, loss: Loss) -> Run {
        Run {
            m,
            part: None,
            train_set: 0,
            test_set: None,
            loss,
            activation: Activation::Relu,
            train: Train::Both,
            alpha: 1.0,
            lambda: 0.0,
            norm_scaled: false,
            informative: None,
        }
    }

    /// The range of particles held by this engine.
    pub fn held(&self) -> Range<usize> {
        self.part.clone().unwrap_or(0..self.m)
    }

    /// Number of particles held by this engine.
    pub fn held_count(&self) -> usize {
        self.held().len()
    }

    /// Exponents of the powers of two of stored a and w, for this exponent of the trained layers.
    pub fn layer_exponents(&self, exponent: i32) -> (i32, i32) {
        match self.train {
            Train::Both => (exponent, exponent),
            Train::Output => (exponent, 0),
            Train::Input => (0, exponent),
        }
    }

    /// Exponent of the power of two of stored predictions, for this exponent of the trained layers.
    pub fn prediction_exponent(&self, exponent: i32) -> i32 {
        let (on_a, on_w) = self.layer_exponents(exponent);
        on_a + self.activation.degree() * on_w
    }
}
