//! `widefield run` and `widefield resume`

use std::path::Path;

use super::args::{PageArgs, ResumeArgs, RunArgs, SpotCheckArgs, VerbosityArgs, form};
use super::interrupt;
use super::pages::finish;
use super::progress::ProgressLine;
use super::table::{TextTable, number, print};
use super::{stop_messages, verdicts};
use crate::digits::counted;
use crate::engine::select::{Choice, How, Selection, select};
use crate::error::{Error, Result};
use crate::expect::conclude;
use crate::experiment::{Grid, load, load_changed};
use crate::flow::{StartMode, train};
use crate::model::Train;
use crate::report::verdicts::optimality;
use crate::report::width::width;
use crate::store::{Checkpoint, RunFolder, Summary};

pub fn run(args: RunArgs) -> Result<()> {
    let grid = load_changed(&args.experiment, form(args.quick), &args.changes.changes())?;
    let mut folder = match &args.out {
        Some(dir) => RunFolder::plan(dir, args.force)?,
        None => {
            let stem = Path::new(&args.experiment).file_stem();
            let name = stem.map_or("run".into(), |s| s.to_string_lossy());
            RunFolder::plan_next(Path::new("runs"), &name)
        }
    };
    let selection = args.engine.select()?;
    folder.ask_for(selection.request());
    let (check, pages, verbosity) = (&args.check, &args.pages, &args.verbosity);
    let start = StartMode::Fresh;
    go(
        &grid,
        &mut folder,
        start,
        &selection,
        check,
        pages,
        verbosity,
    )
}

pub fn resume(args: ResumeArgs) -> Result<()> {
    let mut folder = RunFolder::reopen(&args.dir)?;
    let sets: Vec<String> = args
        .steps
        .iter()
        .map(|n| format!("flow.steps={n}"))
        .collect();
    let file = folder.experiment().display().to_string();
    if args.steps.is_some() && load(&file, &[])?.varies("flow.steps") {
        return Err(Error::input(
            "--steps",
            format!("the grid of {file} varies flow.steps: one number for all would undo it"),
            "resume without --steps, or change the list in the file's [grid]",
        ));
    }
    let grid = load(&file, &sets)?;
    let first = grid.runs.iter().enumerate().find_map(|(k, _)| {
        let found = Checkpoint::newest(&folder.run(k)).transpose()?;
        Some(found.map(|c| (k, c)))
    });
    let first = first.transpose()?;
    if let (Some(steps), Some((k, checkpoint))) = (args.steps, &first)
        && checkpoint.clock.step > steps
    {
        return Err(Error::input(
            "--steps",
            format!(
                "run {k} has taken {} steps already, more than {steps}",
                checkpoint.clock.step
            ),
            "name the step to train to, counted from the start of the run",
        ));
    }
    let selection = match (&first, folder.request()) {
        _ if args.engine.names_engine() => args.engine.select()?,
        (Some((_, checkpoint)), _) => same_engine(checkpoint)?,
        (None, Some(request)) => request.select()?,
        (None, None) => args.engine.select()?,
    };
    let selection = match &args.engine.kernels {
        Some(kernels) => selection.with_kernels(Some(kernels))?,
        None => selection,
    };
    if args.steps.is_some() {
        folder.change_experiment();
    }
    let (check, pages, verbosity) = (&args.check, &args.pages, &args.verbosity);
    let start = StartMode::Resume;
    go(
        &grid,
        &mut folder,
        start,
        &selection,
        check,
        pages,
        verbosity,
    )
}

/// The engine and adapter that wrote a checkpoint: only they continue it bit for bit.
fn same_engine(checkpoint: &Checkpoint) -> Result<Selection> {
    let label = &checkpoint.label;
    let choice = serde_json::from_value(serde_json::json!(label.engine)).unwrap_or(Choice::Auto);
    let adapter = (choice == Choice::Gpu).then_some(label.adapter.as_str());
    select(choice, adapter).map_err(|e| {
        Error::input(
            checkpoint.path().display().to_string(),
            format!(
                "was written by the {} engine on {}: {e}",
                label.engine, label.adapter
            ),
            "go on with another engine by --engine; the run is then not the same bit for bit",
        )
    })
}

