//! Colours, on a terminal only: NO_COLOR, CLICOLOR and CLICOLOR_FORCE are heeded, as clap does.

use std::fmt::Display;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// Whether standard error takes colours.
pub fn on_stderr() -> bool {
    AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
}

/// The message of a command that failed, looking as clap's own do.
pub fn error(message: &dyn Display) {
    let red: Style = AnsiColor::Red.on_default().bold();
    anstream::eprintln!("{red}error:{red:#} {message}");
}
