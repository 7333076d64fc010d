//! Steps and evaluations: many steps of predict → residual → velocity_update in one submit, or one
//! stage in each where a step takes long.

use std::time::{Duration, Instant};

use super::Gpu;
use super::dispatch::{Dispatch, Launch};
use super::layout::{HEADER, NONE, SUBMIT_STEPS, StepState};
use super::sample_set::SampleSet;
use crate::engine::{Clock, Evaluation, Sample, Steps};
use crate::error::Result;

/// A submit is made to last about this long: drivers reset a device that is silent for seconds.
const SUBMIT: Duration = Duration::from_millis(300);

/// What a submit should hold, learnt from those before.
#[derive(Debug, Clone, Copy)]
pub(super) struct SubmitSize {
    /// How long a submit is made to last.
    target: Duration,
    steps: usize,
    /// Whether a single step may last so long that its stages are submitted one by one, and piece by
    /// piece.
    piecewise: bool,
}

impl SubmitSize {
    pub fn new(target: Option<Duration>) -> Self {
        SubmitSize {
            target: target.unwrap_or(SUBMIT),
            steps: 1,
            // Nobody knows yet how fast the adapter is.
            piecewise: true,
        }
    }

    fn learn(&mut self, steps: usize, took: Duration) {
        if took > self.target * 3 / 2 {
            self.piecewise = steps == 1;
            self.steps = (steps / 2).max(1);
        } else if took < self.target / 2 && steps == self.steps {
            self.steps = if self.piecewise {
                1
            } else {
                (steps * 2).min(SUBMIT_STEPS)
            };
            self.piecewise = false;
        }
    }
}

/// The steps of one submit.
struct SubmitSteps<'a> {
    /// η (steps, runs)
    eta: &'a [f64],
    evaluate: &'a [bool],
}

impl Gpu {
    /// Takes the steps, in as few submits as their size allows.
    pub(super) fn take_steps(&mut self, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        let runs = self.batch.runs.len();
        let mut evaluations = Vec::new();
        let mut done = 0;
        while done < steps.len() {
            let most = self.submit_size.steps.min(steps.len() - done);
            let count = within_slots(&steps.evaluate[done..done + most], self.train.slots);
            let started = Instant::now();
            let part = SubmitSteps {
                eta: &steps.eta[done * runs..(done + count) * runs],
                evaluate: &steps.evaluate[done..done + count],
            };
            evaluations.extend(self.submit(Sample::Train, &part, true)?);
            self.submit_size.learn(count, started.elapsed());
            done += count;
        }
        Ok(evaluations)
    }

    /// Evaluates the present state, and leaves g and the coefficients of a step on the device.
    pub(super) fn observe(&mut self, sample: Sample) -> Result<Vec<Evaluation>> {
        let eta = vec![0.0; self.batch.runs.len()];
        let still = SubmitSteps {
            eta: &eta,
            evaluate: &[true],
        };
        Ok(self.submit(sample, &still, false)?.swap_remove(0))
    }

    fn submit(
        &mut self,
        sample: Sample,
        steps: &SubmitSteps,
        update: bool,
    ) -> Result<Vec<Vec<Evaluation>>> {
        let runs = self.batch.runs.len();
        self.send(steps)?;
        let set = match sample {
            Sample::Train => &self.train,
            Sample::Test => &self.test,
        };
        let count = steps.evaluate.len();
        let evaluated = steps.evaluate.iter().filter(|wanted| **wanted).count();
        let state_bytes = (runs * size_of::<StepState>()) as u64;
        let factor_bytes = (count * runs * size_of::<f64>()) as u64;
        let record_bytes = (evaluated * set.record * 4) as u64;
        let label = if update { "advance" } else { "observe" };
        // Short cuts are for training.
        let arcs = self.arcs.iter().filter(|_| sample == Sample::Train);
        let begin = |encoder: &mut wgpu::CommandEncoder| {
            arcs.clone().for_each(|arcs| arcs.begin(encoder));
        };
        let update = if update { &self.step[..] } else { &[] };
        let stages = set.dispatches.iter().chain(update);
        let mut left = count;
        if self.submit_size.piecewise {
            self.device.run(label, begin)?;
            for _ in 0..count {
                self.one_by_one(label, stages.clone())?;
            }
            left = 0;
        }
        self.device.run(label, |encoder| {
            if left > 0 {
                begin(encoder);
            }
            encode(encoder, label, (0..left).flat_map(|_| stages.clone()));
            let back = &self.readback;
            encoder.copy_buffer_to_buffer(&self.state, 0, back, 0, state_bytes);
            encoder.copy_buffer_to_buffer(&set.history, 0, back, state_bytes, factor_bytes);
            if record_bytes > 0 {
                let records = (SUBMIT_STEPS * runs * size_of::<f64>()) as u64;
                let to = state_bytes + factor_bytes;
                encoder.copy_buffer_to_buffer(&set.history, records, back, to, record_bytes);
            }
        })?;
        let clocks = &mut self.clocks;
        let batch = &self.batch;
        let bytes = state_bytes + factor_bytes + record_bytes;
        self.device.mapped(&self.readback, bytes, |bytes| {
            let (states, rest) = bytes.split_at(state_bytes as usize);
            let (factors, records) = rest.split_at(factor_bytes as usize);
            let factors: Vec<f64> = bytemuck::pod_collect_to_vec(factors);
            let mut records = bytemuck::cast_slice::<u8, u32>(records).chunks(set.record.max(1));
            let mut evaluations = Vec::new();
            for (step, &wanted) in steps.evaluate.iter().enumerate() {
                if wanted && let Some(record) = records.next() {
                    let one = |run| evaluation(set, run, record, &mut clocks[run], batch);
                    evaluations.push((0..runs).map(one).collect());
                }
                for (run, clock) in clocks.iter_mut().enumerate() {
                    let at = step * runs + run;
                    if factors[at] > 0.0 {
                        clock.step += 1;
                        clock.time += steps.eta[at] * factors[at];
                    }
                }
            }
            let states: &[StepState] = bytemuck::cast_slice(states);
            for (clock, state) in clocks.iter_mut().zip(states) {
                clock.exponent = state.exponent;
                if state.diverged != 0 {
                    clock.diverged.get_or_insert(clock.step);
                }
            }
            evaluations
        })
    }

