//! The cpu engine: f32, SIMD, all cores. What runs where there is no GPU.
//!
//! Each run is a state of its own, cut into chunks of tiles; rayon spreads runs and chunks over
//! the cores. Sums are added in the order of tiles and chunks, so no bit depends on the number of
//! threads.

mod arc_sweep;
mod arcs;
mod kernel;
mod layout;
mod residual;
mod run;

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::{Batch, Clock, Engine, Evaluation, Precision, Sample, Steps, ldexp};
use crate::error::{Error, Result};
use crate::experiment::Train;
use crate::particles::Particles;
use arcs::Circle;
use layout::{Blocks, Samples};
use run::{Setting, State};

/// How to run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Threads; all cores where not given.
    pub threads: Option<usize>,
    /// Vector instructions; the best that the machine has where not given.
    pub level: Option<Level>,
    pub short_cuts: ShortCuts,
}

/// Whether exact short cuts replace the direct kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShortCuts {
    /// Where they are faster.
    #[default]
    Auto,
    Never,
    /// Wherever they exist.
    Always,
}

/// Vector instructions, from those every machine has to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Baseline,
    /// AVX2 and FMA.
    V3,
    /// AVX-512.
    V4,
}

impl Level {
    /// The levels of this machine.
    pub fn available() -> Vec<Level> {
        let all = [Level::Baseline, Level::V3, Level::V4];
        all.into_iter().filter(|l| l.arch().is_some()).collect()
    }

    fn arch(self) -> Option<Arch> {
        match self {
            Level::Baseline => Some(Arch::Scalar),
            #[cfg(target_arch = "x86_64")]
            Level::V3 => pulp::x86::V3::try_new().map(Arch::V3),
            #[cfg(target_arch = "x86_64")]
            Level::V4 => pulp::x86::V4::try_new().map(Arch::V4),
            #[cfg(not(target_arch = "x86_64"))]
            _ => None,
        }
    }
}

/// All runs of a batch in f32 on the processor.
pub struct Cpu {
    batch: Batch,
    samples: Vec<Samples>,
    /// Training inputs of the runs that take the short cut for d = 2, by data set.
    circles: Vec<Option<Circle>>,
    states: Vec<State>,
    short_cuts: ShortCuts,
    arch: Arch,
    pool: rayon::ThreadPool,
}

impl Cpu {
    /// All particles at the origin until they are written.
    ///
    /// # Errors
    /// When the threads cannot be started, or a level is asked for that the machine lacks.
    pub fn new(batch: Batch, options: &Options) -> Result<Self> {
        let arch = match options.level {
            None => Arch::new(),
            Some(level) => level.arch().ok_or_else(|| {
                Error::engine(
                    "cpu",
                    format!("this machine has no {level:?} instructions"),
                    format!("it has {:?}", Level::available()),
                )
            })?,
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.unwrap_or(0))
            .build()
            .map_err(|e| {
                Error::engine(
                    "cpu",
                    e.to_string(),
                    "raise the limit of threads (ulimit -u)",
                )
            })?;
        let state = |run: &super::Run| State::new(run.m, batch.d);
        let circle = |set: usize| {
            let mut runs = batch.runs.iter().filter(|run| run.train_set == set);
            let data = &batch.datasets[set];
            let wanted = runs.any(|run| takes_circle(batch.d, data.n(), run.m, options.short_cuts));
            wanted.then(|| Circle::new(data))
        };
        Ok(Cpu {
            circles: (0..batch.datasets.len()).map(circle).collect(),
            short_cuts: options.short_cuts,
            samples: Samples::of(&batch),
            states: batch.runs.iter().map(state).collect(),
            batch,
            arch,
            pool,
        })
    }

    /// Calls `each` for every run with its setting and state, in parallel.
    fn for_each<R: Send>(&mut self, each: impl Fn(Setting, &mut State) -> R + Sync) -> Vec<R> {
        let mut states = std::mem::take(&mut self.states);
        let results = self.pool.install(|| {
            let runs = states.par_iter_mut().enumerate();
            runs.map(|(r, state)| each(self.setting(r), state))
                .collect()
        });
        self.states = states;
        results
    }

