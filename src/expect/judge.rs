//! Verdicts from a table of measured values.

use std::collections::BTreeMap;

use super::Verdict;
use crate::digits::digits;
use crate::experiment::{ClaimCheck, Filter, Grid, GridRun, Over, number_of};

/// The quantities of each run by name, in the order of the grid's runs. Undefined quantities are
/// absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured(pub Vec<BTreeMap<String, f64>>);

/// One verdict per check of the experiment, in order.
pub fn judge(grid: &Grid, measured: &Measured) -> Vec<Verdict> {
    let table = MeasuredRuns {
        runs: &grid.runs,
        measured,
    };
    grid.expect.iter().map(|check| table.judge(check)).collect()
}

struct MeasuredRuns<'a> {
    runs: &'a [GridRun],
    measured: &'a Measured,
}

/// Why a check has no value.
enum Why {
    /// The grid has no runs that match.
    NoRuns(String),
    /// A run lacks the quantity.
    MissingDirection(String),
}

/// A value, or why there is none.
type RunValue = Result<f64, Why>;

impl MeasuredRuns<'_> {
    fn judge(&self, check: &ClaimCheck) -> Verdict {
        let found = match check.slope {
            Some(key) => self.slope(check, key),
            None => self.value(check, &check.quantity, &check.of),
        };
        let unit = match &check.than {
            Some(other) => self
                .value(check, &other.quantity, &check.others(other))
                .map(Some),
            None => Ok(None),
        };
        let measured = found.as_ref().ok().copied();
        let both = found.and_then(|value| Ok((value, unit?)));
        let judged = !matches!(both, Err(Why::NoRuns(_)));
        let (passed, allowed) = match both {
            Ok((value, unit)) => {
                let bound = |k: f64| unit.map_or(k, |unit| times(k, unit));
                let above = check.at_least.is_none_or(|least| value >= bound(least));
                let below = check.at_most.is_none_or(|most| value <= bound(most));
                (above && below, allowed(check, unit))
            }
            Err(Why::NoRuns(why) | Why::MissingDirection(why)) => (false, why),
        };
        Verdict {
            claim: check.claim.clone(),
            quantity: describe(check),
            passed,
            judged,
            measured,
            allowed,
        }
    }

    /// The quantity over the runs of a filter, reduced to one value.
    fn value(&self, check: &ClaimCheck, quantity: &str, of: &Filter) -> RunValue {
        let runs = self
            .runs
            .iter()
            .enumerate()
            .filter(|(_, run)| of.matches(run));
        let values = runs.map(|(k, _)| self.of_run(k, quantity));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        if values.is_empty() {
            return Err(Why::NoRuns(format!("no run has {of}")));
        }
        Ok(reduce(&values, check.over))
    }

    fn of_run(&self, k: usize, quantity: &str) -> RunValue {
        let of_run = self.measured.0.get(k);
        let value = of_run.and_then(|values| values.get(quantity)).copied();
        let finite = value.filter(|value| value.is_finite());
        finite.ok_or_else(|| Why::MissingDirection(format!("{quantity} of run {k} is not defined")))
    }

    /// The exponent s of value ~ keyˢ, by least squares on the logarithms, with one point per value
    /// of the key.
    fn slope(&self, check: &ClaimCheck, key: &str) -> RunValue {
        let runs = self.runs.iter().enumerate();
        let mut points: Vec<(f64, Vec<f64>)> = Vec::new();
        for (k, run) in runs.filter(|(_, run)| check.of.matches(run)) {
            let at = number_of(run, key);
            let at = at.ok_or_else(|| Why::MissingDirection(format!("{key} is no number")))?;
            let value = self.of_run(k, &check.quantity)?;
            match points.iter_mut().find(|(known, _)| *known == at) {
                Some((_, values)) => values.push(value),
                None => points.push((at, vec![value])),
            }
        }
        if points.len() < 2 {
            let of = match check.of.to_string() {
                of if of.is_empty() => of,
                of => format!(" with {of}"),
            };
            let why = format!("no slope: the runs{of} do not have two values of {key}");
            return Err(Why::NoRuns(why));
        }
        let points = points
            .iter()
            .map(|(at, values)| (*at, reduce(values, check.over)));
        let points: Vec<(f64, f64)> = points.map(|(x, y)| (x.ln(), y.ln())).collect();
        let slope = line(&points);
        let why =
            || Why::MissingDirection(format!("no slope: {key} and the value must be above 0"));
        slope.ok_or_else(why)
    }
}

fn reduce(values: &[f64], over: Over) -> f64 {
    match over {
        Over::Mean => values.iter().sum::<f64>() / values.len() as f64,
        Over::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Over::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
    }
}

/// Slope of the least-squares line; `None` if it is not defined.
fn line(points: &[(f64, f64)]) -> Option<f64> {
    let mean =
        |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let sum = |term: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(term).sum::<f64>();
    let slope = sum(&|p| (p.0 - x) * (p.1 - y)) / sum(&|p| (p.0 - x) * (p.0 - x));
    slope.is_finite().then_some(slope)
}

/// A bound of k times a value, for values of either sign: unit + (k − 1)|unit|. So a larger k is a
/// larger bound of a negative value too.
fn times(k: f64, unit: f64) -> f64 {
    match unit < 0.0 {
        true => unit + (k - 1.0) * unit.abs(),
        false => k * unit,
    }
}

/// The measured quantity, in the terms of the experiment file.
fn describe(check: &ClaimCheck) -> String {
    let mut text = check.quantity.clone();
    if let Some(key) = check.slope {
        text = format!("exponent of {text} in {key}");
    }
    if check.over != Over::Mean {
        text = format!(
            "{} of {text}",
            crate::experiment::NamedVariant::name(check.over)
        );
    }
    match check.of.to_string() {
        of if of.is_empty() => text,
        of => format!("{text} ({of})"),
    }
}

fn allowed(check: &ClaimCheck, unit: Option<f64>) -> String {
    let bound = |sign: &str, bound: f64| match unit {
        None => format!("{sign} {bound}"),
        Some(unit) if unit < 0.0 => format!(
            "{sign} {} + ({bound} − 1) × {} = {}",
            digits(unit),
            digits(-unit),
            digits(times(bound, unit))
        ),
        Some(unit) => format!(
            "{sign} {bound} × {} = {}",
            digits(unit),
            digits(times(bound, unit))
        ),
    };
    let least = check.at_least.map(|least| bound("≥", least));
    let most = check.at_most.map(|most| bound("≤", most));
    let mut text = least.into_iter().chain(most).collect::<Vec<_>>().join(", ");
    if let Some(other) = &check.than {
        let of = match other.of.to_string() {
            of if of.is_empty() => String::new(),
            of => format!(" ({of})"),
        };
        text.push_str(&format!("; {}{of}", other.quantity));
    }
    text
}
