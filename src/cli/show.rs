//! `widefield show EXPERIMENT`

use super::args::ShowArgs;
use super::table::print;
use crate::error::Result;
use crate::experiment::load;

pub fn show(args: &ShowArgs) -> Result<()> {
    print(&load(&args.experiment, &args.sets)?.to_toml())
}
