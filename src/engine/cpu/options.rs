//! Options of the cpu engine.

use pulp::Arch;

use crate::engine::ShortCuts;
use crate::error::{Error, Result};

/// How to run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Threads; all cores where not given.
    pub threads: Option<usize>,
    /// Vector instructions; the best that the machine has where not given.
    pub level: Option<Level>,
    /// Memory in bytes in which each run keeps activations from predict to velocity, one bit per
    /// particle and sample; what does not fit is computed twice, with the same results. Where not
    /// given, a fifth of what the particles take, or more in a small batch: up to 48 MiB with them.
    pub kept_bytes: Option<usize>,
    pub short_cuts: ShortCuts,
}

impl Options {
    /// The vector instructions to use.
    pub(super) fn arch(&self) -> Result<Arch> {
        match self.level {
            None => Ok(Arch::new()),
            Some(level) => level.arch().ok_or_else(|| {
                Error::engine(
                    "cpu",
                    format!("this machine has no {level:?} instructions"),
                    format!("it has {:?}", Level::available()),
                )
            }),
        }
    }

    /// The threads to use.
    pub(super) fn pool(&self) -> Result<ThreadPool> {
        let Some(threads) = self.threads else {
            return Ok(ThreadPool::Common);
        };
        let own = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let failed = |e: rayon::ThreadPoolBuildError| {
            Error::engine(
                "cpu",
                e.to_string(),
                "raise the limit of threads (ulimit -u)",
            )
        };
        own.map(ThreadPool::Own).map_err(failed)
    }
}

/// The threads of an engine.
#[derive(Debug)]
pub(super) enum ThreadPool {
    /// The threads of the whole program, so that its work between two steps does not wait behind another
    /// pool.
    Common,
    Own(rayon::ThreadPool),
}

impl ThreadPool {
    pub fn threads(&self) -> usize {
        match self {
            ThreadPool::Common => rayon::current_num_threads(),
            ThreadPool::Own(pool) => pool.current_num_threads(),
        }
    }

    /// Runs `work` on one of the threads, with the others at its service.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match self {
            ThreadPool::Common => rayon::scope(|_| work()),
            ThreadPool::Own(pool) => pool.install(work),
        }
    }
}

/// Vector instructions, from those every machine has to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Baseline,
    /// AVX2 and FMA.
    V3,
    /// AVX-512.
    V4,
}

impl Level {
    /// The levels of this machine.
    pub fn available() -> Vec<Level> {
        let all = [Level::Baseline, Level::V3, Level::V4];
        all.into_iter().filter(|l| l.arch().is_some()).collect()
    }

    pub(super) fn arch(self) -> Option<Arch> {
        match self {
            Level::Baseline => Some(Arch::Scalar),
            #[cfg(target_arch = "x86_64")]
            Level::V3 => pulp::x86::V3::try_new().map(Arch::V3),
            #[cfg(target_arch = "x86_64")]
            Level::V4 => pulp::x86::V4::try_new().map(Arch::V4),
            #[cfg(not(target_arch = "x86_64"))]
            _ => None,
        }
    }
}
