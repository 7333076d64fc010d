//! Whole steps and the predict stage at the standard cases, beside this machine's ceilings.
//!
//! `cargo bench --bench steps` for the cpu engine; WIDEFIELD_ADAPTER=NAME adds the gpu engine on that
//! adapter. Throughput counts 6·n·m·d operations per step, so "Gelem/s" reads as GFLOP/s;
//! velocity and update take what predict leaves of a step.

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

use widefield::bench::{self, GRID_RUNS, GRID_WIDTH, STANDARD};
use widefield::engine::select::{Choice, How, Selection, select};
use widefield::engine::{Engine, ShortCuts};

/// What criterion times: so many repetitions on an engine.
type Timed = fn(&mut dyn Engine, u64) -> widefield::Result<Duration>;

/// The cpu engine, and the gpu engine where an adapter is named.
fn selections() -> Vec<Selection> {
    let adapter = std::env::var("WIDEFIELD_ADAPTER").ok();
    let gpu = adapter.map(|name| select(Choice::Gpu, Some(&name)));
    let all = std::iter::once(select(Choice::Cpu, None)).chain(gpu);
    all.filter_map(|found| found.inspect_err(|e| eprintln!("{e}")).ok())
        .collect()
}

/// One engine with runs of these widths; what an engine refuses is left out.
fn time(
    c: &mut Criterion,
    group: &str,
    selection: &Selection,
    (n, d, widths): (usize, usize, &[usize]),
    short_cuts: ShortCuts,
    timed: Timed,
) -> widefield::Result<()> {
    let how = How {
        short_cuts,
        ..How::default()
    };
    let mut engine = selection.build_with(bench::batch(n, d, widths), how)?;
    let method = engine.method(0);
    if method == "direct" && short_cuts == ShortCuts::Auto && d == 2 {
        return Ok(());
    }
    bench::start(&mut *engine)?;
    let m: usize = widths.iter().sum();
    let runs = if widths.len() == 1 { "" } else { "grid " };
    let name = format!("{} {runs}{m}-{n}-{d} {method}", engine.name());
    let mut group = c.benchmark_group(group);
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .throughput(Throughput::Elements((6 * m * n * d) as u64));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| timed(&mut *engine, count).expect("an engine that failed"));
    });
    group.finish();
    Ok(())
}

fn one_call(engine: &mut dyn Engine, count: u64) -> widefield::Result<Duration> {
    bench::steps(engine, count as usize)
}

fn predictions(engine: &mut dyn Engine, count: u64) -> widefield::Result<Duration> {
    (0..count).map(|_| bench::predict_once(engine)).sum()
}

fn stages(c: &mut Criterion) {
    for selection in selections() {
        let mut each = |group, (n, d, widths): (_, _, &[usize]), short_cuts, timed| {
            let outcome = time(c, group, &selection, (n, d, widths), short_cuts, timed);
            if let Err(e) = outcome {
                eprintln!("{group} {widths:?}, {n}, {d}: {e}");
            }
        };
        for case in STANDARD {
            let of = (case.n, case.d, &[case.m][..]);
            each("step", of, ShortCuts::Never, one_call as Timed);
            each("predict", of, ShortCuts::Never, predictions);
            if case.d == 2 {
                each("step", of, ShortCuts::Auto, one_call);
            }
        }
        // Many small runs against one as wide as all of them.
        for widths in [&[GRID_WIDTH; GRID_RUNS][..], &[GRID_RUNS * GRID_WIDTH]] {
            each("grid", (256, 15, widths), ShortCuts::Auto, one_call);
        }
    }
}

fn ceilings(_: &mut Criterion) {
    for selection in selections() {
        let found = selection
            .build(bench::batch(1, 1, &[1]))
            .and_then(|engine| selection.ceilings(&*engine));
        match found {
            Ok(Some(c)) => println!(
                "ceilings of the {}: multiply-adds {:.1} GFLOP/s, copy {:.1} GB/s",
                selection.reason, c.fma_gflops, c.copy_gb_per_s
            ),
            Ok(None) => {}
            Err(e) => eprintln!("{e}"),
        }
    }
}

criterion_group!(benches, ceilings, stages);
criterion_main!(benches);
