//! The figures and the page of a run folder, at the end of the commands that fill it.

use std::path::PathBuf;

use super::args::{PageArgs, VerbosityArgs};
use super::plot::said;
use super::terminal::say;
use crate::error::{Error, Result};
use crate::plot::draw;
use crate::report::write;
use crate::store::RunFolder;

/// Draws the figures and writes the page of the runs that ended, even if some diverged or a claim failed,
/// and prints where everything is. The results are complete by now, so a failure to write a page is only a
/// message.
pub fn finish(
    done: Result<()>,
    folder: &RunFolder,
    wanted: &PageArgs,
    verbosity: &VerbosityArgs,
) -> Result<()> {
    let has_results =
        |error: &Error| matches!(error, Error::Diverged { .. } | Error::Verify { .. });
    if done.as_ref().is_err_and(|error| !has_results(error)) {
        return done;
    }
    let page = link(regenerate(folder, wanted, verbosity));
    verbosity.say(&format!("results in {}{page}", folder.dir().display()));
    done
}

/// Draws the figures and writes the page, unless they are switched off; returns the path of the page.
pub fn regenerate(
    folder: &RunFolder,
    wanted: &PageArgs,
    verbosity: &VerbosityArgs,
) -> Option<PathBuf> {
    if wanted.no_plots {
        return None;
    }
    figures(folder, verbosity);
    if wanted.no_report {
        return None;
    }
    let page = write(folder);
    page.inspect_err(|error| say(&format!("no report: {error}")))
        .ok()
}

/// The path of the page, as the end of a message.
pub fn link(page: Option<PathBuf>) -> String {
    page.map_or(String::new(), |page| {
        format!(", to be seen in {}", page.display())
    })
}

/// Draws the figures; on failure prints a message.
fn figures(folder: &RunFolder, verbosity: &VerbosityArgs) {
    match draw(folder.dir()) {
        Ok(figures) => verbosity.say(&said(folder.dir(), figures.len())),
        Err(error) => say(&format!("no figures: {error}")),
    }
}
