//! Rows of the tables of work.
//!
//! Rows that add to what others of their table have left are done after those ([`Row::adds`]).

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
/// | sample, samples | samples of the run | 0, sums to make | samples of the run |
/// | out | where its sums go | where its sums go | 0 |
/// | slices | threads that share a sample | 0 | 0 |
/// | moments | where the moments go | – | – |
///
/// The kernels for runs whose samples are cut (gradient_sums.rs, ranges.rs):
///
/// | field | gradient_sums | update_from_sums | residual's |
/// |---|---|---|---|
/// | run | its run | its run | its run |
/// | first, count | as velocity_update | the same | where the sums of all ranges lie, ranges |
/// | sample, samples | samples of the run | 0, 0 | samples of the run |
/// | out | – | – | where its own sums lie |
/// | slices | 0 | partial sums of G | 0 |
/// | gradient_sum | where its partial sum of G goes | the first of them | 0 |
///
/// The kernels tiled over d:
///
/// | field | predict_tiled | velocity_update_tiled | update_output |
/// |---|---|---|---|
/// | run, first, count | run, first particle in the shard, particles | the same | the same |
/// | sample, samples | samples of the run | samples of the run | 0, 0 |
/// | coordinate | 0 | its first one | 0 |
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
    pub coordinate: u32,
    pub out: u32,
    pub slices: u32,
    pub moments: u32,
    pub bits: u32,
    pub gradient_sum: u32,
    /// 0, or how many rows before it have left sums in the places where it adds its own.
    pub adds: u32,
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
            coordinate: 0,
            out: 0,
            slices: 0,
            moments: NONE,
            bits: NONE,
            gradient_sum: 0,
            adds: 0,
        }
    }

    /// This row for at most so many of its particles at a time, one after another.
    pub(super) fn parts(self, most: usize) -> impl Iterator<Item = Row> {
        let count = self.count as usize;
        let one = move |(adds, start): (usize, usize)| Row {
            first: self.first + start as u32,
            count: most.min(count - start) as u32,
            adds: adds as u32,
            ..self
        };
        (0..count).step_by(most).enumerate().map(one)
    }
}

/// The kernels that velocity and update are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Activation bits that predict did not keep.
    Bits,
    /// velocity, and update of what it can.
    Velocity,
    /// Partial sums of G over some of the samples.
    GradientSums,
    /// The same as Velocity, from partial sums.
    FromSums,
    /// update of the output weights.
    Output,
    /// update by a velocity that was left in a buffer.
    Update,
}

/// A table of one kernel; passes are done one after another, and the rows of a pass in the order of
/// [`Row::adds`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    pub part: Part,
    pub rows: Vec<Row>,
}

impl Pass {
    /// Appends a pass, if it has rows.
    pub(super) fn append(passes: &mut Vec<Pass>, part: Part, rows: Vec<Row>) {
        if !rows.is_empty() {
            passes.push(Pass { part, rows });
        }
    }
}
