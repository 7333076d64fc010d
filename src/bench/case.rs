//! The benchmark cases: sizes, samples and particles.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;

use crate::data::Dataset;
use crate::digits::parse_whole;
use crate::engine::{Batch, Engine};
use crate::error::{Error, Result};
use crate::model::Run;
use crate::model::{Loss, StateFormat};
use crate::particles::Particles;
use crate::random::{Draws, Stream};

/// Sizes of one timed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BenchCase {
    /// Width.
    pub m: usize,
    /// Samples.
    pub n: usize,
    /// Input dimension.
    pub d: usize,
}

const fn case(m: usize, n: usize, d: usize) -> BenchCase {
    BenchCase { m, n, d }
}

/// The cases that are timed by default.
pub const STANDARD: [BenchCase; 6] = [
    case(1_000, 256, 15),
    case(100_000, 256, 15),
    case(1_000_000, 256, 3),
    case(1_000_000, 256, 15),
    case(100_000, 10_000, 2),
    case(10_000, 4_096, 785),
];

/// The grid of runs that is compared with one run of the same total width: number of runs, and
/// width of each.
pub const GRID_RUNS: usize = 64;
pub const GRID_WIDTH: usize = 1_000;

/// The most numbers in the particles or the samples of a case: 256 GiB of f32.
const LARGEST: u128 = 1 << 36;

impl BenchCase {
    /// Nominal operations of a step: 6·n·m·d.
    pub fn flops(&self) -> f64 {
        6.0 * self.n as f64 * self.m as f64 * self.d as f64
    }

    /// Bytes of the particles read once and written once, the least memory traffic of a step.
    pub fn bytes(&self, state: StateFormat) -> f64 {
        (2 * state.bytes()) as f64 * self.m as f64 * (self.d + 1) as f64
    }
}

impl fmt::Display for BenchCase {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{},{},{}", self.m, self.n, self.d)
    }
}

impl FromStr for BenchCase {
    type Err = Error;

    /// Reads `M,N,D`.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = |what: &str| {
            Err(Error::input(
                format!("--case {text}"),
                what,
                "write it as M,N,D: width, samples and input dimension, such as --case 100000,256,15",
            ))
        };
        let numbers: Vec<Option<usize>> = text
            .split(',')
            .map(|part| usize::try_from(parse_whole(part.trim())?).ok())
            .collect();
        let [Some(m), Some(n), Some(d)] = numbers[..] else {
            return refuse("is not three whole numbers with commas between them");
        };
        if m == 0 || n == 0 || d == 0 {
            return refuse("has a 0, and all three must be at least 1");
        }
        if m.max(n) as u128 * (d as u128 + 1) > LARGEST {
            return refuse("is larger than 2^36 numbers, which no machine of today holds");
        }
        Ok(case(m, n, d))
    }
}

/// Runs of these widths on one data set: Gaussian inputs of mean square 1, labels ±1.
pub fn batch(n: usize, d: usize, widths: &[usize]) -> Batch {
    let mut x = vec![0.0; n * d];
    Draws::new(1, Stream::TrainData, 0, 0, 0).fill_gaussian(&mut x);
    let scale = (d as f64).sqrt().recip();
    let data = Dataset {
        d,
        x: x.iter().map(|&v| (scale * v) as f32).collect(),
        y: [1.0, -1.0].into_iter().cycle().take(n).collect(),
    };
    Batch {
        d,
        datasets: vec![Arc::new(data)],
        runs: widths
            .iter()
            .map(|&m| Run::simple(m, Loss::SOFTMIN))
            .collect(),
        state: StateFormat::F32,
    }
}

/// Numbers drawn per block, in parallel on all threads: a few megabytes.
const DRAWN: usize = 1 << 20;

/// Writes Gaussian particles into every run.
pub fn start(engine: &mut dyn Engine) -> Result<()> {
    let d = engine.batch().d;
    let widths: Vec<usize> = engine.batch().runs.iter().map(|run| run.m).collect();
    let most = (DRAWN / (d + 1)).max(1);
    for (run, &m) in widths.iter().enumerate() {
        for first in (0..m).step_by(most) {
            engine.write(run, first, &particles(run, first, most.min(m - first), d))?;
        }
    }
    Ok(())
}

/// `count` particles of a run from `first` on; each particle has its own draws.
fn particles(run: usize, first: usize, count: usize, d: usize) -> Particles {
    let mut block = Particles::zeros(count, d);
    let rows = block.w.par_chunks_mut(d).zip(&mut block.a);
    rows.enumerate().for_each(|(j, (w, a))| {
        let particle = (first + j) as u64;
        Draws::new(2, Stream::Init, run as u32, particle, 0).fill_gaussian(w);
        *a = Draws::new(3, Stream::Init, run as u32, particle, 0).gaussian_pair()[0];
    });
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_read_as_they_are_written() {
        for case in STANDARD {
            assert_eq!(case.to_string().parse::<BenchCase>().ok(), Some(case));
        }
        assert_eq!(" 1, 2,3".parse::<BenchCase>().ok(), Some(case(1, 2, 3)));
        assert_eq!("1e3,2,3".parse::<BenchCase>().ok(), Some(case(1000, 2, 3)));
        assert_eq!(case(10, 3, 2).flops(), 360.0);
        for bad in ["", "1,2", "1,2,3,4", "1,2,x", "0,1,1", "1,2,-3", "1e-3,2,3"] {
            let message = bad.parse::<BenchCase>().map_err(|e| e.to_string());
            assert!(
                message.is_err_and(|m| m.contains("--case 100000,256,15")),
                "{bad}"
            );
        }
        assert!("100000000000,256,15".parse::<BenchCase>().is_err());
    }

    #[test]
    fn blocks_of_particles_are_part_of_one_sequence() {
        let whole = particles(0, 0, 7, 3);
        let part = particles(0, 4, 3, 3);
        assert_eq!(whole.w[12..], part.w);
        assert_eq!(whole.a[4..], part.a);
        assert_ne!(whole, particles(1, 0, 7, 3));
    }
}
