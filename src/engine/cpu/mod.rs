//! The cpu engine: f32, SIMD, all cores. Used where there is no GPU.
//!
//! Each run is a state of its own, cut into chunks of tiles; rayon spreads runs and chunks over
//! the cores. Sums are added in the order of tiles and chunks, so no bit depends on the number of
//! threads.

mod arc_sweep;
mod arcs;
mod ceilings;
mod cells;
mod fixed_point;
mod geometry;
mod kernel;
mod layout;
mod lines;
mod method;
mod options;
mod rows;
mod run;

use std::ops::Range;
use std::sync::Arc;

use pulp::Arch;
use rayon::prelude::*;

use super::methods::circle::Circle;
use super::methods::{Machine, Method, RunProperties, choose};
use super::{
    Batch, Clock, Engine, Evaluation, Origins, PartialGeometry, Precision, RunUpdate, Sample,
    ShortCuts, Steps, fits_memory,
};
use crate::error::Result;
use crate::model::Train;
use crate::model::{Run, ldexp};
use crate::particles::Particles;
pub use ceilings::ceilings;
pub(crate) use kernel::add_products;
pub(crate) use layout::LANES;
use layout::{Blocks, Samples};
use method::{ArcStages, CellStages, Context, DirectStages, Stages};
use options::ThreadPool;
pub use options::{Level, Options};
use run::{CpuRunState, Setting};

/// All runs of a batch in f32 on the processor.
pub struct Cpu {
    common: BatchData,
    states: Vec<CpuRunState>,
    pool: ThreadPool,
}

/// The data that the runs share and that no step changes.
struct BatchData {
    batch: Batch,
    samples: Vec<Samples>,
    /// By run.
    methods: Vec<Method>,
    arch: Arch,
}

impl BatchData {
    fn setting(&self, run: usize, spread: bool) -> Setting<'_> {
        let of = &self.batch.runs[run];
        let data = &self.batch.datasets[of.train_set];
        Setting {
            index: run,
            run: of,
            context: Context {
                d: self.batch.d,
                train: &self.samples[of.train_set],
                arch: self.arch,
                spread,
            },
            test: of.test_set.map(|set| &self.samples[set]),
            data,
        }
    }

    /// Settings of all runs. Only a run that is a large part of the batch is spread over the
    /// threads: the others are one unit of work each, with no barrier between them.
    fn settings(&self, threads: usize) -> Vec<Setting<'_>> {
        let runs = &self.batch.runs;
        let work = |run: &Run| run.held_count() as f64 * self.samples[run.train_set].n as f64;
        let share = runs.iter().map(work).sum::<f64>() / (4 * threads) as f64;
        let spread = |r: usize| threads > 1 && work(&runs[r]) > share;
        (0..runs.len())
            .map(|r| self.setting(r, spread(r)))
            .collect()
    }
}

impl Cpu {
    /// All particles at the origin until they are written.
    ///
    /// # Errors
    /// When the threads cannot be started, or a level is asked for that the machine lacks.
    pub fn new(batch: Batch, options: &Options) -> Result<Self> {
        let (arch, pool) = (options.arch()?, options.pool()?);
        fits_memory(&batch, layout::bytes(&batch))?;
        let common = BatchData {
            samples: Samples::of(&batch),
            methods: methods(options.short_cuts, &batch),
            batch,
            arch,
        };
        let batch = &common.batch;
        let mut circles = vec![None; batch.datasets.len()];
        let state = |(run, &method): (&Run, &Method)| {
            // The other cases do not use bits: output-only training needs σ(z) itself.
            let bits = method == Method::Direct && run.train != Train::Output;
            let data = &batch.datasets[run.train_set];
            let (m, n) = (run.held_count(), data.n());
            let fair = || layout::fair_bits(m, batch.d, batch.runs.len());
            let kept = if bits {
                options.kept_bytes.unwrap_or_else(fair)
            } else {
                0
            };
            let stages: Box<dyn Stages> = match method {
                Method::Arcs => {
                    let circle =
                        circles[run.train_set].get_or_insert_with(|| Arc::new(Circle::new(data)));
                    Box::new(ArcStages::new(circle.clone()))
                }
                Method::Cells => Box::new(CellStages::default()),
                Method::Direct | Method::Gram => Box::new(DirectStages),
            };
            CpuRunState::new(Blocks::new(m, batch.d, n, kept), stages, n)
        };
        Ok(Cpu {
            states: batch.runs.iter().zip(&common.methods).map(state).collect(),
            common,
            pool,
        })
    }

    /// Calls `each` for every run with its setting and state, in parallel.
    fn for_each<R: Send>(
        &mut self,
        each: impl Fn(Setting, &mut CpuRunState) -> R + Sync,
    ) -> Vec<R> {
        let settings = self.common.settings(self.pool.threads());
        let states = &mut self.states;
        self.pool.install(|| {
            let runs = states.par_iter_mut().zip(settings).with_max_len(1);
            runs.map(|(state, setting)| each(setting, state)).collect()
        })
    }

