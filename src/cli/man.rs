//! `widefield man`: manual pages, made from the same definitions as `--help`.

use std::io::Write;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::{Cli, ManArgs};
use super::table::print;
use super::terminal::say;
use crate::error::{Error, Result};
use crate::store::write_atomically;

pub fn man(args: &ManArgs) -> Result<()> {
    let mut all = Cli::command();
    // Completes every command with its full name and the shared options.
    all.build();
    if let Some(dir) = &args.out {
        return write_pages(&all, dir);
    }
    let command = match &args.command {
        None => all,
        Some(name) => find(&all, name)?,
    };
    let mut page = Vec::new();
    render(command, &mut page, Path::new("standard output"))?;
    print(&String::from_utf8_lossy(&page))
}

fn find(all: &Command, name: &str) -> Result<Command> {
    all.find_subcommand(name).cloned().ok_or_else(|| {
        let names: Vec<&str> = commands(all).map(Command::get_name).collect();
        Error::input(
            name,
            "is not a command of widefield",
            format!("allowed: {}", names.join(", ")),
        )
    })
}

/// The commands, without clap's built-in `help`.
fn commands(all: &Command) -> impl Iterator<Item = &Command> {
    all.get_subcommands().filter(|c| c.get_name() != "help")
}

/// Writes widefield.1, and widefield-COMMAND.1 for each command.
fn write_pages(all: &Command, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|e| Error::writing(dir, e))?;
    for command in std::iter::once(all).chain(commands(all)) {
        let path = dir.join(format!("{}.1", page_name(command)));
        write_atomically(&path, |out| render(command.clone(), out, &path))?;
    }
    say(&format!("results in {}", dir.display()));
    Ok(())
}

fn page_name(command: &Command) -> String {
    let name = command.get_display_name().unwrap_or(command.get_name());
    name.to_owned()
}

fn render(command: Command, out: &mut dyn Write, place: &Path) -> Result<()> {
    sections(command, out).map_err(|e| Error::writing(place, e))
}

fn sections(command: Command, mut out: &mut dyn Write) -> std::io::Result<()> {
    let examples = command.get_after_help().map(|help| help.to_string());
    let has_commands = command.has_subcommands();
    let page = Man::new(command).source(format!("widefield {}", crate::VERSION));
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    page.render_synopsis_section(&mut out)?;
    page.render_description_section(&mut out)?;
    page.render_options_section(&mut out)?;
    if has_commands {
        page.render_subcommands_section(&mut out)?;
    }
    match examples {
        Some(text) => write!(out, ".SH EXAMPLES\n.nf\n{}.fi\n", verbatim(&text)),
        None => Ok(()),
    }
}

/// Lines that roff must not reformat.
fn verbatim(text: &str) -> String {
    let escape = |line: &str| line.replace('\\', "\\e").replace('-', "\\-");
    let lines = text.lines().skip(1);
    lines.map(|line| escape(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_examples() {
        let mut all = Cli::command();
        all.build();
        for command in std::iter::once(&all).chain(commands(&all)) {
            let mut page = Vec::new();
            sections(command.clone(), &mut page).unwrap();
            let page = String::from_utf8(page).unwrap();
            let name = page_name(command);
            assert!(page.contains(&format!(".TH {name} 1")), "{name}: {page}");
            assert!(
                page.contains(".SH EXAMPLES\n.nf\n  widefield "),
                "{name}: {page}"
            );
            assert!(!page.contains('\x1b'), "{name}: {page}");
        }
    }
}
