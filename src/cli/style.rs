//! Colours, on a terminal only: NO_COLOR, CLICOLOR and CLICOLOR_FORCE are heeded, as clap does.

use std::io::Write;

use anstyle::{AnsiColor, Style};

use super::terminal::printable;
use crate::error::Error;

/// The message of a command that failed, looking as clap's own do; a message for each mistake.
pub fn error(error: &Error) {
    let red: Style = AnsiColor::Red.on_default().bold();
    let mut out = anstream::stderr();
    for error in error.each() {
        let text = error.to_string();
        // There is nowhere left to tell that it cannot be told.
        let _ = writeln!(out, "{red}error:{red:#} {}", printable(&text));
    }
}
