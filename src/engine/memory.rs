//! Memory of the host, asked about before it is taken: an allocation that fails ends a program.

use std::fs::read_to_string;
use std::path::Path;

use crate::digits::counted;
use crate::error::{Error, Result};

/// An error unless so many bytes can be had.
pub fn check(engine: &'static str, runs: usize, needed: u64) -> Result<()> {
    match available() {
        Some(available) if needed > available => Err(Error::engine(
            engine,
            format!(
                "{} with samples need {needed} bytes of memory, and {available} are available",
                counted(runs as u64, "run")
            ),
            "use fewer neurons (network.width), samples or runs in a grid, or close what else takes memory",
        )),
        _ => Ok(()),
    }
}

/// Bytes that the system and the limit of this process's control group still grant; nothing where
/// they do not tell.
fn available() -> Option<u64> {
    let system = kib(&read_to_string("/proc/meminfo").ok()?, "MemAvailable:");
    let group = read_to_string("/proc/self/cgroup").ok().and_then(|groups| {
        let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
        granted(&Path::new("/sys/fs/cgroup").join(own))
    });
    system.into_iter().chain(group).min()
}

/// A line of /proc/meminfo.
fn kib(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number << 10)
}

/// What is left of a control group's limit. Files in memory give way.
fn granted(group: &Path) -> Option<u64> {
    let number = |name: &str| read_to_string(group.join(name)).ok()?.trim().parse().ok();
    let (most, taken): (u64, u64) = (number("memory.max")?, number("memory.current")?);
    let files = read_to_string(group.join("memory.stat"))
        .ok()
        .and_then(|stat| {
            let line = stat
                .lines()
                .find_map(|l| l.strip_prefix("inactive_file "))?;
            line.trim().parse().ok()
        });
    Some(most.saturating_sub(taken.saturating_sub(files.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_available_is_read_in_bytes() {
        let text = "MemTotal:       16384 kB\nMemAvailable:    1024 kB\n";
        assert_eq!(kib(text, "MemAvailable:"), Some(1 << 20));
        assert_eq!(kib(text, "MemFree:"), None);
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        put("memory.current", "700\n");
        put("memory.max", "max\n");
        assert_eq!(granted(dir.path()), None);
        put("memory.max", "1000\n");
        assert_eq!(granted(dir.path()), Some(300));
        put("memory.stat", "anon 5\ninactive_file 200\n");
        assert_eq!(granted(dir.path()), Some(500));
    }

    #[test]
    fn what_nobody_has_is_refused() {
        assert!(check("cpu", 1, 1 << 20).is_ok());
        if available().is_some() {
            let error = check("cpu", 2, 1 << 60).unwrap_err().to_string();
            assert!(error.contains("2 runs") && error.contains("1152921504606846976 bytes"));
        }
    }
}
