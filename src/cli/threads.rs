//! The number of threads of the process.

use std::thread::available_parallelism;

use crate::digits::counted;
use crate::error::{Error, Result};

/// Environment variables: the number that the user asks for, and the number that a batch system grants.
const ASKED: &str = "RAYON_NUM_THREADS";
const GRANTED: &str = "SLURM_CPUS_PER_TASK";

/// Starts the threads that all engines and solves share.
///
/// # Errors
/// The system cannot start the threads.
pub fn start() -> Result<()> {
    // CPU affinity and quotas are respected.
    let machine = available_parallelism().map_or(1, usize::from);
    let number = |name| std::env::var(name).ok()?.trim().parse().ok();
    let (threads, word) = choose(machine, number(GRANTED), number(ASKED));
    if let Some(word) = word {
        tracing::warn!("{word}");
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global().map_err(|error| {
        Error::engine(
            "cpu",
            format!(
                "{} cannot be started: {error}",
                counted(threads as u64, "thread")
            ),
            format!("raise the limit of threads (ulimit -u), or set {ASKED} to fewer"),
        )
    })
}

/// The number of threads, and a message if it is not the number asked for. More threads than processors
/// give no speed-up; results are the same with any number.
fn choose(machine: usize, granted: Option<usize>, asked: Option<usize>) -> (usize, Option<String>) {
    let granted = granted.filter(|&granted| granted > 0);
    let most = granted.map_or(machine, |granted| granted.min(machine));
    match asked.filter(|&asked| asked > 0) {
        Some(asked) if asked > most => {
            let by = match granted {
                Some(granted) if granted < machine => format!(" by {GRANTED}"),
                _ => String::new(),
            };
            let word = format!(
                "{ASKED} is {asked}, and this process may use {}{by}: {} it is",
                counted(most as u64, "processor"),
                counted(most as u64, "thread")
            );
            (most, Some(word))
        }
        asked => (asked.unwrap_or(most), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_as_many_as_asked_for_and_granted() {
        let threads = |machine, granted, asked| choose(machine, granted, asked).0;
        assert_eq!(threads(8, None, None), 8);
        assert_eq!(threads(8, Some(2), None), 2);
        assert_eq!(threads(8, Some(64), None), 8);
        assert_eq!(threads(8, Some(4), Some(2)), 2);
        assert_eq!(threads(8, Some(0), Some(0)), 8);
        assert_eq!(choose(8, None, Some(3)), (3, None));
        let (threads, word) = choose(8, Some(2), Some(100_000));
        assert_eq!(threads, 2);
        let word = word.unwrap();
        assert!(word.contains("100000") && word.contains("2 processors by SLURM"));
        let (threads, word) = choose(1, None, Some(100_000));
        assert!(threads == 1 && word.unwrap().contains("1 processor:"));
    }
}
