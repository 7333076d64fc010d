//! The units in which the cpu engine stores numbers.

use bytemuck::{Pod, Zeroable};

/// Particles of a block: a multiple of every vector length there is.
pub const LANES: usize = 32;

/// Samples of a group: at most what one pass over a block of particles keeps in registers.
pub const GROUP: usize = 8;

/// Groups whose activation bits share a word: 32 samples.
pub const WORD: usize = 32 / GROUP;

/// Samples of a word of bits.
pub const SAMPLES: usize = WORD * GROUP;

/// A cache line of f32, or of u32 where it holds bits, so that no vector load crosses one.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct Line(pub [f32; LINE]);

/// Numbers of a line.
pub const LINE: usize = 16;
