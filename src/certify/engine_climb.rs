//! The search for local maxima of |V| on an engine, for data on which f64 on the CPU is too slow.
//!
//! A network whose output weights are tiny predicts nothing, so under the square risk g = −y/n for
//! good: with y = −n q each neuron moves uphill on ±V, sum after sum of its G. As |w| grows, the
//! steps turn it less and less, as those of a subgradient method must.

use std::sync::Arc;

use rayon::prelude::*;

use super::climb::{Climb, Peak, distinct};
use super::inputs::{Inputs, dot, norm, unit};
use super::ridge;
use crate::data::Dataset;
use crate::engine::{Batch, Engine, Steps};
use crate::error::Result;
use crate::model::Run;
use crate::model::{Loss, StateFormat, Train};
use crate::particles::Particles;

/// Steps of a climb.
const STEPS: usize = 200;
/// A first step's length, where |G| is as usual and |w| = 1.
const STRIDE: f64 = 0.2;
/// |a|: so small that f is lost beside y.
const TINY: f64 = 1e-12;
/// Of the directions reached, the best are finished on the ridges in f64.
const FINISHED: usize = 256;
/// Two directions with a cosine beyond this are climbing the same peak.
const SAME: f64 = 1.0 - 1e-4;

/// Builds an engine for a batch.
type Make = dyn Fn(Batch) -> Result<Box<dyn Engine>> + Send + Sync;

/// The climb on an engine, in its precision; the last of the way is [`super::CpuClimb`]'s.
pub struct EngineClimb {
    make: Box<Make>,
}

impl EngineClimb {
    pub fn new(make: impl Fn(Batch) -> Result<Box<dyn Engine>> + Send + Sync + 'static) -> Self {
        EngineClimb {
            make: Box::new(make),
        }
    }

    /// The directions reached from θ, and |V| there, in units of the largest |q|.
    fn climb(&self, inputs: &Inputs, q: &[f64], theta: Vec<f64>) -> Result<Vec<Peak>> {
        let (n, d) = (inputs.n(), inputs.d());
        let m = theta.len() / d;
        let largest = q.iter().fold(0.0_f64, |max, q| max.max(q.abs()));
        if m == 0 || largest == 0.0 {
            return Ok(Vec::new());
        }
        let data = Dataset {
            d,
            x: inputs.rows().flatten().map(|&x| x as f32).collect(),
            y: q.iter()
                .map(|q| (-(n as f64) * q / largest) as f32)
                .collect(),
        };
        let mut engine = (self.make)(Batch {
            d,
            datasets: vec![Arc::new(data)],
            runs: vec![Run {
                train: Train::Input,
                ..Run::simple(m, Loss::SQUARE)
            }],
            state: StateFormat::F32,
        })?;
        let mut probes = Particles {
            d,
            w: theta,
            a: vec![TINY; m],
        };
        engine.write(0, 0, &probes)?;
        // ẇ = −a G
        let velocity = engine.velocity(0)?;
        let size = norm(&velocity.w) / (m as f64).sqrt();
        if size == 0.0 {
            return Ok(Vec::new());
        }
        for j in 0..m {
            let down = dot(probes.w(j), velocity.w(j)) < 0.0;
            probes.a[j] = if down { -TINY } else { TINY };
        }
        engine.write(0, 0, &probes)?;
        engine.advance(&Steps {
            eta: vec![STRIDE / size; STEPS],
            evaluate: vec![false; STEPS],
        })?;
        let reached = engine.read(0, 0..m)?;
        let velocity = engine.velocity(0)?;
        let peaks = (0..m).filter_map(|j| {
            let theta = unit(reached.w(j).to_vec())?;
            Some((dot(&theta, velocity.w(j)).abs() / TINY, theta))
        });
        Ok(peaks.collect())
    }
}

impl Climb for EngineClimb {
    fn peaks(&self, inputs: &Inputs, q: &[f64], theta: Vec<f64>) -> Result<Vec<Peak>> {
        let climbed = self.climb(inputs, q, theta)?;
        let best = distinct(climbed, FINISHED, SAME, inputs.columns());
        let finish = |(_, theta): &Peak| ridge::ascend(inputs, q, theta);
        Ok(best.par_iter().map(finish).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::climb::Probes;
    use crate::engine::reference::Reference;
    use crate::random::{Draws, Stream};

    fn gaussian(stream: Stream, count: usize) -> Vec<f64> {
        let mut v = vec![0.0; count];
        Draws::new(3, stream, 0, 0, 0).fill_gaussian(&mut v);
        v
    }

    /// Nearly every probe ends on about the height of a local maximum; some stop between two.
    #[test]
    fn probes_climb() {
        let (n, d) = (60, 6);
        let data = Dataset {
            d,
            x: gaussian(Stream::TrainData, n * d)
                .iter()
                .map(|&x| x as f32)
                .collect(),
            y: vec![1.0; n],
        };
        let inputs = Inputs::new(&data);
        let q = gaussian(Stream::TestData, n);
        let largest = q.iter().fold(0.0_f64, |max, q| max.max(q.abs()));
        let probes = Probes {
            given: &[],
            random: 100,
            seed: 5,
        };
        let theta = probes.directions(d, usize::MAX);
        let share = |climb: &EngineClimb, q: &[f64], of: &[f64]| {
            let reached = climb.climb(&inputs, q, theta.clone()).unwrap();
            assert_eq!(reached.len(), 100);
            let close = reached.iter().filter(|(value, theta)| {
                let here = inputs.variation(of, theta).abs();
                let top = ridge::ascend(&inputs, of, theta).0;
                (value * largest - here).abs() <= 1e-4 * top && here >= 0.98 * top
            });
            close.count()
        };
        let climb = EngineClimb::new(|batch| Ok(Box::new(Reference::new(batch))));
        assert!(share(&climb, &q, &q) >= 80);
        let others: Vec<f64> = q.iter().rev().copied().collect();
        assert!(share(&climb, &others, &q) < 10, "the count sees nothing");
    }
}
