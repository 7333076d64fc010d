//! `widefield movie DIR`

use super::args::MovieArgs;
use super::table::print;
use super::terminal::say;
use crate::error::Result;
use crate::plot;

pub fn movie(args: &MovieArgs) -> Result<()> {
    let made = plot::movie(&args.dir, args.run)?;
    let names = made
        .paths
        .iter()
        .map(|path| format!("{}\n", path.display()));
    print(&names.collect::<String>())?;
    if !args.quiet {
        if let Some(why) = &made.no_mp4 {
            say(&format!("no MP4: {why}"));
        }
        let place = args.dir.join("figures");
        say(&format!(
            "run {} in {} frames; movies in {}",
            made.run,
            made.frames,
            place.display()
        ));
    }
    Ok(())
}
