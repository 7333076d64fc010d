//! The certificate of a run: its value against bounds of the optimum.

use serde::{Deserialize, Serialize};

use super::conflict::Conflict;
use super::input_matrix::InputMatrix;
use super::kernel::{KernelMargin, KernelMatrix, WeightLaw};
pub use super::missing_direction::MissingDirection;
use super::missing_direction::missing;
use super::solver_cache::{Optimum, SolverCache, StartingPoint};
use super::{Bounds, Certificate, Measure, PartialProof, SolverOptions, margin};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Run;
use crate::model::Train;
use crate::observe::is_labelled;
use crate::particles::Particles;

/// Atoms of a network from which a solve starts, at most: the heaviest.
const START_ATOMS: usize = 2000;

/// From this relative gap of the optimum's bounds on, a warning says if the cause is coordinates that differ in
/// size by more than the factor below.
const WIDE_GAP: f64 = 1e-3;
const UNEQUAL_SCALES: f64 = 1e5;

/// Which optimum a run is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimumKind {
    /// γ1, the largest margin_f1.
    Margin,
    /// The least penalised risk R(f) + λα|ν|.
    Penalised,
    /// γ2 of the run's own features, the largest margin_f2 that its output layer can reach.
    KernelMarginFeatures,
    /// γ2 of the law of the initialisation, the limit of large m.
    KernelMarginLaw,
}

/// An entry of certificate.json: lower ≤ optimum ≤ upper, where the run's own value is one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunCertificate {
    pub run: usize,
    /// The step of the run at which it was certified; 0 in files of versions that did not store it.
    #[serde(default)]
    pub step: u64,
    pub kind: OptimumKind,
    /// For a margin the best that the run reached, less rounding errors; for a penalised risk the dual bound. A
    /// network of finite width has a kernel of its own and may exceed the margin of a kernel's law: then this is
    /// the lower bound of that margin.
    pub lower: f64,
    /// For a margin the dual bound; for a penalised risk what the run reached.
    pub upper: f64,
    /// Distance of the run from the optimum, at most: upper − lower; for a run that exceeds the margin of a
    /// kernel's law, what it reached less the lower bound of that margin.
    pub gap: f64,
    /// The gap as a share of the optimum.
    pub relative_gap: f64,
    /// Whether the dual bound holds for every direction (d ≤ 3, or by a proof), or for those searched.
    pub certified: bool,
    /// Directions searched; 0 where the bound needs no search.
    pub probes: usize,
    /// What a proof that ended before its gap has shown, if there was one.
    #[serde(default)]
    pub proved: Option<PartialProof>,
    /// The direction θ (d) on which the dual bound rests.
    pub worst_direction: Vec<f64>,
    /// Bounds of the optimum itself, which hold at every step of the run.
    pub optimum_lower: f64,
    pub optimum_upper: f64,
    /// The heaviest direction of the optimum near which the run has no particle, if there is one that matters.
    pub missing: Option<MissingDirection>,
    /// The run's own value; absent in files of versions that did not store it.
    #[serde(default)]
    pub reached: Option<f64>,
    /// The layer that the run trains, if only one; the optimum is over networks of which both are free.
    #[serde(default)]
    pub only: Option<TrainedLayer>,
    /// Samples that no network classifies right, if there are any: the optimum is 0 then.
    #[serde(default)]
    pub conflict: Option<Conflict>,
    /// The step at which the run diverged, if it did: the certificate is of an earlier one.
    #[serde(default)]
    pub diverged_at: Option<u64>,
}

/// A layer of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainedLayer {
    Input,
    Output,
}

impl RunCertificate {
    /// Whether some network is known to classify every sample right; always true of a penalised risk.
    pub fn is_separable(&self) -> bool {
        self.kind == OptimumKind::Penalised || self.optimum_lower > 0.0
    }
}

/// A trained network and its problem.
#[derive(Clone, Copy)]
pub struct TrainedNetwork<'a> {
    /// Number of the run, and its step.
    pub index: usize,
    pub step: u64,
    pub run: &'a Run,
    /// In true units; without decay in any units, as margins do not depend on the scale.
    pub particles: &'a Particles,
    /// Best margins over the run.
    pub best_margin_f1: Option<f64>,
    pub best_margin_f2: Option<f64>,
    /// Rounding error of a prediction, as a share of the sum of its terms.
    pub rounding: f64,
    /// Σ η g (n), where the engine added it up.
    pub accumulated: Option<&'a [f64]>,
}

/// A run's certificate and the optimum that it was compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct CertifiedRun {
    pub certificate: RunCertificate,
    /// The measure that the solve ended with, a small network that is optimal up to `optimum_upper` −
    /// `optimum_lower`; none of a kernel margin.
    pub optimum: Option<Measure>,
}

