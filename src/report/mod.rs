//! report.html: a run folder as one page that loads nothing from a network: the experiment, whether its
//! runs are optimal and its claims hold, figures, tables, and how to run it again.
//!
//! `description` describes the experiment; [`verdicts`] and [`width`] give what is proved, claimed and
//! compared; [`figures`] includes the drawings, which `svg` sanitises; `tables` thins long tables. The page
//! itself is assets/report.html, styled by assets/page.css, with hover values and zoom by assets/report.js
//! on top of assets/axes.js. Everything is read from files: no engine is needed.

mod description;
pub mod figures;
mod repeat;
mod svg;
mod tables;
pub mod verdicts;
pub mod width;

use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::repeat::Repeat;
use self::verdicts::Optimality;
use self::width::Width;
use crate::error::{Error, Result};
use crate::expect::Verdict;
use crate::experiment::{Grid, load};
use crate::store::{RunFolder, Summary, write_atomically};

/// The style sheet that pages share.
pub const STYLE: &str = include_str!("../../assets/page.css");
/// Hover values and zoom of every figure on a page.
pub const SCRIPT: &str = concat!(
    include_str!("../../assets/axes.js"),
    include_str!("../../assets/report.js")
);
/// The content security policy of pages, for their meta element: they run [`SCRIPT`], given by its hash,
/// and load nothing.
pub fn policy() -> String {
    // Browsers normalise line ends before they compute the hash.
    let script = SCRIPT.replace("\r\n", "\n");
    let hash = STANDARD.encode(Sha256::digest(script));
    format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{hash}'; img-src data:"
    )
}

const PAGE: &str = include_str!("../../assets/report.html");

/// Writes report.html anew from the content of the folder; returns its path.
///
/// # Errors
/// A file of the folder that is missing or damaged, or a page that cannot be written.
pub fn write(folder: &RunFolder) -> Result<PathBuf> {
    let path = folder.report();
    let page = page(folder)?;
    write_atomically(&path, |out| {
        out.write_all(page.as_bytes())
            .map_err(|e| Error::writing(&path, e))
    })?;
    Ok(path)
}

fn page(folder: &RunFolder) -> Result<String> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| Error::reading(path, e));
    let experiment = folder.experiment();
    let grid = load(&experiment.display().to_string(), &[])?;
    let summary = Summary::read(&folder.summary())?;
    let metrics = tables::metrics(&folder.metrics())?;
    let parts = Parts {
        toml: read(&experiment)?,
        missing: folder.never_started(grid.runs.len()),
        optimality: verdicts::optimality(folder, &summary)?,
        width: width::width(folder, &summary)?,
        claims: verdicts::claims(folder)?,
        figures: figures::figures(&folder.dir().join("figures"), "f")?,
        runs: tables::summary(&runs(&folder.summary())?, &metrics.header),
        repeat: Repeat::new(folder.dir(), &grid, &summary),
        metrics,
        summary,
        grid,
    };
    render(&parts).map_err(|e| Error::writing(&folder.report(), std::io::Error::other(e)))
}

/// The entries of summary.json, unchanged.
fn runs(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read(path).map_err(|e| Error::reading(path, e))?;
    let summary: Value =
        serde_json::from_slice(&text).map_err(|e| Error::reading(path, e.into()))?;
    let runs = summary.get("runs").and_then(Value::as_array);
    Ok(runs.cloned().unwrap_or_default())
}

/// Everything that the page shows.
struct Parts {
    grid: Grid,
    toml: String,
    summary: Summary,
    /// A sentence on runs that were never started.
    missing: Option<String>,
    optimality: Optimality,
    width: Width,
    claims: Vec<Verdict>,
    figures: Vec<figures::InlineFigure>,
    runs: tables::ReportTable,
    metrics: tables::ReportTable,
    repeat: Repeat,
}

fn render(parts: &Parts) -> std::result::Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("number", |value: Option<f64>| {
        value.map_or("–".into(), crate::digits::digits)
    });
    environment.add_template("page", PAGE)?;
    let title = parts.grid.runs.first().map(|run| &run.experiment.title);
    environment.get_template("page")?.render(context! {
        title => title,
        style => STYLE,
        script => SCRIPT,
        policy => policy(),
        words => description::paragraphs(&parts.grid),
        toml => &parts.toml,
        summary => Serde(&parts.summary),
        missing => &parts.missing,
        diverged => parts.summary.runs.iter().filter(|run| run.diverged_at.is_some()).count(),
        optimality => Serde(&parts.optimality),
        width => Serde(&parts.width),
        claims => Serde(&parts.claims),
        held => parts.claims.iter().filter(|claim| claim.passed).count(),
        unjudged => parts.claims.iter().filter(|claim| !claim.judged).count(),
        figures => Serde(&parts.figures),
        tables => Serde(&[&parts.runs, &parts.metrics]),
        repeat => Serde(&parts.repeat),
    })
}

#[cfg(test)]
mod tests;
