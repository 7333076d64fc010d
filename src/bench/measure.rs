//! Times cases one after another on one engine.

use super::case::{BenchCase, GRID_RUNS, GRID_WIDTH, STANDARD, batch, start};
use super::report::{BenchReport, CaseTiming, GridTiming, LeftOut, Times};
use super::timing::{TimingOptions, predict_seconds, step_seconds};
use crate::engine::select::{How, Selection};
use crate::engine::{Batch, Ceilings, Engine, ShortCuts};
use crate::error::{Error, Result};
use crate::model::StateFormat;

/// The cases to time.
#[derive(Debug, Clone, PartialEq)]
pub enum CaseSelection {
    /// [`STANDARD`] and a grid, with widths reduced so that this machine takes about ten seconds.
    Standard,
    /// Exactly these, however long they take.
    Cases(Vec<BenchCase>),
}

/// The longest step of a standard case in seconds; a width that would take longer is reduced.
const STEP_MOST: f64 = 0.3;
/// A step of at least this many seconds is repeated less often.
const SLOW: f64 = 0.1;
const SLOW_REPETITIONS: usize = 3;

/// Times cases on the selected engine. `log` receives progress messages.
///
/// # Errors
/// The engine's error for a case of [`CaseSelection::Cases`]. Standard cases that the engine
/// refuses are left out, unless it refuses all of them.
pub fn measure(
    selection: &Selection,
    wanted: &CaseSelection,
    state: StateFormat,
    log: &mut dyn FnMut(&str),
) -> Result<BenchReport> {
    let mut bench = Bench {
        selection,
        state,
        report: None,
        best: None,
    };
    let mut left_out = Vec::new();
    match wanted {
        CaseSelection::Cases(cases) => {
            for &case in cases {
                bench.case(case, None, log)?;
            }
        }
        CaseSelection::Standard => {
            for case in STANDARD {
                let fits = bench.fitting(case);
                let cut = (fits != case).then_some(case.m);
                if let Err(refusal) = bench.case(fits, cut, log) {
                    match &bench.report {
                        Some(_) => left_out.push(LeftOut {
                            case,
                            why: refusal.to_string(),
                        }),
                        None => return Err(refusal),
                    }
                }
            }
        }
    }
    let Some(mut report) = bench.report.take() else {
        return Err(Error::input("--case", "names no case", "leave it out"));
    };
    let grid = BenchCase {
        m: GRID_RUNS * GRID_WIDTH,
        ..STANDARD[0]
    };
    report.left_out = left_out;
    if *wanted == CaseSelection::Standard && bench.fitting(grid) == grid {
        report.grid = Some(bench.grid(grid, log)?);
    }
    Ok(report)
}

struct Bench<'a> {
    selection: &'a Selection,
    state: StateFormat,
    /// Created with the first engine that is built.
    report: Option<BenchReport>,
    /// The highest rate of the direct kernels so far, in operations per second.
    best: Option<f64>,
}

