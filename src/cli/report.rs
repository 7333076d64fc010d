//! `widefield report DIR`

use super::args::ReportArgs;
use crate::error::Result;
use crate::report::write;
use crate::store::RunFolder;

pub fn report(args: &ReportArgs) -> Result<()> {
    let path = write(&RunFolder::open(&args.dir)?)?;
    eprintln!("results in {}", path.display());
    Ok(())
}