/// Trains, prints the results and draws the figures. A failure to write to standard output is reported only
/// at the end, as the results are in the folder.
fn go(
    grid: &Grid,
    folder: &mut RunFolder,
    start: StartMode,
    selection: &Selection,
    check: &SpotCheckArgs,
    pages: &PageArgs,
    verbosity: &VerbosityArgs,
) -> Result<()> {
    verbosity.say(&selection.reason);
    for line in stop_messages::never_met(grid) {
        verbosity.say(&line);
    }
    let trained = compute(
        grid,
        folder,
        start,
        selection,
        !check.no_spot_check,
        verbosity,
    );
    // Otherwise the training stopped early, and an existing summary is of an earlier session.
    let ended = matches!(
        trained,
        Ok(_) | Err(Error::Interrupted { .. } | Error::Diverged { .. })
    );
    if !ended {
        return trained.map(drop);
    }
    let written = folder.summary();
    let summary = Summary::read(&written)?;
    let mut printed = match verbosity.json {
        true => serde_json::to_string_pretty(&summary)
            .map_err(|e| Error::writing(&written, e.into()))
            .and_then(|text| print(&(text + "\n"))),
        false => report(&summary, grid),
    };
    let mut verdicts = Vec::new();
    if !matches!(trained, Err(Error::Interrupted { .. })) {
        verdicts = conclude(folder, grid, &summary)?;
        if !verbosity.json && !verdicts.is_empty() {
            printed = printed.and(print("\n").and_then(|()| verdicts::print(&verdicts)));
        }
    }
    for line in stop_messages::describe(grid, &summary) {
        verbosity.say(&line);
    }
    tell(folder, grid, &summary, verbosity);
    let done = trained.map(|summary| {
        verbosity.say(&format!(
            "{} in {:.1} s",
            counted(summary.runs.len() as u64, "run"),
            summary.wall_seconds
        ));
    });
    let done = done.and_then(|()| verdicts::conclude(&verdicts));
    finish(done, folder, pages, verbosity).and(printed)
}

/// Messages on runs that were never started and on files that are outdated now.
fn tell(folder: &RunFolder, grid: &Grid, summary: &Summary, verbosity: &VerbosityArgs) {
    let certified = optimality(folder, summary).ok().and_then(|o| o.outdated);
    let compared = width(folder, summary).map_or(Vec::new(), |w| w.outdated);
    if let Some(missing) = folder.never_started(grid.runs.len()) {
        verbosity.say(&missing);
    }
    let dir = folder.dir().display().to_string();
    let certified = certified.map(|what| (what, format!("certify {dir}")));
    let compared = compared.into_iter().map(|of| {
        let folders = of.folders.unwrap_or_else(|| dir.clone());
        (of.what, format!("compare {folders}"))
    });
    for (what, command) in certified.into_iter().chain(compared) {
        verbosity.say(&format!("{what}; `widefield {command}` makes them anew"));
    }
}

/// Trains with a progress line, until the end or Ctrl-C.
pub(super) fn compute(
    grid: &Grid,
    folder: &mut RunFolder,
    start: StartMode,
    selection: &Selection,
    spot_check: bool,
    verbosity: &VerbosityArgs,
) -> Result<Summary> {
    let stop = interrupt::listen();
    let mut line = ProgressLine::new(verbosity.quiet || verbosity.json);
    let mut make = |batch, kernels: Option<&str>| {
        let how = How {
            kernels,
            ..How::default()
        };
        selection.build_with(batch, how)
    };
    train(grid, folder, start, spot_check, &mut make, &mut line, stop)
}

/// Prints a line per run: its parameters and those of its observables that are defined.
fn report(summary: &Summary, grid: &Grid) -> Result<()> {
    let runs = &summary.runs;
    // margin_f2 is meaningful only where features are fixed.
    let output_only = grid
        .runs
        .iter()
        .any(|r| r.experiment.network.train == Train::Output);
    type Column = (&'static str, fn(&crate::store::RunSummary) -> Option<f64>);
    let columns: [Column; 9] = [
        ("risk", |r| r.last.risk),
        ("risk_test", |r| r.last.risk_test),
        ("error_train", |r| r.last.error_train),
        ("error_test", |r| r.last.error_test),
        ("param_norm", |r| r.last.param_norm),
        ("margin_f1", |r| r.last.margin_f1),
        ("best_margin_f1", |r| r.best.best_margin_f1),
        ("margin_param", |r| r.last.margin_param),
        ("margin_f2", |r| r.last.margin_f2),
    ];
    let shown: Vec<&Column> = columns
        .iter()
        .filter(|(name, _)| *name != "margin_f2" || output_only)
        .filter(|(_, value)| runs.iter().any(|r| value(r).is_some()))
        .collect();
    let keys: Vec<&String> = runs
        .first()
        .map_or(Vec::new(), |r| r.parameters.keys().collect());
    let mut header = vec!["run"];
    header.extend(keys.iter().map(|k| k.as_str()));
    header.push("steps");
    header.extend(shown.iter().map(|(name, _)| *name));
    let mut table = TextTable::new(&header);
    for run in runs {
        let mut cells = vec![run.run.to_string()];
        cells.extend(run.parameters.values().map(|v| match v.as_str() {
            Some(text) => text.to_owned(),
            None => v.to_string(),
        }));
        cells.push(match run.diverged_at {
            Some(step) => format!("diverged at {step}"),
            None => run.steps.to_string(),
        });
        cells.extend(shown.iter().map(|(_, value)| number(value(run))));
        table.row(cells);
    }
    table.print()
}