    fn setting(&self, r: usize) -> Setting<'_> {
        let run = &self.batch.runs[r];
        let data = &self.batch.datasets[run.train_set];
        let circle = self.circles[run.train_set].as_ref();
        Setting {
            index: r,
            run,
            d: self.batch.d,
            train: &self.samples[run.train_set],
            test: run.test_set.map(|set| &self.samples[set]),
            y: &data.y,
            circle: circle.filter(|_| takes_circle(self.batch.d, data.n(), run.m, self.short_cuts)),
            arch: self.arch,
        }
    }

    /// Calls `each` for one run.
    fn with<R: Send>(&mut self, r: usize, each: impl FnOnce(Setting, &mut State) -> R + Send) -> R {
        let mut states = std::mem::take(&mut self.states);
        let result = self.pool.install(|| each(self.setting(r), &mut states[r]));
        self.states = states;
        result
    }
}

/// Whether a run takes the short cut for d = 2. Measured: a pair costs the direct kernels about
/// 0.1 ns, a particle or a sample costs the short cut about 10 ns.
fn takes_circle(d: usize, n: usize, m: usize, short_cuts: ShortCuts) -> bool {
    match short_cuts {
        _ if d != 2 => false,
        ShortCuts::Never => false,
        ShortCuts::Always => true,
        ShortCuts::Auto => n * m > 100 * (n + m),
    }
}

impl Engine for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn adapter(&self) -> String {
        let vectors = match self.arch {
            Arch::Scalar => "baseline",
            #[cfg(target_arch = "x86_64")]
            Arch::V3(_) => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Arch::V4(_) => "AVX-512",
            _ => "vector",
        };
        let threads = self.pool.current_num_threads();
        format!("{vectors} instructions, {threads} threads")
    }

    fn precision(&self) -> Precision {
        Precision::F32
    }

    fn batch(&self) -> &Batch {
        &self.batch
    }

    fn method(&self, run: usize) -> &'static str {
        match self.setting(run).circle {
            Some(_) => "arcs",
            None => "direct",
        }
    }

    fn write(&mut self, run: usize, first: usize, block: &Particles) -> Result<()> {
        let state = &mut self.states[run];
        state.touch();
        for j in 0..block.m() {
            for (k, &w) in block.w(j).iter().enumerate() {
                *state.blocks.at(first + j, k) = w as f32;
            }
            *state.blocks.at(first + j, block.d) = block.a[j] as f32;
        }
        Ok(())
    }

    fn read(&mut self, run: usize, range: Range<usize>) -> Result<Particles> {
        Ok(read(&mut self.states[run].blocks, self.batch.d, range))
    }

    fn clock(&self, run: usize) -> Clock {
        self.states[run].clock
    }

    fn set_clock(&mut self, run: usize, clock: Clock) -> Result<()> {
        self.states[run].clock = clock;
        Ok(())
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

    fn residual(&mut self, run: usize) -> Result<Vec<f64>> {
        Ok(self.with(run, |setting, state| {
            let now = setting.predict(state);
            setting.residual(&now)
        }))
    }

    fn velocity(&mut self, run: usize) -> Result<Particles> {
        let (m, d) = (self.batch.runs[run].m, self.batch.d);
        let mut v = self.with(run, |setting, state| setting.velocity(state));
        let mut v = read(&mut v.blocks, d, 0..m);
        let e = self.states[run].clock.exponent;
        let train = self.batch.runs[run].train;
        if train != Train::Input {
            v.a.iter_mut().for_each(|v| *v = ldexp(*v, e));
        }
        if train != Train::Output {
            v.w.iter_mut().for_each(|v| *v = ldexp(*v, e));
        }
        Ok(v)
    }

    fn advance(&mut self, steps: &Steps) -> Result<Vec<Vec<Evaluation>>> {
        let runs = self.batch.runs.len();
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

fn read(blocks: &mut Blocks, d: usize, range: Range<usize>) -> Particles {
    let mut p = Particles::zeros(range.len(), d);
    for (row, j) in range.enumerate() {
        for k in 0..d {
            p.w[row * d + k] = f64::from(*blocks.at(j, k));
        }
        p.a[row] = f64::from(*blocks.at(j, d));
    }
    p
}
