//! Messages on standard error, and which characters may be sent to a terminal.
//!
//! The terminal may be closed while a run goes on, so a message that cannot be written is dropped. Titles, keys,
//! paths, columns and names of claims come from files of other people: control characters in them are escaped.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

/// Text without terminal control: control characters and characters that change the direction of writing
/// are escaped, as in `\u{1b}`. Line breaks and tabs stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    written_out(text, |c| steers(c) && !matches!(c, '\n' | '\t'))
}

/// Text for a single line: line breaks and tabs are escaped too.
pub fn in_line(text: &str) -> Cow<'_, str> {
    written_out(text, steers)
}

/// Whether a character is a control, changes the direction of writing, or separates lines.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn written_out(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_bad) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_bad(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown.into()
}

/// A message on standard error.
pub fn say(text: &str) {
    // A failure to write to stderr cannot be reported anywhere.
    let _ = io::stderr().write_all(format!("{}\n", printable(text)).as_bytes());
}

/// Whether standard output was a terminal at the start of the program; a terminal that is closed later
/// would no longer be recognised.
pub fn is_on_stdout() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| io::stdout().is_terminal())
}

/// The writer for the log lines of `tracing`, which are printed like other messages.
pub struct Messages;

impl Write for Messages {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let _ = io::stderr().write_all(printable(&text).as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(
            printable("a\x1b[2J\x07\u{9b}1m"),
            r"a\u{1b}[2J\u{7}\u{9b}1m"
        );
        assert_eq!(
            printable("txt\u{202e}gpj.\u{2066}"),
            r"txt\u{202e}gpj.\u{2066}"
        );
        assert_eq!(printable("one\rtwo\x7f"), r"one\rtwo\u{7f}");
        assert_eq!(printable("a\n  b\tc"), "a\n  b\tc");
        assert_eq!(in_line("a\n\tb"), r"a\n\tb");
    }

    #[test]
    fn what_only_shows_stays() {
        for text in [
            "",
            "γ1 ≤ 1/4",
            "日本語",
            "naïve 👩🔬",
            r#"back\slash 'and' "quotes""#,
        ] {
            assert_eq!(printable(text), text);
            assert_eq!(in_line(text), text);
        }
    }
}
