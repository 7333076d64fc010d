//! Every engine against independent float64 trajectories, with the tolerances of
//! tests/oracle/README.md.

mod common;

use common::engines;
use common::oracle::{OracleFlow, OracleState, paths};
use widefield::engine::{Clock, Engine, Precision, Sample};
use widefield::model::ldexp;
use widefield::observe::MetricsRow;
use widefield::particles::Particles;
use widefield::verify::tolerance::compare;

/// Calls `check` on every engine and every case.
fn each(check: impl Fn(&str, &mut dyn Engine, &OracleFlow)) {
    for path in paths("flow") {
        let flow = OracleFlow::load(&path);
        for (name, make) in engines() {
            let mut engine = make(flow.batch.clone()).unwrap();
            check(&format!("{name}, {}", flow.name), &mut *engine, &flow);
        }
    }
}

fn put(engine: &mut dyn Engine, particles: &Particles) {
    engine.write(0, 0, particles).unwrap();
    engine.set_clock(0, Clock::default()).unwrap();
}

/// The state in true units.
fn get(engine: &mut dyn Engine) -> Particles {
    let m = engine.batch().runs[0].m;
    let mut p = engine.read(0, 0..m).unwrap();
    let e = engine.clock(0).exponent;
    p.w.iter_mut()
        .chain(&mut p.a)
        .for_each(|v| *v = ldexp(*v, e));
    p
}

/// The largest |v − want| relative to the allowed error, without particles near a kink.
fn velocity_error(precision: Precision, v: &Particles, state: &OracleState) -> f64 {
    let (want, bound, floor) = match precision {
        Precision::F32 => (&state.velocity_f32, 16.0 * 2.0_f64.powi(-24), 1e-30),
        Precision::F64 => (&state.velocity, 1e-12, 1e-300),
    };
    let far = |j: &usize| precision == Precision::F64 || !state.near_kink[*j];
    let kept: Vec<usize> = (0..v.m()).filter(far).collect();
    let pick = |p: &Particles| -> Vec<f64> {
        kept.iter()
            .flat_map(|&j| [&[p.a[j]], p.w(j)].concat())
            .collect()
    };
    let allowed: Vec<f64> = kept
        .iter()
        .flat_map(|&j| {
            let w = vec![bound * state.scale_w[j] + floor; v.d];
            [vec![bound * state.scale_a[j] + floor], w].concat()
        })
        .collect();
    compare(&pick(v), &pick(want), &allowed).ratio
}

#[test]
fn velocity_at_stored_states() {
    each(|name, engine, flow| {
        for state in &flow.states {
            put(engine, &state.particles);
            let v = engine.velocity(0).unwrap();
            let error = velocity_error(engine.precision(), &v, state);
            assert!(
                error <= 1.0,
                "{name} at {}: {error} times the allowance",
                state.step
            );
        }
    });
}

/// The sabotage twin: a change of the most active particle's output weight by a thousandth must be
/// detected.
#[test]
fn velocity_of_another_state_fails() {
    each(|name, engine, flow| {
        let state = &flow.states[1];
        let mut other = state.particles.clone();
        let speed = |j: usize| state.velocity.w(j).iter().map(|v| v.abs()).sum::<f64>();
        let liveliest = (0..other.m())
            .max_by(|&i, &j| speed(i).total_cmp(&speed(j)))
            .unwrap();
        other.a[liveliest] *= 1.001;
        put(engine, &other);
        let v = engine.velocity(0).unwrap();
        assert!(
            velocity_error(engine.precision(), &v, state) > 1.0,
            "{name}"
        );
    });
}

