//! An engine with deliberate faults, for tests.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Progress, Status};
use crate::engine::reference::{self, Reference};
use crate::engine::{
    Batch, Clock, Engine, Evaluation, Origins, PartialGeometry, Precision, RunUpdate, Sample, Steps,
};
use crate::error::{Error, Result};
use crate::particles::Particles;

/// The fault of the engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PlantedFault {
    Nothing,
    PredictSign,
    /// A row of particles is left out.
    PredictRow,
    ResidualSign,
    /// g is that of the previous step.
    ResidualStale,
    VelocitySign,
    /// A row of samples is left out.
    VelocityRow,
    UpdateFactor,
    /// A row of particles is not updated.
    UpdateRow,
}

/// Particles or samples of a row.
const ROW: Range<usize> = 8..16;

/// The reference engine, with a fault from a given step on.
pub struct FaultyEngine {
    inner: Reference,
    fault: PlantedFault,
    from: u64,
    /// g of the previous step, for each run.
    stale: Vec<Option<Vec<f64>>>,
    /// How many more times the device is lost at that step.
    pub losses: Arc<AtomicU32>,
}

impl FaultyEngine {
    pub fn new(batch: Batch, fault: PlantedFault, from: u64) -> Self {
        FaultyEngine {
            stale: vec![None; batch.runs.len()],
            inner: Reference::new(batch),
            fault,
            from,
            losses: Arc::default(),
        }
    }

    fn has(&self, run: usize, fault: PlantedFault) -> bool {
        self.fault == fault && self.inner.clock(run).step >= self.from
    }

    fn all(&mut self, run: usize) -> Result<Particles> {
        let m = self.batch().runs[run].m;
        self.inner.read(run, 0..m)
    }
}

impl Engine for FaultyEngine {
    fn name(&self) -> &'static str {
        "faulty"
    }
    fn adapter(&self) -> String {
        self.inner.adapter()
    }
    fn precision(&self) -> Precision {
        self.inner.precision()
    }
    fn batch(&self) -> &Batch {
        self.inner.batch()
    }
    fn write(&mut self, run: usize, first: usize, block: &Particles) -> Result<()> {
        self.inner.write(run, first, block)
    }
    fn read(&mut self, run: usize, range: Range<usize>) -> Result<Particles> {
        self.inner.read(run, range)
    }
    fn clock(&self, run: usize) -> Clock {
        self.inner.clock(run)
    }
    fn set_clock(&mut self, run: usize, clock: Clock) -> Result<()> {
        self.inner.set_clock(run, clock)
    }
    fn accumulated(&mut self, run: usize) -> Result<Vec<f64>> {
        self.inner.accumulated(run)
    }
    fn set_accumulated(&mut self, run: usize, sum: Vec<f64>) -> Result<()> {
        self.inner.set_accumulated(run, sum)
    }
    fn partial_geometry(&mut self, origins: &dyn Origins) -> Result<Vec<PartialGeometry>> {
        self.inner.partial_geometry(origins)
    }

    fn predict(&mut self, sample: Sample) -> Result<Vec<Evaluation>> {
        let mut evaluations = self.inner.predict(sample)?;
        for (run, now) in evaluations.iter_mut().enumerate() {
            if self.has(run, PlantedFault::PredictSign) {
                now.f.iter_mut().for_each(|f| *f = -*f);
            }
            if self.has(run, PlantedFault::PredictRow) {
                let mut left = self.all(run)?;
                left.a[ROW].fill(0.0);
                let of = &self.batch().runs[run];
                now.f = reference::predict(of, &left, &self.batch().datasets[of.train_set]);
            }
        }
        Ok(evaluations)
    }

    fn residual(&mut self, run: usize) -> Result<Vec<f64>> {
        let f = self.predict(Sample::Train)?.swap_remove(run).f;
        let of = &self.batch().runs[run];
        let mut g = of
            .loss
            .residual(&f, 0, &self.batch().datasets[of.train_set].y);
        if self.has(run, PlantedFault::ResidualSign) {
            g.iter_mut().for_each(|g| *g = -*g);
        }
        match &self.stale[run] {
            Some(stale) if self.has(run, PlantedFault::ResidualStale) => Ok(stale.clone()),
            _ => Ok(g),
        }
    }

    fn velocity_for(&mut self, run: usize, g: &[f64]) -> Result<Particles> {
        let mut g = g.to_vec();
        if self.has(run, PlantedFault::VelocityRow) {
            g[ROW].fill(0.0);
        }
        let p = self.all(run)?;
        let of = &self.batch().runs[run];
        let mut v = reference::velocity(of, &p, &g, &self.batch().datasets[of.train_set]);
        if self.has(run, PlantedFault::VelocitySign) {
            v.w.iter_mut().for_each(|v| *v = -*v);
        }
        Ok(v)
    }

    fn update(&mut self, updates: &[Option<RunUpdate>]) -> Result<()> {
        self.inner.update(updates)
    }

    fn advance(&mut self, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        let runs = self.batch().runs.len();
        let mut evaluations = Vec::new();
        if self.clock(0).step >= self.from && self.losses.load(Ordering::Relaxed) > 0 {
            self.losses.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::lost("faulty", "the device was lost", "check it"));
        }
        for (k, &wanted) in steps.evaluate.iter().enumerate() {
            let now = self.predict(Sample::Train)?;
            for run in 0..runs {
                let fresh = self.inner.residual(run)?;
                let v = self.velocity(run)?;
                let mut p = self.all(run)?;
                let before = p.clone();
                let mut eta = steps.eta[k * runs + run];
                let mut clock = self.clock(run);
                clock.time += eta;
                clock.step += 1;
                if self.has(run, PlantedFault::UpdateFactor) {
                    eta *= 1.001;
                }
                reference::update(&mut p, &v, eta);
                if self.has(run, PlantedFault::UpdateRow) {
                    p.a[ROW].copy_from_slice(&before.a[ROW]);
                    let w = ROW.start * p.d..ROW.end * p.d;
                    p.w[w.clone()].copy_from_slice(&before.w[w]);
                }
                self.stale[run] = Some(fresh);
                self.inner.write(run, 0, &p)?;
                self.inner.set_clock(run, clock)?;
            }
            if wanted {
                evaluations.push(now);
            }
        }
        Ok(evaluations)
    }
}

pub struct Silent;

impl Progress for Silent {
    fn report(&mut self, _: &Status) {}
}
