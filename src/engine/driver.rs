//! Takes steps by sums over particles, on one engine or on several that share the particles of a run.
//!
//! Particles are coupled by n sums alone:
//!
//! ```text
//! predict    each engine: (α/m) Σ_j a_j σ(w_j·x_i) over the particles that it holds, added up here
//! residual   here, from the sums: g_i = ∂R/∂f_i, the scalars of the step, and whether the run diverged
//! update     each engine: its particles by g and the scalars
//! ```
//!
//! `through_sums` takes steps this way on any engine. An engine that holds all particles may take
//! many steps at once by itself ([`Engine::advance`]), with the same results.

use std::ops::Range;

use super::step::{MeanSquares, StepScalars};
use super::{
    Batch, Clock, DualState, Engine, Evaluation, Origins, PartialGeometry, Precision, RunUpdate,
    Sample, Steps,
};
use crate::error::{Error, Result};
use crate::model::Run;
use crate::particles::Particles;

/// Takes steps by predict, residual and update. η has one entry per step and run.
pub(super) fn through_sums<E: Engine + ?Sized>(
    engine: &mut E,
    steps: &Steps,
) -> Result<Vec<Vec<Evaluation>>> {
    let runs = engine.batch().runs.len();
    let mut accumulated = Vec::with_capacity(runs);
    for run in 0..runs {
        accumulated.push(engine.accumulated(run)?);
    }
    let mut evaluations = Vec::new();
    for (k, &wanted) in steps.evaluate.iter().enumerate() {
        let eta = &steps.eta[k * runs..(k + 1) * runs];
        let moves =
            |engine: &E, run: usize| eta[run] != 0.0 && engine.clock(run).diverged.is_none();
        if !wanted && !(0..runs).any(|run| moves(engine, run)) {
            continue;
        }
        let mut now = engine.predict(Sample::Train)?;
        for (run, now) in now.iter_mut().enumerate() {
            if (wanted || moves(engine, run)) && !now.is_finite() {
                now.clock.diverged.get_or_insert(now.clock.step);
                engine.set_clock(run, now.clock)?;
            }
        }
        let moving: Vec<bool> = (0..runs).map(|run| moves(engine, run)).collect();
        step(engine, eta, &moving, &now, &mut accumulated)?;
        if wanted {
            evaluations.push(now);
        }
    }
    for (run, sum) in accumulated.into_iter().enumerate() {
        engine.set_accumulated(run, sum)?;
    }
    Ok(evaluations)
}

/// One step of the runs that have a step to take, from their evaluated states.
fn step<E: Engine + ?Sized>(
    engine: &mut E,
    eta: &[f64],
    moving: &[bool],
    now: &[Evaluation],
    accumulated: &mut [Vec<f64>],
) -> Result<()> {
    let batch = engine.batch();
    let of_run = |run: usize| {
        moving[run].then(|| {
            let of = &batch.runs[run];
            let scalars = match engine.precision() {
                Precision::F32 => scalars(of, eta[run], &now[run], batch),
                Precision::F64 => StepScalars {
                    shift: 0,
                    ..scalars(of, eta[run], &now[run], batch)
                },
            };
            (residual(batch, run, &now[run]), scalars)
        })
    };
    let steps: Vec<Option<(Vec<f64>, StepScalars)>> = (0..now.len()).map(of_run).collect();
    let updates: Vec<Option<RunUpdate>> = steps
        .iter()
        .map(|step| {
            let (residual, scalars) = step.as_ref()?;
            Some(RunUpdate {
                residual,
                scalars: *scalars,
            })
        })
        .collect();
    for (sum, update) in accumulated.iter_mut().zip(&updates) {
        if let Some(RunUpdate { residual, scalars }) = update {
            for (sum, g) in sum.iter_mut().zip(*residual) {
                *sum += scalars.eta * g;
            }
        }
    }
    engine.update(&updates)
}

fn scalars(run: &Run, eta: f64, now: &Evaluation, batch: &Batch) -> StepScalars {
    let squares = MeanSquares {
        a: now.mean_a2,
        w: now.mean_w2,
    };
    StepScalars::new(run, now.clock.exponent, eta, squares, batch.state)
}

/// residual: g_i = ∂R/∂f_i (n) of a run in an evaluated state, in true units.
pub(super) fn residual(batch: &Batch, run: usize, now: &Evaluation) -> Vec<f64> {
    let of = &batch.runs[run];
    let y = &batch.datasets[of.train_set].y;
    of.loss.residual(&now.f, now.prediction_exponent, y)
}

/// Several engines that together hold the particles of a batch, used as one engine.
pub struct Driver {
    /// In the order of the particles that they hold.
    parts: Vec<Box<dyn Engine>>,
    /// The batch of all particles.
    batch: Batch,
    /// Whether a single engine with all particles takes its steps by [`Engine::advance`].
    fast_path: bool,
}

impl Driver {
    /// Joins engines for the parts of one batch ([`Batch::part`]), in order. One engine for the whole
    /// batch takes its steps by itself.
    ///
    /// # Errors
    /// The parts do not hold every particle exactly once.
    pub fn new(parts: Vec<Box<dyn Engine>>) -> Result<Driver> {
        let refuse = |what: String| {
            let remedy = "make one engine for each `Batch::part` of the same batch";
            Err(Error::engine("driver", what, remedy))
        };
        let Some(first) = parts.first() else {
            return refuse("there are no engines to join".into());
        };
        let mut batch = first.batch().clone();
        for (r, run) in batch.runs.iter_mut().enumerate() {
            let mut next = 0;
            for part in &parts {
                match part.batch().runs.get(r).map(Run::held) {
                    Some(held) if held.start == next => next = held.end,
                    _ => return refuse(format!("run {r}: no engine holds particle {next}")),
                }
            }
            if next != run.m {
                let m = run.m;
                return refuse(format!("run {r}: {next} of {m} particles are held"));
            }
            run.part = None;
        }
        Ok(Driver {
            parts,
            batch,
            fast_path: true,
        })
    }

