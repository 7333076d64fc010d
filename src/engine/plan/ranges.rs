//! residual of runs with so many samples that one workgroup would loop too long over them: their samples
//! are cut into ranges, a workgroup each.
//!
//! A range leaves three sums (how many predictions are not finite, the least margin, the mass of
//! softmin's weights); a kernel that needs them adds up those of all ranges, always in the same order.
//! Ranges depend on the run alone.

use super::{RangeRow, Tiling};

/// Sums of a range.
pub const RANGE_SUMS: usize = 3;

/// One in this many turns is left for loops that do not depend on the samples of a range: those over ranges,
/// and over the groups of moments.
const SPARE: usize = 8;

/// Samples that a workgroup of residual takes, at most, where each prediction is a sum of `groups` partial sums.
/// For each of its samples a thread makes a turn in each of four loops over samples; in the first of them it
/// also makes a turn per group, and one that finds the end of the loop over groups.
pub fn most(groups: usize, tiling: &Tiling) -> usize {
    let turns = tiling.turns - tiling.turns / SPARE;
    (turns / (groups + 5))
        .max(1)
        .saturating_mul(tiling.residual)
}

/// The most ranges of a run in kernels whose workgroups have one thread, which adds up the three sums of every
/// range.
pub fn most_of_one_thread(turns: usize) -> usize {
    turns / SPARE / RANGE_SUMS
}

/// The rows of run number `run` with n samples, whose sums begin at word `first`. There are none where one
/// workgroup is enough, unless `always` asks for them.
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
