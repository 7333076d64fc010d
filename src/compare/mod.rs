//! Comparison of trained networks: how wide is wide enough?
//!
//! # What is compared
//!
//! Runs that differ in nothing but the seed of their particles are an *ensemble*; two ensembles are
//! compared, of two widths of one folder's grid with all else equal, or of two folders. A gap is the
//! root mean square, over pairs of runs with one of each, of
//!
//! * `prediction_rms`, `prediction_max`, `prediction_relative`: √((1/n) Σ (f_i − f'_i)²), max |f_i − f'_i|,
//!   and the first over √((1/2n) Σ (f_i² + f'_i²)), on inputs that both have in common;
//! * `mass_plus`, `mass_minus`: the difference of the total masses (1/m) Σ |a_j| |w_j| over a > 0 and over
//!   a < 0; their sum is tv_norm/α;
//! * `w2_directions`: with f(x) = α ∫ σ(θ·x) dν(θ), ν = (1/m) Σ a_j |w_j| δ_(w_j/|w_j|), the sliced W2 of ν's
//!   shape: of the probability measures Σ_j p_j δ_(sign a_j, w_j/|w_j|) on R^(d+1), p_j = |a_j| |w_j| / Σ_l |a_l| |w_l|;
//!   the sign is a coordinate of its own, so that mass which changes its sign has to travel;
//! * `w2_raw`: the sliced W2 of (1/m) Σ_j δ_(a_j, w_j) on R^(d+1), in true units.
//!
//! Networks of more than [`MOST_PARTICLES`] particles are represented in both clouds by that many, one
//! drawn from each of as many equal ranges of indices, the same at each call.
//!
//! # Variance
//!
//! The variance of f between the seeds of an ensemble, averaged over the inputs, falls like mˢ with s → −1
//! (docs/model.md, law 8): it is C/m (1 + c/m + …), so narrow widths deviate from the straight line that
//! [`fit`] fits. The exponent is reported for all widths together, and for each width with the wider ones.
//! Its standard error, and that of the logarithm of each variance, come from the jackknife.
//!
//! # Noise floor
//!
//! The floor of an ensemble is the same statistic between its own independent runs. The floor of a pair is
//! √((floor_a² + floor_b²)/2): the gap expected if both ensembles had the same mean and only fluctuated
//! about it. A gap well above its floor is a bias of the narrower network.
//! Runs of different widths may share draws too ([`Relation`]): gaps come from independent runs where there are any.
//!
//! The experiment's seed draws data and particles. Where the data are drawn, only `init.seed` varies the
//! particles alone.

mod comparison;
mod ensemble;
mod gaps;
mod inputs;
mod network;
mod report;
mod sliced_wasserstein;
mod stored;
mod variance;

use std::path::{Path, PathBuf};

pub use ensemble::Relation;
pub use gaps::MOST_PAIRS;
pub use network::MOST_PARTICLES;
pub use report::{ComparisonReport, EnsembleReport, Gap, PairReport, VarianceReport, WidthReport};
pub use sliced_wasserstein::{PointCloud, sliced_w2, w2_squared};
pub use stored::{StoredComparison, StoredEnsemble, StoredGap, StoredPair, StoredPowerLaw};
pub use variance::{PowerLaw, fit, variance};

use crate::error::{Error, Result};
use comparison::Comparison;
use ensemble::OpenedFolder;

/// How to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareOptions {
    /// Number of random directions of each sliced W2; the relative error is about its inverse square root.
    pub projections: usize,
    /// Additional inputs to predict on, besides the common training and test inputs.
    pub data: Option<PathBuf>,
}

impl Default for CompareOptions {
    fn default() -> Self {
        CompareOptions {
            projections: 128,
            data: None,
        }
    }
}

/// Compares every pair of widths of a folder's grid, and fits the exponent of the variance.
///
/// # Errors
/// The folder has no two widths with all else equal, or runs without a checkpoint.
pub fn within(dir: &Path, options: &CompareOptions) -> Result<ComparisonReport> {
    let opened = OpenedFolder::new(dir)?;
    let mut comparison = Comparison::new(options, &[&opened]);
    for family in opened.families() {
        let count = family.ensembles.len();
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        let pairs: Vec<(usize, usize)> = pairs.collect();
        if !pairs.is_empty() {
            comparison.compare(&[&family], &pairs)?;
        }
    }
    if comparison.is_empty() {
        return Err(Error::input(
            dir.display().to_string(),
            "has nothing to compare: no two of its runs differ in network.width with all else equal",
            "give a second folder, or run a grid such as --set 'grid.\"network.width\"=[64, 128, 256]'",
        ));
    }
    Ok(comparison.finish())
}

/// Compares every width of one folder with every width of another, for families in which all keys that both
/// grids sweep have the same values.
///
/// # Errors
/// No such runs; inputs of different dimensions, or none in common; runs without a checkpoint.
pub fn between(a: &Path, b: &Path, options: &CompareOptions) -> Result<ComparisonReport> {
    let (opened_a, opened_b) = (OpenedFolder::new(a)?, OpenedFolder::new(b)?);
    let mut comparison = Comparison::new(options, &[&opened_a, &opened_b]);
    let mut refused: Vec<Error> = Vec::new();
    let families_b = opened_b.families();
    for one in &opened_a.families() {
        for other in families_b.iter().filter(|other| one.agrees_with(other)) {
            let (left, right) = (one.ensembles.len(), other.ensembles.len());
            let pairs = (0..left).flat_map(|i| (left..left + right).map(move |j| (i, j)));
            let pairs: Vec<(usize, usize)> = pairs.collect();
            match comparison.compare(&[one, other], &pairs) {
                Err(error @ Error::Input { .. }) => refused.push(error),
                done => done?,
            }
        }
    }
    let left_out = refused.len();
    match (refused.into_iter().next(), comparison.is_empty()) {
        (Some(reason), true) => return Err(reason),
        (None, true) => {
            return Err(Error::input(
                format!("{} and {}", a.display(), b.display()),
                "have no runs to compare: the keys that both grids sweep have no values in common",
                "compare folders whose grids agree, or differ in network.width or in keys of one alone",
            ));
        }
        (Some(reason), false) => comparison.note(format!(
            "{left_out} combinations of the grids' parameters were left out; the first: {reason}"
        )),
        (None, false) => (),
    }
    Ok(comparison.finish())
}
