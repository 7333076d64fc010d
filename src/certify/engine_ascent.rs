//! The search for local maxima of |V| on an engine, for data on which f64 on the CPU is too slow.
//!
//! A network with tiny output weights predicts 0 up to rounding, so under the square risk g = −y/n at
//! every step. With y = −n q a step adds a multiple of G to each w: a subgradient ascent on ±V whose steps
//! turn w less and less as |w| grows.

use std::sync::Arc;

use rayon::prelude::*;

use super::input_matrix::{InputMatrix, dot, norm, unit};
use super::kink_ascent;
use super::local_ascent::{LocalAscent, LocalMaximum, distinct};
use crate::data::Dataset;
use crate::engine::{Batch, Engine, Steps};
use crate::error::Result;
use crate::model::Run;
use crate::model::{Loss, StateFormat, Train};
use crate::particles::Particles;

/// Steps of an ascent.
const STEPS: usize = 200;
/// Length of the first step where |G| has its root mean square and |w| = 1.
const FIRST_STEP: f64 = 0.2;
/// |a|: so small that f rounds to nothing beside y.
const OUTPUT_WEIGHT: f64 = 1e-12;
/// The best of the directions reached, at most this many, are finished by kink ascents in f64.
const FINISHED: usize = 256;
/// Two directions count as near the same local maximum from this cosine on.
const SAME_MAXIMUM: f64 = 1.0 - 1e-4;

/// Builds an engine for a batch.
type Make = dyn Fn(Batch) -> Result<Box<dyn Engine>> + Send + Sync;

/// Ascents on an engine, in its precision, whose best are finished as [`super::CpuAscent`] does.
pub struct EngineAscent {
    make: Box<Make>,
}

impl EngineAscent {
    pub fn new(make: impl Fn(Batch) -> Result<Box<dyn Engine>> + Send + Sync + 'static) -> Self {
        EngineAscent {
            make: Box::new(make),
        }
    }

    /// The directions reached from θ, and |V| there, in units of the largest |q|.
    fn ascend(
        &self,
        inputs: &InputMatrix,
        q: &[f64],
        theta: Vec<f64>,
    ) -> Result<Vec<LocalMaximum>> {
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
            a: vec![OUTPUT_WEIGHT; m],
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
            probes.a[j] = if down { -OUTPUT_WEIGHT } else { OUTPUT_WEIGHT };
        }
        engine.write(0, 0, &probes)?;
        engine.advance(&Steps {
            eta: vec![FIRST_STEP / size; STEPS],
            evaluate: vec![false; STEPS],
        })?;
        let end = engine.read(0, 0..m)?;
        let velocity = engine.velocity(0)?;
        let local_maxima = (0..m).filter_map(|j| {
            let theta = unit(end.w(j).to_vec())?;
            let value = dot(&theta, velocity.w(j)).abs() / OUTPUT_WEIGHT;
            Some(LocalMaximum { value, theta })
        });
        Ok(local_maxima.collect())
    }
}

impl LocalAscent for EngineAscent {
    fn local_maxima(
        &self,
        inputs: &InputMatrix,
        q: &[f64],
        theta: Vec<f64>,
    ) -> Result<Vec<LocalMaximum>> {
        let reached = self.ascend(inputs, q, theta)?;
        let best = distinct(reached, FINISHED, SAME_MAXIMUM, inputs.coordinate_scales());
        let finish = |near: &LocalMaximum| kink_ascent::ascend(inputs, q, &near.theta);
        Ok(best.par_iter().map(finish).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::local_ascent::Probes;
    use crate::engine::reference::Reference;
    use crate::random::{Draws, Stream};

    fn gaussian(stream: Stream, count: usize) -> Vec<f64> {
        let mut v = vec![0.0; count];
        Draws::new(3, stream, 0, 0, 0).fill_gaussian(&mut v);
        v
    }

    /// Nearly every probe ends at about the value of a local maximum; some stop between two.
    #[test]
    fn probes_ascend() {
        let (n, d) = (60, 6);
        let data = Dataset {
            d,
            x: gaussian(Stream::TrainData, n * d)
                .iter()
                .map(|&x| x as f32)
                .collect(),
            y: vec![1.0; n],
        };
        let inputs = InputMatrix::new(&data);
        let q = gaussian(Stream::TestData, n);
        let largest = q.iter().fold(0.0_f64, |max, q| max.max(q.abs()));
        let probes = Probes {
            given: &[],
            random: 100,
            seed: 5,
        };
        let theta = probes.directions(d, usize::MAX);
        let share = |ascent: &EngineAscent, q: &[f64], of: &[f64]| {
            let reached = ascent.ascend(&inputs, q, theta.clone()).unwrap();
            assert_eq!(reached.len(), 100);
            let close = reached.iter().filter(|LocalMaximum { value, theta }| {
                let here = inputs.variation(of, theta).abs();
                let top = kink_ascent::ascend(&inputs, of, theta).value;
                (value * largest - here).abs() <= 1e-4 * top && here >= 0.98 * top
            });
            close.count()
        };
        let ascent = EngineAscent::new(|batch| Ok(Box::new(Reference::new(batch))));
        assert!(share(&ascent, &q, &q) >= 80);
        let others: Vec<f64> = q.iter().rev().copied().collect();
        assert!(share(&ascent, &others, &q) < 10, "the count sees nothing");
    }
}
