//! `widefield compare DIR_A [DIR_B]`

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::args::CompareArgs;
use super::pages::regenerate;
use super::table::{TextTable, number, print};
use super::terminal::say;
use crate::compare::{
    CompareOptions, ComparisonReport, EnsembleReport, Gap, PairReport, between, within,
};
use crate::error::{Error, Result};
use crate::report;
use crate::store::RunFolder;

pub fn compare(args: CompareArgs) -> Result<()> {
    if args.projections == 0 {
        return Err(Error::input(
            "--projections",
            "found 0",
            "allowed: 1 or more; 128 leave an error of some per cent",
        ));
    }
    let options = CompareOptions {
        projections: args.projections as usize,
        data: args.data.clone(),
    };
    let stems = stems(&args)?;
    let report = match &args.dir_b {
        Some(dir_b) => between(&args.dir_a, dir_b, &options)?,
        None => within(&args.dir_a, &options)?,
    };
    let mut written = Vec::new();
    for (stem, report) in stems.iter().zip([&report, &report.turned()]) {
        written.extend(write(report, stem)?);
    }
    match args.verbosity.json {
        true => print(&report.to_json()?)?,
        false => show(&report)?,
    }
    let pages: Vec<String> = pages(&args)?
        .iter()
        .map(|page| page.display().to_string())
        .collect();
    let link = match pages.is_empty() {
        true => String::new(),
        false => format!(", to be seen in {}", pages.join(" and ")),
    };
    args.verbosity
        .say(&format!("results in {}{link}", written.join(" and ")));
    Ok(())
}

/// Writes the pages that show the comparison: for one folder its figures and its page; for two folders the
/// page of each folder that has one.
fn pages(args: &CompareArgs) -> Result<Vec<PathBuf>> {
    let pages = &args.pages;
    if args.out.is_some() {
        return Ok(Vec::new());
    }
    let Some(dir_b) = &args.dir_b else {
        let folder = RunFolder::open(&args.dir_a)?;
        return Ok(regenerate(&folder, pages, &args.verbosity)
            .into_iter()
            .collect());
    };
    let wanted = !pages.no_plots && !pages.no_report;
    let dirs = [&args.dir_a, dir_b].into_iter().filter(|_| wanted);
    let mut written: Vec<PathBuf> = dirs.filter_map(|dir| regenerate_page(dir)).collect();
    written.dedup();
    Ok(written)
}

/// Writes the page of a folder again, if it has one. The results are complete by now, so a failure is only
/// reported as a message.
fn regenerate_page(dir: &Path) -> Option<PathBuf> {
    let folder = RunFolder::open(dir).ok()?;
    let page = folder.report().exists().then(|| report::write(&folder))?;
    page.inspect_err(|error| say(&format!("no report: {error}")))
        .ok()
}

/// Where the values go. Of two folders, each gets a comparison with itself as the first folder, for its
/// page.
fn stems(args: &CompareArgs) -> Result<Vec<PathBuf>> {
    Ok(match (&args.out, &args.dir_b) {
        (Some(stem), _) => {
            refuse_missing_folder(stem)?;
            vec![stem.clone()]
        }
        (None, None) => vec![RunFolder::open(&args.dir_a)?.comparison()],
        (None, Some(dir_b)) => {
            let [a, b] = [RunFolder::open(&args.dir_a)?, RunFolder::open(dir_b)?];
            let mut both = vec![a.comparison_with(dir_b), b.comparison_with(&args.dir_a)];
            both.dedup();
            both
        }
    })
}

/// Writes both files; returns their paths as text.
fn write(report: &ComparisonReport, stem: &Path) -> Result<[String; 2]> {
    let [csv, json] = ["csv", "json"].map(|ending| with_ending(stem, ending));
    report.write_csv(&csv)?;
    report.write_json(&json)?;
    Ok([csv, json].map(|path| path.display().to_string()))
}

/// STEM.ENDING; dots in the stem are kept.
fn with_ending(stem: &Path, ending: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    name.into()
}

fn refuse_missing_folder(stem: &Path) -> Result<()> {
    let folder = stem.parent().filter(|folder| *folder != Path::new(""));
    match folder {
        Some(folder) if !folder.is_dir() => Err(Error::input(
            format!("--out {}", stem.display()),
            format!("there is no folder {}", folder.display()),
            "make it, or choose another place",
        )),
        _ => Ok(()),
    }
}

fn show(report: &ComparisonReport) -> Result<()> {
    if let [a, b] = report.folders.as_slice() {
        print(&format!("a: {a}\nb: {b}\n"))?;
    }
    print(
        "Gaps are root mean squares over pairs of runs; floor is the same between runs that differ in the seed of the particles alone.\n\n",
    )?;
    predictions(report).print()?;
    print(&format!(
        "\nParticle clouds: total mass (1/m) Σ|a||w| over a > 0 and a < 0; sliced W2 over {} projections.\n\n",
        report.projections
    ))?;
    clouds(report).print()?;
    variance(report)?;
    for note in &report.notes {
        print(&format!("\nnote: {note}\n"))?;
    }
    Ok(())
}

