//! `widefield plot DIR`

use std::path::Path;

use super::args::PlotArgs;
use super::table::print;
use crate::error::Result;
use crate::plot::draw;

pub fn plot(args: &PlotArgs) -> Result<()> {
    let paths = draw(&args.dir)?;
    let names = paths.iter().map(|path| format!("{}\n", path.display()));
    print(&names.collect::<String>())?;
    if !args.quiet {
        eprintln!("{}", said(&args.dir, paths.len()));
    }
    Ok(())
}

/// A line about the figures of a folder.
pub fn said(dir: &Path, count: usize) -> String {
    let place = dir.join("figures");
    format!("{count} figures, as SVG and PNG, in {}", place.display())
}
