//! Particles: the neurons of a network as points (a_j, w_j), and their initialisation.

mod file;
pub mod init;

use std::ops::Range;

pub use crate::random;
pub use file::read;

/// A block of particles. f64 holds the state of every engine exactly (f32 widens without
/// rounding), so blocks travel between engines, files and the reference without loss.
/// Whole networks are moved block by block: host memory stays small.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Particles {
    /// Input dimension.
    pub d: usize,
    /// Input weights, row-major (m, d).
    pub w: Vec<f64>,
    /// Output weights (m).
    pub a: Vec<f64>,
}

impl Particles {
    /// m particles at the origin.
    pub fn zeros(m: usize, d: usize) -> Self {
        Particles {
            d,
            w: vec![0.0; m * d],
            a: vec![0.0; m],
        }
    }

    /// Number of particles in the block.
    pub fn m(&self) -> usize {
        self.a.len()
    }

    /// The particles of this range of the block.
    pub fn range(&self, range: Range<usize>) -> Particles {
        Particles {
            d: self.d,
            w: self.w[range.start * self.d..range.end * self.d].to_vec(),
            a: self.a[range].to_vec(),
        }
    }

    /// Appends the particles of another block.
    pub fn append(&mut self, other: Particles) {
        self.w.extend(other.w);
        self.a.extend(other.a);
    }

    /// Input weights of particle j.
    pub fn w(&self, j: usize) -> &[f64] {
        &self.w[j * self.d..(j + 1) * self.d]
    }

    /// a_j² − |w_j|² (m).
    pub fn balance(&self) -> Vec<f64> {
        let square = |j: usize| self.w(j).iter().map(|w| w * w).sum::<f64>();
        let each = self.a.iter().enumerate();
        each.map(|(j, a)| a * a - square(j)).collect()
    }
}