fn predictions(report: &ComparisonReport) -> TextTable {
    let mut table = TextTable::new(&[
        "m_a", "m_b", "inputs", "rms", "floor", "max", "floor", "relative", "floor", "pairs",
        "relation",
    ]);
    for pair in &report.pairs {
        let mut parts: Vec<&str> = pair.gaps.iter().filter_map(|gap| gap.inputs).collect();
        parts.dedup();
        for part in parts {
            let mut cells = ends(report, pair);
            cells.push(part.to_owned());
            for quantity in ["prediction_rms", "prediction_max", "prediction_relative"] {
                cells.extend(beside_floor(pair, quantity, Some(part)));
            }
            cells.push(pair.pairs.to_string());
            cells.push(format!("{:?}", pair.relation).to_lowercase());
            table.row(cells);
        }
    }
    table
}

fn clouds(report: &ComparisonReport) -> TextTable {
    let mut table = TextTable::new(&[
        "m_a",
        "m_b",
        "mass+ a",
        "mass+ b",
        "floor",
        "mass- a",
        "mass- b",
        "floor",
        "W2 directions",
        "floor",
        "W2 (a, w)",
        "floor",
    ]);
    for pair in &report.pairs {
        let [a, b] = [pair.a, pair.b].map(|e| &report.ensembles[e]);
        let mut cells = ends(report, pair);
        for (quantity, mass) in [
            ("mass_plus", [a.mass_plus, b.mass_plus]),
            ("mass_minus", [a.mass_minus, b.mass_minus]),
        ] {
            cells.extend(mass.map(number));
            cells.push(number(gap(pair, quantity, None).and_then(|gap| gap.floor)));
        }
        for quantity in ["w2_directions", "w2_raw"] {
            cells.extend(beside_floor(pair, quantity, None));
        }
        table.row(cells);
    }
    table
}

fn variance(report: &ComparisonReport) -> Result<()> {
    for of in &report.variance {
        print(&format!(
            "\nVariance of the prediction between {} seeds, on {} inputs{}:\n\n",
            of.seeds,
            of.inputs,
            of_parameters(&of.parameters)
        ))?;
        let mut table = TextTable::new(&["m", "variance", "exponent from here on"]);
        for at in &of.widths {
            let from = exponent(at.exponent_from, at.standard_error_from);
            table.row([at.width.to_string(), number(at.variance), from]);
        }
        table.print()?;
        let deviation = of.deviation.map_or(String::new(), |deviation| {
            format!(", {:.1} standard errors away", deviation.abs())
        });
        print(&match of.exponent {
            Some(_) => format!(
                "exponent {} (theory {}{deviation})\n",
                exponent(of.exponent, of.standard_error),
                of.theory
            ),
            None => "no exponent: a variance is 0 or not finite\n".into(),
        })?;
    }
    Ok(())
}

fn exponent(exponent: Option<f64>, error: Option<f64>) -> String {
    match (exponent, error) {
        (Some(s), Some(error)) => format!("{s:.3} ± {error:.3}"),
        (Some(s), None) => format!("{s:.3}"),
        _ => "-".into(),
    }
}

/// The two widths of a pair, each with the other parameters of its ensemble.
fn ends(report: &ComparisonReport, pair: &PairReport) -> Vec<String> {
    let name = |of: &EnsembleReport| format!("{}{}", of.width, of_parameters(&of.parameters));
    [pair.a, pair.b]
        .map(|e| name(&report.ensembles[e]))
        .to_vec()
}

/// The parameters as ` (seed = 1)`; empty if there are none.
fn of_parameters(parameters: &Map<String, Value>) -> String {
    if parameters.is_empty() {
        return String::new();
    }
    let each = parameters
        .iter()
        .map(|(key, value)| format!("{key} = {value}"));
    format!(" ({})", each.collect::<Vec<_>>().join(", "))
}

fn gap<'a>(pair: &'a PairReport, quantity: &str, inputs: Option<&str>) -> Option<&'a Gap> {
    let fits = |gap: &&Gap| gap.quantity == quantity && gap.inputs == inputs;
    pair.gaps.iter().find(fits)
}

fn beside_floor(pair: &PairReport, quantity: &str, inputs: Option<&str>) -> [String; 2] {
    let found = gap(pair, quantity, inputs);
    [
        number(found.and_then(|gap| gap.value)),
        number(found.and_then(|gap| gap.floor)),
    ]
}
