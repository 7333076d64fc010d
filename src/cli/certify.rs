//! `widefield certify`: bounds of the optimum, and how far a run is from it.

use std::path::Path;
use std::time::Duration;

use super::args::CertifyArgs;
use super::interrupt;
use super::pages::{link, regenerate};
use super::style;
use super::table::{TextTable, number, print};
use super::terminal::say;
use crate::certify::description::INSEPARABLE;
use crate::certify::run_certificate::{CertifiedRun, OptimumKind, RunCertificate};
use crate::certify::{ProofOptions, SolverCaches, Sphere};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::experiment::load;
use crate::flow::{DatasetCache, TrainedRun, write_certificates};
use crate::store::{RunFolder, diverged_at, remove_polished, write_polished};

/// Seconds that a proof may take, at most: some years.
const MOST_SECONDS: f64 = 1e8;

pub fn certify(args: &CertifyArgs) -> Result<()> {
    check(args)?;
    let folder = RunFolder::open(&args.dir)?;
    let grid = load(&folder.experiment().display().to_string(), &[])?;
    let started = (0..grid.runs.len()).filter(|&k| folder.is_started(k));
    let started: Vec<usize> = started.collect();
    let runs = match (args.run, started.is_empty()) {
        (Some(run), _) => vec![run],
        // For run 0 the missing file is reported as an error.
        (None, true) => vec![0],
        (None, false) => started,
    };
    let selection = args.engine.select()?;
    let proof = args.prove.then(|| ProofOptions {
        gap: args.gap,
        time: Duration::from_secs_f64(args.seconds),
        stop: interrupt::listen(),
    });
    let mut datasets = DatasetCache::default();
    let mut caches = SolverCaches::default();
    let mut certificates = Vec::new();
    let mut failures = Vec::new();
    let all = runs.len();
    for run in runs {
        if !args.verbosity.quiet {
            say(&format!("certifying run {run}"));
        }
        let mut one = || -> Result<()> {
            let trained = TrainedRun::open(&folder, &grid, run)?;
            let split = datasets.split(&trained.experiment)?;
            trained.check_data(&split)?;
            let data = split.train;
            let cache = caches.of(&data, |data| {
                let selection = selection.clone();
                Sphere::searched_on(data, move |batch| selection.build(batch))
            });
            let found = trained.certify(run, cache, args.tolerance, Some(args.probes), proof)?;
            let diverged_at = diverged_at(&folder, run);
            certificates.extend(found.iter().map(|one| RunCertificate {
                diverged_at,
                ..one.certificate.clone()
            }));
            match args.polish {
                true => polish(&folder.run(run), run, &found, &data, &trained),
                false => Ok(()),
            }
        };
        if let Err(error) = one() {
            failures.push((run, error));
        }
    }
    if certificates.is_empty() {
        return failed(failures, all);
    }
    let path = folder.certificate();
    write_certificates(&path, &certificates)?;
    match args.verbosity.json {
        true => {
            let text = serde_json::to_string_pretty(&certificates)
                .map_err(|e| Error::writing(&path, e.into()))?;
            print(&(text + "\n"))?;
        }
        false => show(&certificates)?,
    }
    if let Some(missing) = folder.never_started(grid.runs.len()) {
        args.verbosity.say(&format!(
            "{missing}: `widefield resume {}` trains them",
            args.dir.display()
        ));
    }
    let page = link(regenerate(&folder, &args.pages, &args.verbosity));
    let polished = match args.polish {
        true => ", small networks in runs/*/polished.npz beside it, where there are any",
        false => "",
    };
    args.verbosity
        .say(&format!("results in {}{polished}{page}", path.display()));
    failed(failures, all)
}

/// The error for runs that could not be certified, where the others were. A single failure is reported as
/// it is; several are listed, followed by their number.
fn failed(mut failures: Vec<(usize, Error)>, all: usize) -> Result<()> {
    if failures.len() <= 1 {
        return failures.pop().map_or(Ok(()), |(_, error)| Err(error));
    }
    failures.iter().for_each(|(_, error)| style::error(error));
    let runs: Vec<String> = failures.iter().map(|(run, _)| run.to_string()).collect();
    let what = format!("{} of {all} runs failed: {}", runs.len(), runs.join(", "));
    let remedy = "what is wrong with each is said above; the others are certified";
    let of_input = |(_, error): &(usize, Error)| matches!(error, Error::Input { .. });
    Err(match failures.iter().all(of_input) {
        true => Error::input("certify", what, remedy),
        false => Error::Certificate {
            what,
            remedy: remedy.into(),
        },
    })
}

/// Refuses a tolerance, gap, time or number of directions that makes no sense.
fn check(args: &CertifyArgs) -> Result<()> {
    if let Some(tolerance) = args.tolerance
        && !(tolerance > 0.0 && tolerance.is_finite())
    {
        return Err(Error::input(
            "--tolerance",
            format!("is {tolerance}"),
            "give a relative gap above 0, such as 1e-4",
        ));
    }
    if !(args.gap > 0.0 && args.gap < 1.0) {
        return Err(Error::input(
            "--gap",
            format!("is {}", args.gap),
            "give a share between 0 and 1 of the bound, such as 1e-3",
        ));
    }
    if !(0.0..=MOST_SECONDS).contains(&args.seconds) {
        return Err(Error::input(
            "--seconds",
            format!("is {}", args.seconds),
            format!("give the time that each proof may take, such as 60, at most {MOST_SECONDS:e}"),
        ));
    }
    if args.probes == 0 {
        return Err(Error::input(
            "--probes",
            "is 0: nothing would be searched",
            "give the number of directions to search where d > 3, such as 10000",
        ));
    }
    Ok(())
}

/// Writes the optimal measure as a small network, polished.npz.
fn polish(
    dir: &Path,
    run: usize,
    found: &[CertifiedRun],
    data: &Dataset,
    trained: &TrainedRun,
) -> Result<()> {
    let Some(measure) = found.iter().find_map(|one| one.optimum.as_ref()) else {
        return Err(Error::input(
            "--polish",
            format!("run {run} trains its output layer alone: its optimum is no small network"),
            "leave out --polish, or certify a run of both layers",
        ));
    };
    let is_margin = |one: &CertifiedRun| one.certificate.kind == OptimumKind::Margin;
    if measure.is_empty() && found.iter().any(is_margin) {
        tracing::warn!("run {run}: {INSEPARABLE}: there is none to be written");
        return remove_polished(dir);
    }
    write_polished(dir, measure, trained.experiment.network.alpha(), data)
}

fn show(certificates: &[RunCertificate]) -> Result<()> {
    let mut table = TextTable::new(&[
        "run", "optimum", "lower", "upper", "gap", "relative", "proof",
    ]);
    for s in certificates {
        table.row([
            s.run.to_string(),
            s.kind.description().to_owned(),
            // Adding 0 turns −0 into 0.
            format!("{:.6e}", s.lower + 0.0),
            format!("{:.6e}", s.upper + 0.0),
            number(Some(s.gap)),
            // The relative gap is not defined for an optimum of 0.
            number(Some(s.relative_gap).filter(|gap| *gap < f64::MAX)),
            s.proof(),
        ]);
    }
    table.print()?;
    for s in certificates {
        print(&format!("{}\n", s.sentence()))?;
    }
    Ok(())
}
