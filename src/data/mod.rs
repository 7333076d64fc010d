//! Data sets: inputs X (n, d) and targets y (n), from generators or files.

/// Training or test samples of one run. Values are f32 on every engine, so that all engines see
/// the same numbers; the f64 reference widens them exactly.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Input dimension, the bias coordinate included.
    pub d: usize,
    /// Inputs, row-major (n, d).
    pub x: Vec<f32>,
    /// Targets (n); ±1 for classification.
    pub y: Vec<f32>,
}

impl Dataset {
    /// Number of samples.
    pub fn n(&self) -> usize {
        self.y.len()
    }

    /// Input i, of length d.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.x[i * self.d..(i + 1) * self.d]
    }
}
