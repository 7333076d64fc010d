//! Colours, on a terminal only: NO_COLOR, CLICOLOR and CLICOLOR_FORCE are respected, as in clap.

use std::io::Write;

use anstyle::{AnsiColor, Style};

use super::terminal::printable;
use crate::error::Error;

/// Prints the error of a command in clap's style, one message per mistake.
pub fn error(error: &Error) {
    let red: Style = AnsiColor::Red.on_default().bold();
    let mut out = anstream::stderr();
    for error in error.each() {
        let text = error.to_string();
        // A failure to write to stderr cannot be reported anywhere.
        let _ = writeln!(out, "{red}error:{red:#} {}", printable(&text));
    }
}
