//! The folder's comparison, split by family.

use serde_json::{Map, Value};

use super::colour::Colour;
use super::folder::{Family, Folder};
use super::line_styles::LineStyle;
use crate::compare::{StoredComparison, StoredEnsemble, StoredPair, StoredPowerLaw};

/// The families of a comparison: runs that differ only in the width and the seed of the particles.
pub fn families<'s>(
    folder: &Folder,
    stored: &'s StoredComparison,
) -> Vec<(&'s Map<String, Value>, Family)> {
    let mut all: Vec<(&Map<String, Value>, Family)> = Vec::new();
    for StoredEnsemble {
        parameters, runs, ..
    } in &stored.ensembles
    {
        if let Some((_, family)) = all.iter_mut().find(|(known, _)| *known == parameters) {
            family.runs.extend(runs);
            continue;
        }
        let first = runs.first().and_then(|&run| folder.grid.runs.get(run));
        let keys = first.into_iter().flat_map(|run| &run.parameters);
        let kept = keys.filter(|(key, _)| parameters.contains_key(*key));
        let kept = kept.map(|(key, value)| (key.clone(), value.clone()));
        let family = Family {
            parameters: kept.collect(),
            runs: runs.clone(),
        };
        all.push((parameters, family));
    }
    all
}

/// The comparison of one family.
pub struct ComparedFamily<'a> {
    pub label: String,
    pub colour: Colour,
    pub law: Option<&'a StoredPowerLaw>,
    /// The width of its widest networks.
    pub widest: usize,
    /// Gaps to the widest networks, with the width of the other networks.
    pub gaps: Vec<(f64, &'a StoredPair)>,
}

impl<'a> ComparedFamily<'a> {
    pub fn new(
        stored: &'a StoredComparison,
        parameters: &Map<String, Value>,
        style: &LineStyle,
    ) -> Self {
        let own = |of: &&StoredEnsemble| of.parameters == *parameters;
        let widest = stored.ensembles.iter().filter(own).map(|of| of.width);
        let widest = widest.max().unwrap_or(0);
        let width = |k: usize| stored.ensembles.get(k).filter(own).map(|of| of.width);
        let gaps = stored.pairs.iter().filter_map(|pair| {
            let (a, b) = (width(pair.a)?, width(pair.b)?);
            (a.max(b) == widest).then_some((a.min(b) as f64, pair))
        });
        // Inputs of the user's come last, and before them those of the test.
        let mut laws = stored.variance.iter();
        ComparedFamily {
            label: style.family.label(),
            colour: style.colour,
            law: laws.rfind(|law| law.parameters == *parameters),
            widest,
            gaps: gaps.collect(),
        }
    }

    /// (m, variance, standard error of its logarithm)
    pub fn variances(&self) -> impl Iterator<Item = (f64, f64, Option<f64>)> {
        let all = self.law.into_iter().flat_map(|law| &law.widths);
        let each = all.filter_map(|at| Some((at.width as f64, at.variance?, at.log_error)));
        each.filter(|(_, variance, _)| *variance > 0.0)
    }

    /// The fitted power law, as a line: a least-squares line passes through the mean of its points.
    pub fn fit(&self) -> Option<Vec<(f64, f64)>> {
        let s = self.law?.exponent?;
        let (m, v): (Vec<f64>, Vec<f64>) = self.variances().map(|(m, v, _)| (m, v)).unzip();
        let mean = |of: &[f64]| of.iter().map(|v| v.ln()).sum::<f64>() / of.len() as f64;
        let (x, y) = (mean(&m), mean(&v));
        let at = |&m: &f64| (m, (y + s * (m.ln() - x)).exp());
        Some(m.iter().map(at).collect())
    }

    /// (m, gap) and (m, floor) of a quantity, where they are defined.
    pub fn gaps(&self, quantity: &str) -> [Vec<(f64, f64)>; 2] {
        let found = self.gaps.iter().filter_map(|(m, pair)| {
            let gap = pair.gaps.iter().rfind(|gap| gap.quantity == quantity)?;
            Some((*m, gap))
        });
        let found: Vec<_> = found.collect();
        let positive = |(m, value): (f64, Option<f64>)| Some((m, value.filter(|v| *v > 0.0)?));
        let gaps = found.iter().map(|(m, gap)| (*m, gap.value));
        let floors = found.iter().map(|(m, gap)| (*m, gap.floor));
        [
            gaps.filter_map(positive).collect(),
            floors.filter_map(positive).collect(),
        ]
    }
}
