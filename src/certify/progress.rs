//! When a solve by column generation ends.

use super::climb::Probes;
use super::{Bounds, Effort, Sphere};
use crate::error::Result;

/// Rounds without a smaller gap after which a solve counts as stuck: the finite solver's accuracy
/// is then used up.
const PATIENCE: usize = 30;
/// The whole searches that a result may fail to stand.
const WHOLE_SEARCHES: u64 = 10;

/// Atoms of a first measure that the first finite problem takes, the heaviest.
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
    /// Whether the optimum is 0 up to rounding: then no gap matters.
    fn is_nothing(&self) -> bool;
    /// Solves the finite problem and adds the directions that violate its dual; whether there
    /// were any.
    fn round(&mut self, probes: Probes) -> Result<bool>;
    /// Searches the sphere again for the best dual point, and adds what violates.
    fn search_again(&mut self, probes: Probes) -> Result<()>;

    /// Runs rounds until the gap is below the tolerance, no direction violates, or the effort is
    /// spent; the number of rounds. Where the maximum is not exact, rounds search little, and what
    /// they end with has to stand the whole search; while it doesn't, they go on, and search more.
    fn run(&mut self, effort: &Effort) -> Result<usize> {
        if self.sphere().is_exact() {
            return self.rounds(effort, PROBES, 0);
        }
        let (mut rounds, mut random) = (0, PROBES);
        for whole in 0..WHOLE_SEARCHES {
            rounds += self.rounds(effort, random.min(effort.probes), rounds)?;
            let claimed = self.bounds().gap();
            self.search_again(Probes {
                given: &[],
                random: effort.probes,
                // Apart from the seeds of the rounds.
                seed: u64::MAX - whole,
            })?;
            let stands = self.bounds().gap() <= claimed * (1.0 + 1e-9);
            let done = self.bounds().relative_gap() <= effort.tolerance || self.is_nothing();
            if stands || done || rounds >= effort.rounds {
                break;
            }
            random *= 2;
        }
        Ok(rounds)
    }

    /// Rounds with few random directions each, other ones in each; their number.
    fn rounds(&mut self, effort: &Effort, random: usize, before: usize) -> Result<usize> {
        let (mut rounds, mut idle, mut smallest) = (0, 0, f64::INFINITY);
        let mut violated = true;
        while violated && idle <= PATIENCE && before + rounds < effort.rounds {
            if self.bounds().relative_gap() <= effort.tolerance || self.is_nothing() {
                break;
            }
            rounds += 1;
            violated = self.round(Probes {
                given: &[],
                random,
                seed: (before + rounds) as u64,
            })?;
            let gap = self.bounds().gap();
            idle = if gap < smallest { 0 } else { idle + 1 };
            smallest = smallest.min(gap);
        }
        Ok(rounds)
    }
}
