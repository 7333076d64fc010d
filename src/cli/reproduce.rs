//! `widefield reproduce`: runs the published experiments one after another and reports their verdicts.

use std::path::PathBuf;

use super::args::{PageArgs, ReproduceArgs, form};
use super::pages;
use super::run::compute;
use super::table::{TextTable, print};
use super::verdicts;
use crate::digits::counted;
use crate::error::{Error, Result};
use crate::expect::conclude;
use crate::experiment::{Grid, Preset, load, load_changed, presets};
use crate::flow::StartMode;
use crate::report::figures::figures;
use crate::reproduction::{self, ReproducedExperiment};
use crate::store::{RunFolder, Summary};

pub fn reproduce(args: &ReproduceArgs) -> Result<()> {
    let chosen = choose(&args.names)?;
    let mut work = Vec::new();
    for preset in chosen {
        let grid = load_changed(preset.name, form(args.quick), &args.changes.changes())?;
        let folder = RunFolder::plan(&args.out.join(preset.name), args.force)?;
        work.push((preset, grid, folder));
    }
    let selection = args.engine.select()?;
    args.verbosity.say(&selection.reason);
    let mut parts = Vec::new();
    for (preset, grid, mut folder) in work {
        args.verbosity.say(&format!(
            "{}: {}",
            preset.name,
            counted(grid.runs.len() as u64, "run")
        ));
        match compute(
            &grid,
            &mut folder,
            StartMode::Fresh,
            &selection,
            true,
            &args.verbosity,
        ) {
            // The verdicts leave out runs that diverged; the other experiments go on.
            Err(error @ Error::Diverged { .. }) => args.verbosity.say(&error.to_string()),
            trained => drop(trained?),
        }
        parts.push(part(preset, &grid, &folder, args)?);
        reproduction::write(&page(args), &parts)?;
    }
    report(args, &parts)?;
    verdict(&parts)
}

/// The experiments of these names; without names, all that have claims.
fn choose(names: &[String]) -> Result<Vec<Preset>> {
    let mut published = Vec::new();
    for preset in presets() {
        if !load(preset.name, &[])?.expect.is_empty() {
            published.push(*preset);
        }
    }
    if names.is_empty() {
        return Ok(published);
    }
    let find = |name: &String| {
        let found = published.iter().find(|preset| preset.name == name);
        found.copied().ok_or_else(|| {
            let all: Vec<&str> = published.iter().map(|preset| preset.name).collect();
            let what = "is not an embedded experiment that claims something";
            Error::input(name, what, format!("there are: {}", all.join(", ")))
        })
    };
    names.iter().map(find).collect()
}

fn part(
    preset: Preset,
    grid: &Grid,
    folder: &RunFolder,
    args: &ReproduceArgs,
) -> Result<ReproducedExperiment> {
    let summary = Summary::read(&folder.summary())?;
    let quick = if args.quick { " --quick" } else { "" };
    let changes = args.changes.words();
    let verdicts = conclude(folder, grid, &summary)?;
    let report = pages::regenerate(folder, &PageArgs::default(), &args.verbosity);
    let report = report.and_then(|path| Some(path.strip_prefix(&args.out).ok()?.to_path_buf()));
    Ok(ReproducedExperiment {
        name: preset.name.into(),
        title: preset.title().into(),
        about: preset.about(),
        command: format!("widefield run {}{quick}{changes}", preset.name),
        seed: grid.runs.first().map_or(0, |run| run.experiment.seed),
        verdicts,
        figures: figures(&folder.dir().join("figures"), preset.name)?,
        report,
        summary,
    })
}

fn page(args: &ReproduceArgs) -> PathBuf {
    args.out.join("reproduction.html")
}

fn report(args: &ReproduceArgs, parts: &[ReproducedExperiment]) -> Result<()> {
    let page = page(args);
    if args.verbosity.json {
        let text = serde_json::to_string_pretty(parts).map_err(|e| Error::writing(&page, e.into()));
        print(&(text? + "\n"))?;
    } else {
        let mut table = TextTable::new(&["experiment", "verdict", "measured", "allowed", "claim"]);
        for part in parts {
            for found in &part.verdicts {
                table.row(
                    [part.name.clone()]
                        .into_iter()
                        .chain(verdicts::cells(found)),
                );
            }
        }
        table.print()?;
    }
    let seconds: f64 = parts.iter().map(|part| part.summary.wall_seconds).sum();
    let runs = parts
        .iter()
        .map(|part| part.summary.runs.len() as u64)
        .sum();
    args.verbosity.say(&format!(
        "{} in {seconds:.1} s; the page is {}",
        counted(runs, "run"),
        page.display()
    ));
    Ok(())
}

/// An error if any claim fails.
fn verdict(parts: &[ReproducedExperiment]) -> Result<()> {
    let all = parts.iter().flat_map(|part| {
        let verdicts = part.verdicts.iter();
        verdicts.map(move |verdict| (format!("{}: {}", part.name, verdict.claim), verdict))
    });
    verdicts::conclude_named(&all.collect::<Vec<_>>())
}
