//! Verdicts on an experiment's claims, as a table and as the exit status of a command.

use super::table::{TextTable, number};
use crate::digits::counted;
use crate::error::{Error, Result};
use crate::expect::Verdict;

/// Prints a line per claim.
pub fn print(verdicts: &[Verdict]) -> Result<()> {
    let mut table = TextTable::new(&["verdict", "measured", "allowed", "claim"]);
    for verdict in verdicts {
        table.row(cells(verdict));
    }
    table.print()
}

/// Verdict, measured value, allowed values, claim.
pub fn cells(verdict: &Verdict) -> [String; 4] {
    let word = match (verdict.passed, verdict.judged) {
        (true, _) => "pass",
        (false, true) => "FAIL",
        (false, false) => "not judged",
    };
    [
        word.into(),
        number(verdict.measured),
        verdict.allowed.clone(),
        verdict.claim.clone(),
    ]
}

/// An error that quotes the failed claims, if any failed.
pub fn conclude(verdicts: &[Verdict]) -> Result<()> {
    let named = verdicts
        .iter()
        .map(|verdict| (verdict.claim.clone(), verdict));
    conclude_named(&named.collect::<Vec<_>>())
}

/// An error that lists the failed claims by these names, if any failed.
pub fn conclude_named(all: &[(String, &Verdict)]) -> Result<()> {
    let failed = all.iter().filter(|(_, verdict)| verdict.failed());
    let failed: Vec<&str> = failed.map(|(name, _)| name.as_str()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let fail = if failed.len() == 1 { "fails" } else { "fail" };
    Err(Error::Verify {
        what: format!(
            "{} of {} {fail}",
            failed.len(),
            counted(all.len() as u64, "claim")
        ),
        remedy: failed.join("\n  "),
    })
}
