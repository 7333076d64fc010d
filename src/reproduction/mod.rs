//! The page of `widefield reproduce`: every experiment with its verdicts and its figures, in one file that
//! loads nothing from a network.

use std::io::Write;
use std::path::{Path, PathBuf};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::expect::Verdict;
use crate::report::figures::InlineFigure;
use crate::report::{SCRIPT, STYLE, policy};
use crate::store::{Summary, write_atomically};

const PAGE: &str = include_str!("page.html");

/// One experiment of the page.
#[derive(Debug, Clone, Serialize)]
pub struct ReproducedExperiment {
    pub name: String,
    pub title: String,
    /// A description of the experiment, one string per paragraph.
    pub about: Vec<String>,
    /// The command that runs the experiment again.
    pub command: String,
    pub seed: u64,
    pub verdicts: Vec<Verdict>,
    /// The page of the run folder, relative to this page.
    pub report: Option<PathBuf>,
    #[serde(skip)]
    pub figures: Vec<InlineFigure>,
    pub summary: Summary,
}

/// Writes the page.
///
/// # Errors
/// A file that cannot be written.
pub fn write(path: &Path, parts: &[ReproducedExperiment]) -> Result<()> {
    let page = render(parts).map_err(|e| Error::writing(path, std::io::Error::other(e)))?;
    write_atomically(path, |out| {
        out.write_all(page.as_bytes())
            .map_err(|e| Error::writing(path, e))
    })
}

fn render(parts: &[ReproducedExperiment]) -> std::result::Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("number", |value: Option<f64>| {
        value.map_or("–".into(), crate::digits::digits)
    });
    environment.add_template("page", PAGE)?;
    let figures: Vec<&[InlineFigure]> = parts.iter().map(|part| part.figures.as_slice()).collect();
    let verdicts = || parts.iter().flat_map(|part| &part.verdicts);
    environment.get_template("page")?.render(context! {
        parts => Serde(parts),
        figures => Serde(figures),
        style => STYLE,
        script => SCRIPT,
        policy => policy(),
        version => crate::VERSION,
        passed => verdicts().filter(|verdict| verdict.passed).count(),
        unjudged => verdicts().filter(|verdict| !verdict.judged).count(),
        count => verdicts().count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Checked;

    fn part(passed: bool) -> ReproducedExperiment {
        ReproducedExperiment {
            name: "xor".into(),
            title: "A & B".into(),
            about: vec!["One <two>".into()],
            command: "widefield run xor".into(),
            seed: 7,
            verdicts: vec![Verdict {
                claim: "a < b".into(),
                quantity: "risk".into(),
                passed,
                judged: true,
                measured: passed.then_some(0.125),
                allowed: "≤ 1".into(),
            }],
            report: Some("xor/report.html".into()),
            figures: vec![InlineFigure {
                name: "risk".into(),
                svg: "<svg id=\"x\"></svg>".into(),
            }],
            summary: Summary {
                engine: "cpu".into(),
                adapter: "two cores".into(),
                version: "1".into(),
                wall_seconds: 1.0,
                spot_check: Checked::Off,
                restarts: 0,
                runs: Vec::new(),
            },
        }
    }

    #[test]
    fn the_page_holds_verdicts_and_figures_and_escapes_text() {
        let page = render(&[part(true), part(false)]).unwrap();
        for wanted in [
            "1 of 2 claims hold",
            "A &amp; B",
            "a &lt; b",
            "One &lt;two&gt;",
            "<svg id=\"x\">",
            "0.1250",
            "widefield run xor",
            "two cores",
            "seed 7",
            "href=\"xor&#x2f;report.html\"",
            "prefers-color-scheme",
        ] {
            assert!(page.contains(wanted), "no {wanted} in\n{page}");
        }
        for refused in ["http://", "https://", "src=", "@import"] {
            assert!(!page.contains(refused), "{refused} in the page");
        }
    }
}
