//! Recomputes the stages in f64 for some samples and particles, with a bound on the rounding error of each
//! value.
//!
//! The bounds are worst cases, so that a correct engine never exceeds one. An operation on f32 numbers has
//! an error of at most u = 2^-24 times its result, u = 2^-53 in f64. A term of a sum goes through at most
//! [`Arithmetic::depth`] operations, a product w·x through d; each of them adds at most u times the sum of
//! the absolute values of the terms. A few more roundings convert sums to values. Where a comparison
//! decides (z > 0, y f < 1) and its two sides differ by less than their rounding errors, both outcomes are
//! accepted.

use crate::data::Dataset;
use crate::engine::{Engine, Evaluation, Precision};
use crate::model::loss::Rounding;
use crate::model::{Loss, StateFormat, Train};
use crate::model::{Run, ldexp};
use crate::particles::Particles;

/// A value, and the largest difference that rounding allows an engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundedValue {
    pub value: f64,
    pub bound: f64,
}

impl BoundedValue {
    /// The error of `got` as a share of the bound; `None` if one of the values is not finite, which is a
    /// divergence and detected elsewhere.
    pub fn share(&self, got: f64) -> Option<f64> {
        let error = (got - self.value).abs();
        match error.is_finite() && self.bound.is_finite() {
            true if error == 0.0 => Some(0.0),
            true => Some(error / self.bound),
            false => None,
        }
    }
}

/// The smallest normal f32; a device may flush smaller numbers to 0.
const SMALLEST: f64 = 1.0 / (1u128 << 126) as f64;

/// Number of roundings from a sum to a value: factors, divisions (2.5 units on a GPU), square roots and
/// exponentials (2 units).
const VALUE_ROUNDINGS: f64 = 16.0;

/// The properties of a run and its engine that determine rounding errors.
#[derive(Debug, Clone, Copy)]
pub struct Arithmetic {
    precision: Precision,
    /// Unit round-off u of the engine, and of the recomputation.
    unit: f64,
    /// Whether predictions are sums of a_j w_j over directions, multiplied by x_i afterwards: the
    /// short cuts "arcs" and "cells".
    by_direction: bool,
    state: StateFormat,
}

impl Arithmetic {
    pub fn of(engine: &dyn Engine, run: usize) -> Self {
        let precision = engine.precision();
        let own = f64::EPSILON / 2.0;
        Arithmetic {
            precision,
            unit: own
                + match precision {
                    Precision::F32 => f64::from(f32::EPSILON) / 2.0,
                    Precision::F64 => own,
                },
            by_direction: ["arcs", "cells"].contains(&engine.method(run)),
            state: engine.batch().state,
        }
    }

    /// Largest number of roundings of a term of a sum. The engines in f32 add at most 1024 terms one after
    /// another, and sum more terms in parts of at least 16.
    fn depth(&self, terms: usize) -> f64 {
        let terms = terms as f64;
        VALUE_ROUNDINGS
            + match self.precision {
                Precision::F32 => terms.min(1024.0 + terms / 16.0),
                Precision::F64 => terms,
            }
    }

    /// Error of a sum whose terms are quantised to fixed point as in the short cuts, in units of the
    /// largest term.
    fn quantisation(&self, terms: usize, largest: f64) -> f64 {
        if !self.by_direction {
            return 0.0;
        }
        let terms = terms as f64;
        terms * largest * (2f64.powi(-38) + terms * 2f64.powi(-52))
    }
}

/// w·x of a particle and a sample.
#[derive(Debug, Clone, Copy)]
struct Preactivation {
    z: f64,
    /// Scale of the rounding error of z.
    size: f64,
    /// Whether rounding may decide whether z > 0.
    near: bool,
}

impl Preactivation {
    fn new(w: &[f64], x: &[f32], arithmetic: &Arithmetic) -> Preactivation {
        let (mut z, mut size) = (0.0, 0.0);
        for (w, &x) in w.iter().zip(x) {
            let term = w * f64::from(x);
            z += term;
            size += term.abs();
        }
        if arithmetic.by_direction {
            size = norm(w) * norm_of(x);
        }
        let terms = w.len() as f64 + 2.0;
        let near = size > 0.0 && z.abs() <= terms * (arithmetic.unit * size + SMALLEST);
        Preactivation { z, size, near }
    }

    fn may_be_active(&self) -> bool {
        self.z > 0.0 || self.near
    }
}

fn norm(w: &[f64]) -> f64 {
    w.iter().map(|w| w * w).sum::<f64>().sqrt()
}

