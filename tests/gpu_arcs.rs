//! The short cut of the gpu engine for d = 2: exact on kinks, at the origin and at irregular sizes.

mod common;

use std::sync::Arc;

use common::{gpu_adapter, gpu_with};
use widefield::data::Dataset;
use widefield::engine::gpu::Options;
use widefield::engine::select::{Choice, How, select};
use widefield::engine::{Batch, Engine, Sample, ShortCuts, Steps, reference};
use widefield::model::Run;
use widefield::model::{Loss, StateFormat};
use widefield::particles::Particles;
use widefield::particles::random::{Draws, Stream};
use widefield::verify::tolerance::{compare, factor, unit};

/// Point i of a sequence over the integers of [−size, size]² that begins with the origin. For a
/// small size points repeat, share directions, or are opposite.
fn point(i: usize, size: i64) -> [i64; 2] {
    let side = 2 * size + 1;
    let at = |step: usize| (i * step + size as usize) as i64 % side - size;
    [at(1), at(3 + i / side as usize)]
}

/// n samples, some of them zero, repeated, or collinear.
fn samples(n: usize) -> Dataset {
    Dataset {
        d: 2,
        // n = 1 is not the origin.
        x: (0..n)
            .flat_map(|i| point(i + usize::from(n == 1), 3).map(|v| v as f32))
            .collect(),
        y: (0..n).map(|i| [1.0, -1.0, 1.0][i % 3]).collect(),
    }
}

/// m particles: the first at the origin (unless it is the only one), most on kinks of the samples.
fn particles(m: usize) -> Particles {
    let mut p = Particles::zeros(m, 2);
    for j in 0..m {
        let w = point(j + usize::from(m == 1), 4);
        p.w[2 * j..2 * j + 2].copy_from_slice(&w.map(|v| v as f64));
        p.a[j] = [0.5, -1.25, 2.0, -0.75][j % 4];
    }
    p
}

fn batch(sizes: &[(usize, usize)]) -> Batch {
    let runs = sizes.iter().enumerate().map(|(r, &(m, _))| Run {
        train_set: r,
        lambda: 0.125,
        ..Run::simple(m, Loss::LOGISTIC)
    });
    Batch {
        d: 2,
        datasets: sizes.iter().map(|&(_, n)| Arc::new(samples(n))).collect(),
        runs: runs.collect(),
        state: StateFormat::F32,
    }
}

fn engine(short_cuts: ShortCuts, batch: &Batch) -> Box<dyn Engine> {
    let options = Options {
        short_cuts,
        ..Options::default()
    };
    let mut engine = gpu_with(options)(batch.clone()).unwrap();
    for (r, run) in batch.runs.iter().enumerate() {
        engine.write(r, 0, &particles(run.m)).unwrap();
    }
    engine
}

fn unit_f32() -> f64 {
    unit(widefield::engine::Precision::F32)
}

/// The rounding error allowed for a velocity, by component: a_j Σ|g_i x_i| and similar sums.
fn allowed(run: &Run, p: &Particles, g: &[f64], data: &Dataset) -> (Vec<f64>, Vec<f64>) {
    let pull: f64 = (0..data.n())
        .map(|i| g[i].abs() * data.row(i).iter().map(|x| f64::from(x.abs())).sum::<f64>())
        .sum();
    let bound = factor(data.n()) * unit_f32();
    let size = |w: &[f64]| w.iter().map(|w| w.abs()).sum::<f64>();
    let a = (0..p.m()).map(|j| bound * (size(p.w(j)) * pull + run.lambda * p.a[j].abs()));
    let w = (0..p.m()).flat_map(|j| [bound * (p.a[j].abs() * pull + run.lambda * size(p.w(j))); 2]);
    (a.collect(), w.collect())
}

/// No particle is missed: one on the kink of a sample is not active on it, and one at the origin is
/// active on none.
#[test]
fn particles_on_kinks_agree_with_the_reference() {
    if gpu_adapter().is_none() {
        return;
    }
    let sizes = [1, 2, 31, 63, 64, 65, 127, 257];
    let widths = [2049, 1, 1021, 2, 63, 2047, 65, 2048];
    let sizes: Vec<_> = widths.into_iter().zip(sizes).chain([(1, 1)]).collect();
    let batch = batch(&sizes);
    let mut engine = engine(ShortCuts::Always, &batch);
    let seen = engine.predict(Sample::Train).unwrap();
    for (r, run) in batch.runs.iter().enumerate() {
        assert_eq!(engine.method(r), "arcs");
        let (p, data) = (particles(run.m), &batch.datasets[r]);
        let what = format!("m = {}, n = {}", run.m, data.n());

        let want = reference::predict(run, &p, data);
        let mut positive = p.clone();
        positive.a.iter_mut().for_each(|a| *a = a.abs());
        // σ is 0 on a kink, but not the rounding of the sums it is taken from.
        let scale: f64 = (0..run.m)
            .map(|j| positive.a[j] * p.w(j).iter().map(|w| w.abs()).sum::<f64>())
            .sum::<f64>()
            / run.m as f64;
        let of_row = |i| data.row(i).iter().map(|x| f64::from(x.abs())).sum::<f64>();
        let bounds: Vec<f64> = (0..data.n())
            .map(|i| factor(run.m) * unit_f32() * scale * of_row(i) + 1e-30)
            .collect();
        let worst = compare(&seen[r].f, &want, &bounds);
        assert!(worst.passes(), "{what}: {worst:?}");

        let g = engine.residual(r).unwrap();
        let got = engine.velocity(r).unwrap();
        let (bound_a, bound_w) = allowed(run, &p, &g, data);
        let agrees = |want: &Particles| {
            compare(&got.a, &want.a, &bound_a).passes()
                && compare(&got.w, &want.w, &bound_w).passes()
        };
        assert!(agrees(&reference::velocity(run, &p, &g, data)), "{what}");

        // The sabotage twin: moving a particle off its kink changes the result.
        let z = |j: usize, i: usize| {
            let terms = p.w(j).iter().zip(data.row(i));
            terms.map(|(w, x)| w * f64::from(*x)).sum::<f64>()
        };
        let pairs = (0..run.m).flat_map(|j| (0..data.n()).map(move |i| (j, i)));
        let mut on_kinks = pairs.filter(|&(j, i)| z(j, i) == 0.0 && of_row(i) > 0.0);
        let Some((j, i)) = on_kinks.find(|&(j, _)| p.a[j] != 0.0) else {
            assert!(
                run.m < 3 || data.n() < 3,
                "{what}: no particle is on a kink"
            );
            continue;
        };
        let mut other = p.clone();
        for (w, x) in other.w[2 * j..].iter_mut().zip(data.row(i)) {
            *w += 1e-9 * f64::from(*x);
        }
        assert!(
            !agrees(&reference::velocity(run, &other, &g, data)),
            "{what}: the twin passed"
        );
    }
}

