//! The steps at which records, snapshots and evaluations happen.

/// Largest number of steps between two evaluations: best margins are taken over all evaluations.
pub const EVALUATION_INTERVAL: u64 = 50;

/// At most `count` distinct steps from 0 to `steps`, log-spaced, both ends included; fewer where
/// neighbours coincide.
pub fn log_spaced(count: usize, steps: u64) -> Vec<u64> {
    if count == 0 {
        return Vec::new();
    }
    if (count as u64) > steps {
        return (0..=steps).collect();
    }
    // Log-spaced in step + 1, so that step 0 is included. Where rounding would repeat a step, the next
    // integer is used until the log spacing is ahead again: no record is lost at the start.
    let last = (count - 1).max(1) as f64;
    let top = (steps as f64 + 1.0).ln();
    let mut out: Vec<u64> = vec![0];
    for i in 1..count {
        let ideal = (top * i as f64 / last).exp() - 1.0;
        let next = (ideal.round() as u64).max(out[i - 1] + 1);
        out.push(next.min(steps));
    }
    out.dedup();
    if let Some(end) = out.last_mut() {
        *end = steps;
    }
    out
}

/// Whether the state after `step` updates is evaluated in any case.
pub fn is_evaluated(step: u64) -> bool {
    step.is_multiple_of(EVALUATION_INTERVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_included_and_steps_are_distinct() {
        for (count, steps) in [
            (1, 0),
            (2, 1),
            (200, 50_000),
            (200, 10),
            (40, 39),
            (2, 7),
            (3, 1 << 40),
        ] {
            let times = log_spaced(count, steps);
            assert!(times.len() <= count, "{count} {steps}");
            assert_eq!(times[0], 0);
            assert_eq!(*times.last().unwrap(), steps);
            assert!(times.windows(2).all(|w| w[0] < w[1]), "{times:?}");
        }
        assert_eq!(log_spaced(200, 50_000).len(), 200);
        assert_eq!(log_spaced(5, 3), [0, 1, 2, 3]);
        assert!(log_spaced(0, 3).is_empty());
    }
}
