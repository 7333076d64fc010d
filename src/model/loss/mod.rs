//! Empirical risks R(f) of n predictions f with targets y: one file each, and the table of all.

mod definition;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{Hash, Hasher};

use super::ldexp;

pub use definition::{
    All, Definition, Dual, Each, Infimum, LossArguments, Pairs, Parameter, RiskFormula, Rounding,
    Targets, Wgsl,
};

/// Declares the module and the constant of every loss. The file of a loss is its only definition: names and
/// parameters in experiment files, codes and bodies in kernels, bounds and tests are derived from it.
macro_rules! table {
    ($($constant:ident = $file:ident,)*) => {
        $(mod $file;)*

        impl Loss {
            $(pub const $constant: Loss = Loss::new(&$file::LOSS);)*

            /// Every loss; a parameter has the value used in tests.
            pub const ALL: &'static [Loss] = &[$(Loss::$constant),*];
        }
    };
}

table! {
    SQUARE = square,
    LOGISTIC = logistic,
    EXPONENTIAL = exponential,
    SOFTMIN = softmin,
    HINGE = hinge,
    SQUARED_HINGE = squared_hinge,
    HUBER = huber,
}

/// An empirical risk R(f): a loss of the table with the value of its parameter.
#[derive(Clone, Copy)]
pub struct Loss {
    definition: &'static Definition,
    /// 0 if the loss has no parameter.
    parameter: f64,
}

impl Loss {
    const fn new(definition: &'static Definition) -> Loss {
        let parameter = match &definition.parameter {
            Some(parameter) => parameter.example,
            None => 0.0,
        };
        Loss {
            definition,
            parameter,
        }
    }

    /// The loss of this name; its parameter has the value in [`Loss::ALL`].
    pub fn named(name: &str) -> Option<Loss> {
        Loss::ALL.iter().copied().find(|loss| loss.name() == name)
    }

    /// The same loss with another value of its parameter.
    pub const fn with(self, parameter: f64) -> Loss {
        Loss { parameter, ..self }
    }

    /// The name in experiment files.
    pub fn name(self) -> &'static str {
        self.definition.name
    }

    /// The parameter and its value, if the loss has one.
    pub fn parameter(self) -> Option<(&'static Parameter, f64)> {
        let parameter = self.definition.parameter.as_ref();
        parameter.map(|parameter| (parameter, self.parameter))
    }

    /// Whether targets are labels ±1, so that margins and errors are defined.
    pub fn is_classification(self) -> bool {
        self.definition.targets == Targets::Labels
    }

    pub fn infimum(self) -> Infimum {
        self.definition.infimum
    }

    /// The dual of the penalised risk, if certificates support it.
    pub fn dual(self) -> Option<Dual> {
        self.definition.dual
    }

    /// Whether the residual of a sample depends on all predictions.
    pub fn is_coupled(self) -> bool {
        matches!(self.definition.form, RiskFormula::All(_))
    }

    pub fn wgsl(self) -> Wgsl {
        match &self.definition.form {
            RiskFormula::Each(each) => each.wgsl,
            RiskFormula::All(all) => all.wgsl,
        }
    }

    /// The index in the table, which identifies the loss in kernels.
    pub fn code(self) -> u32 {
        let at = Loss::ALL.iter().position(|loss| loss.name() == self.name());
        at.unwrap_or(Loss::ALL.len()) as u32
    }

    /// R(f) for true predictions f (n) and targets y (n).
    pub fn risk(self, f: impl Iterator<Item = f64>, y: &[f32]) -> f64 {
        let n = y.len() as f64;
        match &self.definition.form {
            RiskFormula::Each(each) => {
                let all = self.predictions(f, y);
                all.map(|at| (each.value)(&at)).sum::<f64>() / n
            }
            RiskFormula::All(all) => (all.risk)(&mut f.zip(y).map(|(f, &y)| (f, f64::from(y)))),
        }
    }

    /// residual: g_i = ∂R/∂f_i (n) for true predictions 2^p f̂ and targets y. No term becomes ∞ · 0,
    /// however large p is.
    pub fn residual(self, f: &[f64], p: i32, y: &[f32]) -> Vec<f64> {
        match &self.definition.form {
            RiskFormula::Each(each) => {
                let f = f.iter().map(|&f| ldexp(f, p));
                self.predictions(f, y)
                    .map(|at| (each.residual)(&at))
                    .collect()
            }
            RiskFormula::All(all) => {
                let pairs = f.iter().zip(y).map(|(&f, &y)| (f, f64::from(y)));
                (all.residual)(&pairs.collect::<Vec<_>>(), p)
            }
        }
    }

    /// Scale of the error of g_i (n): about ε times this if predictions have errors ε · `scale_f` (n). f
    /// and g are the exact values.
    pub fn condition(self, f: &[f64], g: &[f64], y: &[f32], scale_f: &[f64]) -> Vec<f64> {
        let pairs = g.iter().zip(scale_f);
        match &self.definition.form {
            RiskFormula::Each(each) => {
                let all = self.predictions(f.iter().copied(), y).zip(pairs);
                all.map(|(at, (g, scale))| (each.condition)(&at, *g, *scale))
                    .collect()
            }
            RiskFormula::All(all) => {
                let largest = scale_f.iter().fold(0.0_f64, |a, &b| a.max(b));
                pairs
                    .map(|(g, scale)| (all.condition)(*g, *scale, largest))
                    .collect()
            }
        }
    }

    /// Bounds of the rounding error of g_i (n) where the predictions 2^p f̂ are exact, `unit` is the
    /// round-off of the arithmetic, and sums of n terms have this `depth`.
    pub fn rounding(self, f: &[f64], p: i32, y: &[f32], unit: f64, depth: f64) -> Vec<Rounding> {
        match &self.definition.form {
            RiskFormula::Each(each) => {
                let f = f.iter().map(|&f| ldexp(f, p));
                let rounding = |at: LossArguments| {
                    let near = 4.0 * unit * (1.0 + (at.y * at.f).abs());
                    (each.rounding)(&at, near)
                };
                self.predictions(f, y).map(rounding).collect()
            }
            RiskFormula::All(all) => {
                let pairs = f.iter().zip(y).map(|(&f, &y)| (f, f64::from(y)));
                (all.rounding)(&pairs.collect::<Vec<_>>(), p, depth)
            }
        }
    }

    fn predictions(
        self,
        f: impl Iterator<Item = f64>,
        y: &[f32],
    ) -> impl Iterator<Item = LossArguments> {
        let n = y.len() as f64;
        f.zip(y).map(move |(f, &y)| LossArguments {
            f,
            y: y.into(),
            n,
            parameter: self.parameter,
        })
    }
}

impl PartialEq for Loss {
    fn eq(&self, other: &Loss) -> bool {
        self.name() == other.name() && self.parameter.to_bits() == other.parameter.to_bits()
    }
}

impl Eq for Loss {}

impl Hash for Loss {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
        self.parameter.to_bits().hash(state);
    }
}

/// "hinge"; with a parameter, such as "huber 0.5".
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.parameter() {
            Some((_, value)) => write!(f, "{} {value}", self.name()),
            None => f.write_str(self.name()),
        }
    }
}

impl fmt::Debug for Loss {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
