//! A trained network as two measures and its predictions.

use super::sliced_wasserstein::PointCloud;
use crate::data::Dataset;
use crate::engine::Engine;
use crate::error::Result;
use crate::flow::{TrainedRun, predictions};
use crate::model::Train;
use crate::model::ldexp;
use crate::random::{Draws, Stream};
use crate::store::blocks;

/// Largest number of particles in a point cloud; larger networks are sampled.
pub const MOST_PARTICLES: usize = 1 << 16;

/// The quantities of a network that are compared.
pub struct NetworkSummary {
    pub step: u64,
    /// Mean-field time t.
    pub time: f64,
    /// f on the common inputs.
    pub f: Vec<f64>,
    /// Total masses (1/m) Σ |a_j| |w_j| of the particles with a > 0 and with a < 0.
    pub masses: [f64; 2],
    /// Points (sign a_j, w_j/|w_j|) with weights |a_j| |w_j| / Σ.
    pub directions: PointCloud,
    /// Points (a_j, w_j) with weights 1/m.
    pub raw: PointCloud,
    pub sampled: bool,
}

impl NetworkSummary {
    pub fn of(trained: &TrainedRun, inputs: Dataset) -> Result<Self> {
        let mut engine = trained.engine(inputs)?;
        let f = predictions(&mut *engine)?;
        let clock = engine.clock(0);
        let m = trained.checkpoint.m;
        let particles = SampledParticles::read(&mut *engine, m, trained.experiment.network.train)?;
        let k = trained.checkpoint.d + 1;
        Ok(NetworkSummary {
            step: clock.step,
            time: clock.time,
            f,
            masses: particles.masses.map(|mass| mass / m as f64),
            raw: PointCloud::new(k, particles.raw, vec![1.0; particles.shares.len()]),
            directions: PointCloud::new(k, particles.directions, particles.shares),
            sampled: m > MOST_PARTICLES,
        })
    }
}

/// Sums over all particles, and the points of the sampled particles.
#[derive(Default)]
struct SampledParticles {
    masses: [f64; 2],
    raw: Vec<f64>,
    directions: Vec<f64>,
    /// |â| |ŵ| of the stored values, which stay finite where the true values may overflow.
    shares: Vec<f64>,
}

impl SampledParticles {
    fn read(engine: &mut dyn Engine, m: usize, train: Train) -> Result<Self> {
        let e = engine.clock(0).exponent;
        let (on_a, on_w) = match train {
            Train::Both => (e, e),
            Train::Output => (e, 0),
            Train::Input => (0, e),
        };
        let mut of = SampledParticles::default();
        let mut chosen = sample(m, MOST_PARTICLES).peekable();
        for range in blocks(m) {
            let block = engine.read(0, range.clone())?;
            for (row, j) in range.enumerate() {
                let (a, w) = (block.a[row], block.w(row));
                let norm = w.iter().map(|w| w * w).sum::<f64>().sqrt();
                of.masses[usize::from(a < 0.0)] += a.abs() * norm;
                if chosen.next_if_eq(&j).is_none() {
                    continue;
                }
                of.raw.push(ldexp(a, on_a));
                of.raw.extend(w.iter().map(|&w| ldexp(w, on_w)));
                // A particle without mass has weight 0, so its sign and direction do not matter.
                let sign = if a < 0.0 { -1.0 } else { 1.0 };
                let unit = if norm > 0.0 { 1.0 / norm } else { 0.0 };
                of.directions.push(sign);
                of.directions.extend(w.iter().map(|w| w * unit));
                of.shares.push(a.abs() * norm);
            }
        }
        of.masses = of.masses.map(|mass| ldexp(mass, on_a + on_w));
        Ok(of)
    }
}

/// Ascending indices below m: all of them, or one at random from each of `most` equal ranges. A regular
/// stride could select only one sign or one of two twins, which alternate.
fn sample(m: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = m.min(most);
    (0..count).map(move |i| {
        if m <= most {
            return i;
        }
        let (from, to) = (i * m / count, (i + 1) * m / count);
        let share = Draws::new(0, Stream::Compare, 0, i as u64, 1).uniform();
        from + (share * (to - from) as f64) as usize
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_strata_of_all() {
        assert!(sample(5, 8).eq(0..5));
        let (m, most) = (1000, 300);
        let chosen: Vec<usize> = sample(m, most).collect();
        assert!(chosen.iter().eq(&sample(m, most).collect::<Vec<_>>()));
        assert_eq!(chosen.len(), most);
        let inside = |(i, &j): (usize, &usize)| i * m / most <= j && j < (i + 1) * m / most;
        assert!(chosen.iter().enumerate().all(inside));
        let odd = sample(2000, 1000).filter(|j| j % 2 == 1).count();
        assert!((400..600).contains(&odd), "{odd}");
    }
}
