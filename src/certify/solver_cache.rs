//! The optima solved for so far, per data set: they do not depend on the run, so runs on one data set share them.

use std::sync::Arc;

use super::penalised::PenalisedProblem;
use super::proof::prove;
use super::{Bounds, Certificate, Measure, SolverOptions, Sphere, margin, penalised};
use crate::data::Dataset;
use crate::error::Result;
use crate::model::Loss;
use crate::model::Run;

/// A data set, its sphere of directions, and the certificates of its optima found so far.
pub struct SolverCache {
    data: Arc<Dataset>,
    sphere: Sphere,
    solved: Vec<((Optimum, SolverOptions), Certificate)>,
}

/// Which optimum of a data set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimum {
    /// γ1
    Margin,
    /// The least R(f) + λα|ν|.
    Penalised {
        loss: Loss,
        /// λα
        lambda: f64,
    },
}

/// Where a solve starts.
#[derive(Debug, Clone, Copy)]
pub struct StartingPoint<'a> {
    /// A trained network, or zero.
    pub measure: &'a Measure,
    /// Weights p (n) in the simplex, if there are any; a penalised risk does without.
    pub weights: Option<&'a [f64]>,
}

impl Optimum {
    /// The optimum of a run of both layers: the least penalised risk with decay, γ1 without.
    pub fn of(run: &Run) -> Self {
        match run.lambda {
            0.0 => Optimum::Margin,
            lambda => Optimum::Penalised {
                loss: run.loss,
                lambda: lambda * run.alpha,
            },
        }
    }

    /// What a measure reaches: its margin, or its penalised risk.
    ///
    /// # Errors
    /// Those of [`PenalisedProblem::new`].
    pub fn value(self, cache: &SolverCache, nu: &Measure) -> Result<f64> {
        let (y, sphere) = (&cache.data.y[..], &cache.sphere);
        Ok(match self {
            Optimum::Margin => margin::lower_bound(sphere.inputs(), y, nu),
            Optimum::Penalised { loss, lambda } => {
                PenalisedProblem::new(loss, y, lambda)?.value(sphere, nu)
            }
        })
    }

    /// Solves for it from a starting point, and proves the bound if the options want a proof.
    ///
    /// # Errors
    /// Those of [`margin::solve`], [`PenalisedProblem::new`] and [`penalised::solve`].
    pub fn solve(
        self,
        data: &Dataset,
        sphere: &Sphere,
        start: StartingPoint,
        options: &SolverOptions,
    ) -> Result<Certificate> {
        let inputs = sphere.inputs();
        match self {
            Optimum::Margin => {
                let y = &data.y[..];
                let found = margin::solve(sphere, y, start.measure, start.weights, options)?;
                let Some(wanted) = &options.proof else {
                    return Ok(found);
                };
                let pairs = found.dual.iter().zip(y);
                let q: Vec<f64> = pairs.map(|(p, &y)| p * f64::from(y)).collect();
                let total: f64 = found.dual.iter().sum();
                let rounding = 1.0 + (q.len() + 2) as f64 * f64::EPSILON;
                prove(inputs, &q, found, wanted, |bounds, maximum| {
                    bounds.upper = (maximum / total * rounding).max(bounds.lower);
                })
            }
            Optimum::Penalised { loss, lambda } => {
                let problem = PenalisedProblem::new(loss, &data.y, lambda)?;
                let found = penalised::solve(sphere, &problem, start.measure, options)?;
                let Some(wanted) = &options.proof else {
                    return Ok(found);
                };
                let q = found.dual.clone();
                prove(inputs, &q, found, wanted, |bounds, maximum| {
                    bounds.lower = problem.bound_of(&q, maximum).min(bounds.upper);
                })
            }
        }
    }
}

impl SolverCache {
    pub fn new(data: Arc<Dataset>, sphere: Sphere) -> Self {
        SolverCache {
            data,
            sphere,
            solved: Vec::new(),
        }
    }

    pub fn data(&self) -> &Dataset {
        &self.data
    }

    pub fn sphere(&self) -> &Sphere {
        &self.sphere
    }

