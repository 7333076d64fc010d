//! Speed of the engines on this machine: whole steps and stages, compared with the machine's
//! ceilings measured in the same run.
//!
//! A case is one run of width m on n samples of dimension d: softmin, both layers, single
//! precision. A step counts as 6·n·m·d operations, those of the direct kernels for large d (predict
//! d, velocity 2d multiply-adds per pair of neuron and sample), whatever the engine really does:
//! kernels that keep activations from predict to velocity do up to a third less.

mod case;
mod measure;
mod report;
mod timing;

pub use case::{BenchCase, GRID_RUNS, GRID_WIDTH, STANDARD, batch, start};
pub use measure::{CaseSelection, measure};
pub use report::{BenchReport, CaseTiming, GridTiming, LeftOut};
pub use timing::{TimingOptions, predict_once, predict_seconds, step_seconds, steps};
