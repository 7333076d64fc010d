//! Measured ceilings of the machine, for comparison with an engine in the same run.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::Result;

/// Measured ceilings of the hardware of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ceilings {
    /// f32 multiply-adds in registers, two operations each, in 10⁹ operations per second.
    pub fma_gflops: f64,
    /// Copying memory, bytes read plus bytes written, in 10⁹ bytes per second.
    pub copy_gb_per_s: f64,
}

/// The best of this many measurements is the ceiling.
const TRIES: usize = 3;

/// Units of work per second at best, where `launch(k)` does k · `work` of them. k grows until a
/// launch lasts `least`, which also warms the machine up.
pub(super) fn best_rate(
    work: f64,
    least: Duration,
    mut launch: impl FnMut(u32) -> Result<()>,
) -> Result<f64> {
    let mut timed = |k: u32| -> Result<Duration> {
        let begun = Instant::now();
        launch(k)?;
        Ok(begun.elapsed())
    };
    // The first launch includes one-time preparation.
    timed(1)?;
    let mut k = 1;
    loop {
        let mut best = timed(k)?;
        for _ in 1..TRIES {
            best = best.min(timed(k)?);
        }
        if best >= least || k > u32::MAX / 4 {
            return Ok(f64::from(k) * work / best.as_secs_f64());
        }
        // k grows towards the goal in bounded factors, so that one slow measurement does not end the search
        // early.
        let missing = least.as_secs_f64() / best.as_secs_f64().max(1e-6);
        k *= (missing.ceil() as u32).clamp(2, 16);
    }
}
