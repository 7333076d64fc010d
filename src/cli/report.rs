//! `widefield report DIR`

use super::args::ReportArgs;
use super::terminal::say;
use crate::error::Result;
use crate::report::write;
use crate::store::RunFolder;

pub fn report(args: &ReportArgs) -> Result<()> {
    let path = write(&RunFolder::open(&args.dir)?)?;
    say(&format!("results in {}", path.display()));
    Ok(())
}
