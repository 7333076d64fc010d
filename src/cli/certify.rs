//! `widefield certify`: bounds of the optimum, and how far a run is from it.

use std::path::Path;

use super::args::CertifyArgs;
use super::pages::{renew, seen};
use super::table::{Table, number, print};
use super::terminal::say;
use crate::certify::standing::{Certified, Standing};
use crate::certify::{Grounds, Sphere};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::experiment::load;
use crate::flow::{Trained, Worlds, write_certificates};
use crate::store::{RunFolder, write_polished};

pub fn certify(args: &CertifyArgs) -> Result<()> {
    let folder = RunFolder::open(&args.dir)?;
    let grid = load(&folder.experiment().display().to_string(), &[])?;
    let started = (0..grid.runs.len()).filter(|&k| folder.is_started(k));
    let started: Vec<usize> = started.collect();
    let runs = match (args.run, started.is_empty()) {
        (Some(run), _) => vec![run],
        // It says what is missing.
        (None, true) => vec![0],
        (None, false) => started,
    };
    let selection = args.engine.select()?;
    let mut worlds = Worlds::default();
    let mut grounds = Grounds::default();
    let mut standings = Vec::new();
    for run in runs {
        let trained = Trained::open(&folder, &grid, run)?;
        let data = worlds.sets(&trained.experiment)?.train;
        if !args.talk.quiet {
            say(&format!("certifying run {run}"));
        }
        let ground = grounds.of(&data, |data| {
            let selection = selection.clone();
            Sphere::searched_on(data, move |batch| selection.build(batch))
        });
        let found = trained.certify(run, ground, args.tolerance, Some(args.probes))?;
        if args.polish {
            polish(&folder.run(run), run, &found, &data, &trained)?;
        }
        standings.extend(found.into_iter().map(|(standing, _)| standing));
    }
    let path = folder.certificate();
    write_certificates(&path, &standings)?;
    match args.talk.json {
        true => {
            let text = serde_json::to_string_pretty(&standings)
                .map_err(|e| Error::writing(&path, e.into()))?;
            print(&(text + "\n"))?;
        }
        false => show(&standings)?,
    }
    if let Some(missing) = folder.never_started(grid.runs.len()) {
        args.talk.say(&format!(
            "{missing}: `widefield resume {}` trains them",
            args.dir.display()
        ));
    }
    let page = seen(renew(&folder, &args.pages, &args.talk));
    let polished = match args.polish {
        true => ", small networks in runs/*/polished.npz beside it",
        false => "",
    };
    args.talk
        .say(&format!("results in {}{polished}{page}", path.display()));
    Ok(())
}

/// Writes the optimal measure as a small network.
fn polish(
    dir: &Path,
    run: usize,
    found: &[Certified],
    data: &Dataset,
    trained: &Trained,
) -> Result<()> {
    let Some(measure) = found.iter().find_map(|(_, measure)| measure.as_ref()) else {
        return Err(Error::input(
            "--polish",
            format!("run {run} trains its output layer alone: its optimum is no small network"),
            "leave out --polish, or certify a run of both layers",
        ));
    };
    write_polished(dir, measure, trained.experiment.network.alpha(), data)
}

fn show(standings: &[Standing]) -> Result<()> {
    let mut table = Table::new(&[
        "run", "optimum", "lower", "upper", "gap", "relative", "proof",
    ]);
    for s in standings {
        table.row([
            s.run.to_string(),
            s.kind.words().to_owned(),
            format!("{:.6e}", s.lower),
            format!("{:.6e}", s.upper),
            number(Some(s.gap)),
            number(Some(s.relative_gap)),
            s.proof(),
        ]);
    }
    table.print()?;
    for s in standings {
        print(&format!("{}\n", s.sentence()))?;
    }
    Ok(())
}
