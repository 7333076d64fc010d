//! Rows of the tables of work.

/// [`Row::moments`] of a workgroup that leaves the moments to another one, and [`Row::bits`] of
/// one that keeps none.
pub const NONE: u32 = u32::MAX;

/// The work of one workgroup.
///
/// | field | predict | reduce | velocity_update |
/// |---|---|---|---|
/// | run | its run | its run | its run |
/// | first | first particle in the shard | first sum to read | first particle in the shard |
/// | count | particles | tiles to add | particles |
/// | sample, samples | samples of the run | 0, sums to make | 0, 0 |
/// | out | where its sums go | where its sums go | 0 |
/// | slices | threads that share a sample | 0 | 0 |
/// | moments | where the moments go | – | – |
/// | bits | – | – | – |
///
/// The kernels tiled over d:
///
/// | field | predict_tiled | velocity_update_tiled | update_output |
/// |---|---|---|---|
/// | run, first, count | run, first particle in the shard, particles | the same | the same |
/// | sample, samples | samples of the run | coordinates | 0, 0 |
/// | out | where its sums go | where its part of w·G goes | the first part |
/// | slices | 0 | 0 | 0 |
/// | moments | where they go: then it makes nothing else | – | – |
/// | bits | of its first particle on sample 0, or [`NONE`] | the same | – |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub run: u32,
    pub first: u32,
    pub count: u32,
    pub sample: u32,
    pub samples: u32,
    pub out: u32,
    pub slices: u32,
    pub moments: u32,
    pub bits: u32,
}

impl Row {
    /// A row that does nothing yet.
    pub(in crate::engine) fn of(run: usize, first: usize, count: usize) -> Self {
        Row {
            run: run as u32,
            first: first as u32,
            count: count as u32,
            sample: 0,
            samples: 0,
            out: 0,
            slices: 0,
            moments: NONE,
            bits: NONE,
        }
    }
}

/// The kernels that velocity and update are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Activation bits that predict did not keep.
    Bits,
    /// velocity, and update of what it can.
    Velocity,
    /// update of the output weights.
    Output,
}

/// A table of one kernel; passes are done one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    pub part: Part,
    pub rows: Vec<Row>,
}
