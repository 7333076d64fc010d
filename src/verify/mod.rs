//! `widefield verify`: every stage of an engine compared with the f64 reference.
//!
//! Each comparison has a sabotage twin: the same check with one input changed, which must fail, as
//! it proves that the check can detect an error.

pub mod cases;
pub mod condition;
pub mod tolerance;

use crate::data::Dataset;
use crate::engine::step::step_size;
use crate::engine::{Batch, Engine, Sample, Steps, reference};
use crate::error::{Error, Result};
use crate::model::StateFormat;
use crate::particles::Particles;
use cases::VerifyCase;
use condition::Condition;
use tolerance::{FLOOR, Worst, compare, factor, spacing, unit};

/// One comparison of one stage.
#[derive(Debug, Clone)]
pub struct StageCheck {
    /// predict, residual, velocity or update.
    pub stage: &'static str,
    pub case: String,
    /// The method by which the engine computes this run: see [`Engine::method`].
    pub method: &'static str,
    pub state: StateFormat,
    pub worst: Worst,
    /// Whether the sabotage twin failed, as it must.
    pub twin_caught: bool,
}

impl StageCheck {
    pub fn passes(&self) -> bool {
        self.worst.passes() && self.twin_caught
    }
}

/// Builds the engine under test for a batch.
pub type EngineUnderTest<'a> = dyn Fn(Batch) -> Result<Box<dyn Engine>> + 'a;

/// Runs every case on the engine, with a state format that it supports. Stops at an engine error.
pub fn verify(make: &EngineUnderTest, state: StateFormat) -> Result<Vec<StageCheck>> {
    let mut checks = Vec::new();
    for case in cases::all(state) {
        checks.extend(verify_case(&case, make)?);
    }
    if state == StateFormat::F32 {
        for case in cases::long() {
            checks.extend(verify_case(&case, make)?);
        }
    }
    Ok(checks)
}

/// An error that lists the failed checks; `Ok` if all passed.
pub fn verdict(checks: &[StageCheck]) -> Result<()> {
    let failed: Vec<&StageCheck> = checks.iter().filter(|c| !c.passes()).collect();
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(Error::Verify {
            what: format!(
                "{} of {} checks failed; first: {} of {} is off by {:.3} times what rounding allows (entry {}: {:e}, reference {:e})",
                failed.len(),
                checks.len(),
                first.stage,
                first.case,
                first.worst.ratio,
                first.worst.index,
                first.worst.got,
                first.worst.want
            ),
            remedy: "do not trust this engine here: choose another with --engine, and report the adapter and driver".into(),
        }),
    }
}