    /// Runs stages piece by piece: more of them in a submit while submits stay short.
    pub(super) fn one_by_one<'a>(
        &self,
        label: &str,
        stages: impl IntoIterator<Item = &'a Dispatch>,
    ) -> Result<()> {
        let pieces: Vec<&Launch> = stages.into_iter().flat_map(Dispatch::pieces).collect();
        let (mut done, mut count) = (0, 1);
        while done < pieces.len() {
            let part = &pieces[done..pieces.len().min(done + count)];
            let started = Instant::now();
            self.device.run(label, |encoder| {
                let mut pass = pass(encoder, label);
                part.iter().for_each(|piece| piece.encode(&mut pass));
            })?;
            done += part.len();
            let took = started.elapsed();
            if took < self.submit_size.target / 4 {
                count *= 2;
            } else if took > self.submit_size.target {
                count = (count / 2).max(1);
            }
        }
        Ok(())
    }

    /// Sends η, the evaluations and the clocks of a submit.
    fn send(&self, steps: &SubmitSteps) -> Result<()> {
        let mut slot = 0;
        let slots: Vec<u32> = steps
            .evaluate
            .iter()
            .map(|wanted| match wanted {
                true => {
                    slot += 1;
                    slot - 1
                }
                false => NONE,
            })
            .collect();
        let eta: Vec<f32> = steps.eta.iter().map(|&eta| eta as f32).collect();
        let states: Vec<StepState> = self
            .clocks
            .iter()
            .map(|clock| StepState {
                exponent: clock.exponent,
                diverged: u32::from(clock.diverged.is_some()),
                step: clock.step as u32,
                ..bytemuck::Zeroable::zeroed()
            })
            .collect();
        let device = &self.device;
        device.write(&self.schedule, 0, bytemuck::cast_slice(&slots))?;
        device.write(
            &self.schedule,
            (SUBMIT_STEPS * 4) as u64,
            bytemuck::cast_slice(&eta),
        )?;
        device.write(&self.state, 0, bytemuck::cast_slice(&states))
    }
}

/// Encodes stages, one after another.
fn encode<'a>(
    encoder: &mut wgpu::CommandEncoder,
    label: &str,
    stages: impl IntoIterator<Item = &'a Dispatch>,
) {
    let mut pass = pass(encoder, label);
    let stages = stages.into_iter();
    stages.for_each(|stage| stage.encode(&mut pass));
}

fn pass<'a>(encoder: &'a mut wgpu::CommandEncoder, label: &str) -> wgpu::ComputePass<'a> {
    encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
        label: Some(label),
        timestamp_writes: None,
    })
}

/// The longest beginning with at most `slots` evaluations.
fn within_slots(evaluate: &[bool], slots: usize) -> usize {
    let mut used = 0;
    let fits = |wanted: &&bool| {
        used += usize::from(**wanted);
        used <= slots
    };
    evaluate.iter().take_while(fits).count()
}

fn evaluation(
    set: &SampleSet,
    run: usize,
    record: &[u32],
    clock: &mut Clock,
    batch: &crate::engine::Batch,
) -> Evaluation {
    let constants = &set.runs[run];
    let own = &record[constants.history as usize..][..HEADER + constants.n as usize];
    let value = |bits: &u32| f64::from(f32::from_bits(*bits));
    let m = batch.runs[run].m as f64;
    clock.exponent = own[3] as i32;
    if own[4] != 0 {
        clock.diverged.get_or_insert(clock.step);
    }
    Evaluation {
        clock: *clock,
        f: own[HEADER..].iter().map(value).collect(),
        prediction_exponent: batch.runs[run].prediction_exponent(clock.exponent),
        mean_a2: value(&own[0]) / m,
        mean_w2: value(&own[1]) / m,
        mean_aw: value(&own[2]) / m,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submit_holds_as_many_evaluations_as_the_history() {
        assert_eq!(within_slots(&[true, false, true, false, true], 2), 4);
        assert_eq!(within_slots(&[true, true], 1), 1);
        assert_eq!(within_slots(&[false; 7], 1), 7);
    }

    #[test]
    fn submits_grow_while_short_and_shrink_when_long() {
        let mut size = SubmitSize::new(None);
        for _ in 0..20 {
            size.learn(size.steps, Duration::from_millis(1));
        }
        assert_eq!(size.steps, SUBMIT_STEPS);
        size.learn(3, Duration::from_millis(1));
        assert_eq!(size.steps, SUBMIT_STEPS);
        size.learn(SUBMIT_STEPS, Duration::from_secs(1));
        assert_eq!((size.steps, size.piecewise), (SUBMIT_STEPS / 2, false));
        size.learn(1, Duration::from_secs(1));
        assert_eq!((size.steps, size.piecewise), (1, true));
        size.learn(1, SUBMIT);
        assert_eq!((size.steps, size.piecewise), (1, true));
        for steps in [1, 2] {
            size.learn(1, Duration::from_millis(1));
            assert_eq!((size.steps, size.piecewise), (steps, false));
        }
    }
}
