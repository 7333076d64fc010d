//! The loop of column generation, and when it ends.

use super::local_ascent::Probes;
use super::{Bounds, SolverOptions, Sphere};
use crate::error::Result;

/// Rounds without a smaller gap after which a solve ends: the finite solver's accuracy is exhausted then.
const PATIENCE: usize = 30;
/// Final searches, at most, that may refute a result.
const FINAL_SEARCHES: u64 = 10;

/// The heaviest atoms of a first measure that enter the first finite problem, at most.
pub const FIRST_ATOMS: usize = 1000;

/// Random directions of a round's search.
const PROBES: usize = 500;

/// The search before the first round.
pub const FIRST_PROBES: Probes = Probes {
    given: &[],
    random: PROBES,
    seed: 0,
};

/// A problem solved by adding directions.
pub trait ColumnGeneration {
    fn sphere(&self) -> &Sphere;
    fn bounds(&self) -> Bounds;
    /// Whether the optimum is 0 up to rounding; then the relative gap is meaningless.
    fn is_zero(&self) -> bool;
    /// Solves the finite problem and adds the directions that violate its dual; whether there were any.
    fn round(&mut self, probes: Probes) -> Result<bool>;
    /// Searches the sphere again with many probes for the best dual point, and adds the violating directions.
    fn search_thoroughly(&mut self, probes: Probes) -> Result<()>;

    /// Runs rounds until the gap is below the tolerance, no direction violates, or the effort is
    /// spent; the number of rounds. Where the maximum is not exact, rounds search with few probes, and a final
    /// search with all of them must confirm the result; if it does not, rounds go on with twice as many.
    fn run(&mut self, options: &SolverOptions) -> Result<usize> {
        if self.sphere().is_exact() {
            return self.rounds(options, PROBES, 0);
        }
        let (mut rounds, mut random) = (0, PROBES);
        for search in 0..FINAL_SEARCHES {
            rounds += self.rounds(options, random.min(options.probes), rounds)?;
            let claimed = self.bounds().gap();
            self.search_thoroughly(Probes {
                given: &[],
                random: options.probes,
                // Apart from the seeds of the rounds.
                seed: u64::MAX - search,
            })?;
            let is_confirmed = self.bounds().gap() <= claimed * (1.0 + 1e-9);
            let done = self.bounds().relative_gap() <= options.tolerance || self.is_zero();
            if is_confirmed || done || rounds >= options.rounds {
                break;
            }
            random *= 2;
        }
        Ok(rounds)
    }

    /// Rounds with `random` new random directions each; their number.
    fn rounds(&mut self, options: &SolverOptions, random: usize, before: usize) -> Result<usize> {
        let (mut rounds, mut stalled, mut smallest) = (0, 0, f64::INFINITY);
        let mut violated = true;
        while violated && stalled <= PATIENCE && before + rounds < options.rounds {
            if self.bounds().relative_gap() <= options.tolerance || self.is_zero() {
                break;
            }
            rounds += 1;
            violated = self.round(Probes {
                given: &[],
                random,
                seed: (before + rounds) as u64,
            })?;
            let bounds = self.bounds();
            let gap = bounds.gap();
            tracing::debug!(
                "round {}: {:.9e} … {:.9e}",
                before + rounds,
                bounds.lower,
                bounds.upper
            );
            stalled = if gap < smallest { 0 } else { stalled + 1 };
            smallest = smallest.min(gap);
        }
        Ok(rounds)
    }
}
