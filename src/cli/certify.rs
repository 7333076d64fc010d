//! `widefield certify`: bounds of the optimum, and how far a run is from it.

use std::path::Path;

use super::args::CertifyArgs;
use super::table::{Table, number, print};
use crate::certify::kernel::Weights;
use crate::certify::standing::{Certified, Kind, Network, Standing};
use crate::certify::{Effort, Sphere};
use crate::data::Dataset;
use crate::engine::{Engine, Precision, ldexp};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, InitKind, Train, load};
use crate::flow::{Trained, Worlds};
use crate::particles::Particles;
use crate::store::{RunFolder, write_atomically, write_polished};
use crate::verify::tolerance::{factor, unit};

/// Default relative gap of a solve: where the maximum over the sphere is exact, and where not.
const TOLERANCES: [f64; 2] = [1e-6, 1e-4];

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
        let found = certify_run(run, &trained, (&data, &sphere), args)?;
        if args.polish {
            polish(&folder.run(run), run, &found, &data, &trained)?;
        }
        standings.extend(found.into_iter().map(|(standing, _)| standing));
    }
    let path = folder.certificate();
    write_atomically(&path, |out| {
        serde_json::to_writer_pretty(&mut *out, &standings)
            .map_err(|e| Error::writing(&path, e.into()))
    })?;
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

fn certify_run(
    index: usize,
    trained: &Trained,
    (data, sphere): (&Dataset, &Sphere),
    args: &CertifyArgs,
) -> Result<Vec<Certified>> {
    let mut engine = trained.engine(data.clone())?;
    let run = engine.batch().runs[0].clone();
    let particles = true_particles(&mut *engine)?;
    let checkpoint = &trained.checkpoint;
    let accumulated = checkpoint.accumulated()?;
    let network = Network {
        index,
        run: &run,
        data,
        sphere,
        particles: &particles,
        best_margin_f1: checkpoint.label.best.best_margin_f1,
        best_margin_f2: checkpoint.label.best.best_margin_f2,
        rounding: factor(run.m) * unit(Precision::F32),
        accumulated: accumulated.as_deref(),
    };
    let usual = TOLERANCES[usize::from(data.d > 3)];
    let effort = Effort {
        tolerance: args.tolerance.unwrap_or(usual),
        probes: args.probes,
        ..Effort::default()
    };
    network.certify(law(&trained.experiment), &effort)
}

/// The law of the features of an output-only run, where its kernel has a closed form.
fn law(experiment: &Experiment) -> Option<Weights> {
    let scale = experiment.init.scale_w;
    match experiment.init.kind {
        InitKind::Gaussian => Some(Weights::Gaussian { scale }),
        InitKind::Sphere => Some(Weights::Sphere { scale }),
        _ => None,
    }
}

/// The particles in true units; in stored ones where f64 does not hold the squares of the true.
fn true_particles(engine: &mut dyn Engine) -> Result<Particles> {
    let run = &engine.batch().runs[0];
    let (m, train) = (run.m, run.train);
    let exponent = engine.clock(0).exponent;
    let exponent = if exponent.abs() < 400 { exponent } else { 0 };
    let mut particles = engine.read(0, 0..m)?;
    let scale = |v: &mut f64| *v = ldexp(*v, exponent);
    if train != Train::Input {
        particles.a.iter_mut().for_each(scale);
    }
    if train != Train::Output {
        particles.w.iter_mut().for_each(scale);
    }
    Ok(particles)
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
