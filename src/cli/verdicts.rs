//! Verdicts on an experiment's claims, as a table.

use super::table::{Table, number};
use crate::error::Result;
use crate::expect::Verdict;

/// A line per claim.
pub fn print(verdicts: &[Verdict]) -> Result<()> {
    let mut table = Table::new(&["verdict", "measured", "allowed", "claim"]);
    for verdict in verdicts {
        table.row(cells(verdict));
    }
    table.print()
}

/// Verdict, measured value, allowed values, claim.
pub fn cells(verdict: &Verdict) -> [String; 4] {
    let word = if verdict.passed { "pass" } else { "FAIL" };
    [
        word.into(),
        number(verdict.measured),
        verdict.allowed.clone(),
        verdict.claim.clone(),
    ]
}
