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
    /// sphere, half_space: |a_j|; gaussian: standard deviation of a_j; one_sign: standard deviation
    /// of the Gaussian whose absolute value is a_j. Default 1; not for balanced and file, which fix
    /// a.
    pub scale_a: f64,
    /// Takes each w twice, with opposite a, so that f = 0 at the start. Requires an even width.
    /// Default false; not for one_sign and file.
    pub doubled: bool,
    /// Default nested; not for file.
    pub widths: Widths,
    /// Seed of the initial particles, to vary them on the same data. Default: the experiment's
    /// seed; not for file.
    pub seed: Option<u64>,
    /// file: .npz with w (m, d) and a (m). Absolute after loading; in a file, relative to that
    /// file.
    pub path: Option<PathBuf>,
}

/// Distribution or source of the initial particles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitKind {
    /// w uniform on the sphere of radius scale_w, a = ± scale_a.
    Sphere,
    /// Independent Gaussian coordinates of w and a.
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

/// How the initial particles of different widths are related under one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Widths {
    /// The run of width m starts from the first m particles of any wider run.
    Nested,
    /// Each width has its own draws.
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
    /// Required. All but square and huber need targets ±1.
    pub loss: Loss,
    /// λ ≥ 0. Default 0.
    pub weight_decay: f64,
}

/// `[flow]`
///
/// The keys `integrator` ("euler"), `batch` (0) and `temperature` (0.0), like `data.fresh` (false),
/// accept these values only; other values are reserved for later versions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlowSpec {
    /// Number of updates; 0 only evaluates the initial state. Required.
    pub steps: u64,
    /// η > 0. Required.
    pub step: f64,
    /// Default constant.
    pub schedule: Schedule,
    /// Default never. [`super::Experiment::norm_scaled`] resolves it for a run.
    pub norm_scaled: NormScaled,
    /// Default none.
    pub stop: Option<Stop>,
}

/// Whether steps are multiplied by max(1, √((1/m) Σ a²)).
///
/// Chizat and Bach 2020 do so when they train the output layer alone. With `"output"` one file can
/// sweep `network.train` and follow the paper in each of its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormScaled {
    /// `false`
    Never,
    /// `true`: in all runs.
    Always,
    /// `"output"`: only in runs with `network.train = "output"`.
    Output,
}

/// A criterion to stop before the last step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stop {
    /// `{ gap = g }`: the certified gap is at most the share g > 0 of the optimum, which is
    /// computed before the run starts. For both layers or the input layer: labels ±1 without decay
    /// (the largest margin_f1), square or logistic risk with decay (the least penalised risk).
    Gap(f64),
    /// `{ risk = r }`: R(f) ≤ r.
    Risk(f64),
    /// `{ seconds = s }`: s > 0 seconds of wall-clock time have passed.
    Seconds(f64),
}

impl Stop {
    /// The key in experiment files and the name in summary.json.
    pub fn name(self) -> &'static str {
        match self {
            Stop::Gap(_) => "gap",
            Stop::Risk(_) => "risk",
            Stop::Seconds(_) => "seconds",
        }
    }

    /// Why no run with this loss can meet the criterion; `None` if a run can.
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

/// The form in experiment files: `{ risk = 0.1 }`.
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
    /// Default false; true is reserved for a later version.
    pub compensated: bool,
}

/// `[output]`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutputSpec {
    /// Rows of metrics per run, log-spaced over the steps, with the first and the last step. At
    /// least 2, default 200.
    pub records: usize,
    /// Particle snapshots, log-spaced. Default 40.
    pub snapshots: usize,
    /// Seconds between checkpoints. Default 60.
    pub checkpoint_seconds: f64,
}
