//! Whether what is about to be kept in memory fits there: asked before it is allocated, because
//! systems that hand out more than they have end a program later, without a word.

use sysinfo::System;

use crate::error::{Error, Result};

/// What fits everywhere: asking the system takes longer than allocating it.
const SMALL: u64 = 1 << 26;

/// Refuses to go on where memory does not hold so many bytes.
///
/// # Errors
/// At `place`, with the bytes that are needed and there.
pub fn require(place: &str, what: &str, bytes: u128, remedy: &str) -> Result<()> {
    match lacking(bytes) {
        None => Ok(()),
        Some(lack) => Err(Error::input(place, format!("{what} {lack}"), remedy)),
    }
}

/// "needs 8000000000000 bytes (8.0 TB) of memory, and …", if memory does not hold so many bytes.
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

/// Bytes that this process may still take, the limit of its control group included; `None` where
/// the system does not say.
fn available() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    let machine = system.available_memory();
    Some(match system.cgroup_limits() {
        Some(group) => machine.min(group.free_memory),
        None => machine,
    })
}

/// Bytes in the unit that people would name.
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
    fn what_fits_is_let_through_and_what_does_not_is_told() {
        assert_eq!(lacking(SMALL.into()), None);
        assert_eq!(lacking(2 * u128::from(SMALL)), None);
        let error = require("data.n", "the data", 80 * 10_u128.pow(15), "lower it").unwrap_err();
        let told = "data.n: the data needs 80000000000000000 bytes (80.0 PB) of memory";
        assert!(error.to_string().contains(told), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn units_are_those_of_the_size() {
        for (bytes, told) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (999_960, "1.0 MB"),
            (8_000_000_000_000, "8.0 TB"),
            (64 * 10_u128.pow(21), "64000.0 EB"),
        ] {
            assert_eq!(units(bytes), told);
        }
    }
}
