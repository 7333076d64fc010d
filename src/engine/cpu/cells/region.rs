//! Boxes around directions, and bounds of z over them.

use crate::engine::cpu::layout::GROUP;

/// Binary logarithm of the number of nodes that a node of the next level holds.
const ARITY_LOG: usize = 3;

/// The highest level; blocks are level 0.
pub const TOP: usize = 3;

/// Nodes of a chunk.
pub const NODES: usize = first(TOP + 1);

/// Blocks of a node of a level.
pub const fn span(level: usize) -> usize {
    1 << (ARITY_LOG * level)
}

/// Number of the first node of a level in its chunk.
const fn first(level: usize) -> usize {
    let (mut nodes, mut below) = (0, 0);
    while below < level {
        nodes += span(TOP - below);
        below += 1;
    }
    nodes
}

/// Number of the node of a level that holds this block of a chunk.
pub const fn node(level: usize, block: usize) -> usize {
    first(level) + block / span(level)
}

/// Whether a node of this level starts at this block.
pub const fn starts(level: usize, block: usize) -> bool {
    block.is_multiple_of(span(level))
}

/// Whether a node of this level ends with this block, in a chunk of `blocks`.
pub const fn ends(level: usize, block: usize, blocks: usize) -> bool {
    starts(level, block + 1) || block + 1 == blocks
}

/// Margin by which a box is enlarged, relative to a largest coordinate of 1: far more than the rounding
/// errors of directions and z.
const MARGIN: f32 = 1.0 / 262_144.0;

/// A box around w/|w|_∞ of some particles: its centre and half its widths.
#[derive(Debug, Clone, Copy)]
pub struct Region<const D: usize> {
    pub centre: [f32; D],
    pub half: [f32; D],
}

impl<const D: usize> Region<D> {
    #[inline(always)]
    pub fn load(regions: &[f32], node: usize) -> Self {
        let start = node * 2 * D;
        let at = &regions[start..start + 2 * D];
        let mut region = Region {
            centre: [0.0; D],
            half: [0.0; D],
        };
        region.centre.copy_from_slice(&at[..D]);
        region.half.copy_from_slice(&at[D..]);
        region
    }

    #[inline(always)]
    pub fn store(&self, regions: &mut [f32], node: usize) {
        let start = node * 2 * D;
        let at = &mut regions[start..start + 2 * D];
        at[..D].copy_from_slice(&self.centre);
        at[D..].copy_from_slice(&self.half);
    }

    /// The box around the regions of the nodes below a node that ends with this block.
    #[inline(always)]
    pub fn gather(regions: &[f32], level: usize, block: usize) -> Self {
        let below = node(level - 1, block - block % span(level))..node(level - 1, block) + 1;
        let (mut low, mut high) = ([f32::INFINITY; D], [f32::NEG_INFINITY; D]);
        for node in below {
            let region = Self::load(regions, node);
            for k in 0..D {
                low[k] = low[k].min(region.centre[k] - region.half[k]);
                high[k] = high[k].max(region.centre[k] + region.half[k]);
            }
        }
        Region::between(&low, &high)
    }

    /// The box around all directions between `low` and `high`; the origin alone where low > high, as there are
    /// none.
    #[inline(always)]
    pub fn between(low: &[f32; D], high: &[f32; D]) -> Self {
        let mut region = Region {
            centre: [0.0; D],
            half: [0.0; D],
        };
        for k in 0..D {
            if low[k] <= high[k] {
                region.centre[k] = 0.5 * (low[k] + high[k]);
                region.half[k] = 0.5 * (high[k] - low[k]) + MARGIN;
            }
        }
        region
    }

    /// Bounds of z/|w|_∞ over the region, from below and above, for each of a group of samples.
    #[inline(always)]
    pub fn reach(&self, x: &[[f32; GROUP]; D]) -> ([f32; GROUP], [f32; GROUP]) {
        let (mut z, mut reach) = ([0.0_f32; GROUP], [0.0_f32; GROUP]);
        for (k, x) in x.iter().enumerate() {
            for s in 0..GROUP {
                z[s] += self.centre[k] * x[s];
                reach[s] += self.half[k] * x[s].abs();
            }
        }
        let (mut low, mut high) = ([0.0_f32; GROUP], [0.0_f32; GROUP]);
        for s in 0..GROUP {
            low[s] = z[s] - reach[s];
            high[s] = z[s] + reach[s];
        }
        (low, high)
    }
}