/// A run's value, and the bounds of the optimum that it is part of.
struct RunBounds {
    /// For a margin the run's value is the lower bound, for a penalised risk the upper one, both up to what
    /// rounding adds.
    bounds: Bounds,
    /// The run's value.
    reached: f64,
}

impl TrainedNetwork<'_> {
    /// Every certificate that applies to the run, which was trained on the cache's data.
    ///
    /// # Errors
    /// A run to which none applies, and those of the solves.
    pub fn certify(
        &self,
        cache: &mut SolverCache,
        law: Option<WeightLaw>,
        options: &SolverOptions,
    ) -> Result<Vec<CertifiedRun>> {
        let run = self.run;
        let is_labelled = is_labelled(cache.data());
        if run.train == Train::Output && is_labelled && run.lambda == 0.0 {
            return self.kernel_margins(cache.data(), law);
        }
        if run.lambda > 0.0 && run.loss.dual().is_some() {
            return Ok(vec![self.penalised(cache, options)?]);
        }
        if run.lambda == 0.0 && run.loss.is_classification() && is_labelled {
            return Ok(vec![self.margin(cache, options)?]);
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

    fn margin(&self, cache: &mut SolverCache, options: &SolverOptions) -> Result<CertifiedRun> {
        let (y, nu) = (&cache.data().y[..], self.measure());
        let inputs = cache.sphere().inputs();
        let conflict = Conflict::find(inputs, y);
        let coordinate_scales = inputs
            .coordinate_scales()
            .iter()
            .copied()
            .filter(|c| *c > 0.0);
        let (small, large) =
            coordinate_scales.fold((f64::INFINITY, 0.0_f64), |(s, l), c| (s.min(c), l.max(c)));
        let last = margin::lower_bound(inputs, y, &nu);
        let reached = last.max(self.reached(self.best_margin_f1, inputs.radius()));
        let allows = |bounds: &Bounds| reached <= bounds.upper;
        let found = cache.certificate(Optimum::Margin, options, allows, |data, sphere| {
            let weights = self.accumulated.and_then(simplex);
            let start = StartingPoint {
                measure: &heaviest(&nu),
                weights: weights.as_deref(),
            };
            Optimum::Margin.solve(data, sphere, start, options)
        })?;
        // A run exceeds a certified margin by its engine's rounding errors only; if it exceeds a searched one, the
        // search missed the optimum.
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
        if found.bounds.relative_gap() > WIDE_GAP && large > UNEQUAL_SCALES * small {
            tracing::warn!(
                "run {}: coordinates of the inputs differ {:.0e} times in size, and rounding keeps the \
                 bounds of the largest margin apart; `data.standardize = true` puts them on one scale",
                self.index,
                large / small
            );
        }
        let value = |nu: &Measure| Optimum::Margin.value(cache, nu);
        let proven = RunBounds { bounds, reached };
        let mut certified = self.certificate(OptimumKind::Margin, proven, found, value)?;
        certified.certificate.conflict = conflict;
        Ok(certified)
    }

    /// The value of the run is α² times its objective: R(f) + (λα²/2m) Σ (a² + |w|²) ≥ R(f) + λα|ν|,
    /// with equality for balanced particles.
    fn penalised(&self, cache: &mut SolverCache, options: &SolverOptions) -> Result<CertifiedRun> {
        let reached = self.penalised_risk(cache);
        if !reached.is_finite() {
            return Err(Error::input(
                format!("run {}", self.index),
                format!("its penalised risk is {reached}: it diverged"),
                "run it again with a smaller flow.step, or less decay or scale",
            ));
        }
        let allows = |bounds: &Bounds| bounds.lower <= reached;
        let optimum = Optimum::of(self.run);
        let found = cache.certificate(optimum, options, allows, |data, sphere| {
            let start = StartingPoint {
                measure: &heaviest(&self.measure()),
                weights: None,
            };
            optimum.solve(data, sphere, start, options)
        })?;
        let bounds = Bounds {
            lower: found.bounds.lower.min(reached),
            upper: reached,
        };
        let value = |nu: &Measure| optimum.value(cache, nu);
        let proven = RunBounds { bounds, reached };
        self.certificate(OptimumKind::Penalised, proven, found, value)
    }

    fn kernel_margins(&self, data: &Dataset, law: Option<WeightLaw>) -> Result<Vec<CertifiedRun>> {
        let conflict = Conflict::find(&InputMatrix::new(data), &data.y);
        let entry = |kind, KernelMargin { bounds, .. }: KernelMargin, reached: f64| {
            let beyond = kind == OptimumKind::KernelMarginLaw && reached > bounds.upper;
            let (lower, gap) = match beyond {
                true => (bounds.lower, reached - bounds.lower),
                false => (reached.min(bounds.upper), (bounds.upper - reached).max(0.0)),
            };
            let certificate = RunCertificate {
                run: self.index,
                step: self.step,
                kind,
                lower,
                upper: bounds.upper,
                gap,
                relative_gap: share(gap, bounds.upper),
                certified: true,
                probes: 0,
                proved: None,
                worst_direction: Vec::new(),
                optimum_lower: bounds.lower,
                optimum_upper: bounds.upper,
                missing: None,
                reached: Some(reached),
                only: None,
                conflict,
                diverged_at: None,
            };
            CertifiedRun {
                certificate,
                optimum: None,
            }
        };
        let y = &data.y;
        let own = KernelMatrix::of_features(self.particles, data);
        // A feature's size bounds what rounding does to a margin_f2.
        let size = (0..own.n()).map(|i| own.values()[i * own.n() + i].sqrt());
        let reached = self.reached(self.best_margin_f2, size.fold(0.0, f64::max));
        let margin = |kernel: &KernelMatrix| match conflict {
            Some(conflict) => Ok(KernelMargin {
                bounds: Bounds {
                    lower: 0.0,
                    upper: 0.0,
                },
                p: conflict.weights(&InputMatrix::new(data)),
            }),
            None => kernel.hard_margin(y),
        };
        let features = margin(&own)?;
        let mut all = vec![entry(OptimumKind::KernelMarginFeatures, features, reached)];
        if let Some(law) = law {
            let limit = margin(&KernelMatrix::of_law(law, data))?;
            all.push(entry(OptimumKind::KernelMarginLaw, limit, reached));
        }
        Ok(all)
    }

    fn penalised_risk(&self, cache: &SolverCache) -> f64 {
        let (run, p) = (self.run, self.particles);
        let f = self.measure().predict(cache.sphere().inputs());
        let square = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>();
        let mean = (square(&p.a) + square(&p.w)) / run.m as f64;
        let risk = run.loss.risk(f.into_iter(), &cache.data().y);
        risk + run.lambda * run.alpha * run.alpha / 2.0 * mean
    }

    fn measure(&self) -> Measure {
        Measure::of_network(self.particles, self.run.alpha)
    }

    /// A margin that an engine found, less what rounding may have added to it.
    fn reached(&self, margin: Option<f64>, size: f64) -> f64 {
        (margin.unwrap_or(0.0) - self.rounding * size).max(0.0)
    }

    /// The layer that the run trains, if only one.
    fn only(&self) -> Option<TrainedLayer> {
        match self.run.train {
            Train::Both => None,
            Train::Input => Some(TrainedLayer::Input),
            Train::Output => Some(TrainedLayer::Output),
        }
    }

    /// `value` gives what a measure reaches.
    fn certificate(
        &self,
        kind: OptimumKind,
        RunBounds { bounds, reached }: RunBounds,
        found: Certificate,
        value: impl Fn(&Measure) -> Result<f64>,
    ) -> Result<CertifiedRun> {
        let missing = missing(self.particles, &found, bounds.gap(), value)?;
        let certificate = RunCertificate {
            run: self.index,
            step: self.step,
            kind,
            lower: bounds.lower,
            upper: bounds.upper,
            gap: bounds.gap(),
            relative_gap: share(bounds.gap(), found.bounds.upper),
            certified: found.proof.is_certified(),
            probes: found.proof.probes(),
            proved: found.proof.partial(),
            worst_direction: found.worst_direction,
            optimum_lower: found.bounds.lower,
            optimum_upper: found.bounds.upper,
            missing,
            reached: Some(reached),
            only: self.only(),
            conflict: None,
            diverged_at: None,
        };
        Ok(CertifiedRun {
            certificate,
            optimum: Some(found.measure),
        })
    }
}

/// A gap as a share of an optimum; the largest f64 for a gap from an optimum of 0.
fn share(gap: f64, optimum: f64) -> f64 {
    match gap {
        0.0 => 0.0,
        gap => (gap / optimum.abs()).min(f64::MAX),
    }
}

/// |Σ η g| divided by its sum, as weights p in the simplex; `None` where the sum is 0 or not finite.
fn simplex(accumulated: &[f64]) -> Option<Vec<f64>> {
    let total: f64 = accumulated.iter().map(|g| g.abs()).sum();
    let fits = total > 0.0 && total.is_finite();
    fits.then(|| accumulated.iter().map(|g| g.abs() / total).collect())
}

fn heaviest(nu: &Measure) -> Measure {
    let mut order: Vec<usize> = (0..nu.len()).collect();
    order.sort_by(|&k, &l| nu.c[l].abs().total_cmp(&nu.c[k].abs()));
    let mut kept = Measure::zero(nu.d);
    for k in order.into_iter().take(START_ATOMS) {
        kept.push(nu.theta(k), nu.c[k]);
    }
    kept
}
