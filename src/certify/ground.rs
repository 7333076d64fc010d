//! Optima belong to the data, not to the run: runs that share a data set share what was solved for.

use std::sync::Arc;

use super::penalised::Problem;
use super::{Bounds, Certificate, Effort, Measure, Sphere, margin, penalised};
use crate::data::Dataset;
use crate::error::Result;
use crate::model::Loss;
use crate::model::Run;

/// A data set, the sphere of its directions, and its optima solved for so far.
pub struct Ground {
    data: Arc<Dataset>,
    sphere: Sphere,
    solved: Vec<((Optimum, Effort), Certificate)>,
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

impl Optimum {
    /// What a run of both layers tends to: with decay the least penalised risk.
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
    /// Those of [`Problem::new`].
    pub fn value(self, ground: &Ground, nu: &Measure) -> Result<f64> {
        let (y, sphere) = (&ground.data.y[..], &ground.sphere);
        Ok(match self {
            Optimum::Margin => margin::lower_bound(sphere.inputs(), y, nu),
            Optimum::Penalised { loss, lambda } => Problem::new(loss, y, lambda)?.value(sphere, nu),
        })
    }

    /// Solves for it from a first measure, and for a margin from first weights p, if there are any.
    ///
    /// # Errors
    /// Those of [`margin::solve`], [`Problem::new`] and [`penalised::solve`].
    pub fn solve(
        self,
        data: &Dataset,
        sphere: &Sphere,
        (start, p): (&Measure, Option<&[f64]>),
        effort: &Effort,
    ) -> Result<Certificate> {
        match self {
            Optimum::Margin => margin::solve(sphere, &data.y, start, p, effort),
            Optimum::Penalised { loss, lambda } => {
                let problem = Problem::new(loss, &data.y, lambda)?;
                penalised::solve(sphere, &problem, start, effort)
            }
        }
    }
}

impl Ground {
    pub fn new(data: Arc<Dataset>, sphere: Sphere) -> Self {
        Ground {
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

    /// The certificate of an optimum: what an earlier run had solved for with as much effort, or what
    /// `solve` finds. A search may have stopped short of the optimum: `allows` says whether what this
    /// run has reached is within the bounds.
    ///
    /// # Errors
    /// Those of `solve`.
    pub fn certificate(
        &mut self,
        optimum: Optimum,
        effort: &Effort,
        allows: impl Fn(&Bounds) -> bool,
        solve: impl FnOnce(&Dataset, &Sphere) -> Result<Certificate>,
    ) -> Result<Certificate> {
        let mut solved = self.solved.iter();
        let wanted = (optimum, *effort);
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

/// The data sets met so far, each once.
#[derive(Default)]
pub struct Grounds(Vec<Ground>);

impl Grounds {
    /// The ground of a data set, whose sphere is made on first use.
    pub fn of(
        &mut self,
        data: &Arc<Dataset>,
        sphere: impl FnOnce(&Dataset) -> Sphere,
    ) -> &mut Ground {
        let known = self
            .0
            .iter()
            .position(|ground| Arc::ptr_eq(&ground.data, data));
        let at = known.unwrap_or_else(|| {
            self.0.push(Ground::new(data.clone(), sphere(data)));
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
        let mut grounds = Grounds::default();
        let penalised = |lambda| Optimum::Penalised {
            loss: Loss::SQUARE,
            lambda,
        };
        let effort = Effort::default();
        let mut upper_for = |reached: f64, data: &Arc<Dataset>, optimum, new: f64| {
            let ground = grounds.of(data, Sphere::new);
            let allows = |bounds: &Bounds| reached <= bounds.upper;
            let solve = |_: &_, _: &_| Ok(certificate(new));
            let found = ground.certificate(optimum, &effort, allows, solve);
            found.unwrap().bounds.upper
        };
        let mut upper = |data: &Arc<Dataset>, optimum, new| upper_for(0.0, data, optimum, new);
        assert_eq!(upper(&first, Optimum::Margin, 1.0), 1.0);
        assert_eq!(upper(&first, Optimum::Margin, 2.0), 1.0);
        assert_eq!(upper(&first, penalised(0.1), 3.0), 3.0);
        assert_eq!(upper(&first, penalised(0.2), 4.0), 4.0);
        assert_eq!(upper(&first, penalised(0.1), 5.0), 3.0);
        // Equal data of another draw is solved for on its own.
        assert_eq!(upper(&second, Optimum::Margin, 6.0), 6.0);
        assert_eq!(upper(&first, Optimum::Margin, 7.0), 1.0);
        // A run beyond the bound shows that it was not one.
        assert_eq!(upper_for(1.5, &first, Optimum::Margin, 8.0), 8.0);
        assert_eq!(upper_for(0.0, &first, Optimum::Margin, 9.0), 8.0);
        // Less effort is another question.
        let little = Effort {
            tolerance: 0.1,
            ..effort
        };
        let solve = |_: &_, _: &_| Ok(certificate(10.0));
        let ground = grounds.of(&first, Sphere::new);
        let found = ground.certificate(Optimum::Margin, &little, |_| true, solve);
        assert_eq!(found.unwrap().bounds.upper, 10.0);
    }
}