fn norm_of(x: &[f32]) -> f64 {
    x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

/// Sums over all particles of one run, block by block.
pub struct Predictions<'a> {
    run: &'a Run,
    data: &'a Dataset,
    arithmetic: Arithmetic,
    samples: Vec<(usize, Sum)>,
    /// Σ a², Σ |w|², Σ |a||w|
    moments: [f64; 3],
    /// The largest |a|, |w|.
    largest: [f64; 2],
}

/// Sums over the particles that are active on a sample.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    /// Σ a z
    value: f64,
    /// Σ |a| |z|
    terms: f64,
    /// Σ |a| times the error scales of z
    sizes: f64,
}

impl<'a> Predictions<'a> {
    /// Sums without particles, for these samples.
    pub fn new(
        run: &'a Run,
        data: &'a Dataset,
        samples: impl Iterator<Item = usize>,
        arithmetic: Arithmetic,
    ) -> Self {
        Predictions {
            run,
            data,
            arithmetic,
            samples: samples.map(|i| (i, Sum::default())).collect(),
            moments: [0.0; 3],
            largest: [0.0; 2],
        }
    }

    /// Adds particles, in stored units.
    pub fn add(&mut self, block: &Particles) {
        let norms: Vec<f64> = (0..block.m()).map(|j| norm(block.w(j))).collect();
        for (a, w) in block.a.iter().zip(&norms) {
            self.moments[0] += a * a;
            self.moments[1] += w * w;
            self.moments[2] += a.abs() * w;
            self.largest = [self.largest[0].max(a.abs()), self.largest[1].max(*w)];
        }
        for (i, sum) in &mut self.samples {
            let x = self.data.row(*i);
            for (j, a) in block.a.iter().enumerate() {
                let pair = Preactivation::new(block.w(j), x, &self.arithmetic);
                if pair.may_be_active() {
                    sum.value += a * self.run.activation.value(pair.z);
                    sum.terms += a.abs() * pair.z.abs();
                    sum.sizes += a.abs() * pair.size;
                }
            }
        }
    }

    /// f̂_i of the samples, with their indices, in stored units.
    pub fn f(&self) -> impl Iterator<Item = (usize, BoundedValue)> {
        let Arithmetic {
            unit, by_direction, ..
        } = self.arithmetic;
        let (m, d) = (self.run.m, self.data.d as f64);
        let [a, w] = self.largest;
        self.samples.iter().map(move |(i, sum)| {
            let x = norm_of(self.data.row(*i));
            let added = if by_direction { sum.sizes } else { sum.terms };
            let rounded =
                unit * ((d + VALUE_ROUNDINGS) * sum.sizes + self.arithmetic.depth(m) * added);
            let quantisation = d * self.arithmetic.quantisation(m, a * w * x);
            // The unit of a device's fixed point is at least 2^-119 m.
            let flushed = m as f64 * SMALLEST * (1.0 + d * (a + 128.0 * m as f64 * x));
            let each = self.run.alpha / m as f64;
            let bound = each * (rounded + quantisation + flushed) + SMALLEST;
            (
                *i,
                BoundedValue {
                    value: each * sum.value,
                    bound,
                },
            )
        })
    }

    /// (1/m) Σ â², (1/m) Σ |ŵ|², (1/m) Σ |â||ŵ|.
    pub fn moments(&self) -> [BoundedValue; 3] {
        let (m, d) = (self.run.m, self.data.d as f64);
        let [a, w] = self.largest;
        let largest = [a * a, w * w, a * w];
        std::array::from_fn(|k| {
            let rounded = self.arithmetic.unit * (d + self.arithmetic.depth(m)) * self.moments[k];
            let quantisation = self.arithmetic.quantisation(m, largest[k]);
            // If the square is flushed to 0, the root is 0 too.
            let root = if k == 2 {
                a * (d * SMALLEST).sqrt()
            } else {
                0.0
            };
            let flushed = m as f64 * ((d + 1.0) * SMALLEST + root);
            BoundedValue {
                value: self.moments[k] / m as f64,
                bound: (rounded + quantisation + flushed) / m as f64,
            }
        })
    }
}

