//! Checks that data fits in memory before it is allocated: systems that overcommit memory would
//! kill the process later, without a message.

use sysinfo::System;

use crate::error::{Error, Result};

/// Sizes up to this one are not checked, as the query of the system would take longer than the
/// allocation.
const SMALL: u64 = 1 << 26;

/// Refuses `bytes` bytes that do not fit in memory.
///
/// # Errors
/// [`Error::Input`] at `place`, with the bytes that are needed and those that are free.
pub fn require(place: &str, what: &str, bytes: u128, remedy: &str) -> Result<()> {
    match lacking(bytes) {
        None => Ok(()),
        Some(lack) => Err(Error::input(place, format!("{what} {lack}"), remedy)),
    }
}

/// "needs 8000000000000 bytes (8.0 TB) of memory, and …" if they do not fit, else `None`.
pub fn lacking(bytes: u128) -> Option<String> {
    if bytes <= u128::from(SMALL) {
        return None;
    }
    let there = available()?;
    (bytes > u128::from(there)).then(|| {
        format!(
            "needs {bytes} bytes ({}) of memory, and {} are free here",
            units(bytes),
            units(there.into())
        )
    })
}

/// Bytes that this process can still allocate, within the limit of its control group; `None` if the
/// system does not report them.
fn available() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    let machine = system.available_memory();
    Some(match system.cgroup_limits() {
        Some(group) => machine.min(group.free_memory),
        None => machine,
    })
}

/// Bytes in the largest suitable unit.
pub fn units(bytes: u128) -> String {
    let names = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut size = bytes as f64;
    let mut names = names.iter().peekable();
    while size >= 999.95 && names.len() > 1 {
        size /= 1000.0;
        names.next();
    }
    match names.next() {
        Some(&"bytes") | None => format!("{bytes} bytes"),
        Some(name) => format!("{size:.1} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_let_through_and_what_does_not_is_refused() {
        assert_eq!(lacking(SMALL.into()), None);
        assert_eq!(lacking(2 * u128::from(SMALL)), None);
        let error = require("data.n", "the data", 80 * 10_u128.pow(15), "lower it").unwrap_err();
        let text = "data.n: the data needs 80000000000000000 bytes (80.0 PB) of memory";
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn units_are_those_of_the_size() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (999_960, "1.0 MB"),
            (8_000_000_000_000, "8.0 TB"),
            (64 * 10_u128.pow(21), "64000.0 EB"),
        ] {
            assert_eq!(units(bytes), text);
        }
    }
}
