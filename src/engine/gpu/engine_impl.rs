//! What the gpu engine promises as an engine, by the parts that keep it.

use std::ops::Range;

use super::Gpu;
use crate::engine::methods::Method;
use crate::engine::{
    Batch, Clock, Engine, Evaluation, Origins, PartialGeometry, Precision, RunUpdate, Sample, Steps,
};
use crate::error::Result;
use crate::particles::Particles;

impl Engine for Gpu {
    fn name(&self) -> &'static str {
        "gpu"
    }

    fn adapter(&self) -> String {
        self.device.facts.describe()
    }

    fn precision(&self) -> Precision {
        Precision::F32
    }

    fn kernels(&self) -> Option<String> {
        Some(self.shape.to_text())
    }

    fn batch(&self) -> &Batch {
        &self.batch
    }

    fn method(&self, run: usize) -> &'static str {
        match self.arcs_of(run) {
            Some(_) => Method::Arcs.name(),
            None => Method::Direct.name(),
        }
    }

    fn write(&mut self, run: usize, first: usize, block: &Particles) -> Result<()> {
        let held = self.held(run, first..first + block.m())?;
        self.predicted = false;
        self.write_particles(run, held.start, block)
    }

    fn read(&mut self, run: usize, range: Range<usize>) -> Result<Particles> {
        let held = self.held(run, range)?;
        self.read_particles(run, held)
    }

    fn clock(&self, run: usize) -> Clock {
        self.clocks[run]
    }

    fn set_clock(&mut self, run: usize, clock: Clock) -> Result<()> {
        self.check_run(run)?;
        self.clocks[run] = clock;
        Ok(())
    }

    fn accumulated(&mut self, run: usize) -> Result<Vec<f64>> {
        self.check_run(run)?;
        self.read_samples::<f64>(&self.train.accumulated, run)
    }

    fn set_accumulated(&mut self, run: usize, sum: Vec<f64>) -> Result<()> {
        self.check_run(run)?;
        self.write_accumulated(run, &sum)
    }

    fn partial_geometry(&mut self, origins: &dyn Origins) -> Result<Vec<PartialGeometry>> {
        self.note_starts(origins)?;
        self.geometry_of_runs()
    }

    fn predict(&mut self, sample: Sample) -> Result<Vec<Evaluation>> {
        let evaluations = self.observe(sample)?;
        self.predicted |= sample == Sample::Train;
        Ok(evaluations)
    }

    fn residual(&mut self, run: usize) -> Result<Vec<f64>> {
        self.batch.require_all()?;
        self.check_run(run)?;
        self.predict(Sample::Train)?;
        self.read_samples::<f32>(&self.train.residual, run)
    }

    fn velocity_for(&mut self, run: usize, g: &[f64]) -> Result<Particles> {
        self.check_run(run)?;
        // The scalars of the velocity are those that residual leaves.
        self.predict(Sample::Train)?;
        self.give_residual(run, g)?;
        self.use_given()?;
        self.read_velocity(run)
    }

    fn update(&mut self, updates: &[Option<RunUpdate>]) -> Result<()> {
        if !self.predicted {
            self.predict(Sample::Train)?;
        }
        self.take_updates(updates)
    }

    fn advance(&mut self, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        self.batch.check_steps(steps)?;
        self.predicted = false;
        self.take_steps(steps)
    }
}