/// Checks the four stages of every run of one case.
pub fn verify_case(case: &VerifyCase, make: &EngineUnderTest) -> Result<Vec<StageCheck>> {
    let batch = case.batch();
    let mut engine = make(batch.clone())?;
    let u = unit(engine.precision());
    let starts: Vec<Particles> = (0..batch.runs.len()).map(|r| case.particles(r)).collect();
    for (r, p) in starts.iter().enumerate() {
        engine.write(r, 0, p)?;
    }
    let evaluations = engine.predict(Sample::Train)?;
    let mut checks = Vec::new();
    let mut stages = Vec::new();
    for (r, run) in batch.runs.iter().enumerate() {
        let data = &batch.datasets[run.train_set];
        let (p, got_f) = (&starts[r], &evaluations[r].f);
        let f = reference::predict(run, p, data);
        let g = run.loss.residual(&f, 0, &data.y);
        let scales = Condition::new(run, p, &f, &g, data, u);
        let name = format!("{}, run {r} (m = {}, n = {})", case.name, run.m, data.n());
        let method = engine.method(r);
        let check = |stage, worst, twin: Worst| StageCheck {
            stage,
            case: name.clone(),
            method,
            state: case.state,
            worst,
            twin_caught: !twin.passes(),
        };

        let allowed = scale_by(&scales.f, factor(run.m) * u);
        let mut other = p.clone();
        let heaviest = heaviest(p, data);
        other.a[heaviest] = -other.a[heaviest];
        checks.push(check(
            "predict",
            compare(got_f, &f, &allowed),
            compare(got_f, &reference::predict(run, &other, data), &allowed),
        ));

        // To check this stage alone, the reference uses the engine's own predictions.
        let got_g = engine.residual(r)?;
        let want_g = run.loss.residual(got_f, 0, &data.y);
        let size_f: Vec<f64> = got_f.iter().map(|f| f.abs()).collect();
        let scale_g = run.loss.condition(got_f, &want_g, &data.y, &size_f);
        let allowed = scale_by(&scale_g, factor(data.n()) * u);
        // The twin flips the sign of one target; for regression that of its prediction too, since g
        // may depend on the prediction alone.
        let (mut other_f, mut flipped) = (got_f.to_vec(), data.y.clone());
        let loudest = (0..data.n())
            .max_by(|&i, &k| want_g[i].abs().total_cmp(&want_g[k].abs()))
            .unwrap_or(0);
        flipped[loudest] = -flipped[loudest];
        if !run.loss.is_classification() {
            other_f[loudest] = -other_f[loudest];
        }
        checks.push(check(
            "residual",
            compare(&got_g, &want_g, &allowed),
            compare(&got_g, &run.loss.residual(&other_f, 0, &flipped), &allowed),
        ));

        let got_v = engine.velocity(r)?;
        let want_v = reference::velocity(run, p, &g, data);
        let mut other = p.clone();
        other.a[heaviest] *= 1.0 + SABOTAGE;
        other.w[heaviest * p.d..(heaviest + 1) * p.d]
            .iter_mut()
            .for_each(|w| *w *= 1.0 + SABOTAGE);
        let bound = factor(run.m.max(data.n())) * u;
        checks.push(check(
            "velocity",
            compare_particles(&got_v, &want_v, &scales, bound, None),
            compare_particles(
                &got_v,
                &reference::velocity(run, &other, &g, data),
                &scales,
                bound,
                None,
            ),
        ));
        stages.push((scales, want_v, bound, name.clone()));
    }

    let eta = case.eta;
    engine.advance(&Steps {
        eta: vec![eta; batch.runs.len()],
        evaluate: vec![false],
    })?;
    for (r, (scales, velocity, bound, name)) in stages.into_iter().enumerate() {
        let run = &batch.runs[r];
        let got = engine.read(r, 0..run.m)?;
        let stepped = |eta: f64| {
            let mut p = starts[r].clone();
            let taken = step_size(run, 0, eta, evaluations[r].mean_a2);
            reference::update(&mut p, &velocity, taken);
            (p, taken)
        };
        let (want, taken) = stepped(eta);
        let start = UpdateStart {
            particles: &starts[r],
            eta: taken,
            rounded: spacing(case.state),
        };
        let against =
            |want: &Particles| compare_particles(&got, want, &scales, bound, Some(&start));
        checks.push(StageCheck {
            stage: "update",
            case: name,
            method: engine.method(r),
            state: case.state,
            worst: against(&want),
            twin_caught: !against(&stepped(eta * (1.0 + SABOTAGE)).0).passes(),
        });
    }
    Ok(checks)
}

/// Relative change of an input in a sabotage twin.
const SABOTAGE: f64 = 0.125;

fn scale_by(scales: &[f64], factor: f64) -> Vec<f64> {
    scales.iter().map(|s| s * factor + FLOOR).collect()
}

/// The particle with the largest contribution to a prediction; a change of it must be detected.
fn heaviest(p: &Particles, data: &Dataset) -> usize {
    let weight = |j: usize| {
        let z = (0..data.n()).map(|i| {
            let terms = p.w(j).iter().zip(data.row(i));
            terms.map(|(w, &x)| w * f64::from(x)).sum::<f64>()
        });
        z.fold(0.0, f64::max) * p.a[j].abs()
    };
    (0..p.m())
        .max_by(|&i, &j| weight(i).total_cmp(&weight(j)))
        .unwrap_or(0)
}

/// The state before an update.
struct UpdateStart<'a> {
    particles: &'a Particles,
    eta: f64,
    /// See [`spacing`].
    rounded: (f64, f64),
}

/// Compares blocks of (a, w). The allowed error is `bound` times the velocity's scales; after an
/// update of size η from `start`, it is `bound` times (|θ| + η scale) plus the rounding of the
/// stored state. Particles near a kink are skipped.
fn compare_particles(
    got: &Particles,
    want: &Particles,
    scales: &Condition,
    bound: f64,
    start: Option<&UpdateStart>,
) -> Worst {
    let (mut g, mut w, mut allowed) = (Vec::new(), Vec::new(), Vec::new());
    let allow = |scale: f64, want: f64, from: fn(&Particles, usize) -> f64, at: usize| match start {
        None => bound * scale + FLOOR,
        Some(start) => {
            let (share, least) = start.rounded;
            let size = from(start.particles, at).abs() + start.eta * scale;
            bound * size + share * want.abs() + least.max(FLOOR)
        }
    };
    for j in (0..want.m()).filter(|&j| !scales.near_kink[j]) {
        g.push(got.a[j]);
        w.push(want.a[j]);
        allowed.push(allow(scales.velocity_a[j], want.a[j], |p, j| p.a[j], j));
        for at in j * want.d..(j + 1) * want.d {
            g.push(got.w[at]);
            w.push(want.w[at]);
            allowed.push(allow(scales.velocity_w[j], want.w[at], |p, at| p.w[at], at));
        }
    }
    compare(&g, &w, &allowed)
}
