//! What host and kernels both know: structs, codes and how particles lie in blocks.

use bytemuck::{Pod, Zeroable};
use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::engine::{Clock, RunUpdate, step};
use crate::model::{self, Loss, StateFormat, Train, ldexp};
use crate::particles::Particles;

/// Particles in a block of storage.
pub(super) const LANES: usize = 64;
/// Most steps of one submit.
pub(super) const SUBMIT_STEPS: usize = 512;
/// Words of a record before its predictions: Σa², Σ|w|², Σ|a||w|, exponent, diverged.
pub(super) const HEADER: usize = 5;
/// A slot of the schedule without an evaluation; a run without a short cut.
pub(super) const NONE: u32 = u32::MAX;

/// What stays the same of a run, for one kind of samples.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct RunConstants {
    pub n: u32,
    /// Words from one group of sums to the next.
    pub stride: u32,
    /// First of its groups of sums, and their number.
    pub sums: u32,
    pub groups: u32,
    /// First sample in y, which runs share, and in g, which they do not.
    pub sample: u32,
    pub residual: u32,
    /// Offset of its record in a slot of the history, and words of a whole slot.
    pub history: u32,
    pub record: u32,
    /// Its [`Loss::code`], else [`NO_LOSS`], and its parameter.
    pub loss: u32,
    pub parameter: f32,
    pub train: u32,
    pub norm_scaled: u32,
    /// n and m as numbers to divide by: a rounded 1/m would bias every step the same way.
    pub samples: f32,
    pub m: f32,
    pub alpha: f32,
    pub lambda: f32,
    /// Its place among the runs that take the short cut for d = 2, else [`NONE`].
    pub arcs: u32,
    /// Ranges of samples that residual is cut into.
    pub ranges: u32,
}

/// What changes of a run. The host sets the first four before a submit; `residual` the others.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct StepState {
    pub exponent: i32,
    pub diverged: u32,
    /// Steps of the submit that are behind.
    pub submit_step: u32,
    /// Low word of the steps that the run has taken.
    pub step: u32,
    /// Whether the run takes this step.
    pub moves: u32,
    pub force_a: f32,
    pub force_w: f32,
    pub decay_a: f32,
    pub decay_w: f32,
    /// The step divided by 2^u, u = `eta_exponent`; forces and decays are times 2^u.
    pub eta: f32,
    /// 2^−u max(1, √((1/m) Σ a²)) where the step is scaled by the norm, else 1.
    pub factor: f32,
    /// See [`step::eta_exponent`].
    pub eta_exponent: i32,
    /// Powers of two for the particles after the step; 1 for a layer that does not train.
    pub shift_a: f32,
    pub shift_w: f32,
}

impl StepState {
    /// Of a run that takes this step, or none.
    pub fn of(run: &model::Run, clock: &Clock, update: &Option<RunUpdate>) -> StepState {
        let still = StepState {
            exponent: clock.exponent,
            diverged: u32::from(clock.diverged.is_some()),
            step: clock.step as u32,
            ..StepState::zeroed()
        };
        let Some(RunUpdate { scalars, .. }) = update else {
            return still;
        };
        let (a, w) = (run.train != Train::Input, run.train != Train::Output);
        let of_layer =
            |moves: bool, value: f64, still: f32| if moves { value as f32 } else { still };
        let eta_exponent = step::eta_exponent(run, clock.exponent);
        let eta = ldexp(scalars.eta, -eta_exponent);
        let (force, decay) = (scalars.force / eta, ldexp(run.lambda, eta_exponent));
        StepState {
            moves: 1,
            force_a: of_layer(a, force, 0.0),
            force_w: of_layer(w, force, 0.0),
            decay_a: of_layer(a, decay, 0.0),
            decay_w: of_layer(w, decay, 0.0),
            eta: eta as f32,
            factor: 1.0,
            eta_exponent,
            shift_a: of_layer(a, scalars.scale(), 1.0),
            shift_w: of_layer(w, scalars.scale(), 1.0),
            ..still
        }
    }
}

/// In place of the code of a loss, of test samples.
pub(super) const NO_LOSS: u32 = Loss::ALL.len() as u32;

pub(super) fn train_code(train: Train) -> u32 {
    match train {
        Train::Both => 0,
        Train::Output => 1,
        Train::Input => 2,
    }
}

/// Numbers of a block: d planes of w and one of a, each of [`LANES`] particles.
pub(super) fn block_words(d: usize) -> usize {
    LANES * (d + 1)
}

/// Words that this many blocks take as they are stored.
pub(super) fn shard_words(blocks: usize, d: usize, state: StateFormat) -> usize {
    blocks * block_words(d) * state.bytes() / size_of::<u32>()
}

/// Coordinate k of particle `lane` (k = d: its output weight), in words from the first block.
fn word(d: usize, lane: usize, k: usize) -> usize {
    lane / LANES * block_words(d) + k * LANES + lane % LANES
}

/// Puts particles `from..from + count` of `particles` at `lane` of `blocks`, rounded to f32.
pub(super) fn pack(
    particles: &Particles,
    from: usize,
    count: usize,
    lane: usize,
    blocks: &mut [f32],
) {
    let d = particles.d;
    for j in 0..count {
        for (k, &value) in particles.w(from + j).iter().enumerate() {
            blocks[word(d, lane + j, k)] = value as f32;
        }
        blocks[word(d, lane + j, d)] = particles.a[from + j] as f32;
    }
}

/// The inverse of [`pack`], exact.
pub(super) fn unpack(
    blocks: &[f32],
    lane: usize,
    count: usize,
    from: usize,
    particles: &mut Particles,
) {
    let d = particles.d;
    for j in 0..count {
        let w = &mut particles.w[(from + j) * d..(from + j + 1) * d];
        for (k, value) in w.iter_mut().enumerate() {
            *value = f64::from(blocks[word(d, lane + j, k)]);
        }
        particles.a[from + j] = f64::from(blocks[word(d, lane + j, d)]);
    }
}

/// f32 rounded to f16, to the nearest.
pub(super) fn to_f16(values: &[f32]) -> Vec<f16> {
    let mut rounded = vec![f16::ZERO; values.len()];
    rounded.convert_from_f32_slice(values);
    rounded
}
