//! `widefield bench`

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::args::BenchArgs;
use super::table::{TextTable, number, print};
use super::terminal::{in_line, say};
use crate::bench::{BenchCase, BenchReport, CaseSelection, CaseTiming, measure};
use crate::error::{Error, Result};

pub fn bench(args: &BenchArgs) -> Result<()> {
    let cases: Vec<BenchCase> = args
        .cases
        .iter()
        .map(|c| c.parse())
        .collect::<Result<_>>()?;
    let wanted = match cases.is_empty() {
        true => CaseSelection::Standard,
        false => CaseSelection::Cases(cases),
    };
    let selection = args.engine.select()?;
    say(&selection.reason);
    let line = ProgressBar::new_spinner();
    if !std::io::stderr().is_terminal() {
        line.set_draw_target(ProgressDrawTarget::hidden());
    }
    let report = measure(&selection, &wanted, args.state.format(), &mut |text| {
        line.set_message(in_line(text).into_owned());
        line.tick();
    });
    line.finish_and_clear();
    let report = report?;
    if args.json {
        let text = serde_json::to_string_pretty(&report)
            .map_err(|e| Error::engine(report.engine, e.to_string(), "please report it"))?;
        return print(&format!("{text}\n"));
    }
    print(&header(&report))?;
    table(&report.cases).print()?;
    print(&notes(&report))
}

fn header(report: &BenchReport) -> String {
    let (engine, adapter, state) = (report.engine, &report.adapter, report.state);
    let mut text = format!("{engine} engine: {adapter}, state in {state}\n");
    if let Some(c) = report.ceilings {
        text.push_str(&format!(
            "ceilings, measured now: multiply-adds {} GFLOP/s, copy {} GB/s\n",
            number(Some(c.fma_gflops)),
            number(Some(c.copy_gb_per_s))
        ));
    }
    text
}

fn table(rows: &[CaseTiming]) -> TextTable {
    let mut table = TextTable::new(&[
        "m, n, d",
        "method",
        "ms per step",
        "predict",
        "the rest",
        "GFLOP/s",
        "of ceiling",
        "particles GB/s",
    ]);
    for row in rows {
        let cut = row.reduced_from.map_or("", |_| "*");
        let share = row.share.map(|s| format!("{:.1} %", 100.0 * s));
        table.row([
            format!("{}{cut}, {}, {}", row.case.m, row.case.n, row.case.d),
            row.method.to_owned(),
            number(Some(row.ms_per_step)),
            number(row.predict_ms),
            number(row.rest_ms),
            number(row.gflops),
            share.unwrap_or_else(|| "-".into()),
            number(Some(row.particles_gb_per_s)),
        ]);
    }
    table
}

fn notes(report: &BenchReport) -> String {
    let mut text = String::new();
    if let Some(g) = &report.grid {
        text.push_str(&format!(
            "grid: {} runs of m = {} take {} ms per step, one run of m = {} takes {}: ratio {:.2}\n",
            g.runs,
            g.m,
            number(Some(g.grid_ms_per_step)),
            g.runs * g.m,
            number(Some(g.one_ms_per_step)),
            g.ratio
        ));
    }
    text.push_str("GFLOP/s counts 6 n m d operations per step; keeping activations saves up to a third of them\n");
    for row in report.cases.iter().filter(|row| row.method == "direct") {
        if let Some(m) = row.reduced_from {
            let whole = BenchCase { m, ..row.case };
            text.push_str(&format!(
                "* narrower than {m}, which would take too long here; --case {whole} times it\n"
            ));
        }
    }
    for out in &report.left_out {
        text.push_str(&format!("left out: {}: {}\n", out.case, out.why));
    }
    text
}
