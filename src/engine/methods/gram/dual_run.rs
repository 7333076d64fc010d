//! One output-only run through its Gram matrix.

use pulp::Arch;
use rayon::prelude::*;

use super::features::{CHUNK, Columns, Features, TrainingInputs, add_products, combine, mirror};
use crate::data::Dataset;
use crate::engine::step::{MeanSquares, StepScalars};
use crate::engine::{Clock, DualState, Evaluation, RunUpdate};
use crate::model::Run;
use crate::model::StateFormat;
use crate::particles::Particles;

/// Samples from which on K c is worth more than one thread, and those that one of them takes.
const SPREAD: usize = 512;
/// Bytes of features that a run may keep, at most; beyond it they are computed again when a is
/// wanted.
const KEPT: usize = 4 << 20;

/// Features of some particles, and their |w_j|.
#[derive(Debug)]
struct FeatureChunk {
    features: Features,
    norms: Vec<f64>,
}

/// What is known of the present state: f and (1/m) Σ a².
#[derive(Debug)]
struct Now {
    f: Vec<f64>,
    mean_a2: f64,
}

/// a (m) at the present state, and its sums over the particles.
#[derive(Debug)]
struct OutputWeights {
    a: Vec<f32>,
    /// Σ a², Σ |a||w|
    sums: [f64; 2],
}

/// A run with fixed w: a = s a_0 + φᵀ c, and f = s f_0 + K c with K = (α/m) φ φᵀ.
#[derive(Debug)]
pub struct DualRun {
    inputs: TrainingInputs,
    y: Vec<f32>,
    run: Run,
    dual: DualState,
    /// K (n, n)
    kernel: Vec<f64>,
    /// f_0 (n), Σ a_0², Σ |w|²
    f0: Vec<f64>,
    a0_square: f64,
    w_square: f64,
    kept: Vec<FeatureChunk>,
    now: Option<Now>,
    output: Option<OutputWeights>,
    arch: Arch,
}

impl DualRun {
    /// A run without particles yet, see [`DualRun::add_particles`]. Without a dual state, a_0 are the
    /// output weights of these particles.
    pub fn new(run: &Run, data: &Dataset, dual: Option<DualState>) -> Self {
        let n = data.n();
        let fresh = || DualState {
            scale: 1.0,
            a: Vec::with_capacity(run.held_count()),
            c: vec![0.0; n],
        };
        DualRun {
            inputs: TrainingInputs::new(data),
            y: data.y.clone(),
            run: run.clone(),
            dual: dual.unwrap_or_else(fresh),
            kernel: vec![0.0; n * n],
            f0: vec![0.0; n],
            a0_square: 0.0,
            w_square: 0.0,
            kept: Vec::new(),
            now: None,
            output: None,
            arch: Arch::new(),
        }
    }

    /// Adds the particles from index `first` on, in order.
    pub fn add_particles(&mut self, first: usize, block: &Particles) {
        for at in (0..block.m()).step_by(CHUNK) {
            let width = CHUNK.min(block.m() - at);
            let from = first + at;
            if self.dual.a.len() <= from {
                let a = block.a[at..at + width].iter().map(|&a| a as f32);
                self.dual.a.extend(a);
            }
            let chunk = FeatureChunk::new(&self.inputs, block, at, width);
            add_products(&chunk.features, &mut self.kernel, self.inputs.n);
            let a = &self.dual.a[from..from + width];
            let rows = chunk.features.phi.chunks_exact(width);
            for (f, phi) in self.f0.iter_mut().zip(rows) {
                let terms = phi.iter().zip(a).map(|(phi, &a)| phi * f64::from(a));
                *f += terms.sum::<f64>();
            }
            let square = |&a: &f32| f64::from(a) * f64::from(a);
            self.a0_square += a.iter().map(square).sum::<f64>();
            self.w_square += chunk.norms.iter().map(|w| w * w).sum::<f64>();
            if self.keeps_features() {
                self.kept.push(chunk);
            }
        }
    }

    /// To be called after all particles were added.
    pub fn close(&mut self) {
        let factor = self.run.alpha / self.run.m as f64;
        mirror(&mut self.kernel, self.inputs.n, factor);
        self.f0.iter_mut().for_each(|f| *f *= factor);
    }

    /// Whether a can be computed without the particles.
    pub fn keeps_features(&self) -> bool {
        self.inputs.n * self.run.held_count() * size_of::<f64>() <= KEPT
    }

    pub fn dual_state(&self) -> &DualState {
        &self.dual
    }

    fn evaluate(&mut self) -> &Now {
        let (n, dual) = (self.inputs.n, &self.dual);
        self.now.get_or_insert_with(|| {
            let mut kc = vec![0.0; n];
            let part = |(k, out): (usize, &mut [f64])| {
                let columns = Columns {
                    rows: &self.kernel,
                    stride: n,
                    first: k * SPREAD / 2,
                };
                combine(self.arch, &dual.c, columns, out);
            };
            if n >= SPREAD {
                let parts = kc.par_chunks_mut(SPREAD / 2).enumerate();
                parts.for_each(part);
            } else {
                part((0, &mut kc));
            }
            let s = dual.scale;
            let f = kc.iter().zip(&self.f0).map(|(kc, f0)| s * f0 + kc);
            let dot = |v: &[f64]| dual.c.iter().zip(v).map(|(c, v)| c * v).sum::<f64>();
            // |a|² of a = s a_0 + φᵀ c, with φ a_0 = (m/α) f_0 and φ φᵀ c = (m/α) K c.
            let cross = (2.0 * s * dot(&self.f0) + dot(&kc)) / self.run.alpha;
            let mean_a2 = s * s * self.a0_square / self.run.m as f64 + cross;
            Now {
                f: f.collect(),
                // Rounding may give a slightly negative value; NaN is kept.
                mean_a2: if mean_a2 < 0.0 { 0.0 } else { mean_a2 },
            }
        })
    }

