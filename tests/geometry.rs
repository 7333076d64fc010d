//! The geometry of the particles: every engine against the reference, and each quantity with its
//! sabotage twin.

mod common;

use std::ops::Range;
use std::sync::Arc;

use common::{engines, reference};
use widefield::data::Dataset;
use widefield::engine::{Batch, Clock, Engine, Geometry, Origins, Precision, Steps, Unknown};
use widefield::model::Run;
use widefield::model::{Loss, StateFormat, Train};
use widefield::particles::Particles;
use widefield::particles::random::{Draws, Stream};
use widefield::verify::tolerance::{FACTOR, unit};

fn gaussian(m: usize, d: usize, seed: u64) -> Particles {
    let mut p = Particles::zeros(m, d);
    Draws::new(seed, Stream::Init, 0, m as u64, 0).fill_gaussian(&mut p.w);
    Draws::new(seed, Stream::Init, 0, m as u64, 1).fill_gaussian(&mut p.a);
    let exact = |v: &mut f64| *v = f64::from(*v as f32);
    p.w.iter_mut().for_each(exact);
    p.a.iter_mut().for_each(exact);
    p
}

fn data(n: usize, d: usize) -> Dataset {
    let mut x = vec![0.0; n * d];
    Draws::new(4, Stream::TrainData, 0, n as u64, 0).fill_gaussian(&mut x);
    Dataset {
        d,
        x: x.iter().map(|&v| v as f32).collect(),
        y: (0..n).map(|i| [1.0, -1.0][i % 2]).collect(),
    }
}

/// The one run whose initial balance is known, and that balance.
struct Began(usize, Vec<f64>);

impl Origins for Began {
    fn balance(&self, run: usize, range: Range<usize>) -> Option<Vec<f64>> {
        (run == self.0).then(|| self.1[range].to_vec())
    }
}

/// One run with its initial and its present particles, in true units.
#[derive(Clone)]
struct Case {
    run: Run,
    data: Dataset,
    start: Particles,
    now: Particles,
}

impl Case {
    fn new(m: usize, n: usize, d: usize, train: Train, informative: Option<usize>) -> Self {
        Case {
            run: Run {
                train,
                informative,
                ..Run::simple(m, Loss::SQUARE)
            },
            data: data(n, d),
            start: gaussian(m, d, 1),
            now: gaussian(m, d, 2),
        }
    }

    /// The geometry that an engine computes with the state stored at this exponent. A second run is
    /// in the batch, so that one shard holds both.
    fn geometry(
        &self,
        make: &dyn Fn(Batch) -> widefield::Result<Box<dyn Engine>>,
        exponent: i32,
    ) -> Geometry {
        let d = self.data.d;
        let mut engine = make(Batch {
            d,
            datasets: vec![Arc::new(data(2, d)), Arc::new(self.data.clone())],
            runs: vec![
                Run::simple(70, Loss::SQUARE),
                Run {
                    train_set: 1,
                    ..self.run.clone()
                },
            ],
            state: StateFormat::F32,
        })
        .unwrap();
        let exponent = match engine.precision() {
            Precision::F32 => exponent,
            Precision::F64 => 0,
        };
        let (on_a, on_w) = self.run.layer_exponents(exponent);
        let mut stored = self.now.clone();
        let scale = |v: &mut f64, e: i32| *v *= f64::from(-e).exp2();
        stored.a.iter_mut().for_each(|a| scale(a, on_a));
        stored.w.iter_mut().for_each(|w| scale(w, on_w));
        engine.write(0, 0, &gaussian(70, d, 3)).unwrap();
        engine.write(1, 0, &stored).unwrap();
        let clock = Clock {
            exponent,
            ..Clock::default()
        };
        engine.set_clock(1, clock).unwrap();
        let before = engine.geometry(&Unknown).unwrap();
        assert_eq!(before[1].balance_drift, None);
        let found = engine.geometry(&Began(1, self.start.balance())).unwrap();
        assert_eq!(found[0].balance_drift, None, "the start of another run");
        found[1]
    }

