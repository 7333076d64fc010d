//! Runs of so many samples that one workgroup would loop too long over them in residual: their
//! samples are cut into ranges, a workgroup each.
//!
//! A range leaves three sums (how many predictions are not finite, the least margin, the mass of
//! softmin's weights); who needs them adds those of all ranges up, in one order. Ranges depend on
//! the run alone.

use super::{RangeRow, Tiling};

/// Sums of a range.
pub const RANGE_SUMS: usize = 3;

/// This part of the turns is for those that do not grow with the samples of a range: over ranges, and
/// over the groups of moments.
const SPARE: usize = 8;

/// Samples that a workgroup of residual takes, where each is a sum of `groups` partial sums: every
/// one of its threads makes three turns for a sample beside those over groups, and one that leaves
/// the loop over them.
pub fn most(groups: usize, tiling: &Tiling) -> usize {
    let turns = tiling.turns - tiling.turns / SPARE;
    (turns / (groups + 5))
        .max(1)
        .saturating_mul(tiling.residual)
}

/// The most ranges of a run whose sums a thread adds up, each of three sums, where workgroups have one.
pub fn most_of_one_thread(turns: usize) -> usize {
    turns / SPARE / RANGE_SUMS
}

/// The rows of a run of n samples whose sums begin at a word; none where one workgroup is enough, unless
/// `always` there are.
pub(super) fn rows(run: usize, n: usize, most: usize, first: usize, always: bool) -> Vec<RangeRow> {
    if n <= most && !always {
        return Vec::new();
    }
    let count = n.div_ceil(most).max(1);
    let one = |range: usize| {
        let sample = range * most;
        RangeRow {
            run: run as u32,
            sample: sample as u32,
            samples: most.min(n - sample) as u32,
            first: first as u32,
            ranges: count as u32,
            out: (first + range * RANGE_SUMS) as u32,
        }
    };
    (0..count).map(one).collect()
}
