//! `widefield verify`

use super::args::VerifyArgs;
use super::table::{Table, print};
use crate::error::Result;
use crate::verify::{Check, verdict, verify as check_engine};

pub fn verify(args: &VerifyArgs) -> Result<()> {
    let selection = args.engine.select()?;
    eprintln!("{}", selection.reason);
    let checks = check_engine(&|batch| selection.build(batch))?;
    let mut table = Table::new(&[
        "stage",
        "checks",
        "passed",
        "worst (1 = all that rounding allows)",
        "sabotage caught",
    ]);
    for stage in ["predict", "residual", "velocity", "update"] {
        let of: Vec<&Check> = checks.iter().filter(|c| c.stage == stage).collect();
        let count = |pass: &dyn Fn(&Check) -> bool| of.iter().filter(|c| pass(c)).count();
        let worst = of.iter().map(|c| c.worst.ratio).fold(0.0, f64::max);
        table.row([
            stage.to_owned(),
            of.len().to_string(),
            count(&|c| c.worst.passes()).to_string(),
            format!("{worst:.3}"),
            count(&|c| c.twin_caught).to_string(),
        ]);
    }
    table.print()?;
    verdict(&checks)?;
    print("every stage agrees with the f64 reference\n")
}
