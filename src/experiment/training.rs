//! `[network]`, `[init]`, `[risk]`, `[flow]`, `[precision]`, `[output]`.

use std::fmt;
use std::path::PathBuf;

use super::schedule::Schedule;
use super::value::NamedVariant;
use crate::model::loss::Infimum;
use crate::model::{Loss, Scaling, StateFormat, Train};

/// `[network]`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkSpec {
    /// Width m, at least 1. Required.
    pub width: usize,
    /// Default both.
    pub train: Train,
    /// Default mean-field.
    pub scaling: Scaling,
}

impl NetworkSpec {
    /// Output scale α.
    pub fn alpha(&self) -> f64 {
        self.scaling.alpha(self.width)
    }
}

/// `[init]`
#[derive(Debug, Clone, PartialEq)]
pub struct InitSpec {
    /// Default gaussian.
    pub kind: InitKind,
    /// sphere, half_space: |w_j|; gaussian, one_sign, balanced: standard deviation of each
    /// coordinate of w. Default 1; not for file.
    pub scale_w: f64,
    /// sphere, half_space: |a_j|; gaussian: standard deviation of a_j; one_sign: of the Gaussian
    /// whose absolute value is a_j. Default 1; not for balanced and file, which fix a.
    pub scale_a: f64,
    /// Each w twice, with opposite a: f = 0 at the start. Takes an even width. Default false; not
    /// for one_sign and file.
    pub doubled: bool,
    /// Default nested; not for file.
    pub widths: Widths,
    /// Seed of the initial particles, so that they can vary while drawn data stays as it is.
    /// Default: the experiment's seed; not for file.
    pub seed: Option<u64>,
    /// file: .npz with w (m, d) and a (m). Absolute after loading; in a file, relative to that
    /// file.
    pub path: Option<PathBuf>,
}

/// Where the particles start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitKind {
    /// w uniform on the sphere, a = ± its scale.
    Sphere,
    /// Independent Gaussian coordinates.
    Gaussian,
    /// Gaussian w, and |a_j| = |w_j|.
    Balanced,
    /// w in a cone that does not cover the sphere.
    HalfSpace,
    /// a > 0 only.
    OneSign,
    /// From a file.
    File,
}

impl NamedVariant for InitKind {
    const ALL: &'static [Self] = &[
        InitKind::Sphere,
        InitKind::Gaussian,
        InitKind::Balanced,
        InitKind::HalfSpace,
        InitKind::OneSign,
        InitKind::File,
    ];

    fn name(self) -> &'static str {
        match self {
            InitKind::Sphere => "sphere",
            InitKind::Gaussian => "gaussian",
            InitKind::Balanced => "balanced",
            InitKind::HalfSpace => "half_space",
            InitKind::OneSign => "one_sign",
            InitKind::File => "file",
        }
    }
}

/// How the particles of different widths relate under one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Widths {
    /// The run of width m starts from the first m particles of any wider run.
    Nested,
    /// Each width has draws of its own.
    Disjoint,
}

impl NamedVariant for Widths {
    const ALL: &'static [Self] = &[Widths::Nested, Widths::Disjoint];

    fn name(self) -> &'static str {
        match self {
            Widths::Nested => "nested",
            Widths::Disjoint => "disjoint",
        }
    }
}

/// `[risk]`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiskSpec {
    /// Required. All but square and huber take targets ±1.
    pub loss: Loss,
    /// λ ≥ 0. Default 0.
    pub weight_decay: f64,
}

/// `[flow]`
///
/// The keys `integrator` ("euler"), `batch` (0) and `temperature` (0.0), like `data.fresh` (false),
/// are accepted with these values only: others come with a later version.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlowSpec {
    /// Number of updates; 0 only evaluates the start. Required.
    pub steps: u64,
    /// η > 0. Required.
    pub step: f64,
    /// Default constant.
    pub schedule: Schedule,
    /// Default never. [`super::Experiment::norm_scaled`] says whether it holds for a run.
    pub norm_scaled: NormScaled,
    /// Default none.
    pub stop: Option<Stop>,
}

/// Whether steps are multiplied by max(1, √((1/m) Σ a²)).
///
/// The 2020 paper does so where it trains the output layer alone. `"output"` lets one file sweep
/// `network.train` and do as the paper does in each of its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormScaled {
    /// `false`
    Never,
    /// `true`: whichever layers train.
    Always,
    /// `"output"`: only in runs with `network.train = "output"`.
    Output,
}

/// When to stop before the last step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stop {
    /// `{ gap = g }`: the certified gap at or below the share g > 0 of the optimum, which is solved
    /// for before the run starts. For both layers or the input layer: labels ±1 without decay (the
    /// largest margin_f1), square or logistic risk with decay (the least penalised risk).
    Gap(f64),
    /// `{ risk = r }`: R(f) at or below r.
    Risk(f64),
    /// `{ seconds = s }`: wall-clock seconds, s > 0.
    Seconds(f64),
}

impl Stop {
    /// Its key in experiment files, and its name in summary.json.
    pub fn name(self) -> &'static str {
        match self {
            Stop::Gap(_) => "gap",
            Stop::Risk(_) => "risk",
            Stop::Seconds(_) => "seconds",
        }
    }

    /// Why no run with this loss ever meets it, if none does.
    pub fn never(self, loss: Loss) -> Option<String> {
        let Stop::Risk(target) = self else {
            return None;
        };
        let (is_below, bound) = match loss.infimum() {
            Infimum::Attained => (target < 0.0, "never below 0"),
            Infimum::Approached => (target <= 0.0, "always above 0"),
            Infimum::None => return None,
        };
        is_below.then(|| format!("the {} risk is {bound}", loss.name()))
    }
}

/// As a file has it: `{ risk = 0.1 }`.
impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (Stop::Gap(value) | Stop::Risk(value) | Stop::Seconds(value)) = self;
        write!(f, "{{ {} = {value} }}", self.name())
    }
}

/// `[precision]`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrecisionSpec {
    /// Default f32.
    pub state: StateFormat,
    /// Default false, and nothing else in this version.
    pub compensated: bool,
}

/// `[output]`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutputSpec {
    /// Rows of metrics per run, log-spaced over the steps, first and last included. At least 2,
    /// default 200.
    pub records: usize,
    /// Particle snapshots, log-spaced. Default 40.
    pub snapshots: usize,
    /// Seconds between checkpoints. Default 60.
    pub checkpoint_seconds: f64,
}