/// g (n) from an engine's own predictions.
pub fn residuals(
    loss: Loss,
    now: &Evaluation,
    y: &[f32],
    arithmetic: &Arithmetic,
) -> Vec<BoundedValue> {
    let (f, unit, p) = (&now.f[..], arithmetic.unit, now.prediction_exponent);
    let depth = arithmetic.depth(f.len());
    let values = loss.residual(f, p, y).into_iter().zip(y);
    let roundings = loss.rounding(f, p, y, unit, depth);
    let exact = |((value, y), rounding): ((f64, &f32), Rounding)| {
        let rounded = unit * (VALUE_ROUNDINGS + 2.0 * rounding.relative) * value.abs();
        let bound = rounded + rounding.beside + (1.0 + f64::from(*y).abs()) * SMALLEST;
        BoundedValue { value, bound }
    };
    values.zip(roundings).map(exact).collect()
}

/// The velocity of one particle (its w, then a), in stored units, at the state with power of two
/// `exponent` and residual g.
pub fn velocity(
    run: &Run,
    data: &Dataset,
    exponent: i32,
    (w, a): (&[f64], f64),
    g: &[BoundedValue],
    arithmetic: &Arithmetic,
) -> Vec<BoundedValue> {
    let (n, d, unit) = (data.n(), data.d, arithmetic.unit);
    // G, w·G, and their errors.
    let mut big_g = vec![0.0; d + 1];
    let mut error = vec![0.0; d + 1];
    let mut largest = 0.0_f64;
    for (i, g) in g.iter().enumerate() {
        let x = data.row(i);
        let pair = Preactivation::new(w, x, arithmetic);
        if arithmetic.by_direction {
            largest = largest.max(g.value.abs() * norm_of(x));
        }
        if !pair.may_be_active() {
            continue;
        }
        let on = f64::from(u8::from(pair.z > 0.0));
        let off = g.bound + g.value.abs() * arithmetic.depth(n) * unit;
        let either = f64::from(u8::from(pair.near)) * g.value.abs();
        for (k, &x) in x.iter().enumerate() {
            let x = f64::from(x);
            big_g[k] += on * g.value * x;
            error[k] += (off + either) * x.abs() + SMALLEST;
        }
        big_g[d] += on * g.value * pair.z;
        let rotated = g.value.abs() * unit * 2.0 * (d as f64 + 2.0);
        error[d] += (off + rotated) * pair.size + SMALLEST;
    }
    let quantisation = arithmetic.quantisation(n, largest);
    let force = match run.train {
        Train::Both => -1.0 / run.alpha,
        Train::Output | Train::Input => -ldexp(1.0 / run.alpha, -exponent),
    };
    (0..=d)
        .map(|k| {
            let trained = match k < d {
                true => run.train != Train::Output,
                false => run.train != Train::Input,
            };
            if !trained {
                return BoundedValue {
                    value: 0.0,
                    bound: 0.0,
                };
            }
            let (factor, theta, quantisation) = match k < d {
                true => (force * a, w[k], quantisation),
                false => (force, a, quantisation * norm(w) * d as f64),
            };
            let (pull, decay) = (factor * big_g[k], run.lambda * theta);
            let rounded = unit * VALUE_ROUNDINGS * (pull.abs() + decay.abs());
            let flushed = SMALLEST * (1.0 + force.abs() * (1.0 + a.abs()) + big_g[k].abs());
            BoundedValue {
                value: pull - decay,
                bound: factor.abs() * (error[k] + quantisation) + rounded + 4.0 * flushed,
            }
        })
        .collect()
}

/// A coordinate after a step of size η, in units that are 2^shift times as large.
pub fn updated(
    theta: f64,
    v: BoundedValue,
    eta: f64,
    shift: i32,
    arithmetic: &Arithmetic,
) -> BoundedValue {
    let value = ldexp(theta + eta * v.value, -shift);
    let step = eta * (v.bound + VALUE_ROUNDINGS * arithmetic.unit * v.value.abs());
    let moved = ldexp(step + 4.0 * arithmetic.unit * theta.abs(), -shift);
    // f16 may round to either neighbour: 10 bits of mantissa, down to 2^-14.
    let stored = match arithmetic.state {
        StateFormat::F32 => 0.0,
        StateFormat::F16 => 2f64.powi(-10) * (value.abs() + moved) + 2f64.powi(-24),
    };
    BoundedValue {
        value,
        bound: moved + stored + SMALLEST,
    }
}

/// The step size of a run, rescaled if the run is `norm_scaled`.
pub fn step_size(run: &Run, eta: f64, now: &Evaluation) -> f64 {
    let on_a = match run.train {
        Train::Input => 0,
        Train::Both | Train::Output => now.clock.exponent,
    };
    match run.norm_scaled {
        true => eta * ldexp(now.mean_a2.sqrt(), on_a).max(1.0),
        false => eta,
    }
}
