//! The figures and the page of a run folder, at the end of the commands that fill it.

use super::args::{PageArgs, TalkArgs};
use super::plot::said;
use crate::error::{Error, Result};
use crate::plot::draw;
use crate::report::write;
use crate::store::RunFolder;

/// Draws and writes what the runs that ended have to show, be it by diverging, and says where
/// everything is. The results are whole by now: what a page meets is a message, not a failure.
pub fn finish(
    done: Result<()>,
    folder: &RunFolder,
    wanted: &PageArgs,
    talk: &TalkArgs,
) -> Result<()> {
    if !matches!(done, Ok(()) | Err(Error::Diverged { .. })) {
        return done;
    }
    let dir = folder.dir();
    if !wanted.no_plots {
        figures(folder, talk);
    }
    let mut text = format!("results in {}", dir.display());
    if !wanted.no_plots && !wanted.no_report {
        match write(folder) {
            Ok(page) => text.push_str(&format!(", to be seen in {}", page.display())),
            Err(error) => eprintln!("no report: {error}"),
        }
    }
    talk.say(&text);
    done
}

/// Draws the figures, or says why there are none.
pub fn figures(folder: &RunFolder, talk: &TalkArgs) {
    match draw(folder.dir()) {
        Ok(figures) => talk.say(&said(folder.dir(), figures.len())),
        Err(error) => eprintln!("no figures: {error}"),
    }
}
