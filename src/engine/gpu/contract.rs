//! What the gpu engine promises as an engine, by the parts that keep it.

use std::ops::Range;

use super::Gpu;
use crate::engine::{
    Batch, Clock, Engine, Evaluation, Geometry, Origins, Precision, Sample, Steps,
};
use crate::error::{Error, Result};
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
            Some(_) => "arcs",
            None => "direct",
        }
    }

    fn write(&mut self, run: usize, first: usize, block: &Particles) -> Result<()> {
        self.write_particles(run, first, block)
    }

    fn read(&mut self, run: usize, range: Range<usize>) -> Result<Particles> {
        self.read_particles(run, range)
    }

    fn clock(&self, run: usize) -> Clock {
        self.clocks[run]
    }

    fn set_clock(&mut self, run: usize, clock: Clock) -> Result<()> {
        self.check_range(run, &(0..0))?;
        self.clocks[run] = clock;
        Ok(())
    }

    fn accumulated(&mut self, run: usize) -> Result<Vec<f64>> {
        self.check_range(run, &(0..0))?;
        self.read_samples::<f64>(&self.train.accumulated, run)
    }

    fn set_accumulated(&mut self, run: usize, sum: Vec<f64>) -> Result<()> {
        self.check_range(run, &(0..0))?;
        self.write_accumulated(run, &sum)
    }

    fn geometry(&mut self, origins: &dyn Origins) -> Result<Vec<Geometry>> {
        self.note_starts(origins)?;
        self.survey_particles()
    }

    fn predict(&mut self, sample: Sample) -> Result<Vec<Evaluation>> {
        self.observe(sample)
    }

    fn residual(&mut self, run: usize) -> Result<Vec<f64>> {
        self.check_range(run, &(0..0))?;
        self.observe(Sample::Train)?;
        self.read_samples::<f32>(&self.train.residual, run)
    }

    fn velocity(&mut self, run: usize) -> Result<Particles> {
        self.check_range(run, &(0..0))?;
        self.observe(Sample::Train)?;
        self.read_velocity(run)
    }

    fn advance(&mut self, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        if steps.eta.len() != steps.len() * self.batch.runs.len() {
            return Err(Error::engine(
                "gpu",
                format!(
                    "{} step sizes for {} steps of {} runs",
                    steps.eta.len(),
                    steps.len(),
                    self.batch.runs.len()
                ),
                "give one per step and run",
            ));
        }
        self.take_steps(steps)
    }
}
