//! `widefield show EXPERIMENT`

use super::args::{ShowArgs, form};
use super::table::print;
use crate::error::Result;
use crate::experiment::load_form;

pub fn show(args: &ShowArgs) -> Result<()> {
    print(&load_form(&args.experiment, form(args.quick), &args.sets)?.to_toml())
}