/// Each run decides by itself whether it takes the short cut; other runs of the batch do not change
/// its bits.
#[test]
fn runs_with_and_without_the_short_cut_share_a_batch() {
    if gpu_adapter().is_none() {
        return;
    }
    let sizes = [(10_007, 300), (129, 37), (20_000, 400)];
    let steps = |runs: usize| Steps {
        eta: vec![0.01; 5 * runs],
        evaluate: vec![true; 5],
    };
    let together = batch(&sizes);
    let mut both = engine(ShortCuts::Auto, &together);
    assert_eq!(
        [0, 1, 2].map(|r| both.method(r)),
        ["arcs", "direct", "arcs"]
    );
    let seen = both.advance(&steps(3)).unwrap();
    for (r, &(m, n)) in sizes.iter().enumerate() {
        let mut one = engine(ShortCuts::Auto, &batch(&[(m, n)]));
        assert_eq!(one.method(0), both.method(r));
        let alone = one.advance(&steps(1)).unwrap();
        assert_eq!(one.read(0, 0..m).unwrap(), both.read(r, 0..m).unwrap());
        for (alone, seen) in alone.iter().zip(&seen) {
            assert_eq!(alone[0], seen[r]);
        }
    }
    let never = engine(ShortCuts::Never, &together);
    assert!((0..3).all(|r| never.method(r) == "direct"));
}

#[test]
fn a_selection_hands_the_choice_on() {
    let Some(adapter) = gpu_adapter() else {
        return;
    };
    let selection = select(Choice::Gpu, Some(&adapter)).unwrap();
    for (short_cuts, method) in [
        (ShortCuts::Always, "arcs"),
        (ShortCuts::Never, "direct"),
        (ShortCuts::Auto, "direct"),
    ] {
        let how = How {
            short_cuts,
            ..How::default()
        };
        let engine = selection.build_with(batch(&[(5, 3)]), how).unwrap();
        assert_eq!(engine.method(0), method);
    }
}

/// Directions on a kink and one last bit to either side, at sizes far from 1: activity is
/// determined exactly, as in f64.
#[test]
fn a_last_bit_decides_the_side() {
    if gpu_adapter().is_none() {
        return;
    }
    let n = 61;
    let mut draws = Draws::new(5, Stream::TrainData, 0, 0, 0);
    let mut x = vec![0.0; 2 * n];
    draws.fill_gaussian(&mut x);
    let data = Dataset {
        d: 2,
        x: x.iter().map(|&v| v as f32).collect(),
        y: (0..n).map(|i| [1.0, -1.0][i % 2]).collect(),
    };
    let mut p = Particles {
        d: 2,
        w: vec![],
        a: vec![],
    };
    for i in 0..n {
        let row = data.row(i);
        for bump in [-1, 0, 1] {
            let turn = [1.0, -1.0][(i / 2) % 2];
            let size = 2f32.powi([0, -60, 50, -40][i % 4]);
            let first = (turn * row[1]).to_bits().wrapping_add_signed(bump);
            p.w.extend([f32::from_bits(first) * size, -turn * row[0] * size].map(f64::from));
            p.a.push(f64::from(0.5 / size));
        }
    }
    let run = Run::simple(p.m(), Loss::LOGISTIC);
    let batch = Batch {
        d: 2,
        datasets: vec![Arc::new(data.clone())],
        runs: vec![run.clone()],
        state: StateFormat::F32,
    };
    let options = Options {
        short_cuts: ShortCuts::Always,
        ..Options::default()
    };
    let mut engine = gpu_with(options)(batch).unwrap();
    engine.write(0, 0, &p).unwrap();
    let g = engine.residual(0).unwrap();
    let got = engine.velocity(0).unwrap();
    let (bound_a, bound_w) = allowed(&run, &p, &g, &data);
    let agrees = |p: &Particles| {
        let want = reference::velocity(&run, p, &g, &data);
        compare(&got.a, &want.a, &bound_a).passes() && compare(&got.w, &want.w, &bound_w).passes()
    };
    assert!(agrees(&p));
    for i in 0..n {
        // The twins: the direction on the kink is one of its neighbours.
        let twin = |from: usize| {
            let mut other = p.clone();
            other.w.copy_within(2 * from..2 * from + 2, 2 * (3 * i + 1));
            agrees(&other)
        };
        assert!(
            !twin(3 * i) || !twin(3 * i + 2),
            "sample {i}: both twins passed"
        );
    }
}
