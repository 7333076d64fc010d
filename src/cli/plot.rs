//! `widefield plot DIR`

use std::path::Path;

use super::args::PlotArgs;
use super::table::print;
use super::terminal::say;
use crate::digits::counted;
use crate::error::Result;
use crate::plot::draw;
use crate::report::write;
use crate::store::RunFolder;

pub fn plot(args: &PlotArgs) -> Result<()> {
    let paths = draw(&args.dir)?;
    let names = paths.iter().map(|path| format!("{}\n", path.display()));
    print(&names.collect::<String>())?;
    let page = write(&RunFolder::open(&args.dir)?)?;
    if !args.quiet {
        say(&format!(
            "{}; all in {}",
            said(&args.dir, paths.len()),
            page.display()
        ));
    }
    Ok(())
}

/// A message on the figures of a folder.
pub fn said(dir: &Path, count: usize) -> String {
    let place = dir.join("figures");
    format!(
        "{}, as SVG and PNG, in {}",
        counted(count as u64, "figure"),
        place.display()
    )
}
