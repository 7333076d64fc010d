//! `widefield completions SHELL`

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::table::print;
use crate::error::Result;

pub fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "widefield", &mut script);
    print(&String::from_utf8_lossy(&script))
}
