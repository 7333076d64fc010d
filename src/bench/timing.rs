//! Times of a step and of its stages: medians of several repetitions, without the set-up.

use std::time::{Duration, Instant};

use crate::engine::{Engine, Sample, Steps};
use crate::error::{Error, Result};

/// How long to time.
#[derive(Debug, Clone, Copy)]
pub struct TimingOptions {
    /// The least duration of a repetition: it takes as many steps as needed, at least one.
    pub least: Duration,
    pub repetitions: usize,
}

impl Default for TimingOptions {
    fn default() -> Self {
        TimingOptions {
            least: Duration::from_millis(100),
            repetitions: 5,
        }
    }
}

/// A step size so small that particles hardly move.
const ETA: f64 = 1e-3;
/// The most steps of a call.
const MOST: usize = 1 << 16;

/// Takes `count` steps of all runs in one call and returns the time.
pub fn steps(engine: &mut dyn Engine, count: usize) -> Result<Duration> {
    let steps = Steps {
        eta: vec![ETA; count * engine.batch().runs.len()],
        evaluate: vec![false; count],
    };
    let begun = Instant::now();
    engine.advance(&steps)?;
    Ok(begun.elapsed())
}

/// Median seconds of a step of all runs together.
///
/// # Errors
/// Those of the engine, and a run that did not take all its steps.
pub fn step_seconds(engine: &mut dyn Engine, options: &TimingOptions) -> Result<f64> {
    let before = engine.clock(0).step;
    // Warms up, and finds the number of steps of a repetition.
    let mut taken = 1;
    steps(engine, 1)?;
    let mut count = 1;
    let mut took = steps(engine, count)?;
    taken += count;
    while took < options.least && count < MOST {
        count *= 2;
        took = steps(engine, count)?;
        taken += count;
    }
    let mut times = vec![took];
    for _ in 1..options.repetitions {
        times.push(steps(engine, count)?);
        taken += count;
    }
    if engine.clock(0).step != before + taken as u64 {
        return Err(Error::Diverged {
            what: format!(
                "only {} of {taken} steps were taken",
                engine.clock(0).step - before
            ),
            remedy: "nothing was timed: check this engine with `widefield verify`".into(),
        });
    }
    Ok(median(times) / count as f64)
}

/// The time of predict at the present state, with no results kept from earlier calls.
pub fn predict_once(engine: &mut dyn Engine) -> Result<Duration> {
    for run in 0..engine.batch().runs.len() {
        // Writing a particle makes the engine discard what it has computed of the state.
        let same = engine.read(run, 0..1)?;
        engine.write(run, 0, &same)?;
    }
    let begun = Instant::now();
    engine.predict(Sample::Train)?;
    Ok(begun.elapsed())
}

/// Median seconds of predict without the overhead of a call; `None` if the overhead is half of the
/// time or more.
pub fn predict_seconds(engine: &mut dyn Engine, options: &TimingOptions) -> Result<Option<f64>> {
    // A step of size 0 without evaluations does no work on any engine, so it measures the overhead.
    let still = Steps {
        eta: vec![0.0; engine.batch().runs.len()],
        evaluate: vec![false],
    };
    predict_once(engine)?;
    let (mut times, mut calls) = (Vec::new(), Vec::new());
    while times.len() < options.repetitions {
        times.push(predict_once(engine)?);
        let begun = Instant::now();
        engine.advance(&still)?;
        calls.push(begun.elapsed());
    }
    let (time, call) = (median(times), median(calls));
    Ok((time > 2.0 * call).then_some(time - call))
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{batch, start};
    use crate::engine::{Clock, reference::Reference};

    const BRIEF: TimingOptions = TimingOptions {
        least: Duration::from_micros(1),
        repetitions: 3,
    };

    #[test]
    fn steps_are_taken_and_particles_stay_where_a_prediction_found_them() {
        let mut engine = Reference::new(batch(5, 3, &[4, 6]));
        assert!(start(&mut engine).is_ok());
        assert!(step_seconds(&mut engine, &BRIEF).is_ok_and(|s| s > 0.0));
        let steps = engine.clock(1).step;
        assert!(steps > 3);
        let before = engine.read(1, 0..6).ok();
        assert!(predict_seconds(&mut engine, &BRIEF).is_ok());
        assert_eq!(engine.read(1, 0..6).ok(), before);
        assert_eq!(engine.clock(1).step, steps);
    }

    #[test]
    fn a_run_that_stands_still_is_not_timed() {
        let mut engine = Reference::new(batch(5, 3, &[4]));
        let stopped = Clock {
            diverged: Some(0),
            ..Clock::default()
        };
        assert!(start(&mut engine).is_ok() && engine.set_clock(0, stopped).is_ok());
        assert!(step_seconds(&mut engine, &BRIEF).is_err());
    }

    #[test]
    fn the_median_is_in_the_middle() {
        let times = [5, 1, 3].map(Duration::from_secs);
        assert_eq!(median(times.to_vec()), 3.0);
    }
}