    /// Calls `one` for a run, which may use all threads.
    fn for_run<R: Send>(
        &mut self,
        run: usize,
        one: impl FnOnce(Setting, &mut CpuRunState) -> R + Send,
    ) -> R {
        let setting = self.common.setting(run, true);
        let state = &mut self.states[run];
        self.pool.install(|| one(setting, state))
    }
}

/// The methods of all runs.
fn methods(short_cuts: ShortCuts, batch: &Batch) -> Vec<Method> {
    let method = |run: &Run| {
        let properties = RunProperties::new(batch, run);
        let properties = RunProperties {
            cut: cells::share_cut(properties.d, properties.m),
            ..properties
        };
        let here = [Method::Arcs, Method::Cells];
        choose(&here, short_cuts, Machine::Processor, &properties)
    };
    batch.runs.iter().map(method).collect()
}

impl Engine for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn adapter(&self) -> String {
        let vectors = match self.common.arch {
            Arch::Scalar => "baseline",
            #[cfg(target_arch = "x86_64")]
            Arch::V3(_) => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Arch::V4(_) => "AVX-512",
            _ => "vector",
        };
        let threads = self.pool.threads();
        format!("{vectors} instructions, {threads} threads")
    }

    fn precision(&self) -> Precision {
        Precision::F32
    }

    fn batch(&self) -> &Batch {
        &self.common.batch
    }

    fn method(&self, run: usize) -> &'static str {
        self.common.methods[run].name()
    }

    fn write(&mut self, run: usize, first: usize, block: &Particles) -> Result<()> {
        let first = first - self.common.batch.runs[run].held().start;
        let state = &mut self.states[run];
        state.invalidate();
        for j in 0..block.m() {
            for (k, &w) in block.w(j).iter().enumerate() {
                *state.blocks.at(first + j, k) = w as f32;
            }
            *state.blocks.at(first + j, block.d) = block.a[j] as f32;
        }
        Ok(())
    }

    fn read(&mut self, run: usize, range: Range<usize>) -> Result<Particles> {
        let first = self.common.batch.runs[run].held().start;
        let range = range.start - first..range.end - first;
        Ok(read(&mut self.states[run].blocks, range))
    }

    fn clock(&self, run: usize) -> Clock {
        self.states[run].clock
    }

    fn set_clock(&mut self, run: usize, clock: Clock) -> Result<()> {
        self.states[run].clock = clock;
        Ok(())
    }

    fn accumulated(&mut self, run: usize) -> Result<Vec<f64>> {
        Ok(self.states[run].accumulated.clone())
    }

    fn set_accumulated(&mut self, run: usize, sum: Vec<f64>) -> Result<()> {
        self.states[run].accumulated = sum;
        Ok(())
    }

    fn partial_geometry(&mut self, origins: &dyn Origins) -> Result<Vec<PartialGeometry>> {
        Ok(self.for_each(|setting, state| setting.partial_geometry(state, origins)))
    }

    fn predict(&mut self, sample: Sample) -> Result<Vec<Evaluation>> {
        Ok(
            self.for_each(|setting, state| match (sample, setting.test) {
                (Sample::Train, _) => setting.predict(state),
                (Sample::Test, Some(test)) => setting.predict_on(state, test),
                (Sample::Test, None) => Evaluation {
                    f: Vec::new(),
                    ..setting.predict(state)
                },
            }),
        )
    }

    fn velocity_for(&mut self, run: usize, g: &[f64]) -> Result<Particles> {
        let of = &self.common.batch.runs[run];
        let (m, train) = (of.held_count(), of.train);
        let (mut at, e) = self.for_run(run, |setting, state| {
            (setting.velocity(state, g), state.clock.exponent)
        });
        let mut v = read(&mut at.blocks, 0..m);
        if train != Train::Input {
            v.a.iter_mut().for_each(|v| *v = ldexp(*v, e));
        }
        if train != Train::Output {
            v.w.iter_mut().for_each(|v| *v = ldexp(*v, e));
        }
        Ok(v)
    }

    fn update(&mut self, updates: &[Option<RunUpdate>]) -> Result<()> {
        self.for_each(|setting, state| {
            if let Some(update) = &updates[setting.index] {
                setting.update(state, update);
            }
        });
        Ok(())
    }

    fn advance(&mut self, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        self.common.batch.check_steps(steps)?;
        let runs = self.states.len();
        let by_run = self.for_each(|setting, state| {
            let eta = steps.eta.iter().skip(setting.index).step_by(runs).copied();
            setting.advance(state, eta, &steps.evaluate)
        });
        let marked = steps.evaluate.iter().filter(|&&e| e).count();
        let mut by_run: Vec<_> = by_run.into_iter().map(Vec::into_iter).collect();
        Ok((0..marked)
            .map(|_| by_run.iter_mut().filter_map(Iterator::next).collect())
            .collect())
    }
}

fn read(blocks: &mut Blocks, range: Range<usize>) -> Particles {
    let d = blocks.d;
    let mut p = Particles::zeros(range.len(), d);
    for (row, j) in range.enumerate() {
        for k in 0..d {
            p.w[row * d + k] = f64::from(*blocks.at(j, k));
        }
        p.a[row] = f64::from(*blocks.at(j, d));
    }
    p
}