    /// Particles with a sample so near the kink of σ that rounding decides whether they are active.
    fn near_kink(&self, u: f64) -> f64 {
        let near = |w: &[f64], x: &[f32]| {
            let terms = || w.iter().zip(x).map(|(w, x)| w * f64::from(*x));
            let size: f64 = terms().map(f64::abs).sum();
            terms().sum::<f64>().abs() <= 4.0 * (self.data.d as f64 + 1.0) * u * size
        };
        let any = |&j: &usize| (0..self.data.n()).any(|i| near(self.now.w(j), self.data.row(i)));
        (0..self.run.m).filter(any).count() as f64
    }

    /// Whether each quantity agrees with the reference up to the engine's rounding.
    fn agrees(&self, got: &Geometry, precision: Precision) -> [bool; 4] {
        let want = self.geometry(&reference, 0);
        let u = unit(precision);
        let each = FACTOR * u;
        let m = self.run.m as f64;
        let square =
            |p: &Particles, j: usize| p.a[j] * p.a[j] + p.w(j).iter().map(|w| w * w).sum::<f64>();
        let largest = (0..self.run.m)
            .map(|j| square(&self.now, j) + square(&self.start, j))
            .fold(0.0, f64::max);
        let near = |got: Option<f64>, want: Option<f64>, bound: f64| match (got, want) {
            (Some(got), Some(want)) => (got - want).abs() <= bound,
            (got, want) => got == want,
        };
        [
            (got.dead - want.dead).abs() * m <= self.near_kink(u) + 1e-9,
            (got.largest_weight - want.largest_weight).abs() <= each * want.largest_weight,
            near(got.balance_drift, want.balance_drift, each * largest),
            near(got.informative, want.informative, each),
        ]
    }
}

fn cases() -> Vec<Case> {
    vec![
        Case::new(131, 3, 2, Train::Both, Some(1)),
        Case::new(1, 1, 1, Train::Both, None),
        Case::new(257, 3, 3, Train::Output, Some(3)),
        Case::new(300, 40, 15, Train::Input, Some(3)),
        Case::new(65, 3, 67, Train::Both, Some(60)),
        Case::new(3001, 2, 3, Train::Both, Some(2)),
        // More than an engine keeps the starts of.
        Case::new((1 << 20) + 70, 2, 1, Train::Both, None),
    ]
}

#[test]
fn every_engine_agrees_with_the_reference() {
    for (name, make) in engines() {
        for case in cases() {
            let Run { m, train, .. } = case.run;
            let what = format!("{name}, m = {m}, d = {}, {train:?}", case.data.d);
            for exponent in [0, 5] {
                let got = case.geometry(&*make, exponent);
                let precision = match name {
                    "reference" => Precision::F64,
                    _ => Precision::F32,
                };
                let agrees = case.agrees(&got, precision);
                assert_eq!(agrees, [true; 4], "{what}, exponent {exponent}: {got:?}");
            }
        }
    }
}

/// The reference against values computed by hand: four neurons of one coordinate pair, on two
/// samples.
#[test]
fn the_reference_by_hand() {
    let case = Case {
        run: Run {
            informative: Some(1),
            ..Run::simple(4, Loss::SQUARE)
        },
        data: Dataset {
            d: 2,
            x: vec![1.0, 0.0, 0.0, 1.0],
            y: vec![1.0; 2],
        },
        start: Particles::zeros(4, 2),
        now: Particles {
            d: 2,
            // Dead: −e_1 and 0. Masses 2, 5, 0, 5.
            w: vec![-1.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 1.0],
            a: vec![2.0, -1.0, 7.0, 5.0],
        },
    };
    let got = case.geometry(&reference, 0);
    assert_eq!(got.dead, 0.5);
    assert_eq!(got.largest_weight, 7.0);
    // a² − |w|²: 3, −24, 49, 24.
    assert_eq!(got.balance_drift, Some(49.0));
    // (2 · 1 + 5 · 9/25 + 5 · 0) / 12
    assert!((got.informative.unwrap() - 3.8 / 12.0).abs() <= 1e-15);
}

