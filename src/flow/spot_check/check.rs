//! The comparisons of one run at one state, and of the step from this state.

use std::ops::Range;

use rayon::prelude::*;

use super::RunIndices;
use super::error_bounds::{
    Arithmetic, BoundedValue, Predictions, residuals, step_size, updated, velocity,
};
use crate::engine::{Clock, Engine, Evaluation, Sample};
use crate::error::{Error, Result};
use crate::model::Train;
use crate::model::ldexp;
use crate::particles::Particles;
use crate::store::{Checks, blocks};

/// Approximate number of multiply-adds of a check: determines the numbers of samples and particles, between
/// [`FEWEST`] and [`MOST`].
const WORK: usize = 1 << 18;
const FEWEST: usize = 4;
const MOST: usize = 256;

/// Largest number of values that [`Engine::velocity`] may return here. The velocity is compared where steps
/// are below the rounding of the particles, and to distinguish a wrong velocity from a wrong update.
const VELOCITIES: usize = 1 << 22;

/// `count` indices of 0..of, one in each of `count` equal parts, different ones in each round.
pub(super) fn picks(count: usize, of: usize, round: usize) -> impl Iterator<Item = usize> {
    let count = count.min(of);
    (0..count).map(move |k| {
        let (first, end) = (k * of / count, (k + 1) * of / count);
        // Multiples of an irrational number are equidistributed.
        let at = ((round + 1) as f64 * 0.618_033_988_75 + k as f64 * 0.754_877_666_2).fract();
        first + ((at * (end - first) as f64) as usize).min(end - first - 1)
    })
}

/// f of some samples, with their indices, and the moments.
type Predicted = (Vec<(usize, BoundedValue)>, [BoundedValue; 3]);

/// The values of a run that are kept from before the step.
pub(super) struct StateBefore {
    pub run: RunIndices,
    clock: Clock,
    residual: Vec<f64>,
    /// f of some samples and the moments, if all particles were read.
    predictions: Option<Predicted>,
    /// Some particles, with the ranges of their indices.
    particles: Vec<(Range<usize>, Particles)>,
}

impl StateBefore {
    pub fn new(
        engine: &mut dyn Engine,
        run: RunIndices,
        runs: usize,
        round: usize,
        full: bool,
    ) -> Result<Self> {
        let arithmetic = Arithmetic::of(engine, run.batch_index);
        let of = engine.batch().runs[run.batch_index].clone();
        let data = engine.batch().datasets[of.train_set].clone();
        let (m, n, d) = (of.m, data.n(), data.d);
        let fits = |each: usize| (WORK / (each * runs).max(1)).clamp(FEWEST, MOST);
        let predictions = if full {
            let samples: Vec<usize> = picks(fits(m * d), n, round).collect();
            let parts = samples.len().div_ceil(rayon::current_num_threads()).max(1);
            let mut parts: Vec<Predictions> = samples
                .chunks(parts)
                .map(|part| Predictions::new(&of, &data, part.iter().copied(), arithmetic))
                .collect();
            for range in blocks(m) {
                let block = engine.read(run.batch_index, range)?;
                parts.par_iter_mut().for_each(|part| part.add(&block));
            }
            let f = parts.iter().flat_map(Predictions::f).collect();
            parts.first().map(|part| (f, part.moments()))
        } else {
            None
        };
        // Neighbouring particles are read in one block.
        let count = fits(n * d).min(m);
        let windows = if count == m { 1 } else { FEWEST.min(count) };
        let width = count / windows;
        let mut particles = Vec::new();
        for first in picks(windows, m + 1 - width, round) {
            let range = first..first + width;
            particles.push((range.clone(), engine.read(run.batch_index, range)?));
        }
        Ok(StateBefore {
            run,
            clock: engine.clock(run.batch_index),
            residual: engine.residual(run.batch_index)?,
            predictions,
            particles,
        })
    }
}

/// The comparisons of one run.
pub(super) struct RunCheck<'a> {
    engine: &'static str,
    arithmetic: Arithmetic,
    run: RunIndices,
    clock: Clock,
    g: Vec<BoundedValue>,
    found: &'a mut Checks,
}

impl<'a> RunCheck<'a> {
    /// The check of a run at an evaluated state.
    pub fn new(
        engine: &dyn Engine,
        run: RunIndices,
        now: &Evaluation,
        found: &'a mut Checks,
    ) -> Self {
        let arithmetic = Arithmetic::of(engine, run.batch_index);
        let of = &engine.batch().runs[run.batch_index];
        let y = &engine.batch().datasets[of.train_set].y;
        RunCheck {
            engine: engine.name(),
            arithmetic,
            run,
            clock: now.clock,
            g: residuals(of.loss, now, y, &arithmetic),
            found,
        }
    }

    /// Compares one value.
    fn compare(
        &mut self,
        stage: &str,
        what: impl FnOnce() -> String,
        got: f64,
        exact: BoundedValue,
    ) -> Result<()> {
        let Some(share) = exact.share(got) else {
            return Ok(());
        };
        self.found.largest_error = self.found.largest_error.max(share);
        if share <= 1.0 {
            return Ok(());
        }
        Err(Error::engine(
            self.engine,
            format!(
                "spot check of run {} after {} steps: {stage} gives {} = {got:e}, and f64 gives {:e}; \
                 rounding explains a difference of {:.1e}",
                self.run.index,
                self.clock.step,
                what(),
                exact.value,
                exact.bound
            ),
            "do not trust this device with this work: `widefield verify` tests it, --engine and \
             --adapter choose another; an update of its driver may help",
        ))
    }

