//! A trained network beside the optimum of its problem.

use serde::{Deserialize, Serialize};

use super::conflict::Conflict;
use super::ground::{Ground, Optimum};
use super::inputs::Inputs;
use super::kernel::{Gram, KernelMargin, Weights};
pub use super::missing::Missing;
use super::missing::missing;
use super::{Bounds, Certificate, Effort, Measure, margin};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Run;
use crate::model::Train;
use crate::observe::is_labelled;
use crate::particles::Particles;

/// Atoms of a network from which a solve starts, at most: the heaviest.
const ATOMS: usize = 2000;

/// Bounds this far apart, relative to the optimum, are told with the reason, if it is that coordinates of
/// the inputs differ so many times in size.
const OPEN: f64 = 1e-3;
const FAR: f64 = 1e5;

/// Which optimum a run is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// γ1, the largest margin_f1.
    Margin,
    /// The least penalised risk R(f) + λα|ν|.
    Penalised,
    /// γ2 of the run's own features, the largest margin_f2 that its output layer can reach.
    KernelMarginFeatures,
    /// γ2 of the law of the initialisation, the limit of large m.
    KernelMarginLaw,
}

/// What certificate.json says of a run: lower ≤ optimum ≤ upper, one of the two by the run itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub run: usize,
    /// The step of the run at which it was certified; 0 in files of versions that did not say.
    #[serde(default)]
    pub step: u64,
    pub kind: Kind,
    /// For a margin what the run reached at its best, less rounding errors; for a penalised risk
    /// the dual bound. The margin of a kernel's law may be exceeded by a network of finite width, which
    /// has a kernel of its own: then the bound of that margin.
    pub lower: f64,
    /// For a margin the dual bound; for a penalised risk what the run reached.
    pub upper: f64,
    /// How far the run is from the optimum, at most: upper − lower, or what it reached beyond the lower
    /// bound of a kernel's law.
    pub gap: f64,
    /// The gap as a share of the optimum.
    pub relative_gap: f64,
    /// Whether the dual bound holds for every direction (d ≤ 3), or for those searched.
    pub certified: bool,
    /// Directions searched; 0 where none had to be.
    pub probes: usize,
    /// The direction θ (d) on which the dual bound rests.
    pub worst_direction: Vec<f64>,
    /// The optimum between the bounds that the solve proved, whatever the run did: they hold at
    /// every step.
    pub optimum_lower: f64,
    pub optimum_upper: f64,
    /// The heaviest direction of the optimum that the run misses, if there is one and it matters.
    pub missing: Option<Missing>,
    /// What the run reached; absent in files of versions that did not say.
    #[serde(default)]
    pub reached: Option<f64>,
    /// The one layer that the run trains, where the optimum is one of networks of which both are free.
    #[serde(default)]
    pub only: Option<Layer>,
    /// Samples that no network classifies right, where there are some: the optimum is 0 then.
    #[serde(default)]
    pub conflict: Option<Conflict>,
    /// The step at which the run diverged, if it did: the standing is of an earlier one.
    #[serde(default)]
    pub diverged_at: Option<u64>,
}

/// A layer of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    Input,
    Output,
}

impl Standing {
    /// Whether some network is known to classify every sample right, where that is what counts.
    pub fn is_separable(&self) -> bool {
        self.kind == Kind::Penalised || self.optimum_lower > 0.0
    }
}

/// A trained network and its problem.
#[derive(Clone, Copy)]
pub struct Network<'a> {
    /// Number of the run, and the step at which it stands.
    pub index: usize,
    pub step: u64,
    pub run: &'a Run,
    /// In true units, or any others in which f64 holds them where there is no decay: margins don't
    /// depend on the scale.
    pub particles: &'a Particles,
    /// Best margins over the run.
    pub best_margin_f1: Option<f64>,
    pub best_margin_f2: Option<f64>,
    /// Rounding error of a prediction, as a share of the sum of its terms.
    pub rounding: f64,
    /// Σ η g (n), where the engine added it up.
    pub accumulated: Option<&'a [f64]>,
}

/// A run's standing, and the measure that the solve ended with: a small network that is optimal
/// up to `optimum_upper` − `optimum_lower`.
pub type Certified = (Standing, Option<Measure>);