#[test]
fn free_runs_up_to_the_horizon() {
    each(|name, engine, flow| {
        put(engine, &flow.start);
        let (horizon, late) = match engine.precision() {
            Precision::F32 => (flow.horizon_f32, 1e-4),
            Precision::F64 => (flow.horizon_f64, 1e-10),
        };
        let mut now = 0;
        for state in &flow.states {
            engine.advance(&flow.steps(now, state.step)).unwrap();
            now = state.step;
            let single = engine.precision() == Precision::F32;
            if now <= horizon {
                let p = get(engine);
                let both = |p: &Particles| [&p.w[..], &p.a[..]].concat();
                let (got, want) = (both(&p), both(&state.particles));
                let largest = want.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
                let bound = if single && now <= 10 { 1e-6 } else { late };
                let worst = compare(&got, &want, &vec![bound * largest; want.len()]);
                assert!(worst.passes(), "{name} after {now} steps: {worst:?}");
            }
            past_the_horizon(name, engine, flow, state, single && now > horizon);
        }
    });
}

/// Checks objective and observables: to the free-run tolerance before the horizon, and by the rules
/// of the README after it.
fn past_the_horizon(
    name: &str,
    engine: &mut dyn Engine,
    flow: &OracleFlow,
    state: &OracleState,
    past: bool,
) {
    let (run, data) = (&flow.batch.runs[0], &flow.batch.datasets[0]);
    let now = &engine.predict(Sample::Train).unwrap()[0];
    let row = MetricsRow::new(0, run, (data, now), None);
    let close = |what: &str, got: f64, want: f64, bound: f64| {
        let off = (got - want).abs();
        assert!(
            off <= bound,
            "{name} after {}: {what} {got}, oracle {want}",
            state.step
        );
    };
    if past || engine.precision() == Precision::F64 && state.step > flow.horizon_f64 {
        match run.loss.is_coupled() {
            true => {
                let f1 = row.margin_f1.unwrap();
                close(
                    "margin_f1",
                    f1,
                    state.margin_f1,
                    0.03 * state.margin_f1.abs(),
                );
            }
            false => close(
                "objective",
                row.objective,
                state.objective,
                1e-4 * state.objective,
            ),
        }
        return;
    }
    let bound = if engine.precision() == Precision::F32 {
        1e-3
    } else {
        1e-9
    };
    let size = state.f.iter().fold(1e-3_f64, |a, b| a.max(b.abs()));
    close(
        "risk",
        row.risk,
        state.risk,
        bound * (state.risk.abs() + size),
    );
    close(
        "objective",
        row.objective,
        state.objective,
        bound * (state.objective.abs() + size),
    );
    close("tv_norm", row.tv_norm, state.tv_norm, bound * state.tv_norm);
    close(
        "param_norm",
        row.param_norm,
        state.param_norm,
        bound * state.param_norm,
    );
    if let (Some(f1), Some(param), Some(f2)) = (row.margin_f1, row.margin_param, row.margin_f2) {
        close(
            "margin_f1",
            f1,
            state.margin_f1,
            bound * size / state.tv_norm,
        );
        close(
            "margin_param",
            param,
            state.margin_param,
            bound * size / state.param_norm,
        );
        close(
            "margin_f2",
            f2,
            state.margin_f2,
            bound * size / state.tv_norm.min(1.0),
        );
    }
}

/// ∇F at a point off the kinks, by the oracle's complex-step derivatives: without the factor m.
#[test]
fn velocity_is_minus_m_times_the_gradient() {
    for path in paths("flow") {
        let flow = OracleFlow::load(&path);
        let m = flow.start.m();
        let values = |name| common::oracle::array(&path, name).0;
        let point = Particles {
            d: flow.start.d,
            w: values("fd_w"),
            a: values("fd_a"),
        };
        let (grad_w, grad_a) = (values("fd_grad_w"), values("fd_grad_a"));
        let mut engine = common::reference(flow.batch.clone()).unwrap();
        put(&mut *engine, &point);
        let v = engine.velocity(0).unwrap();
        let scale = |g: &[f64]| g.iter().fold(0.0_f64, |a, b| a.max(b.abs())) * m as f64;
        for (v, g) in [(&v.w, &grad_w), (&v.a, &grad_a)] {
            let want: Vec<f64> = g.iter().map(|g| -g * m as f64).collect();
            let worst = compare(v, &want, &vec![1e-6 * scale(g); g.len()]);
            assert!(worst.passes(), "{}: {worst:?}", flow.name);
        }
    }
}
