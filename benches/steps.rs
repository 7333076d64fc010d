//! Time of whole steps, beside the ceilings of the same machine in the same run.
//!
//! `cargo bench --bench steps` for the cpu engine; WIDEFIELD_ADAPTER=NAME adds the gpu engine on that
//! adapter. Throughput counts 6·n·m·d operations per step (the floor of predict and velocity for
//! large d), so "Gelem/s" reads as GFLOP/s. A step of softmin in both layers, f32.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use widefield::data::Dataset;
use widefield::engine::cpu::{self, Cpu};
use widefield::engine::gpu::{self, Gpu};
use widefield::engine::{Batch, Engine, Run, ShortCuts, Steps};
use widefield::experiment::Loss;
use widefield::particles::Particles;
use widefield::particles::random::{Draws, Stream};

/// (m, n, d)
const CASES: [(usize, usize, usize); 7] = [
    (1_000, 256, 15),
    (100_000, 256, 15),
    (1_000_000, 256, 3),
    (1_000_000, 256, 15),
    (100_000, 10_000, 2),
    (1_000_000, 10_000, 2),
    (10_000, 4_096, 785),
];

/// Steps per iteration: enough to hide a submit, few enough to end.
fn steps_of(m: usize, n: usize, d: usize) -> usize {
    (2_000_000_000 / (6 * m * n * d)).clamp(1, 200)
}

/// Gaussian inputs with labels ±1, one data set for all runs.
fn batch(n: usize, d: usize, widths: &[usize]) -> Batch {
    let mut x = vec![0.0; n * d];
    Draws::new(1, Stream::TrainData, 0, 0, 0).fill_gaussian(&mut x);
    let data = Dataset {
        d,
        x: x.iter().map(|&v| v as f32).collect(),
        y: (0..n)
            .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
            .collect(),
    };
    Batch {
        d,
        datasets: vec![Arc::new(data)],
        runs: widths
            .iter()
            .map(|&m| Run::simple(m, Loss::Softmin))
            .collect(),
    }
}

fn start(engine: &mut dyn Engine) -> widefield::Result<()> {
    let d = engine.batch().d;
    for r in 0..engine.batch().runs.len() {
        let m = engine.batch().runs[r].m;
        for first in (0..m).step_by(1 << 14) {
            let mut block = Particles::zeros((m - first).min(1 << 14), d);
            Draws::new(2, Stream::Init, 0, first as u64, 0).fill_gaussian(&mut block.w);
            Draws::new(3, Stream::Init, 0, first as u64, 0).fill_gaussian(&mut block.a);
            engine.write(r, first, &block)?;
        }
    }
    Ok(())
}

/// One engine with this batch, timed over whole steps.
fn time_steps(c: &mut Criterion, name: &str, mut engine: Box<dyn Engine>) -> widefield::Result<()> {
    start(&mut *engine)?;
    let b = engine.batch();
    let pairs: usize = b
        .runs
        .iter()
        .map(|run| run.m * b.datasets[run.train_set].n())
        .sum();
    let count = steps_of(pairs, 1, b.d);
    let steps = Steps {
        eta: vec![1e-3; count * b.runs.len()],
        evaluate: vec![false; count],
    };
    let mut group = c.benchmark_group("step");
    group
        .sample_size(10)
        .throughput(Throughput::Elements((6 * pairs * b.d * count) as u64));
    group.bench_function(format!("{name} x{count}"), |bench| {
        bench.iter(|| engine.advance(&steps));
    });
    group.finish();
    Ok(())
}

fn steps(c: &mut Criterion) {
    let adapter = std::env::var("WIDEFIELD_ADAPTER").ok();
    for (m, n, d) in CASES {
        let case = format!("{m}-{n}-{d}");
        let direct = cpu::Options {
            short_cuts: ShortCuts::Never,
            ..cpu::Options::default()
        };
        let auto = cpu::Options::default();
        let mut each = |name: String, engine: widefield::Result<Box<dyn Engine>>| {
            // A size that an engine refuses is left out of its table.
            match engine.and_then(|engine| time_steps(c, &name, engine)) {
                Ok(()) => {}
                Err(e) => eprintln!("{name}: {e}"),
            }
        };
        let cpu =
            |options| Cpu::new(batch(n, d, &[m]), &options).map(|e| Box::new(e) as Box<dyn Engine>);
        each(format!("cpu {case}"), cpu(direct));
        if d == 2 {
            each(format!("cpu-arcs {case}"), cpu(auto));
        }
        if adapter.is_some() {
            let options = gpu::Options {
                adapter: adapter.clone(),
                ..gpu::Options::default()
            };
            let gpu = Gpu::new(batch(n, d, &[m]), &options).map(|e| Box::new(e) as Box<dyn Engine>);
            each(format!("gpu {case}"), gpu);
        }
    }
}

/// 64 runs of m = 1000 against one run of m = 64 000.
fn grids(c: &mut Criterion) {
    for (name, widths) in [
        ("one-64000", vec![64_000]),
        ("grid-64x1000", vec![1_000; 64]),
    ] {
        let engine = Cpu::new(batch(256, 15, &widths), &cpu::Options::default());
        let engine = engine.map(|e| Box::new(e) as Box<dyn Engine>);
        if let Err(e) = engine.and_then(|e| time_steps(c, &format!("cpu {name}"), e)) {
            eprintln!("{name}: {e}");
        }
    }
}

/// Chains of dependent multiply-adds, enough of them to fill the units, on every core.
struct Fma(usize);

impl WithSimd for Fma {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let mut sums = [simd.splat_f32s(black_box(1.0)); FMA_CHAINS];
        let (a, b) = (
            simd.splat_f32s(black_box(0.999)),
            simd.splat_f32s(black_box(1e-3)),
        );
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, a, b);
            }
        }
        sums.iter().map(|&s| simd.reduce_sum_f32s(s)).sum()
    }
}

const FMA_CHAINS: usize = 12;

/// Lanes of the machine's vectors.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

fn ceilings(c: &mut Criterion) {
    let arch = pulp::Arch::new();
    // More pieces than threads, so that all of them are busy to the end.
    let pieces = 16 * rayon::current_num_threads();
    let (turns, lanes) = (200_000, arch.dispatch(Lanes));
    let mut group = c.benchmark_group("ceiling");
    group.sample_size(10);
    group.throughput(Throughput::Elements(
        (2 * turns * FMA_CHAINS * lanes * pieces) as u64,
    ));
    group.bench_function("fma", |bench| {
        bench.iter(|| -> f32 {
            let each = (0..pieces).into_par_iter().with_max_len(1);
            each.map(|_| arch.dispatch(Fma(turns))).sum()
        });
    });
    let source = vec![1.0_f32; 1 << 26];
    let mut target = vec![0.0_f32; 1 << 26];
    group.throughput(Throughput::Bytes(8 << 26));
    group.bench_function("copy", |bench| {
        bench.iter(|| {
            let pieces = target
                .par_chunks_mut(1 << 20)
                .zip(source.par_chunks(1 << 20));
            pieces.for_each(|(to, from)| to.copy_from_slice(from));
        });
    });
    group.finish();
}

criterion_group!(benches, ceilings, steps, grids);
criterion_main!(benches);
