//! What a file of a loss says.

/// A loss, but for the value of its parameter.
pub struct Definition {
    /// The word in experiment files.
    pub name: &'static str,
    /// Where there is one, a file has `{ name = value }` in place of the word.
    pub parameter: Option<Parameter>,
    pub targets: Targets,
    pub infimum: Infimum,
    pub dual: Option<Dual>,
    pub form: RiskFormula,
}

/// A parameter above 0.
pub struct Parameter {
    /// Its letter.
    pub letter: &'static str,
    /// The value that tests take.
    pub example: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Targets {
    /// ±1: margins and errors are defined.
    Labels,
    /// Any numbers.
    Numbers,
}

/// The infimum of R over all predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Infimum {
    /// 0, for some predictions.
    Attained,
    /// 0, for none.
    Approached,
    /// None: R is unbounded below.
    None,
}

/// The conjugates R* that certificates of the penalised risk know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dual {
    /// R*(q) = (n/2)|q|² + q·y
    Square,
    /// R*(q) = (1/n) Σ [t log t + (1−t) log(1−t)], q_i = −y_i t_i/n, t_i in [0, 1]
    Logistic,
}

/// How R depends on the predictions.
pub enum RiskFormula {
    /// R = (1/n) Σ_i ℓ(f_i, y_i)
    Each(Each),
    /// A function of all predictions at once.
    All(All),
}

/// A prediction f with its target y, one of n.
pub struct LossArguments {
    pub f: f64,
    pub y: f64,
    pub n: f64,
    /// Of the loss; 0 where it has none.
    pub parameter: f64,
}

/// Functions of one prediction.
pub struct Each {
    /// ℓ(f, y)
    pub value: fn(&LossArguments) -> f64,
    /// g = ∂R/∂f
    pub residual: fn(&LossArguments) -> f64,
    /// Scale of the error of g where f is known to a small share of a scale; of g and this scale.
    pub condition: fn(&LossArguments, f64, f64) -> f64,
    /// What rounding does to g where f is exact and a margin is known to a distance.
    pub rounding: fn(&LossArguments, f64) -> Rounding,
    pub wgsl: Wgsl,
}

/// Predictions with their targets, (f, y) (n).
pub type Pairs<'a> = &'a [(f64, f64)];

/// Functions of all (f, y).
pub struct All {
    pub risk: fn(&mut dyn Iterator<Item = (f64, f64)>) -> f64,
    /// g (n) for true predictions 2^p f̂.
    pub residual: fn(Pairs, i32) -> Vec<f64>,
    /// As of [`Each`]; of g, the scale of its own prediction and the largest one.
    pub condition: fn(f64, f64, f64) -> f64,
    /// As of [`Each`] (n), for predictions 2^p f̂ and sums of some depth.
    pub rounding: fn(Pairs, i32, f64) -> Vec<Rounding>,
    pub wgsl: Wgsl,
}

/// Bounds of an error of g: multiples of the round-off relative to g, and an absolute part beside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rounding {
    pub relative: f64,
    pub beside: f64,
}

/// The residual in a kernel.
#[derive(Debug, Clone, Copy)]
pub enum Wgsl {
    /// The body of a function of f, y, u = y f, n and `parameter` that returns g, with `exp_exact` for e^x.
    Each(&'static str),
    /// Expressions of `behind` = the least y f less this y f, so at most 0: what the sample adds to `mass`, and
    /// g, of y and `mass` too.
    All {
        mass: &'static str,
        residual: &'static str,
    },
}