    /// The certificate of an optimum: that found earlier with the same options, or else what `solve` finds. A
    /// search may have missed the optimum: a stored certificate is used only if `allows` says that the value
    /// which this run has reached is within its bounds.
    ///
    /// # Errors
    /// Those of `solve`.
    pub fn certificate(
        &mut self,
        optimum: Optimum,
        options: &SolverOptions,
        allows: impl Fn(&Bounds) -> bool,
        solve: impl FnOnce(&Dataset, &Sphere) -> Result<Certificate>,
    ) -> Result<Certificate> {
        let mut solved = self.solved.iter();
        let wanted = (optimum, *options);
        let known = solved.find(|(known, found)| *known == wanted && allows(&found.bounds));
        if let Some((_, found)) = known {
            return Ok(found.clone());
        }
        let found = solve(&self.data, &self.sphere)?;
        self.solved.retain(|(known, _)| *known != wanted);
        self.solved.push((wanted, found.clone()));
        Ok(found)
    }
}

/// A cache per data set.
#[derive(Default)]
pub struct SolverCaches(Vec<SolverCache>);

impl SolverCaches {
    /// The cache of a data set; its sphere is made on first use.
    pub fn of(
        &mut self,
        data: &Arc<Dataset>,
        sphere: impl FnOnce(&Dataset) -> Sphere,
    ) -> &mut SolverCache {
        let known = self
            .0
            .iter()
            .position(|cache| Arc::ptr_eq(&cache.data, data));
        let at = known.unwrap_or_else(|| {
            self.0.push(SolverCache::new(data.clone(), sphere(data)));
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

#[cfg(test)]
mod tests {
    use super::super::Proof;
    use super::*;

    fn certificate(upper: f64) -> Certificate {
        Certificate {
            bounds: Bounds { lower: 0.0, upper },
            proof: Proof::Certified,
            worst_direction: Vec::new(),
            measure: Measure::zero(2),
            dual: Vec::new(),
            rounds: 1,
        }
    }

    fn set() -> Arc<Dataset> {
        Arc::new(Dataset {
            x: vec![1.0, 0.0],
            y: vec![1.0],
            d: 2,
        })
    }

    #[test]
    fn an_optimum_is_solved_for_once_for_each_data_set_and_problem() {
        let (first, second) = (set(), set());
        let mut caches = SolverCaches::default();
        let penalised = |lambda| Optimum::Penalised {
            loss: Loss::SQUARE,
            lambda,
        };
        let options = SolverOptions::default();
        let mut upper_for = |reached: f64, data: &Arc<Dataset>, optimum, new: f64| {
            let cache = caches.of(data, Sphere::new);
            let allows = |bounds: &Bounds| reached <= bounds.upper;
            let solve = |_: &_, _: &_| Ok(certificate(new));
            let found = cache.certificate(optimum, &options, allows, solve);
            found.unwrap().bounds.upper
        };
        let mut upper = |data: &Arc<Dataset>, optimum, new| upper_for(0.0, data, optimum, new);
        assert_eq!(upper(&first, Optimum::Margin, 1.0), 1.0);
        assert_eq!(upper(&first, Optimum::Margin, 2.0), 1.0);
        assert_eq!(upper(&first, penalised(0.1), 3.0), 3.0);
        assert_eq!(upper(&first, penalised(0.2), 4.0), 4.0);
        assert_eq!(upper(&first, penalised(0.1), 5.0), 3.0);
        // Another data set is solved for by itself, even if its samples are equal.
        assert_eq!(upper(&second, Optimum::Margin, 6.0), 6.0);
        assert_eq!(upper(&first, Optimum::Margin, 7.0), 1.0);
        // A run beyond the stored bound makes it be solved for again.
        assert_eq!(upper_for(1.5, &first, Optimum::Margin, 8.0), 8.0);
        assert_eq!(upper_for(0.0, &first, Optimum::Margin, 9.0), 8.0);
        // Other options are solved for by themselves.
        let coarse = SolverOptions {
            tolerance: 0.1,
            ..options
        };
        let solve = |_: &_, _: &_| Ok(certificate(10.0));
        let cache = caches.of(&first, Sphere::new);
        let found = cache.certificate(Optimum::Margin, &coarse, |_| true, solve);
        assert_eq!(found.unwrap().bounds.upper, 10.0);
    }
}
