//! A network trained on XOR, and how far it is from the largest margin that any width reaches.
//!
//! The softmin risk drives min_i y_i f(x_i)/((α/m) Σ |a_j| |w_j|) towards γ1, which is 1/4 here. The certificate
//! brackets γ1 without knowing that: any network proves a lower bound, any weights p of the samples an upper one.
//!
//!     cargo run --release --example certify

use std::sync::Arc;

use widefield::certify::{Measure, SolverOptions, Sphere, margin};
use widefield::data::Dataset;
use widefield::engine::select::{Choice, select};
use widefield::engine::{Batch, Steps};
use widefield::model::{Loss, Run, StateFormat};
use widefield::particles::Particles;
use widefield::random::{Draws, Stream};

const WIDTH: usize = 256;
const STEPS: usize = 5_000;

pub fn main() -> widefield::Result<()> {
    let h = std::f32::consts::FRAC_1_SQRT_2;
    let data = Arc::new(Dataset {
        d: 2,
        x: vec![h, h, h, -h, -h, h, -h, -h],
        y: vec![1.0, -1.0, -1.0, 1.0],
    });
    let batch = Batch {
        d: data.d,
        datasets: vec![data.clone()],
        runs: vec![Run::simple(WIDTH, Loss::SOFTMIN)],
        state: StateFormat::F32,
    };
    // Gaussian particles.
    let mut particles = Particles::zeros(WIDTH, data.d);
    for (j, (w, a)) in particles
        .w
        .chunks_mut(data.d)
        .zip(&mut particles.a)
        .enumerate()
    {
        let mut draws = Draws::new(1, Stream::Init, 0, j as u64, 0);
        draws.fill_gaussian(w);
        *a = draws.gaussian_pair()[0];
    }
    let mut engine = select(Choice::Cpu, None)?.build(batch)?;
    engine.write(0, 0, &particles)?;
    // η/√(k + 2), as in the paper of 2020.
    let eta = (0..STEPS).map(|k| 0.5 / (k as f64 + 2.0).sqrt());
    engine.advance(&Steps {
        eta: eta.collect(),
        evaluate: vec![false; STEPS],
    })?;

    // Stored particles lack a power of two; a margin does not depend on it.
    let network = Measure::of_network(&engine.read(0, 0..WIDTH)?, 1.0);
    let sphere = Sphere::new(&data);
    let reached = margin::lower_bound(sphere.inputs(), &data.y, &network);
    let optimum = margin::solve(&sphere, &data.y, &network, None, &SolverOptions::default())?;
    let bounds = optimum.bounds;
    println!("{WIDTH} neurons after {STEPS} steps: margin {reached:.6}");
    println!(
        "no network exceeds {:.9}, and {} neurons reach {:.9}",
        bounds.upper,
        optimum.measure.len(),
        bounds.lower
    );
    println!(
        "the run is within {:.1e} of the optimum",
        (bounds.upper - reached) / bounds.upper
    );
    Ok(())
}
