//! Rows of the tables of work: a type per table, a row per workgroup. Kernels read them as they are
//! (shaders/lib/rows.wgsl).

use bytemuck::{Pod, Zeroable};

/// In place of a word: [`PredictRow::moments`] of a workgroup that leaves the moments to another one, and
/// [`PredictRow::bits`] of one that keeps none.
pub const NONE: u32 = u32::MAX;

/// What all rows have.
pub trait Row: Copy {
    fn run(&self) -> usize;

    /// How many rows before it leave sums in the same place: it is done after those, and adds to their sums.
    fn adds(&self) -> u32 {
        0
    }

    /// The first sample of its run, where its kernel reads X.
    fn sample(&self) -> u32 {
        0
    }

    /// Sets where its samples begin in the part of X that is bound, where its kernel reads X.
    fn place(&mut self, _x: u32) {}
}

/// Particles side by side in one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub run: u32,
    /// The first in the shard, and their number.
    pub first: u32,
    pub count: u32,
    /// Index of the first in its network.
    pub particle: u32,
}

impl Span {
    /// The span in parts of at most `most` particles, in order.
    pub fn parts(self, most: usize) -> impl Iterator<Item = Span> {
        let count = self.count as usize;
        (0..count).step_by(most).map(move |start| Span {
            first: self.first + start as u32,
            count: most.min(count - start) as u32,
            particle: self.particle + start as u32,
            ..self
        })
    }
}

/// predict: sums over particles for some samples, and their moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct PredictRow {
    pub run: u32,
    /// First particle in the shard, and their number.
    pub first: u32,
    pub count: u32,
    /// First sample of the run, their number, and where they begin in the part of X that is bound.
    pub sample: u32,
    pub samples: u32,
    pub x: u32,
    /// Where the sums go, one per sample.
    pub out: u32,
    /// Where the moments go, or [`NONE`]; in predict_tiled a row with moments makes nothing else.
    pub moments: u32,
    /// predict: threads that share a sample.
    pub slices: u32,
    /// predict_tiled: where the activation bits of its first particle on sample 0 go, or [`NONE`].
    pub bits: u32,
    pub adds: u32,
}

impl PredictRow {
    /// Of particles on no samples yet; leaves no moments and no bits.
    pub(super) fn of(span: Span) -> Self {
        PredictRow {
            run: span.run,
            first: span.first,
            count: span.count,
            moments: NONE,
            bits: NONE,
            ..Self::zeroed()
        }
    }
}

/// reduce: adds up the sums of consecutive tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ReduceRow {
    pub run: u32,
    /// The first sum of the first tile.
    pub first: u32,
    pub tiles: u32,
    /// Sums to make, side by side.
    pub columns: u32,
    /// Where they go.
    pub out: u32,
    pub adds: u32,
}

/// residual of one range of the samples of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct RangeRow {
    pub run: u32,
    /// First sample of the run, and their number.
    pub sample: u32,
    pub samples: u32,
    /// Where the sums of the first range of the run lie, and how many ranges there are.
    pub first: u32,
    pub ranges: u32,
    /// Where its own sums lie.
    pub out: u32,
}

/// velocity and update of some particles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct UpdateRow {
    pub run: u32,
    /// First particle in the shard, and their number.
    pub first: u32,
    pub count: u32,
    /// Index of the first particle in its network, whoever else holds parts of it.
    pub particle: u32,
    /// First sample of the run, their number, and where they begin in the part of X that is bound.
    pub sample: u32,
    pub samples: u32,
    pub x: u32,
    /// Partial sums of G, where samples are cut into ranges: the first word, and how many of them the row adds
    /// up.
    pub gradient_sum: u32,
    pub gradient_sums: u32,
    /// Tiled over d: the first coordinate, the activation bits of the first particle on sample 0, and where
    /// its part of w·G goes; for the output weights, the first part.
    pub coordinate: u32,
    pub bits: u32,
    pub part: u32,
    pub adds: u32,
}

impl UpdateRow {
    /// Of particles on no samples yet.
    pub(super) fn of(span: Span) -> Self {
        UpdateRow {
            run: span.run,
            first: span.first,
            count: span.count,
            particle: span.particle,
            bits: NONE,
            ..Self::zeroed()
        }
    }
}

impl Row for PredictRow {
    fn run(&self) -> usize {
        self.run as usize
    }
    fn adds(&self) -> u32 {
        self.adds
    }
    fn sample(&self) -> u32 {
        self.sample
    }
    fn place(&mut self, x: u32) {
        self.x = x;
    }
}

impl Row for ReduceRow {
    fn run(&self) -> usize {
        self.run as usize
    }
    fn adds(&self) -> u32 {
        self.adds
    }
}

impl Row for RangeRow {
    fn run(&self) -> usize {
        self.run as usize
    }
}

impl Row for UpdateRow {
    fn run(&self) -> usize {
        self.run as usize
    }
    fn adds(&self) -> u32 {
        self.adds
    }
    fn sample(&self) -> u32 {
        self.sample
    }
    fn place(&mut self, x: u32) {
        self.x = x;
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

/// A table of work of one kernel. Passes are done one after another, and the rows of a pass in the order of
/// [`Row::adds`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pass {
    /// [`Part::Bits`].
    Bits(Vec<PredictRow>),
    /// Any other part.
    Update(Part, Vec<UpdateRow>),
}

impl Pass {
    pub fn part(&self) -> Part {
        match self {
            Pass::Bits(_) => Part::Bits,
            Pass::Update(part, _) => *part,
        }
    }

    /// Appends a pass, if it has rows.
    pub(super) fn append(passes: &mut Vec<Pass>, part: Part, rows: Vec<UpdateRow>) {
        if !rows.is_empty() {
            passes.push(Pass::Update(part, rows));
        }
    }
}
