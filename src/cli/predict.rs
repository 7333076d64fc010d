//! `widefield predict DIR --data FILE`

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::PredictArgs;
use super::table::print;
use crate::data::{Dataset, read_inputs};
use crate::engine::{Batch, Engine, Sample, cpu::Cpu, ldexp, reference::Reference};
use crate::error::{Error, Result};
use crate::experiment::load;
use crate::flow::run_of;
use crate::store::{Checkpoint, NpzWriter, RunFolder, write_atomically};

pub fn predict(args: &PredictArgs) -> Result<()> {
    let folder = RunFolder::open(&args.dir)?;
    let grid = load(&folder.experiment().display().to_string(), &[])?;
    let Some(run) = grid.runs.get(args.run) else {
        return Err(Error::input(
            "--run",
            format!("there is no run {}", args.run),
            format!(
                "{} has runs 0 to {}",
                args.dir.display(),
                grid.runs.len() - 1
            ),
        ));
    };
    let Some(checkpoint) = Checkpoint::newest(&folder.run(args.run))? else {
        return Err(Error::input(
            folder.run(args.run).display().to_string(),
            "has no checkpoint: the run was never started",
            format!("widefield resume {}", args.dir.display()),
        ));
    };
    let inputs = read_inputs(
        &args.data,
        checkpoint.d,
        &run.experiment.data,
        checkpoint.label.standardization.as_ref(),
    )?;
    let f = predictions(inputs, &run.experiment, &checkpoint)?;
    match &args.out {
        Some(path) => write(path, &f),
        None => print(&csv(&f)),
    }
}

fn predictions(
    inputs: Dataset,
    experiment: &crate::experiment::Experiment,
    checkpoint: &Checkpoint,
) -> Result<Vec<f64>> {
    let batch = Batch {
        d: checkpoint.d,
        datasets: vec![Arc::new(inputs)],
        runs: vec![run_of(experiment, 0, None)],
    };
    // A state in f64 comes from the reference and stays there.
    let mut engine: Box<dyn Engine> = if checkpoint.label.engine == "reference" {
        Box::new(Reference::new(batch))
    } else {
        Box::new(Cpu::new(batch, &Default::default())?)
    };
    checkpoint.restore(&mut *engine, 0)?;
    let now = engine.predict(Sample::Train)?.swap_remove(0);
    let p = now.prediction_exponent;
    Ok(now.f.iter().map(|&f| ldexp(f, p)).collect())
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
