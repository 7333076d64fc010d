//! The cases of `widefield verify`: every loss, training mode, scaling and decay, at sizes that are
//! no multiples of tiles or vectors.

use std::sync::Arc;

use crate::data::Dataset;
use crate::engine::Batch;
use crate::model::Run;
use crate::model::{Activation, Loss, StateFormat, Train};
use crate::particles::Particles;
use crate::random::{Draws, Stream};

/// Runs of the same d, with random data and particles.
#[derive(Debug, Clone)]
pub struct VerifyCase {
    pub name: String,
    pub d: usize,
    pub runs: Vec<VerifyRun>,
    pub eta: f64,
    /// The format of particles and inputs in the engine; the case's values are exact in it.
    pub state: StateFormat,
}

/// One run of a case, on its own data set of n samples.
#[derive(Debug, Clone)]
pub struct VerifyRun {
    pub n: usize,
    pub run: Run,
}

impl VerifyCase {
    /// The batch, one data set per run: Gaussian inputs with a constant last coordinate (for
    /// d > 1), labels ±1.
    pub fn batch(&self) -> Batch {
        let datasets = self.runs.iter().enumerate();
        let datasets = datasets.map(|(r, case)| {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            for i in 0..case.n {
                let mut draws = Draws::new(r as u64, Stream::TrainData, 0, i as u64, 0);
                let mut row = vec![0.0; self.d];
                draws.fill_gaussian(&mut row);
                if self.d > 1 {
                    row[self.d - 1] = 1.0;
                }
                x.extend(row.iter().map(|&v| self.state.nearest(v) as f32));
                y.push(if draws.uniform() < 0.5 { -1.0 } else { 1.0 });
            }
            Arc::new(Dataset { d: self.d, x, y })
        });
        Batch {
            d: self.d,
            datasets: datasets.collect(),
            runs: self.runs.iter().map(|c| c.run.clone()).collect(),
            state: self.state,
        }
    }

    /// Gaussian particles of run r, exact in the format of the state. For large d the weights are
    /// smaller, so that w·x is of order 1 and no sample dominates the exponential risk. The first
    /// particle has the direction of the first sample, so that even a single particle is active and
    /// its checks can fail.
    pub fn particles(&self, r: usize) -> Particles {
        let m = self.runs[r].run.m;
        let data = &self.batch().datasets[r];
        let mut p = Particles::zeros(m, self.d);
        let mut row = vec![0.0; self.d + 1];
        let size = match self.d {
            d if d > 64 => 1.0 / (d as f64).sqrt(),
            _ => 1.0,
        };
        for j in 0..m {
            Draws::new(r as u64, Stream::Init, 0, j as u64, 0).fill_gaussian(&mut row);
            p.a[j] = self.state.nearest(row[self.d]);
            let w = &mut p.w[j * self.d..(j + 1) * self.d];
            w.iter_mut()
                .zip(&row)
                .for_each(|(w, &v)| *w = self.state.nearest(size * v));
        }
        p.w[..self.d].copy_from_slice(
            &data
                .row(0)
                .iter()
                .map(|&x| self.state.nearest(size * size * f64::from(x)))
                .collect::<Vec<_>>(),
        );
        p
    }
}

/// d and the sizes (m, n) of the runs of each batch: ones, primes, and neighbours of the usual tile
/// sizes (16, 64, 256, 1024).
const SIZES: [(usize, &[(usize, usize)]); 8] = [
    (1, &[(1, 1), (17, 5), (64, 64)]),
    (2, &[(1001, 37), (63, 257), (2, 1)]),
    (3, &[(257, 65), (65, 127)]),
    (7, &[(1023, 31), (1025, 3)]),
    (15, &[(100, 64), (4099, 29)]),
    (32, &[(31, 255), (256, 33)]),
    (129, &[(65, 33), (130, 65)]),
    (785, &[(9, 40), (65, 7)]),
];

/// Every case: all losses in every training mode, with various decays and scalings.
pub fn all(state: StateFormat) -> Vec<VerifyCase> {
    let modes = [Train::Both, Train::Output, Train::Input];
    let mut cases = Vec::new();
    for (s, (d, sizes)) in SIZES.iter().enumerate() {
        let mut runs = Vec::new();
        for (l, &loss) in Loss::ALL.iter().enumerate() {
            // Over the whole table each loss meets each size and each mode.
            let (m, n) = sizes[(l + s) % sizes.len()];
            let train = modes[(l + s + l / 3) % 3];
            runs.push(VerifyRun {
                n,
                run: Run {
                    m,
                    part: None,
                    train_set: l,
                    test_set: None,
                    loss,
                    activation: Activation::Relu,
                    train,
                    alpha: [1.0, (m as f64).sqrt(), 10.0][(s + l) % 3],
                    lambda: [0.0, 0.125][(s + l / 2) % 2],
                    norm_scaled: (s + l) % 4 == 3,
                    informative: None,
                },
            });
        }
        cases.push(VerifyCase {
            name: format!("d = {d}"),
            d: *d,
            runs,
            eta: 0.5,
            state,
        });
    }
    cases
}

/// Few particles on so many samples that drivers which end long loops early lose some samples:
/// Mesa's llvmpipe ends all loops of an invocation after 65 535 iterations. The case of d = 2 tests
/// the short cut.
pub fn long() -> [VerifyCase; 2] {
    let case = |d, m, n| VerifyCase {
        name: format!("long loops, d = {d}"),
        d,
        runs: vec![VerifyRun {
            n,
            run: Run::simple(m, Loss::SQUARE),
        }],
        eta: 0.5,
        state: StateFormat::F32,
    };
    [case(1, 3, 530_003), case(2, 5, 130_003)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loss_meets_every_mode() {
        let cases = all(StateFormat::F32);
        for &loss in Loss::ALL {
            for train in [Train::Both, Train::Output, Train::Input] {
                assert!(
                    cases
                        .iter()
                        .flat_map(|c| &c.runs)
                        .any(|c| c.run.loss == loss && c.run.train == train),
                    "{loss:?} {train:?}"
                );
            }
        }
    }
}
