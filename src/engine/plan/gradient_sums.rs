//! Velocity of runs with so many samples that one workgroup would loop too long over them.
//!
//! The samples are cut into ranges. A workgroup adds up G of its particles over one range and
//! leaves it as a partial sum; when all ranges are done, another adds the partial sums up, in
//! order, and takes the step. A few ranges of the same particles are done side by side, so that a
//! run of few particles still fills the adapter; the ranges after them add to the same partial sums.
//! Which ranges make up a partial sum depends on the run alone.
//!
//! Particles are updated chunk by chunk, so that partial sums take little memory however many
//! particles there are.

use super::{Part, Pass, Size, UpdateRow};

/// Workgroups of a run that work side by side, about: few particles have more partial sums each.
const WORKGROUPS: usize = 256;
/// The partial sums of the same particles take at most this many words.
const SIDE_BY_SIDE: usize = 4 << 20;

/// The cut of a run over its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ranges {
    n: usize,
    /// Samples of a range, at most.
    most: usize,
    /// Partial sums of the same particles.
    sums: usize,
}

/// Workgroups that make and use the partial sums of the same particles.
#[derive(Debug, Default)]
pub(super) struct GradientSums {
    pub ranges: Vec<UpdateRow>,
    pub totals: Vec<UpdateRow>,
    /// Words of their partial sums.
    pub words: usize,
}

impl Ranges {
    /// None where one range of at most `most` samples is enough. `workgroups` is their number for all particles
    /// of the run and one range, `words` the length of the partial sum of one of them.
    pub fn new(size: Size, most: usize, workgroups: usize, words: usize) -> Option<Self> {
        let ranges = size.n.div_ceil(most);
        (ranges > 1).then(|| Ranges {
            n: size.n,
            most,
            sums: (WORKGROUPS / workgroups)
                .min(SIDE_BY_SIDE / words)
                .clamp(1, ranges),
        })
    }

    /// Partial sums of the same particles.
    pub fn sums(&self) -> usize {
        self.sums
    }
}

impl GradientSums {
    /// Adds rows that do the work of `row` range by range; each of its partial sums takes `words` words.
    pub fn cut(&mut self, row: UpdateRow, ranges: &Ranges, words: usize) {
        let first = self.words;
        let starts = (0..ranges.n).step_by(ranges.most);
        self.ranges
            .extend(starts.enumerate().map(|(range, start)| UpdateRow {
                sample: start as u32,
                samples: ranges.most.min(ranges.n - start) as u32,
                gradient_sum: (first + range % ranges.sums * words) as u32,
                adds: (range / ranges.sums) as u32,
                ..row
            }));
        self.totals.push(UpdateRow {
            sample: 0,
            samples: 0,
            gradient_sums: ranges.sums as u32,
            gradient_sum: first as u32,
            ..row
        });
        self.words += ranges.sums * words;
    }

    /// Appends the passes of its rows, and is empty again.
    pub fn close(&mut self, passes: &mut Vec<Pass>) {
        let gradient_sums = std::mem::take(self);
        Pass::append(passes, Part::GradientSums, gradient_sums.ranges);
        Pass::append(passes, Part::FromSums, gradient_sums.totals);
    }
}
