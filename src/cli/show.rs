//! `widefield show EXPERIMENT`

use super::args::{ShowArgs, form};
use super::table::print;
use crate::error::Result;
use crate::experiment::load_changed;

pub fn show(args: &ShowArgs) -> Result<()> {
    let changes = args.changes.changes();
    let grid = load_changed(&args.experiment, form(args.quick), &changes)?;
    print(&grid.to_toml())
}
