//! An experiment: what to train, on what, how, and what to write down.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A validated experiment without its grid: one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    pub title: String,
    pub seed: u64,
    pub data: DataSpec,
    pub network: Network,
    pub init: Init,
    pub risk: Risk,
    pub flow: Flow,
    pub precision: PrecisionSpec,
    pub output: Output,
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataSpec {
    pub source: Source,
    /// Number of training samples; fixed by the source for xor, interpolation and file.
    pub n: Option<usize>,
    /// Input dimension with the bias coordinate; fixed by the source for interpolation, circle and file.
    pub d: Option<usize>,
    /// Size of the test set, 0 for none.
    pub test: usize,
    /// clusters: clusters per side of the grid, k² in all.
    pub k: usize,
    /// teacher, circle: number m0 of teacher neurons.
    pub teacher_width: usize,
    /// teacher: distribution of the inputs.
    pub inputs: Inputs,
    /// teacher, circle: standard deviation of Gaussian noise on the targets.
    pub noise: f64,
    /// interpolation: points (x, y); each becomes the input (x, 1).
    pub points: Option<Vec<[f64; 2]>>,
    /// file: .npz, .csv, an .npy of X, or an idx image file.
    pub path: Option<PathBuf>,
    /// file: the .npy of y, or the idx label file.
    pub targets_path: Option<PathBuf>,
    /// file: the csv column of the targets.
    pub target: Option<String>,
    /// file (idx): the two classes to tell apart, labelled −1 and +1 in this order.
    pub classes: Option<[u8; 2]>,
    /// file: append the constant 1 to each input.
    pub bias: bool,
    /// file: centre each column and divide by its standard deviation (training statistics).
    pub standardize: bool,
    /// file: test samples in a file of the same form.
    pub test_path: Option<PathBuf>,
    /// file (npy, idx): targets of `test_path`.
    pub test_targets_path: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Clusters,
    Teacher,
    Xor,
    Interpolation,
    Circle,
    File,
}

/// Distribution of the teacher's inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inputs {
    /// Uniform on the unit sphere.
    Sphere,
    /// N(0, I).
    Gaussian,
}

/// `[network]`
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Width m.
    pub width: usize,
    pub train: Train,
    pub scaling: Scaling,
}

impl Network {
    /// Output scale α.
    pub fn alpha(&self) -> f64 {
        match self.scaling {
            Scaling::MeanField => 1.0,
            Scaling::Ntk => (self.width as f64).sqrt(),
            Scaling::Alpha(alpha) => alpha,
        }
    }
}

/// Which layers move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Train {
    Both,
    /// a only.
    Output,
    /// w only.
    Input,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Scaling {
    /// α = 1.
    #[serde(rename = "mean-field")]
    MeanField,
    /// α = √m: the gradient flow of R for f = (1/√m) Σ a σ.
    #[serde(rename = "ntk")]
    Ntk,
    /// { alpha = α }.
    #[serde(rename = "alpha")]
    Alpha(f64),
}

/// `[init]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Init {
    pub kind: InitKind,
    /// sphere, half_space: |w_j|; gaussian, one_sign, balanced: standard deviation of each coordinate of w.
    pub scale_w: f64,
    /// sphere, half_space: |a_j|; gaussian, one_sign: standard deviation of a_j (of its absolute value's Gaussian for one_sign). Unused by balanced.
    pub scale_a: f64,
    /// Each w twice, with opposite a: f = 0 at the start.
    pub doubled: bool,
    pub widths: Widths,
    /// file: .npz with w (m, d) and a (m).
    pub path: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitKind {
    Sphere,
    Gaussian,
    Balanced,
    HalfSpace,
    OneSign,
    File,
}

/// How the particles of different widths relate under one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Widths {
    /// The run of width m starts from the first m particles of any wider run.
    Nested,
    /// Each width has draws of its own.
    Disjoint,
}

/// `[risk]`
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Risk {
    pub loss: Loss,
    /// λ
    pub weight_decay: f64,
}

/// The empirical risk R(f) of MODEL.md, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    Square,
    Logistic,
    Exponential,
    Softmin,
    Hinge,
    SquaredHinge,
}

impl Loss {
    pub const ALL: [Loss; 6] = [
        Loss::Square,
        Loss::Logistic,
        Loss::Exponential,
        Loss::Softmin,
        Loss::Hinge,
        Loss::SquaredHinge,
    ];

    /// Whether targets are labels ±1, so that margins and errors are defined.
    pub fn is_classification(self) -> bool {
        self != Loss::Square
    }
}

/// `[flow]`
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    pub steps: u64,
    /// η
    pub step: f64,
    pub schedule: Schedule,
    pub norm_scaled: bool,
    pub stop: Option<Stop>,
}

/// Step size of update k = 0, 1, …, in units of η.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Schedule {
    /// 1
    #[serde(rename = "constant")]
    Constant,
    /// 1/√(k+2): the first step is η/√2.
    #[serde(rename = "inverse-sqrt")]
    InverseSqrt,
    /// { power = p }: (k+1)^(−p).
    #[serde(rename = "power")]
    Power(f64),
    /// (1 + cos(πk/steps))/2.
    #[serde(rename = "cosine")]
    Cosine,
}

/// When to stop before the last step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// R(f) at or below this.
    Risk(f64),
    /// Wall-clock seconds.
    Seconds(f64),
}

/// `[precision]`
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PrecisionSpec {
    pub state: StateFormat,
    pub compensated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateFormat {
    F32,
}

/// `[output]`
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Rows of metrics per run, log-spaced over the steps.
    pub records: usize,
    /// Particle snapshots, log-spaced.
    pub snapshots: usize,
    pub checkpoint_seconds: f64,
}

impl Schedule {
    /// Step size of update k = 0, 1, … of `steps`, for η = `eta`.
    pub fn step(self, eta: f64, k: u64, steps: u64) -> f64 {
        let k = k as f64;
        eta * match self {
            Schedule::Constant => 1.0,
            Schedule::InverseSqrt => 1.0 / (k + 2.0).sqrt(),
            Schedule::Power(p) => (k + 1.0).powf(-p),
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * k / steps as f64).cos()),
        }
    }
}
