//! Velocity of runs of so many samples that one workgroup would loop too long over them.
//!
//! The samples are cut into ranges. A workgroup adds up G of its particles over one range and
//! leaves it as a partial sum; when all ranges are done, another adds the partial sums up, in
//! order, and takes the step. A few ranges of the same particles are done side by side, so that a
//! run of few particles still fills the adapter, and the next ones add to their partial sums.
//! Which ranges make up a partial sum depends on the run alone.
//!
//! Particles are updated chunk by chunk, so that partial sums take little memory however many
//! particles there are.

use super::{Part, Pass, Size, UpdateRow};

/// Partial sums of a run are as many as make about so many workgroups …
const WORKGROUPS: usize = 256;
/// … while those of the same particles take at most so many words.
const SIDE_BY_SIDE: usize = 4 << 20;

/// The cut of a run over its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ranges {
    n: usize,
    /// Samples of a range.
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
    /// None where a workgroup takes all samples. `workgroups` are those of the whole run over one
    /// range, `words` the partial sum of one of them.
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
    /// Has the row of a workgroup done range by range; its partial sums take so many words each.
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

    /// Leaves its passes, and is empty again.
    pub fn close(&mut self, passes: &mut Vec<Pass>) {
        let gradient_sums = std::mem::take(self);
        Pass::append(passes, Part::GradientSums, gradient_sums.ranges);
        Pass::append(passes, Part::FromSums, gradient_sums.totals);
    }
}
