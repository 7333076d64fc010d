//! Collects from a run folder the values that the checks need.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Measured;
use crate::certify::run_certificate::RunCertificate;
use crate::certify::{SolverCaches, Sphere};
use crate::compare::{self, CompareOptions, ComparisonReport};
use crate::error::{Error, Result};
use crate::experiment::{ClaimCheck, Filter, Grid};
use crate::flow::{DatasetCache, TrainedRun, write_certificates};
use crate::store::{RunFolder, Summary};

/// The values that the checks of an experiment need. Runs that diverged have no values.
/// Certificates and comparisons are computed if a check needs them, and written to the folder; if a
/// run cannot have one, such as after its decay was set to 0, the values are missing.
///
/// # Errors
/// Damaged checkpoints, a failure of a solver, or a file that cannot be written.
pub fn gather(folder: &RunFolder, grid: &Grid, summary: &Summary) -> Result<Measured> {
    let mut measured = Measured(vec![BTreeMap::new(); grid.runs.len()]);
    let asked = Asked::new(grid);
    let sound = |k: usize| {
        let run = summary.runs.iter().find(|run| run.run == k);
        run.is_some_and(|run| run.diverged_at.is_none())
    };
    let certified: Vec<usize> = asked.certified.into_iter().filter(|k| sound(*k)).collect();
    let certificates = certify(folder, grid, &certified)?;
    for run in summary.runs.iter().filter(|run| sound(run.run)) {
        let Some(values) = measured.0.get_mut(run.run) else {
            continue;
        };
        values.extend(numbers("", run)?);
        let own = certificates
            .iter()
            .find(|certificate| certificate.run == run.run);
        if let Some(certificate) = own {
            values.extend(numbers("certificate.", certificate)?);
            let missing = certificate
                .missing
                .as_ref()
                .map_or(0.0, |missing| missing.share);
            values.insert("certificate.missing".into(), missing);
        }
    }
    if asked.compared {
        let report = compare::within(folder.dir(), &CompareOptions::default());
        if let Some(report) = applicable(report)? {
            let stem = folder.comparison();
            report.write_json(&stem.with_extension("json"))?;
            report.write_csv(&stem.with_extension("csv"))?;
            compared(&report, &mut measured);
        }
    }
    Ok(measured)
}

/// The runs to certify, and whether to compare the runs of the folder.
struct Asked {
    certified: BTreeSet<usize>,
    compared: bool,
}

impl Asked {
    fn new(grid: &Grid) -> Self {
        let sides = |check: &ClaimCheck| -> Vec<(String, Filter)> {
            let other = check.than.as_ref();
            let other = other.map(|other| (other.quantity.clone(), check.others(other)));
            let own = (check.quantity.clone(), check.of.clone());
            [own].into_iter().chain(other).collect()
        };
        let sides: Vec<(String, Filter)> = grid.expect.iter().flat_map(sides).collect();
        let of = |prefix: &'static str| {
            let sides = sides.iter();
            sides.filter(move |(quantity, _)| quantity.starts_with(prefix))
        };
        let runs = grid.runs.iter().enumerate();
        let certified = runs.filter(|(_, run)| of("certificate.").any(|(_, of)| of.matches(run)));
        Asked {
            certified: certified.map(|(k, _)| k).collect(),
            compared: of("compare.").next().is_some(),
        }
    }
}

/// Certificates of these runs, also written to certificate.json. The first certificate of an
/// output-only run is that of its own features' kernel.
fn certify(folder: &RunFolder, grid: &Grid, runs: &[usize]) -> Result<Vec<RunCertificate>> {
    let mut datasets = DatasetCache::default();
    let mut caches = SolverCaches::default();
    let mut certificates = Vec::new();
    for &run in runs {
        let trained = TrainedRun::open(folder, grid, run)?;
        let data = datasets.split(&trained.experiment)?.train;
        let cache = caches.of(&data, Sphere::new);
        let found = applicable(trained.certify(run, cache, None, None, None))?;
        let found = found.into_iter().flatten();
        certificates.extend(found.map(|one| one.certificate));
    }
    if !certificates.is_empty() {
        write_certificates(&folder.certificate(), &certificates)?;
    }
    Ok(certificates)
}

/// `None` if the experiment does not admit this certificate or comparison.
fn applicable<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Err(Error::Input { .. }) => Ok(None),
        found => found.map(Some),
    }
}

/// The numbers of a record, by name.
fn numbers(prefix: &str, record: &impl serde::Serialize) -> Result<BTreeMap<String, f64>> {
    let value = serde_json::to_value(record);
    let value = value.map_err(|e| Error::input("expect", e.to_string(), "please report it"))?;
    let fields = value.as_object().into_iter().flatten();
    let number =
        |(name, value): (&String, &Value)| Some((format!("{prefix}{name}"), value.as_f64()?));
    Ok(fields.filter_map(number).collect())
}

/// Gives every run the values that a comparison has for its ensemble: the variance of the
/// prediction between seeds, the gap to the widest networks and its noise floor; on test inputs if
/// there are any.
fn compared(report: &ComparisonReport, measured: &mut Measured) {
    let mut put = |runs: &[usize], name: &str, value: Option<f64>| {
        for run in runs {
            if let (Some(values), Some(value)) = (measured.0.get_mut(*run), value) {
                values.insert(format!("compare.{name}"), value);
            }
        }
    };
    for ensemble in &report.ensembles {
        let of = |inputs: &str| {
            let mut all = report.variance.iter();
            let own = all.find(|v| v.inputs == inputs && v.parameters == ensemble.parameters)?;
            own.widths.iter().find(|at| at.width == ensemble.width)
        };
        let variance = of("test").or_else(|| of("train"));
        put(
            &ensemble.runs,
            "variance",
            variance.and_then(|at| at.variance),
        );
    }
    for pair in &report.pairs {
        let (Some(a), Some(b)) = (report.ensembles.get(pair.a), report.ensembles.get(pair.b))
        else {
            continue;
        };
        let family = report
            .ensembles
            .iter()
            .filter(|e| e.parameters == a.parameters);
        let widest = family.map(|e| e.width).max();
        let (narrow, wide) = if a.width < b.width { (a, b) } else { (b, a) };
        if Some(wide.width) == widest {
            let of = |inputs: &str| {
                let mut gaps = pair.gaps.iter();
                gaps.find(|g| g.quantity == "prediction_rms" && g.inputs == Some(inputs))
            };
            let gap = of("test").or_else(|| of("train"));
            put(&narrow.runs, "gap", gap.and_then(|gap| gap.value));
            put(&narrow.runs, "floor", gap.and_then(|gap| gap.floor));
        }
    }
}
