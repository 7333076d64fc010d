//! Runs a reader on many files and observes it.

use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::MEMORY;
use crate::mutate::{FileKind, Mutator};

/// The most files kept as a basis for further ones.
const KEPT: usize = 400;

static ALONE: Mutex<()> = Mutex::new(());

/// Limits for one file.
#[derive(Clone, Copy)]
pub struct FuzzLimits {
    /// Seconds; `None` if time is not measured.
    pub seconds: Option<f64>,
    pub bytes: usize,
}

/// Failures that a reader must not have.
#[derive(Debug)]
pub enum Finding {
    Panic(String),
    Slow(f64),
    Large(usize),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Finding::Panic(what) => write!(f, "a panic: {what}"),
            Finding::Slow(seconds) => write!(f, "{seconds:.1} s for one file"),
            Finding::Large(bytes) => write!(f, "{bytes} bytes of memory for one file"),
        }
    }
}

/// The result of an exploration.
#[derive(Debug)]
pub struct FuzzReport {
    pub executions: u64,
    pub accepted: u64,
    /// Number of distinct answers, not counting differences in their numbers.
    pub answers: usize,
    slowest: f64,
    largest: usize,
}

impl fmt::Display for FuzzReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{} executions, {} accepted, {} kinds of answers, at most {:.3} s and {} kB",
            self.executions,
            self.accepted,
            self.answers,
            self.slowest,
            self.largest / 1000
        )
    }
}

/// Passes `count` files to `read`, which accepts a file or returns an error message.
pub fn explore(
    read: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    kind: FileKind,
    seeds: Vec<Vec<u8>>,
    count: u64,
    seed: u64,
    limits: FuzzLimits,
) -> Result<FuzzReport, (Vec<u8>, Finding)> {
    // One at a time: memory is counted for the whole process.
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let whole = seeds.len();
    let mut pool = seeds;
    let mut answers = HashSet::new();
    let mut report = FuzzReport {
        executions: 0,
        accepted: 0,
        answers: 0,
        slowest: 0.0,
        largest: 0,
    };
    for k in 0..count {
        let mut mutator = Mutator::new(seed, k);
        // The files of the corpus themselves come first.
        let raw = match k < whole as u64 {
            true => pool[k as usize].clone(),
            false => mutator.mutated(&pool, kind),
        };
        let file = mutator.packed(&raw, &pool[..whole], kind);
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let start = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| read(&file)));
        let seconds = start.elapsed().as_secs_f64();
        let bytes = MEMORY.peak_usage().saturating_sub(before);
        report.executions += 1;
        report.slowest = report.slowest.max(seconds);
        report.largest = report.largest.max(bytes);
        let finding = match &answer {
            Err(panic) => Some(Finding::Panic(message(&**panic))),
            _ if limits.seconds.is_some_and(|most| seconds > most) => Some(Finding::Slow(seconds)),
            _ if bytes > limits.bytes => Some(Finding::Large(bytes)),
            _ => None,
        };
        if let Some(finding) = finding {
            return Err((file, finding));
        }
        let answer = match answer {
            Ok(Err(message)) => message.chars().filter(|c| !c.is_ascii_digit()).collect(),
            _ => {
                report.accepted += 1;
                String::new()
            }
        };
        // Answers quote the file, so only their beginning identifies the kind.
        let start: String = answer.chars().take(60).collect();
        if answers.insert(start) && pool.len() < KEPT {
            pool.push(raw);
        }
        report.answers = answers.len();
    }
    Ok(report)
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
    text.unwrap_or_default()
}
