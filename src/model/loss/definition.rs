//! The definition of a loss, as its file gives it.

/// A loss without the value of its parameter.
pub struct Definition {
    /// The name in experiment files.
    pub name: &'static str,
    /// If the loss has one, experiment files have `{ name = value }` in place of the name.
    pub parameter: Option<Parameter>,
    pub targets: Targets,
    pub infimum: Infimum,
    pub dual: Option<Dual>,
    pub form: RiskFormula,
}

/// A positive parameter of a loss.
pub struct Parameter {
    /// Its letter.
    pub letter: &'static str,
    /// The value used in tests.
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
    /// 0, attained by some predictions.
    Attained,
    /// 0, not attained by any predictions.
    Approached,
    /// R is unbounded below.
    None,
}

/// The conjugates R* for which the penalised risk can be certified.
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
    /// A function of all predictions together.
    All(All),
}

/// A prediction f and its target y, and the number n of samples.
pub struct LossArguments {
    pub f: f64,
    pub y: f64,
    pub n: f64,
    /// The parameter of the loss; 0 if it has none.
    pub parameter: f64,
}

/// Functions of one prediction.
pub struct Each {
    /// ℓ(f, y)
    pub value: fn(&LossArguments) -> f64,
    /// g = ∂R/∂f
    pub residual: fn(&LossArguments) -> f64,
    /// From g and the scale s of f: if f has a small error ε s, the error of g is about ε times the result.
    pub condition: fn(&LossArguments, f64, f64) -> f64,
    /// Rounding error of g where f is exact; the second argument is the error of the margin.
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
    /// As in [`Each`]; from g, the scale of its own prediction, and the largest scale.
    pub condition: fn(f64, f64, f64) -> f64,
    /// As in [`Each`] (n), for predictions 2^p f̂; the last argument is the depth of sums over samples.
    pub rounding: fn(Pairs, i32, f64) -> Vec<Rounding>,
    pub wgsl: Wgsl,
}

/// Bounds of the rounding error of g: a multiple of the unit round-off relative to g, and an absolute part.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rounding {
    pub relative: f64,
    pub beside: f64,
}

/// The residual in the language of the gpu kernels.
#[derive(Debug, Clone, Copy)]
pub enum Wgsl {
    /// The body of a function of f, y, u = y f, n and `parameter` that returns g, with `exp_exact` for e^x.
    Each(&'static str),
    /// Expressions of `behind` = min_k y_k f_k − y f ≤ 0: the sample's contribution to `mass`, and g, which
    /// may also use y and `mass`.
    All {
        mass: &'static str,
        residual: &'static str,
    },
}
