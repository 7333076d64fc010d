//! The output layer alone beside its closed form, and a loop of your own over an engine.
//!
//! With w at rest f is linear in a, so that with square risk and α = 1 each step takes f to
//! f − (η/n) K (f − y), K = (1/m) Σ_j σ(w_j·x) σ(w_j·x'). For w uniform on the sphere K tends to a kernel that is
//! known in closed form: the f of m neurons comes as near to it as 1/√m.
//!
//!     cargo run --release --example closed_form

use std::sync::Arc;

use widefield::certify::kernel::{KernelMatrix, WeightLaw};
use widefield::data::Dataset;
use widefield::engine::select::{Choice, select};
use widefield::engine::{Batch, Sample, Steps};
use widefield::model::{Loss, Run, StateFormat, Train};
use widefield::particles::Particles;
use widefield::random::{Draws, Stream};

const STEPS: usize = 100;
const ETA: f64 = 5.0;

/// Eight samples on the unit circle, with alternating targets.
fn samples() -> Dataset {
    let angles: Vec<f32> = (0..8).map(|i| 0.8 * i as f32).collect();
    Dataset {
        d: 2,
        x: angles.iter().flat_map(|t| [t.cos(), t.sin()]).collect(),
        y: (0..8)
            .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
            .collect(),
    }
}

/// f (n) after the steps, for infinitely many neurons.
fn infinite_width(data: &Dataset) -> Vec<f64> {
    let (n, kernel) = (
        data.n(),
        KernelMatrix::of_law(WeightLaw::Sphere { scale: 1.0 }, data),
    );
    let mut f = vec![0.0; n];
    for _ in 0..STEPS {
        let g: Vec<f64> = f
            .iter()
            .zip(&data.y)
            .map(|(f, &y)| (f - f64::from(y)) / n as f64)
            .collect();
        for (f, row) in f.iter_mut().zip(kernel.values().chunks(n)) {
            *f -= ETA * row.iter().zip(&g).map(|(k, g)| k * g).sum::<f64>();
        }
    }
    f
}

/// f (n) after the steps, for m neurons with a = 0 at the start.
fn trained(data: &Arc<Dataset>, m: usize) -> widefield::Result<Vec<f64>> {
    let run = Run {
        train: Train::Output,
        ..Run::simple(m, Loss::SQUARE)
    };
    let batch = Batch {
        d: data.d,
        datasets: vec![data.clone()],
        runs: vec![run],
        state: StateFormat::F32,
    };
    let mut particles = Particles::zeros(m, data.d);
    for (j, w) in particles.w.chunks_mut(data.d).enumerate() {
        Draws::new(1, Stream::Init, 0, j as u64, 0).fill_sphere(w);
    }
    let mut engine = select(Choice::Cpu, None)?.build(batch)?;
    engine.write(0, 0, &particles)?;
    engine.advance(&Steps {
        eta: vec![ETA; STEPS],
        evaluate: vec![false; STEPS],
    })?;
    // Norms stay small here, so that stored predictions are the true ones: `prediction_exponent` is 0.
    Ok(engine.predict(Sample::Train)?.swap_remove(0).f)
}

pub fn main() -> widefield::Result<()> {
    let data = Arc::new(samples());
    let limit = infinite_width(&data);
    println!("{:>6}  {:>12}  {:>8}", "m", "largest |f_m − f|", "times √m");
    for m in [100, 1_000, 10_000, 100_000] {
        let f = trained(&data, m)?;
        let apart = f.iter().zip(&limit).map(|(f, limit)| (f - limit).abs());
        let apart = apart.fold(0.0, f64::max);
        println!("{m:>6}  {apart:>17.2e}  {:>8.3}", apart * (m as f64).sqrt());
    }
    Ok(())
}
