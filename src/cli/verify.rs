//! `widefield verify`

use super::args::VerifyArgs;
use super::table::{TextTable, print};
use super::terminal::say;
use crate::engine::ShortCuts;
use crate::engine::select::How;
use crate::error::Result;
use crate::model::StateFormat;
use crate::verify::{StageCheck, verdict, verify as check_engine};

/// The method of an engine that takes no exact short cut.
const DIRECT: &str = "direct";
const STAGES: [&str; 4] = ["predict", "residual", "velocity", "update"];

pub fn verify(args: &VerifyArgs) -> Result<()> {
    let selection = args.engine.select()?;
    say(&selection.reason);
    let with = |short_cuts, state| {
        let how = How {
            short_cuts,
            ..How::default()
        };
        check_engine(&|batch| selection.build_with(batch, how), state)
    };
    let mut checks = with(ShortCuts::Never, StateFormat::F32)?;
    if selection.takes_short_cuts() {
        let short = with(ShortCuts::Always, StateFormat::F32)?.into_iter();
        checks.extend(short.filter(|check| check.method != DIRECT));
    }
    if !selection.takes_short_cuts() {
        say(
            "the naive kernels compute on f32 and take no exact short cut: the others are not checked here",
        );
    }
    if selection.stores_f16()? {
        checks.extend(with(ShortCuts::Never, StateFormat::F16)?);
    }
    let mut table = TextTable::new(&[
        "method",
        "state",
        "stage",
        "checks",
        "passed",
        "worst (1 = all that rounding allows)",
        "sabotage caught",
    ]);
    let mut ways: Vec<(&str, StateFormat)> = Vec::new();
    for check in &checks {
        if !ways.contains(&(check.method, check.state)) {
            ways.push((check.method, check.state));
        }
    }
    let ways = ways.into_iter();
    for ((method, state), stage) in ways.flat_map(|way| STAGES.map(|stage| (way, stage))) {
        let is_meant = |c: &&StageCheck| (c.method, c.state, c.stage) == (method, state, stage);
        let of: Vec<&StageCheck> = checks.iter().filter(is_meant).collect();
        let count = |pass: &dyn Fn(&StageCheck) -> bool| of.iter().filter(|c| pass(c)).count();
        let worst = of.iter().map(|c| c.worst.ratio).fold(0.0, f64::max);
        table.row([
            method.to_owned(),
            state.name().to_owned(),
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