    /// Takes every step by predict, residual and update.
    pub fn without_fast_path(self) -> Driver {
        Driver {
            fast_path: false,
            ..self
        }
    }

    /// The descriptions of all parts, joined.
    fn joined(&self, of: impl Fn(&dyn Engine) -> String) -> String {
        let each: Vec<String> = self.parts.iter().map(|part| of(&**part)).collect();
        each.join(" + ")
    }

    /// The parts that hold some of these particles of a run, with the particles.
    fn holders(
        &mut self,
        run: usize,
        range: Range<usize>,
    ) -> impl Iterator<Item = (Range<usize>, &mut Box<dyn Engine>)> {
        self.parts.iter_mut().filter_map(move |part| {
            let held = part.batch().runs[run].held();
            let common = range.start.max(held.start)..range.end.min(held.end);
            (!common.is_empty()).then_some((common, part))
        })
    }
}

impl Engine for Driver {
    fn name(&self) -> &'static str {
        self.parts[0].name()
    }

    fn adapter(&self) -> String {
        self.joined(|part| part.adapter())
    }

    fn precision(&self) -> Precision {
        self.parts[0].precision()
    }

    fn kernels(&self) -> Option<String> {
        self.parts[0].kernels()
    }

    fn batch(&self) -> &Batch {
        &self.batch
    }

    fn method(&self, run: usize) -> &'static str {
        self.parts[0].method(run)
    }

    fn write(&mut self, run: usize, first: usize, block: &Particles) -> Result<()> {
        for (range, part) in self.holders(run, first..first + block.m()) {
            let own = block.range(range.start - first..range.end - first);
            part.write(run, range.start, &own)?;
        }
        Ok(())
    }

    fn read(&mut self, run: usize, range: Range<usize>) -> Result<Particles> {
        let mut particles = Particles::zeros(0, self.batch.d);
        for (range, part) in self.holders(run, range) {
            particles.append(part.read(run, range)?);
        }
        Ok(particles)
    }

    fn clock(&self, run: usize) -> Clock {
        self.parts[0].clock(run)
    }

    fn set_clock(&mut self, run: usize, clock: Clock) -> Result<()> {
        let mut parts = self.parts.iter_mut();
        parts.try_for_each(|part| part.set_clock(run, clock))
    }

    fn dual_state(&self, run: usize) -> Option<DualState> {
        let parts: Option<Vec<_>> = self.parts.iter().map(|p| p.dual_state(run)).collect();
        parts?.into_iter().reduce(|mut whole, part| {
            whole.a.extend(part.a);
            whole
        })
    }

    fn set_dual_state(&mut self, run: usize, state: DualState) -> Result<()> {
        for part in &mut self.parts {
            let held = part.batch().runs[run].held();
            let own = DualState {
                a: state.a.get(held).unwrap_or_default().to_vec(),
                ..state.clone()
            };
            part.set_dual_state(run, own)?;
        }
        Ok(())
    }

    fn accumulated(&mut self, run: usize) -> Result<Vec<f64>> {
        self.parts[0].accumulated(run)
    }

    fn set_accumulated(&mut self, run: usize, sum: Vec<f64>) -> Result<()> {
        let mut parts = self.parts.iter_mut();
        parts.try_for_each(|part| part.set_accumulated(run, sum.clone()))
    }

    fn partial_geometry(&mut self, origins: &dyn Origins) -> Result<Vec<PartialGeometry>> {
        let mut total = vec![PartialGeometry::default(); self.batch.runs.len()];
        for part in &mut self.parts {
            let parts = part.partial_geometry(origins)?;
            total
                .iter_mut()
                .zip(&parts)
                .for_each(|(total, part)| total.add(part));
        }
        Ok(total)
    }

    fn predict(&mut self, sample: Sample) -> Result<Vec<Evaluation>> {
        let mut total: Vec<Evaluation> = Vec::new();
        for part in &mut self.parts {
            let sums = part.predict(sample)?;
            match total.is_empty() {
                true => total = sums,
                false => total
                    .iter_mut()
                    .zip(&sums)
                    .for_each(|(total, part)| total.add(part)),
            }
        }
        Ok(total)
    }

    fn residual(&mut self, run: usize) -> Result<Vec<f64>> {
        match &mut self.parts[..] {
            [whole] => whole.residual(run),
            _ => {
                let now = self.predict(Sample::Train)?;
                Ok(residual(&self.batch, run, &now[run]))
            }
        }
    }

    fn velocity_for(&mut self, run: usize, g: &[f64]) -> Result<Particles> {
        let mut velocity = Particles::zeros(0, self.batch.d);
        for part in &mut self.parts {
            velocity.append(part.velocity_for(run, g)?);
        }
        Ok(velocity)
    }

    fn update(&mut self, updates: &[Option<RunUpdate>]) -> Result<()> {
        let mut parts = self.parts.iter_mut();
        parts.try_for_each(|part| part.update(updates))
    }

    fn advance(&mut self, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        match &mut self.parts[..] {
            [whole] if self.fast_path => whole.advance(steps),
            _ => {
                self.batch.check_steps(steps)?;
                through_sums(self, steps)
            }
        }
    }
}