    /// Predictions f̂ (n) on the training set.
    pub fn predictions(&mut self) -> &[f64] {
        &self.evaluate().f
    }

    /// g (n) at the present state.
    pub fn residual(&mut self, clock: Clock) -> Vec<f64> {
        self.evaluate();
        let f = self.now.as_ref().map_or(&[][..], |now| &now.f);
        self.run.loss.residual(f, clock.exponent, &self.y)
    }

    /// Takes a step and adds η g to `accumulated`. If a prediction is not finite the run has diverged, and
    /// no step is taken.
    pub fn step(&mut self, eta: f64, clock: &mut Clock, accumulated: &mut [f64]) {
        self.check(clock);
        if clock.diverged.is_some() {
            return;
        }
        let mean_a2 = self.evaluate().mean_a2;
        let g = self.residual(*clock);
        let squares = MeanSquares {
            a: mean_a2,
            w: self.w_square / self.run.m as f64,
        };
        let step = RunUpdate {
            residual: &g,
            scalars: StepScalars::new(&self.run, clock.exponent, eta, squares, StateFormat::F32),
        };
        for (sum, g) in accumulated.iter_mut().zip(&g) {
            *sum += step.scalars.eta * g;
        }
        self.update(&step, clock);
    }

    /// update: a of all particles, through its coefficients.
    pub fn update(&mut self, update: &RunUpdate, clock: &mut Clock) {
        let step = &update.scalars;
        let change = |v: f64, force: f64| step.scale() * (v + (force - step.decay * v));
        let DualState { scale, c, .. } = &mut self.dual;
        *scale = change(*scale, 0.0);
        for (c, g) in c.iter_mut().zip(update.residual) {
            *c = change(*c, step.force * g);
        }
        clock.advance_by(step);
        self.now = None;
        self.output = None;
    }

    /// Records in the clock if the present state is not finite.
    pub fn check(&mut self, clock: &mut Clock) {
        let now = self.evaluate();
        if !(now.mean_a2.is_finite() && now.f.iter().all(|f| f.is_finite())) {
            clock.diverged.get_or_insert(clock.step);
        }
    }

    /// Whether a was computed at the present state.
    pub fn knows_output(&self) -> bool {
        self.output.is_some()
    }

    /// Computes a from the features that were kept.
    pub fn recover(&mut self) {
        let parts: Vec<_> = (self.kept.par_iter().enumerate())
            .map(|(k, chunk)| self.part(k * CHUNK, chunk))
            .collect();
        self.gather(parts);
    }

    /// Computes a of the particles from number `first` on, to be gathered in order.
    pub fn recover_block(&self, first: usize, block: &Particles) -> Vec<(Vec<f32>, [f64; 2])> {
        let starts: Vec<usize> = (0..block.m()).step_by(CHUNK).collect();
        let part = |&at: &usize| {
            let width = CHUNK.min(block.m() - at);
            let chunk = FeatureChunk::new(&self.inputs, block, at, width);
            self.part(first + at, &chunk)
        };
        starts.par_iter().map(part).collect()
    }

    /// Joins the parts of all particles.
    pub fn gather(&mut self, parts: Vec<(Vec<f32>, [f64; 2])>) {
        let mut output = OutputWeights {
            a: Vec::with_capacity(self.run.held_count()),
            sums: [0.0; 2],
        };
        for (a, sums) in parts {
            output.a.extend(a);
            let totals = output.sums.iter_mut().zip(sums);
            totals.for_each(|(total, sum)| *total += sum);
        }
        self.output = Some(output);
    }

    /// a of a chunk, and its Σ a², Σ |a||w|.
    fn part(&self, first: usize, chunk: &FeatureChunk) -> (Vec<f32>, [f64; 2]) {
        let width = chunk.norms.len();
        let base = &self.dual.a[first..first + width];
        let scaled = base.iter().map(|&a| self.dual.scale * f64::from(a));
        let mut a: Vec<f64> = scaled.collect();
        let columns = Columns {
            rows: &chunk.features.phi,
            stride: width,
            first: 0,
        };
        combine(self.arch, &self.dual.c, columns, &mut a);
        let a: Vec<f32> = a.iter().map(|&a| a as f32).collect();
        let mut sums = [0.0; 2];
        for (&a, norm) in a.iter().zip(&chunk.norms) {
            let a = f64::from(a);
            sums[0] += a * a;
            sums[1] += a.abs() * norm;
        }
        (a, sums)
    }

    /// a (m), once it was computed.
    pub fn output(&self) -> &[f32] {
        self.output.as_ref().map_or(&[], |output| &output.a)
    }

    /// The evaluation of the present state, once a was computed.
    pub fn evaluation(&mut self, clock: Clock) -> Evaluation {
        let m = self.run.m as f64;
        let f = self.predictions().to_vec();
        let sums = self.output.as_ref().map_or([f64::NAN; 2], |o| o.sums);
        Evaluation {
            clock,
            f,
            prediction_exponent: clock.exponent,
            mean_a2: sums[0] / m,
            mean_w2: self.w_square / m,
            mean_aw: sums[1] / m,
        }
    }
}

impl FeatureChunk {
    fn new(inputs: &TrainingInputs, block: &Particles, first: usize, width: usize) -> Self {
        let norm = |j: usize| block.w(j).iter().map(|w| w * w).sum::<f64>().sqrt();
        FeatureChunk {
            features: inputs.features(block, first, width),
            norms: (first..first + width).map(norm).collect(),
        }
    }
}