impl Bench<'_> {
    /// Times a case with the engine's default method, and with the direct kernels if that is a
    /// short cut.
    fn case(
        &mut self,
        case: BenchCase,
        cut: Option<usize>,
        log: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let widths = [case.m];
        let engine = self.engine(case, &widths, ShortCuts::Auto, log)?;
        let method = engine.method(0);
        self.time(engine, case, cut, log)?;
        if method != "direct" {
            let engine = self.engine(case, &widths, ShortCuts::Never, log)?;
            self.time(engine, case, cut, log)?;
        }
        Ok(())
    }

    fn time(
        &mut self,
        mut engine: Box<dyn Engine>,
        case: BenchCase,
        cut: Option<usize>,
        log: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let method = engine.method(0);
        log(&format!("timing {case}, {method}"));
        let (step, options) = time_steps(&mut *engine)?;
        let direct = method == "direct";
        let predict = match direct {
            true => predict_seconds(&mut *engine, &options)?,
            false => None,
        };
        if direct {
            let rate = case.flops() / step;
            self.best = Some(self.best.map_or(rate, |best| best.max(rate)));
        }
        if let Some(report) = &mut self.report {
            let ceilings = report.ceilings.as_ref();
            let times = Times { step, predict };
            let row = CaseTiming::new((case, self.state), cut, method, times, ceilings);
            report.cases.push(row);
        }
        Ok(())
    }

    fn grid(&mut self, one: BenchCase, log: &mut dyn FnMut(&str)) -> Result<GridTiming> {
        log("timing a grid of small runs");
        let mut time = |widths: &[usize]| -> Result<f64> {
            let mut engine = self.engine(one, widths, ShortCuts::Auto, log)?;
            Ok(time_steps(&mut *engine)?.0)
        };
        let grid = time(&[GRID_WIDTH; GRID_RUNS])?;
        let single = time(&[one.m])?;
        Ok(GridTiming {
            runs: GRID_RUNS,
            m: GRID_WIDTH,
            n: one.n,
            d: one.d,
            grid_ms_per_step: 1e3 * grid,
            one_ms_per_step: 1e3 * single,
            ratio: grid / single,
        })
    }

    /// An engine with particles written. The first one creates the report, with the machine's
    /// ceilings.
    fn engine(
        &mut self,
        case: BenchCase,
        widths: &[usize],
        short_cuts: ShortCuts,
        log: &mut dyn FnMut(&str),
    ) -> Result<Box<dyn Engine>> {
        log(&format!("preparing {case}"));
        let of = Batch {
            state: self.state,
            ..batch(case.n, case.d, widths)
        };
        let how = How {
            short_cuts,
            ..How::default()
        };
        let mut engine = self.selection.build_with(of, how)?;
        match &self.report {
            None => {
                log("measuring the ceilings of this machine");
                let ceilings = self.selection.ceilings(&*engine)?;
                self.report = Some(begin(&*engine, ceilings));
            }
            Some(report) if report.engine != engine.name() => {
                return Err(Error::engine(
                    report.engine,
                    format!(
                        "does not reach d = {}; the {} engine would take over",
                        case.d,
                        engine.name()
                    ),
                    format!("--engine {} --case {case} times that", engine.name()),
                ));
            }
            Some(_) => {}
        }
        start(&mut *engine)?;
        Ok(engine)
    }

    /// The case, with its width reduced to 1, 2 or 5 times a power of ten if a step would take too
    /// long at the highest rate so far.
    fn fitting(&self, case: BenchCase) -> BenchCase {
        let most = self.best.map_or(f64::INFINITY, |rate| rate * STEP_MOST);
        if case.flops() <= most {
            return case;
        }
        let widths = (0..=9).flat_map(|e| [1, 2, 5].map(|k| k * 10_usize.pow(e)));
        let cut = |m| BenchCase { m, ..case };
        let fits = widths.take_while(|&m| m < case.m && cut(m).flops() <= most);
        cut(fits.last().unwrap_or(1))
    }
}

fn begin(engine: &dyn Engine, ceilings: Option<Ceilings>) -> BenchReport {
    BenchReport {
        version: crate::VERSION,
        engine: engine.name(),
        adapter: engine.adapter(),
        state: engine.batch().state.name(),
        ceilings,
        cases: Vec::new(),
        left_out: Vec::new(),
        grid: None,
    }
}

/// Seconds of a step, and the timing options used: slow steps have fewer repetitions.
fn time_steps(engine: &mut dyn Engine) -> Result<(f64, TimingOptions)> {
    let begun = super::timing::steps(engine, 1)?;
    let mut options = TimingOptions::default();
    if begun.as_secs_f64() >= SLOW {
        options.repetitions = SLOW_REPETITIONS;
    }
    Ok((step_seconds(engine, &options)?, options))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::select::{self, select};

    #[test]
    fn what_takes_too_long_is_cut_to_a_round_width() {
        let selection = select(select::Choice::Cpu, None);
        let Ok(selection) = &selection else {
            panic!("{selection:?}")
        };
        let at = |rate| Bench {
            selection,
            state: StateFormat::F32,
            report: None,
            best: rate,
        };
        let case = STANDARD[5];
        assert_eq!(at(None).fitting(case), case);
        assert_eq!(at(Some(case.flops())).fitting(case).m, 2_000);
        assert_eq!(at(Some(4.0 * case.flops())).fitting(case), case);
        assert_eq!(at(Some(1.0)).fitting(case).m, 1);
    }
}
