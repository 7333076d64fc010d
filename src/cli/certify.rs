//! `widefield certify`: bounds of the optimum, and how far a run is from it.

use std::path::Path;

use super::args::CertifyArgs;
use super::table::{Table, number, print};
use crate::certify::Sphere;
use crate::certify::standing::{Certified, Kind, Standing};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::experiment::load;
use crate::flow::{Trained, Worlds, write_certificates};
use crate::store::{RunFolder, write_polished};

pub fn certify(args: &CertifyArgs) -> Result<()> {
    let folder = RunFolder::open(&args.dir)?;
    let grid = load(&folder.experiment().display().to_string(), &[])?;
    let runs: Vec<usize> = match args.run {
        Some(run) => vec![run],
        None => (0..grid.runs.len()).collect(),
    };
    let selection = args.engine.select()?;
    let mut worlds = Worlds::default();
    let mut standings = Vec::new();
    for run in runs {
        let trained = Trained::open(&folder, &grid, run)?;
        let data = worlds.sets(&trained.experiment)?.train;
        if !args.talk.quiet {
            eprintln!("certifying run {run}");
        }
        let selection = selection.clone();
        let sphere = Sphere::searched_on(&data, move |batch| selection.build(batch));
        let found = trained.certify(run, (&data, &sphere), args.tolerance, Some(args.probes))?;
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
        false => report(&standings)?,
    }
    let polished = match args.polish {
        true => ", small networks in runs/*/polished.npz beside it",
        false => "",
    };
    args.talk
        .say(&format!("results in {}{polished}", path.display()));
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

fn report(standings: &[Standing]) -> Result<()> {
    let mut table = Table::new(&[
        "run", "optimum", "lower", "upper", "gap", "relative", "proof",
    ]);
    for s in standings {
        table.row([
            s.run.to_string(),
            name(s.kind).to_owned(),
            format!("{:.6e}", s.lower),
            format!("{:.6e}", s.upper),
            number(Some(s.gap)),
            number(Some(s.relative_gap)),
            proof(s),
        ]);
    }
    table.print()?;
    for s in standings {
        print(&verdict(s))?;
    }
    Ok(())
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Margin => "largest margin_f1",
        Kind::Penalised => "least penalised risk",
        Kind::KernelMarginFeatures => "largest margin_f2 of its features",
        Kind::KernelMarginLaw => "largest margin_f2 of infinitely many",
    }
}

fn proof(s: &Standing) -> String {
    match s.certified {
        true => "certified".into(),
        false => format!("searched, {} probes", s.probes),
    }
}

/// A sentence for each run: the optimum, where the run is, and what it misses.
fn verdict(s: &Standing) -> String {
    let optimum = format!("{:.9} … {:.9}", s.optimum_lower, s.optimum_upper);
    let mut text = format!(
        "run {}: the optimum is {optimum} ({}); the run is within {} of it\n",
        s.run,
        proof(s),
        percent(s.relative_gap)
    );
    if let Some(missing) = &s.missing {
        let direction: Vec<String> = (missing.direction.iter())
            .map(|v| format!("{v:.3}"))
            .collect();
        text.push_str(&format!(
            "  it has no particle with a {} 0 within {:.0}° of ({}), which carries {} of the optimum\n",
            if missing.sign > 0.0 { ">" } else { "<" },
            missing.degrees,
            direction.join(", "),
            percent(missing.share)
        ));
    }
    text
}

fn percent(share: f64) -> String {
    match share {
        s if s >= 1e-3 => format!("{:.1} %", 100.0 * s),
        s => format!("{:.1e}", s),
    }
}
