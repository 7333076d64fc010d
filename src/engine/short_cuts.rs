//! When exact short cuts replace the direct kernels.

/// Whether exact short cuts replace the direct kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShortCuts {
    /// Where they are faster.
    #[default]
    Auto,
    Never,
    /// Wherever they exist.
    Always,
}

/// What the short cut for d = 2 costs an engine per step, in pairs of a particle and a sample as
/// its direct kernels take them.
#[derive(Debug, Clone, Copy)]
pub(super) struct CircleCost {
    pub particle: usize,
    pub sample: usize,
}

impl ShortCuts {
    /// Whether a run takes a short cut that exists for it or not, and pays or not. Its company has no
    /// say, so that its bits do not depend on it.
    pub(super) fn take(self, exists: bool, pays: impl FnOnce() -> bool) -> bool {
        exists
            && match self {
                ShortCuts::Never => false,
                ShortCuts::Always => true,
                ShortCuts::Auto => pays(),
            }
    }

    /// Whether a run of m particles on n samples takes the short cut for d = 2.
    pub(super) fn take_circle(self, d: usize, n: usize, m: usize, cost: CircleCost) -> bool {
        self.take(d == 2, || n * m > cost.particle * m + cost.sample * n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_cut_is_taken_where_pairs_outweigh_its_cost() {
        let cost = CircleCost {
            particle: 100,
            sample: 1000,
        };
        let auto = |d, n, m| ShortCuts::Auto.take_circle(d, n, m, cost);
        assert!(auto(2, 10_000, 1_000_000));
        assert!(!auto(3, 10_000, 1_000_000));
        assert!(!auto(2, 100, 1_000_000) && !auto(2, 10_000, 1000));
        assert!(ShortCuts::Always.take_circle(2, 1, 1, cost));
        assert!(!ShortCuts::Always.take_circle(3, 1, 1, cost));
        assert!(!ShortCuts::Never.take_circle(2, 10_000, 1_000_000, cost));
    }
}
