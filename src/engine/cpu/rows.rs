//! Training inputs as velocity by patterns reads them.

use bytemuck::Zeroable;

use super::lines::{LINE, Line, SAMPLES};
use crate::data::Dataset;

/// Coordinates that velocity sums in one go, at most: their sums stay in a first-level cache.
pub const PANEL: usize = 48;

/// Smallest d at which patterns are faster: below it their vectors are mostly empty.
const PATTERNS_FROM: usize = 9;

/// Whether velocity adds sums by patterns of activations, which are made of [`Rows`].
pub const fn by_patterns(d: usize) -> bool {
    d >= PATTERNS_FROM
}

/// Inputs sample by sample, in panels of [`PANEL`] coordinates: what is summed in one go lies side
/// by side, however large d is. Rows of a panel are whole lines, and samples fill whole words of
/// activation bits; the rest is zero. By default there are none: not every run reads them.
#[derive(Debug, Default)]
pub struct Rows {
    /// (panels, samples, lines of a row)
    lines: Vec<Line>,
    samples: usize,
}

impl Rows {
    pub fn new(data: &Dataset) -> Self {
        let samples = data.n().next_multiple_of(SAMPLES);
        let mut lines = Vec::new();
        for first in (0..data.d).step_by(PANEL) {
            let width = PANEL.min(data.d - first);
            let per_row = width.div_ceil(LINE);
            let start = lines.len();
            lines.resize(start + samples * per_row, Line::zeroed());
            let rows = lines[start..].chunks_exact_mut(per_row);
            for (i, row) in rows.take(data.n()).enumerate() {
                let row: &mut [f32] = bytemuck::cast_slice_mut(row);
                row[..width].copy_from_slice(&data.row(i)[first..first + width]);
            }
        }
        Rows { lines, samples }
    }

    /// The rows of the panel that starts at a coordinate, up to the end of the last panel.
    pub fn panel(&self, coordinate: usize) -> &[Line] {
        &self.lines[coordinate / LINE * self.samples..]
    }
}
