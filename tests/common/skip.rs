//! Tests that need a part that this machine lacks: each reports that it is skipped, or fails if all
//! tests are required.

#![allow(dead_code)] // each test binary uses its own part

use std::io::Write;
use std::panic::Location;

/// What a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Adapter,
    Browser,
    Ffmpeg,
    Python,
    Strace,
    /// A property of hardware or a driver, which cannot be installed.
    Property,
}

impl Missing {
    /// The ending of the variable WIDEFIELD_ALLOW_NO_….
    fn word(self) -> Option<&'static str> {
        match self {
            Missing::Adapter => Some("GPU"),
            Missing::Browser => Some("BROWSER"),
            Missing::Ffmpeg => Some("FFMPEG"),
            Missing::Python => Some("PYTHON"),
            Missing::Strace => Some("STRACE"),
            Missing::Property => None,
        }
    }
}

/// Reports that the calling test, or a part of it, is skipped, and why: `skipped: TEST (FILE):
/// WHY`.
///
/// The line is written to stderr directly, because libtest captures what passing tests print by
/// `println!` and `eprintln!`.
///
/// # Panics
/// With WIDEFIELD_ALL_TESTS=1, which tests/run.sh sets, unless WIDEFIELD_ALLOW_NO_GPU=1 (or
/// BROWSER, FFMPEG, PYTHON, STRACE) allows this part to be missing.
#[track_caller]
pub fn skip(missing: Missing, why: &str) {
    let file = Location::caller().file();
    let thread = std::thread::current();
    let line = format!(
        "skipped: {} ({file}): {why}",
        thread.name().unwrap_or("a test")
    );
    let is_on = |name: &str| std::env::var_os(name).is_some_and(|value| value == "1");
    if let Some(word) = missing.word() {
        let allowed = is_on(&format!("WIDEFIELD_ALLOW_NO_{word}"));
        assert!(
            allowed || !is_on("WIDEFIELD_ALL_TESTS"),
            "WIDEFIELD_ALL_TESTS=1, but {line}; WIDEFIELD_ALLOW_NO_{word}=1 leaves it out"
        );
    }
    // An error of stderr is ignored, since there is no other place for the message.
    let _ = std::io::stderr().write_all((line + "\n").as_bytes());
}