/// A third of the neurons is active on most samples, a third on one late sample alone, a third on
/// none.
#[test]
fn a_late_sample_wakes_a_neuron() {
    let (m, n, late) = (99, 70, 61);
    let mut case = Case::new(m, n, 2, Train::Both, None);
    for (i, x) in case.data.x.chunks_exact_mut(2).enumerate() {
        x.copy_from_slice(if i == late { &[0.0, 1.0] } else { &[1.0, 0.0] });
    }
    for (j, w) in case.now.w.chunks_exact_mut(2).enumerate() {
        w.copy_from_slice(&[[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]][j % 3]);
    }
    let mut asleep = case.clone();
    asleep.data.x[2 * late + 1] = 0.0;
    for (name, make) in engines() {
        let dead = |case: &Case| case.geometry(&*make, 0).dead;
        assert_eq!(dead(&case), 1.0 / 3.0, "{name}");
        assert_eq!(dead(&asleep), 2.0 / 3.0, "{name}");
    }
}

#[test]
fn a_changed_particle_is_noticed() {
    let case = Case::new(131, 3, 2, Train::Both, Some(1));
    let norm = |j: usize| case.now.w(j).iter().map(|w| w * w).sum::<f64>().sqrt();
    let by = |value: &dyn Fn(usize) -> f64| {
        let all = 0..case.run.m;
        all.max_by(|&i, &j| value(i).total_cmp(&value(j))).unwrap()
    };
    let scaled = |j: usize, k: usize| {
        let mut twin = case.clone();
        twin.now.w[j * 2 + k] *= 1.01;
        twin
    };
    let dead = |&j: &usize| {
        let z = |i: usize| {
            let pairs = case.now.w(j).iter().zip(case.data.row(i));
            pairs.map(|(w, &x)| w * f64::from(x)).sum::<f64>()
        };
        (0..case.data.n()).all(|i| z(i) < 0.0)
    };
    let mut woken = case.clone();
    let j = (0..case.run.m).find(dead).unwrap();
    woken.now.w[j * 2..j * 2 + 2]
        .iter_mut()
        .for_each(|w| *w = -*w);
    let mut grown = case.clone();
    let j = by(&|j| case.now.a[j].abs().max(norm(j)));
    grown.now.a[j] *= 1.001;
    grown.now.w[j * 2..j * 2 + 2]
        .iter_mut()
        .for_each(|w| *w *= 1.001);
    let mut began = case.clone();
    let balance =
        |p: &Particles, j: usize| p.a[j] * p.a[j] - p.w(j).iter().map(|w| w * w).sum::<f64>();
    let j = by(&|j| (balance(&case.now, j) - balance(&case.start, j)).abs());
    began.start.a[j] *= 1.01;
    let heaviest = by(&|j| case.now.a[j].abs() * norm(j));
    let turned = scaled(heaviest, 0);
    for (name, make) in engines() {
        let precision = make(Batch {
            d: 2,
            datasets: vec![Arc::new(data(2, 2))],
            runs: vec![Run::simple(1, Loss::SQUARE)],
            state: StateFormat::F32,
        })
        .unwrap()
        .precision();
        for (quantity, twin) in [&woken, &grown, &began, &turned].into_iter().enumerate() {
            let got = twin.geometry(&*make, 0);
            let agrees = case.agrees(&got, precision);
            assert!(!agrees[quantity], "{name}: twin {quantity} passed");
        }
    }
}

/// A step changes what the flow conserves by η²(ȧ² − |ẇ|²) (docs/model.md, law 3).
#[test]
fn balance_drifts_by_the_square_of_a_step() {
    let case = Case::new(37, 20, 3, Train::Both, None);
    let mut engine = reference(Batch {
        d: 3,
        datasets: vec![Arc::new(case.data.clone())],
        runs: vec![case.run.clone()],
        state: StateFormat::F32,
    })
    .unwrap();
    engine.write(0, 0, &case.start).unwrap();
    let origin = Began(0, case.start.balance());
    let before = engine.geometry(&origin).unwrap();
    assert_eq!(before[0].balance_drift, Some(0.0));
    let v = engine.velocity(0).unwrap();
    let eta = 0.5;
    let change = |j: usize| {
        let w2 = v.w(j).iter().map(|w| w * w).sum::<f64>();
        (eta * eta * (v.a[j] * v.a[j] - w2)).abs()
    };
    let want = (0..37).map(change).fold(0.0, f64::max);
    let steps = Steps {
        eta: vec![eta],
        evaluate: vec![false],
    };
    engine.advance(&steps).unwrap();
    let got = engine.geometry(&origin).unwrap()[0].balance_drift.unwrap();
    assert!((got - want).abs() <= 1e-13, "{got} {want}");
}
