//! An experiment through the library: a sweep over widths, trained into a run folder, and its summary.
//!
//! Four neurons get stuck; the margin grows with the width and settles.
//!
//!     cargo run --release --example width_sweep

use std::path::Path;
use std::sync::atomic::AtomicBool;

use widefield::engine::select::{Choice, select};
use widefield::experiment::load;
use widefield::flow::{Progress, StartMode, Status, train};
use widefield::store::RunFolder;

/// Says nothing while the runs go on.
struct Quiet;

impl Progress for Quiet {
    fn report(&mut self, _: &Status) {}
}

/// Trains into this folder, which holds no run yet.
pub fn sweep(out: &Path) -> widefield::Result<()> {
    // An embedded experiment or a file, with changes as `--set` takes them.
    let changes = [
        "flow.steps=2000",
        "grid.network.width=[4,16,64]",
        "grid.seed=[1,2,3]",
    ];
    let grid = load("quick", &changes.map(str::to_owned))?;
    let mut folder = RunFolder::plan(out, false)?;
    let selection = select(Choice::Cpu, None)?;
    let mut make = |batch, _: Option<&str>| selection.build(batch);
    let never = AtomicBool::new(false);
    let summary = train(
        &grid,
        &mut folder,
        StartMode::Fresh,
        true,
        &mut make,
        &mut Quiet,
        &never,
    )?;

    println!("width  best margin, mean of the seeds");
    for width in [4, 16, 64] {
        let runs = summary.runs.iter();
        let runs = runs.filter(|run| run.parameters["network.width"] == width);
        let margins: Vec<f64> = runs.filter_map(|run| run.best.best_margin_f1).collect();
        let mean = margins.iter().sum::<f64>() / margins.len() as f64;
        println!("{width:>5}  {mean:.5}");
    }
    println!("all of it is in {}", out.display());
    Ok(())
}

fn main() -> widefield::Result<()> {
    sweep(Path::new("runs/width-sweep"))
}
