//! `widefield predict DIR --data FILE`

use std::io::Write;
use std::path::Path;

use super::args::PredictArgs;
use super::table::print;
use super::terminal::say;
use crate::certify::{InputMatrix, Measure};
use crate::data::read_inputs;
use crate::error::{Error, Result};
use crate::experiment::load;
use crate::flow::{TrainedRun, predictions};
use crate::store::{NpzWriter, RunFolder, diverged_at, read_polished, write_atomically};

pub fn predict(args: &PredictArgs) -> Result<()> {
    let folder = RunFolder::open(&args.dir)?;
    let grid = load(&folder.experiment().display().to_string(), &[])?;
    if args.run >= grid.runs.len() {
        return Err(Error::input(
            "--run",
            format!("there is no run {}", args.run),
            format!(
                "{} has runs 0 to {}",
                args.dir.display(),
                grid.runs.len() - 1
            ),
        ));
    }
    let trained = TrainedRun::open(&folder, &grid, args.run)?;
    let inputs = read_inputs(
        &args.data,
        trained.checkpoint.d,
        &trained.experiment.data,
        trained.checkpoint.label.standardization.as_ref(),
        &trained.checkpoint.label.columns,
    )?;
    let diverged = diverged_at(&folder, args.run);
    if let Some(step) = diverged.filter(|_| !args.polished) {
        say(&format!(
            "run {} diverged at step {step}: predictions are of step {}, its last finite checkpoint",
            args.run, trained.checkpoint.clock.step
        ));
    }
    let f = match args.polished {
        true => {
            let network = read_polished(&folder.run(args.run))?;
            let alpha = trained.experiment.network.alpha();
            Measure::of_network(&network, alpha).predict(&InputMatrix::new(&inputs))
        }
        false => {
            let mut engine = trained.engine(inputs)?;
            trained.check_finite(&engine.read(0, 0..trained.checkpoint.m)?)?;
            predictions(&mut *engine)?
        }
    };
    // Adding 0 turns −0 into 0.
    let f: Vec<f64> = f.into_iter().map(|f| f + 0.0).collect();
    match &args.out {
        Some(path) => {
            write(path, &f)?;
            say(&format!("results in {}", path.display()));
            Ok(())
        }
        None => print(&csv(&f)),
    }
}

fn csv(f: &[f64]) -> String {
    let mut text = String::from("f\n");
    f.iter().for_each(|v| text.push_str(&format!("{v:?}\n")));
    text
}

fn write(path: &Path, f: &[f64]) -> Result<()> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    let at = |e| Error::writing(path, e);
    write_atomically(path, |out| match extension {
        "npz" => {
            let mut npz = NpzWriter::new(out, path);
            npz.array("f", &[f.len()], |push| f.iter().try_for_each(|&v| push(v)))?;
            npz.finish()
        }
        "npy" => {
            use npyz::WriterBuilder;
            let mut npy = npyz::WriteOptions::<f64>::new()
                .default_dtype()
                .shape(&[f.len() as u64])
                .writer(out)
                .begin_nd()
                .map_err(at)?;
            npy.extend(f.iter().copied()).map_err(at)?;
            npy.finish().map_err(at)
        }
        "csv" => out.write_all(csv(f).as_bytes()).map_err(at),
        _ => Err(Error::input(
            format!("--out {}", path.display()),
            "has an ending that is not known",
            "use .npy, .npz or .csv",
        )),
    })
}
