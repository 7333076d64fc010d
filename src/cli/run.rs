//! `widefield run` and `widefield resume`

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::{ResumeArgs, RunArgs, SpotCheckArgs, TalkArgs, form};
use super::pages::finish;
use super::progress::Line;
use super::table::{Table, number, print};
use super::verdicts;
use crate::digits::counted;
use crate::engine::select::{Choice, How, Selection, select};
use crate::error::{Error, INTERRUPTED, Result};
use crate::expect::conclude;
use crate::experiment::{Grid, Train, load, load_form};
use crate::flow::{Start, train};
use crate::report::verdicts::optimality;
use crate::report::width::width;
use crate::store::{Checkpoint, RunFolder, Summary};

/// Raised by Ctrl-C (and by a polite kill); the flow looks at it between stretches of steps.
static STOP: AtomicBool = AtomicBool::new(false);

pub fn run(args: RunArgs) -> Result<()> {
    let grid = load_form(&args.experiment, form(args.quick), &args.sets)?;
    let dir = args.out.clone().unwrap_or_else(|| {
        let stem = Path::new(&args.experiment).file_stem();
        let name = stem.map_or("run".into(), |s| s.to_string_lossy().into_owned());
        RunFolder::free_name(Path::new("runs"), &name)
    });
    let mut folder = RunFolder::plan(&dir, args.force)?;
    let selection = args.engine.select()?;
    let how = (&selection, &args.check);
    let done = go(&grid, &mut folder, Start::Fresh, how, &args.talk);
    finish(done, &folder, &args.pages, &args.talk)
}

pub fn resume(args: ResumeArgs) -> Result<()> {
    let mut folder = RunFolder::reopen(&args.dir)?;
    let sets: Vec<String> = args
        .steps
        .iter()
        .map(|n| format!("flow.steps={n}"))
        .collect();
    let grid = load(&folder.experiment().display().to_string(), &sets)?;
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
    let selection = match &first {
        Some((_, checkpoint)) if args.engine.is_default() => same_engine(checkpoint)?,
        _ => args.engine.select()?,
    };
    if args.steps.is_some() {
        folder.rewrite_experiment(&grid.to_toml())?;
    }
    let how = (&selection, &args.check);
    let done = go(&grid, &mut folder, Start::Resume, how, &args.talk);
    finish(done, &folder, &args.pages, &args.talk)
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

fn go(
    grid: &Grid,
    folder: &mut RunFolder,
    start: Start,
    (selection, check): (&Selection, &SpotCheckArgs),
    talk: &TalkArgs,
) -> Result<()> {
    talk.say(&selection.reason);
    let trained = compute(grid, folder, start, (selection, !check.no_spot_check), talk);
    let written = folder.summary();
    if !written.exists() {
        return trained.map(drop);
    }
    let summary = Summary::read(&written)?;
    if talk.json {
        let text = serde_json::to_string_pretty(&summary)
            .map_err(|e| Error::writing(&written, e.into()))?;
        print(&(text + "\n"))?;
    } else {
        report(&summary, grid)?;
    }
    if !matches!(trained, Err(Error::Interrupted { .. })) {
        let verdicts = conclude(folder, grid, &summary)?;
        if !talk.json && !verdicts.is_empty() {
            print("\n")?;
            verdicts::print(&verdicts)?;
        }
    }
    let certified = optimality(folder, &summary).ok().and_then(|o| o.outdated);
    let compared = width(folder, &summary).map_or(Vec::new(), |w| w.outdated);
    if let Some(missing) = folder.never_started(grid.runs.len()) {
        talk.say(&missing);
    }
    let dir = folder.dir().display().to_string();
    let certified = certified.map(|what| (what, format!("certify {dir}")));
    let compared = compared.into_iter().map(|of| {
        let folders = of.folders.unwrap_or_else(|| dir.clone());
        (of.what, format!("compare {folders}"))
    });
    for (what, command) in certified.into_iter().chain(compared) {
        talk.say(&format!("{what}; `widefield {command}` makes them anew"));
    }
    let summary = trained?;
    talk.say(&format!(
        "{} in {:.1} s",
        counted(summary.runs.len() as u64, "run"),
        summary.wall_seconds
    ));
    Ok(())
}

/// Stops after the present stretch of steps; at once when asked again, as long solves and steps need.
/// Files are replaced whole, so none is left half written.
fn on_interrupt() {
    if STOP.swap(true, Ordering::Relaxed) {
        std::process::exit(INTERRUPTED.into());
    }
    eprintln!("stopping as soon as what is in hand is done; Ctrl-C again stops at once");
}

/// Trains with a progress line, until the end or Ctrl-C.
pub(super) fn compute(
    grid: &Grid,
    folder: &mut RunFolder,
    start: Start,
    (selection, spot_check): (&Selection, bool),
    talk: &TalkArgs,
) -> Result<Summary> {
    // A second handler cannot be set in one process; the first serves as well.
    let _ = ctrlc::set_handler(on_interrupt);
    let mut line = Line::new(talk.quiet || talk.json);
    let mut make = |batch, kernels: Option<&str>| {
        let how = How {
            kernels,
            ..How::default()
        };
        selection.build_with(batch, how)
    };
    train(grid, folder, start, spot_check, &mut make, &mut line, &STOP)
}

/// A line per run: its parameters and what is defined of its observables.
fn report(summary: &Summary, grid: &Grid) -> Result<()> {
    let runs = &summary.runs;
    // margin_f2 means something where features stay what they were.
    let output_only = grid
        .runs
        .iter()
        .any(|r| r.experiment.network.train == Train::Output);
    type Column = (&'static str, fn(&crate::store::RunSummary) -> Option<f64>);
    let columns: [Column; 8] = [
        ("risk", |r| r.last.risk),
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
    let mut table = Table::new(&header);
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