    /// Checks predict and residual.
    pub fn state(&mut self, now: &Evaluation, before: &StateBefore) -> Result<()> {
        if !is_sound(now) {
            return Ok(());
        }
        for (i, &got) in before.residual.iter().enumerate() {
            let what = || format!("g of sample {i}");
            self.compare("residual", what, got, self.g[i])?;
        }
        let Some((f, moments)) = &before.predictions else {
            return Ok(());
        };
        self.found.predictions += f.len() as u64;
        for &(i, exact) in f {
            let what = || {
                format!(
                    "the prediction of sample {i} (times 2^{})",
                    -now.prediction_exponent
                )
            };
            self.compare("predict", what, now.f[i], exact)?;
        }
        let found = [now.mean_a2, now.mean_w2, now.mean_aw];
        for (k, name) in ["a²", "|w|²", "|a||w|"].into_iter().enumerate() {
            self.compare(
                "predict",
                || format!("the mean of {name}"),
                found[k],
                moments[k],
            )?;
        }
        Ok(())
    }

    /// Checks all stages of a step of size η from the evaluated state.
    pub fn step(
        &mut self,
        engine: &mut dyn Engine,
        now: &Evaluation,
        before: &StateBefore,
        eta: f64,
    ) -> Result<()> {
        self.state(now, before)?;
        let batch_index = self.run.batch_index;
        let clock = engine.clock(batch_index);
        let of = engine.batch().runs[batch_index].clone();
        if !is_sound(now) || clock.step != before.clock.step + 1 || clock.diverged.is_some() {
            return Ok(());
        }
        let eta = step_size(&of, eta, now);
        let shift = clock.exponent - now.clock.exponent;
        let (a_shift, w_shift) = match of.train {
            Train::Both => (shift, shift),
            Train::Output => (shift, 0),
            Train::Input => (0, shift),
        };
        // Whether some step is larger than the rounding of the particles.
        let mut is_visible = false;
        for (range, block) in &before.particles {
            let after = engine.read(batch_index, range.clone())?;
            let velocities = self.velocities(engine, now.clock.exponent, block);
            for (row, v) in velocities.into_iter().enumerate() {
                self.found.particles += 1;
                let d = block.d;
                for (k, v) in v.into_iter().enumerate() {
                    let (theta, got, shift) = match k < d {
                        true => (block.w(row)[k], after.w(row)[k], w_shift),
                        false => (block.a[row], after.a[row], a_shift),
                    };
                    let exact = updated(theta, v, eta, shift, &self.arithmetic);
                    is_visible |= ldexp(eta * v.value.abs(), -shift) > 4.0 * exact.bound;
                    let j = range.start + row;
                    let what = || format!("{} of particle {j}", coordinate(k, d));
                    if let Err(wrong) = self.compare("update", what, got, exact) {
                        // If the velocity is wrong too, this is the error to report.
                        self.velocity_alone(engine, before)?;
                        return Err(wrong);
                    }
                }
            }
        }
        if !is_visible {
            self.velocity_alone(engine, before)?;
        }
        Ok(())
    }

    /// The velocities of a block in stored units.
    fn velocities(
        &self,
        engine: &dyn Engine,
        exponent: i32,
        block: &Particles,
    ) -> Vec<Vec<BoundedValue>> {
        let of = &engine.batch().runs[self.run.batch_index];
        let data = &engine.batch().datasets[of.train_set];
        let particles = (0..block.m()).into_par_iter();
        particles
            .map(|j| {
                let particle = (block.w(j), block.a[j]);
                velocity(of, data, exponent, particle, &self.g, &self.arithmetic)
            })
            .collect()
    }

    /// Checks the velocity at the present state, for the particles that were read before the step.
    fn velocity_alone(&mut self, engine: &mut dyn Engine, before: &StateBefore) -> Result<()> {
        let batch_index = self.run.batch_index;
        let of = engine.batch().runs[batch_index].clone();
        // The short cut for output-only training computes no velocities.
        if engine.method(batch_index) == "gram" || of.m * (engine.batch().d + 1) > VELOCITIES {
            return Ok(());
        }
        let now = engine.predict(Sample::Train)?.swap_remove(batch_index);
        let mut check = RunCheck::new(engine, self.run, &now, self.found);
        if !is_sound(&now) {
            return Ok(());
        }
        let all = engine.velocity(batch_index)?;
        let (a_power, w_power) = of.layer_exponents(now.clock.exponent);
        for (range, _) in &before.particles {
            let block = engine.read(batch_index, range.clone())?;
            let velocities = check.velocities(engine, now.clock.exponent, &block);
            for (row, v) in velocities.into_iter().enumerate() {
                let (j, d) = (range.start + row, block.d);
                for (k, exact) in v.into_iter().enumerate() {
                    let got = match k < d {
                        true => ldexp(all.w(j)[k], -w_power),
                        false => ldexp(all.a[j], -a_power),
                    };
                    let what = || format!("d{}/dt of particle {j}", coordinate(k, d));
                    check.compare("velocity", what, got, exact)?;
                }
            }
        }
        Ok(())
    }
}

/// Numbers that are not finite are a divergence, which is detected elsewhere.
fn is_sound(now: &Evaluation) -> bool {
    now.is_finite() && now.clock.diverged.is_none()
}

fn coordinate(k: usize, d: usize) -> String {
    match k < d {
        true => format!("w_{}", k + 1),
        false => "a".into(),
    }
}
