//! The results of a bench, as written to JSON.

use serde::Serialize;

use super::case::BenchCase;
use crate::engine::Ceilings;
use crate::model::StateFormat;

/// Throughput of one engine on one machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchReport {
    pub version: &'static str,
    pub engine: &'static str,
    pub adapter: String,
    /// Format of particles and inputs.
    pub state: &'static str,
    /// `None` for the reference engine.
    pub ceilings: Option<Ceilings>,
    pub cases: Vec<CaseTiming>,
    pub left_out: Vec<LeftOut>,
    /// With the standard cases only.
    pub grid: Option<GridTiming>,
}

/// The times of one case with one method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseTiming {
    #[serde(flatten)]
    pub case: BenchCase,
    /// The original width, if it was reduced to save time.
    pub reduced_from: Option<usize>,
    /// "direct", or the name of the exact short cut.
    pub method: &'static str,
    pub ms_per_step: f64,
    /// Milliseconds of predict alone, and of all other stages together; `None` if the overhead of a
    /// call exceeds the time of the stage, and for short cuts.
    pub predict_ms: Option<f64>,
    pub rest_ms: Option<f64>,
    /// 6·n·m·d operations per step, in 10⁹ per second, and the share of the ceiling; `None` for
    /// short cuts, which do fewer operations.
    pub gflops: Option<f64>,
    pub share: Option<f64>,
    /// Particles read once and written once per step, in 10⁹ bytes per second.
    pub particles_gb_per_s: f64,
}

/// Seconds of a step, and of predict alone if that can be measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub step: f64,
    pub predict: Option<f64>,
}

impl CaseTiming {
    pub(super) fn new(
        (case, state): (BenchCase, StateFormat),
        reduced_from: Option<usize>,
        method: &'static str,
        Times { step, predict }: Times,
        ceilings: Option<&Ceilings>,
    ) -> Self {
        let gflops = (method == "direct").then_some(case.flops() / step / 1e9);
        CaseTiming {
            case,
            reduced_from,
            method,
            ms_per_step: 1e3 * step,
            predict_ms: predict.map(|p| 1e3 * p),
            // The difference of two medians may be slightly below 0.
            rest_ms: predict.map(|p| 1e3 * (step - p).max(0.0)),
            gflops,
            share: gflops.zip(ceilings).map(|(rate, c)| rate / c.fma_gflops),
            particles_gb_per_s: case.bytes(state) / step / 1e9,
        }
    }
}

/// A case that was not timed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    #[serde(flatten)]
    pub case: BenchCase,
    pub why: String,
}

/// A grid of small runs compared with one run of the same total width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GridTiming {
    pub runs: usize,
    /// Width of each run of the grid.
    pub m: usize,
    pub n: usize,
    pub d: usize,
    pub grid_ms_per_step: f64,
    pub one_ms_per_step: f64,
    /// Time of a step of the grid, divided by that of the one run.
    pub ratio: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_is_counted_as_the_documentation_says() {
        let case = BenchCase { m: 10, n: 5, d: 2 };
        let ceilings = Ceilings {
            fma_gflops: 1.2,
            copy_gb_per_s: 1.0,
        };
        let times = |predict| Times {
            step: 1e-6,
            predict,
        };
        let whole = (case, StateFormat::F32);
        let row = CaseTiming::new(whole, None, "direct", times(Some(4e-7)), Some(&ceilings));
        let near = |value: Option<f64>, want: f64| value.is_some_and(|v| (v - want).abs() < 1e-12);
        assert!(near(row.gflops, 0.6) && near(row.share, 0.5), "{row:?}");
        assert!(near(row.predict_ms, 4e-4) && near(row.rest_ms, 6e-4));
        assert!(near(Some(row.particles_gb_per_s), 0.24));
        let half = (case, StateFormat::F16);
        let row = CaseTiming::new(half, None, "arcs", times(None), Some(&ceilings));
        assert!(near(Some(row.particles_gb_per_s), 0.12));
        assert_eq!((row.gflops, row.share), (None, None));
    }
}
