//! Σ η g on the gpu engine: f64 sums in integer arithmetic have the same bits as on a processor.

mod common;

use std::sync::Arc;

use common::{gpu_adapter, gpu_with};
use widefield::data::Dataset;
use widefield::engine::gpu::Options;
use widefield::engine::{Batch, ShortCuts, Steps};
use widefield::model::Run;
use widefield::model::{Loss, StateFormat};
use widefield::particles::random::{Draws, Stream};

/// A number of random sign and of a size from 2^-span to 2^span, exact in f32 if `single`.
fn any(draws: &mut Draws, span: f64, single: bool) -> f64 {
    let sign = if draws.uniform() < 0.5 { -1.0 } else { 1.0 };
    let size = (1.0 + draws.uniform()) * ((2.0 * draws.uniform() - 1.0) * span).round().exp2();
    match single {
        true => f64::from((sign * size) as f32),
        false => sign * size,
    }
}

/// Initial sums: random, minus the term or nearly so, large enough that the term is half of their
/// last bit, 0.
fn start(draws: &mut Draws, i: usize, term: f64) -> f64 {
    match i % 8 {
        0 => -term,
        1 => -term * (1.0 + f64::EPSILON * (8.0 * draws.uniform()).round()),
        2 => -term * (1.0 + any(draws, 20.0, false) * 2f64.powi(-30)),
        // The term is just half of the last bit, or next to it.
        3 => term.signum() * 2f64.powi(term.abs().log2().floor() as i32 + 53),
        4 => -term.signum() * (2f64.powi(term.abs().log2().floor() as i32 + 53) * 1.5),
        5 => 0.0,
        6 => f64::from_bits(term.to_bits() ^ (draws.uniform() * 1e9) as u64),
        _ => any(draws, 60.0, false),
    }
}

/// With a single particle that is and stays 0, g_i = −y_i/n for any y.
#[test]
fn words_add_up_like_f64() {
    if gpu_adapter().is_none() {
        return;
    }
    let n = 1 << 15;
    for short_cuts in [ShortCuts::Never, ShortCuts::Always] {
        let mut draws = Draws::new(5, Stream::TrainData, 0, 0, 0);
        let y: Vec<f32> = (0..n).map(|_| any(&mut draws, 40.0, true) as f32).collect();
        let batch = Batch {
            d: 2,
            datasets: vec![Arc::new(Dataset {
                d: 2,
                x: vec![1.0; 2 * n],
                y: y.clone(),
            })],
            runs: vec![Run::simple(1, Loss::SQUARE)],
            state: StateFormat::F32,
        };
        let options = Options {
            short_cuts,
            ..Options::default()
        };
        let mut engine = gpu_with(options)(batch).unwrap();
        let eta = 3.0f32;
        let term = |y: &f32| f64::from(eta * (-y / n as f32));
        let terms: Vec<f64> = y.iter().map(term).collect();
        let numbered = terms.iter().enumerate();
        let before: Vec<f64> = numbered.map(|(i, &t)| start(&mut draws, i, t)).collect();
        engine.set_accumulated(0, before.clone()).unwrap();
        assert_eq!(engine.accumulated(0).unwrap(), before);
        let steps = Steps {
            eta: vec![f64::from(eta); 2],
            evaluate: vec![false; 2],
        };
        engine.advance(&steps).unwrap();
        let got = engine.accumulated(0).unwrap();
        for i in 0..n {
            let want = before[i] + terms[i] + terms[i];
            assert_eq!(got[i], want, "{:e} + 2 · {:e}", before[i], terms[i]);
            // The twin: in f32 most sums differ.
        }
        let single = |i: &usize| f64::from(before[*i] as f32 + 2.0 * terms[*i] as f32) == got[*i];
        assert!((0..n).filter(single).count() < n / 2);
        assert!(engine.set_accumulated(0, vec![0.0; n - 1]).is_err());
    }
}