impl Network<'_> {
    /// Every certificate that applies to the run, trained on the ground's data.
    ///
    /// # Errors
    /// A run to which none applies, and those of the solves.
    pub fn certify(
        &self,
        ground: &mut Ground,
        law: Option<Weights>,
        effort: &Effort,
    ) -> Result<Vec<Certified>> {
        let run = self.run;
        let is_labelled = is_labelled(ground.data());
        if run.train == Train::Output && is_labelled && run.lambda == 0.0 {
            return self.kernel_margins(ground.data(), law);
        }
        if run.lambda > 0.0 && run.loss.dual().is_some() {
            return Ok(vec![self.penalised(ground, effort)?]);
        }
        if run.lambda == 0.0 && run.loss.is_classification() && is_labelled {
            return Ok(vec![self.margin(ground, effort)?]);
        }
        Err(Error::input(
            format!("run {}", self.index),
            format!(
                "has no optimum to be measured against: {} risk with λ = {}",
                run.loss, run.lambda
            ),
            "margins are certified for labels ±1 without decay, penalised risks for square and logistic with decay",
        ))
    }

    fn margin(&self, ground: &mut Ground, effort: &Effort) -> Result<Certified> {
        let (y, nu) = (&ground.data().y[..], self.measure());
        let inputs = ground.sphere().inputs();
        let conflict = Conflict::find(inputs, y);
        let columns = inputs.columns().iter().copied().filter(|c| *c > 0.0);
        let (small, large) =
            columns.fold((f64::INFINITY, 0.0_f64), |(s, l), c| (s.min(c), l.max(c)));
        let last = margin::lower_bound(inputs, y, &nu);
        let reached = last.max(self.reached(self.best_margin_f1, inputs.radius()));
        let allows = |bounds: &Bounds| reached <= bounds.upper;
        let found = ground.certificate(Optimum::Margin, effort, allows, |data, sphere| {
            let weights = self.accumulated.and_then(simplex);
            let start = (&heaviest(&nu), weights.as_deref());
            Optimum::Margin.solve(data, sphere, start, effort)
        })?;
        // No run is above a margin that was certified, but for its engine's rounding errors; what beats a
        // searched bound shows that the search missed something.
        let bounds = match found.proof.is_certified() {
            true => Bounds {
                lower: reached.min(found.bounds.upper),
                upper: found.bounds.upper,
            },
            false => Bounds {
                lower: reached,
                upper: found.bounds.upper.max(reached),
            },
        };
        if found.bounds.relative_gap() > OPEN && large > FAR * small {
            tracing::warn!(
                "run {}: coordinates of the inputs differ {:.0e} times in size, and rounding keeps the \
                 bounds of the largest margin apart; `data.standardize = true` puts them on one scale",
                self.index,
                large / small
            );
        }
        let value = |nu: &Measure| Optimum::Margin.value(ground, nu);
        let (mut standing, measure) =
            self.standing(Kind::Margin, (bounds, reached), found, value)?;
        standing.conflict = conflict;
        Ok((standing, measure))
    }

    /// The value of the run is α² times its objective: R(f) + (λα²/2m) Σ (a² + |w|²) ≥ R(f) + λα|ν|,
    /// with equality for balanced particles.
    fn penalised(&self, ground: &mut Ground, effort: &Effort) -> Result<Certified> {
        let reached = self.penalised_risk(ground);
        if !reached.is_finite() {
            return Err(Error::input(
                format!("run {}", self.index),
                format!("its penalised risk is {reached}: it diverged"),
                "run it again with a smaller flow.step, or less decay or scale",
            ));
        }
        let allows = |bounds: &Bounds| bounds.lower <= reached;
        let optimum = Optimum::of(self.run);
        let found = ground.certificate(optimum, effort, allows, |data, sphere| {
            optimum.solve(data, sphere, (&heaviest(&self.measure()), None), effort)
        })?;
        let bounds = Bounds {
            lower: found.bounds.lower.min(reached),
            upper: reached,
        };
        let value = |nu: &Measure| optimum.value(ground, nu);
        self.standing(Kind::Penalised, (bounds, reached), found, value)
    }

    fn kernel_margins(&self, data: &Dataset, law: Option<Weights>) -> Result<Vec<Certified>> {
        let conflict = Conflict::find(&Inputs::new(data), &data.y);
        let entry = |kind, KernelMargin { bounds, .. }: KernelMargin, reached: f64| {
            let beyond = kind == Kind::KernelMarginLaw && reached > bounds.upper;
            let (lower, gap) = match beyond {
                true => (bounds.lower, reached - bounds.lower),
                false => (reached.min(bounds.upper), (bounds.upper - reached).max(0.0)),
            };
            let standing = Standing {
                run: self.index,
                step: self.step,
                kind,
                lower,
                upper: bounds.upper,
                gap,
                relative_gap: share(gap, bounds.upper),
                certified: true,
                probes: 0,
                worst_direction: Vec::new(),
                optimum_lower: bounds.lower,
                optimum_upper: bounds.upper,
                missing: None,
                reached: Some(reached),
                only: None,
                conflict,
                diverged_at: None,
            };
            (standing, None)
        };
        let y = &data.y;
        let own = Gram::of_features(self.particles, data);
        // A feature's size bounds what rounding does to a margin_f2.
        let size = (0..own.n()).map(|i| own.values()[i * own.n() + i].sqrt());
        let reached = self.reached(self.best_margin_f2, size.fold(0.0, f64::max));
        let margin = |kernel: &Gram| match conflict {
            Some(conflict) => Ok(KernelMargin {
                bounds: Bounds {
                    lower: 0.0,
                    upper: 0.0,
                },
                p: conflict.weights(&Inputs::new(data)),
            }),
            None => kernel.hard_margin(y),
        };
        let features = margin(&own)?;
        let mut all = vec![entry(Kind::KernelMarginFeatures, features, reached)];
        if let Some(law) = law {
            let limit = margin(&Gram::of_law(law, data))?;
            all.push(entry(Kind::KernelMarginLaw, limit, reached));
        }
        Ok(all)
    }

    fn penalised_risk(&self, ground: &Ground) -> f64 {
        let (run, p) = (self.run, self.particles);
        let f = self.measure().predict(ground.sphere().inputs());
        let square = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>();
        let mean = (square(&p.a) + square(&p.w)) / run.m as f64;
        let risk = run.loss.risk(f.into_iter(), &ground.data().y);
        risk + run.lambda * run.alpha * run.alpha / 2.0 * mean
    }

    fn measure(&self) -> Measure {
        Measure::of_network(self.particles, self.run.alpha)
    }

    /// A margin that an engine found, less what rounding may have added to it.
    fn reached(&self, margin: Option<f64>, size: f64) -> f64 {
        (margin.unwrap_or(0.0) - self.rounding * size).max(0.0)
    }

    /// The layer that the run trains, where it trains one.
    fn only(&self) -> Option<Layer> {
        match self.run.train {
            Train::Both => None,
            Train::Input => Some(Layer::Input),
            Train::Output => Some(Layer::Output),
        }
    }

    /// `value` gives what a measure reaches.
    fn standing(
        &self,
        kind: Kind,
        (bounds, reached): (Bounds, f64),
        found: Certificate,
        value: impl Fn(&Measure) -> Result<f64>,
    ) -> Result<Certified> {
        let missing = missing(self.particles, &found, bounds.gap(), value)?;
        let standing = Standing {
            run: self.index,
            step: self.step,
            kind,
            lower: bounds.lower,
            upper: bounds.upper,
            gap: bounds.gap(),
            relative_gap: share(bounds.gap(), found.bounds.upper),
            certified: found.proof.is_certified(),
            probes: found.proof.probes(),
            worst_direction: found.worst_direction,
            optimum_lower: found.bounds.lower,
            optimum_upper: found.bounds.upper,
            missing,
            reached: Some(reached),
            only: self.only(),
            conflict: None,
            diverged_at: None,
        };
        Ok((standing, Some(found.measure)))
    }
}

/// A gap as a share of an optimum. Nothing is a share of an optimum of 0 but no gap.
fn share(gap: f64, optimum: f64) -> f64 {
    match gap {
        0.0 => 0.0,
        gap => (gap / optimum.abs()).min(f64::MAX),
    }
}

/// |Σ η g| as weights p in the simplex; `None` where there is nothing to divide.
fn simplex(accumulated: &[f64]) -> Option<Vec<f64>> {
    let total: f64 = accumulated.iter().map(|g| g.abs()).sum();
    let fits = total > 0.0 && total.is_finite();
    fits.then(|| accumulated.iter().map(|g| g.abs() / total).collect())
}

fn heaviest(nu: &Measure) -> Measure {
    let mut order: Vec<usize> = (0..nu.len()).collect();
    order.sort_by(|&k, &l| nu.c[l].abs().total_cmp(&nu.c[k].abs()));
    let mut kept = Measure::zero(nu.d);
    for k in order.into_iter().take(ATOMS) {
        kept.push(nu.theta(k), nu.c[k]);
    }
    kept
}
