//! The command line: one file per command.

#[cfg_attr(not(feature = "gpu"), path = "no_adapters.rs")]
mod adapters;
mod args;
mod bench;
mod certify;
mod compare;
mod completions;
mod examples;
mod interrupt;
mod list;
mod man;
mod movie;
mod pages;
mod plot;
mod predict;
mod progress;
mod report;
mod reproduce;
mod run;
mod show;
mod stop_messages;
mod style;
mod table;
mod terminal;
mod threads;
mod verdicts;
mod verify;

use std::process::ExitCode;

use clap::Parser;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use self::args::{Cli, Command};
use crate::error::Result;

/// Parses the command line, runs the command, and turns its error into an exit code.
pub fn main() -> ExitCode {
    if std::env::var_os("NODEVICE_SELECT").is_none() {
        // Mesa's device-select layer connects to a display and prints a warning where there is none;
        // adapters are selected here, so the layer is switched off. SAFETY: no other thread is running yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
    // Remembers whether stdout is a terminal before it can be closed.
    let _ = terminal::is_on_stdout();
    let wanted = std::env::var("WIDEFIELD_LOG").ok();
    let wanted = wanted.and_then(|levels| levels.parse().ok());
    let usual = || {
        Targets::new()
            .with_default(Level::ERROR)
            .with_target("widefield", Level::INFO)
    };
    let messages = tracing_subscriber::fmt::layer()
        .with_writer(|| terminal::Messages)
        .without_time()
        .with_target(false)
        .with_level(false)
        .with_ansi(false)
        .with_filter(wanted.unwrap_or_else(usual));
    tracing_subscriber::registry().with(messages).init();
    let command = Cli::parse().command;
    match threads::start().and_then(|()| dispatch(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            style::error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Run(args) => run::run(args),
        Command::Resume(args) => run::resume(args),
        Command::Reproduce(args) => reproduce::reproduce(&args),
        Command::List => list::list(),
        Command::Show(args) => show::show(&args),
        Command::Predict(args) => predict::predict(&args),
        Command::Plot(args) => plot::plot(&args),
        Command::Report(args) => report::report(&args),
        Command::Movie(args) => movie::movie(&args),
        Command::Compare(args) => compare::compare(args),
        Command::Certify(args) => certify::certify(&args),
        Command::Verify(args) => verify::verify(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::Adapters => adapters::adapters(),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
    }
}
