// f̂_i, g_i and the step that follows from them, over samples first..last of a run.
// Needs: common.wgsl; the bindings `runs` and `state`; a template `sums` that gives run_of, gather, sum_of, moments_of
// and hand_over.
// Gives: the bindings `schedule`, `y`, `g`, `history`, `accumulated`; total, least; predict_range, mass_of_range,
// residual_of_range, accumulate_range, after, leave_step.
{%- from "lib/workgroup.wgsl" import reduction %}
@group(0) @binding({{ slot.schedule }}) var<storage, read> schedule: array<u32>;
@group(0) @binding({{ slot.y }}) var<storage, read> y: array<f32>;
@group(0) @binding({{ slot.residual }}) var<storage, read_write> g: array<f32>;
// [factor of each step taken, in f64, else 0 (steps, runs)] [records of evaluations]
@group(0) @binding({{ slot.history }}) var<storage, read_write> history: array<u32>;
// Σ η g of the steps taken, per sample in f64: a million steps must not be rounded away, and a resume
// must find the same sum.
@group(0) @binding({{ slot.accumulated }}) var<storage, read_write> accumulated: array<vec2<u32>>;

{% include "lib/schedule.wgsl" %}

var<workgroup> scratch: array<f32, {{ threads }}>;

{{ reduction("total", "u + v", halves) }}
{{ reduction("least", "min(u, v)", halves) }}

{% include sums %}
{% include "lib/losses.wgsl" %}
{% include "lib/step.wgsl" %}
{% include "lib/f64_addition.wgsl" %}

// 2^p. Twice the exponent may exceed what pow2 has: beyond it only the sign of a difference counts.
fn unit_of_predictions(run: RunConstants, before: StepState) -> f32 {
    return pow2(select(1, 2, run.train == {{ train.both }}u) * before.exponent);
}

// Where the record of a run begins in the history.
fn record_of(run: RunConstants, before: StepState) -> u32 {
    return {{ 2 * steps_most }}u * arrayLength(&runs) + record_at(before.submit_step) * run.record + run.history;
}

// Puts f̂ in place of g, and in the record; how many are not finite, and the least y f̂.
fn predict_range(run: RunConstants, before: StepState, t: u32, first: u32, last: u32) -> vec2<f32> {
    let at = record_at(before.submit_step);
    let record = record_of(run, before);
    var low = {{ huge }};
    var broken = 0.0;
    for (var i = first + t; i < last; i += {{ threads }}u) {
        let f = run.alpha * sum_of(run, i) / run.m;
        broken += select(1.0, 0.0, is_finite(f));
        low = min(low, y[run.sample + i] * f);
        g[run.residual + i] = f;
        if at != NONE {
            history[record + {{ header }}u + i] = bitcast<u32>(f);
        }
    }
    return vec2<f32>(broken, low);
}

// How far a sample's margin is behind the least one, at most 0.
fn behind(run: RunConstants, unit: f32, low: f32, i: u32) -> f32 {
    return (low - y[run.sample + i] * g[run.residual + i]) * unit;
}

// The mass by which a coupled loss divides.
fn mass_of_range(run: RunConstants, unit: f32, low: f32, t: u32, first: u32, last: u32) -> f32 {
    var mass = 0.0;
    for (var i = first + t; i < last; i += {{ threads }}u) {
        mass += mass_of(run.loss, behind(run, unit, low, i));
    }
    return mass;
}

// Puts g in place of f̂. A coupled loss needs the least margin and the mass of all samples.
fn residual_of_range(run: RunConstants, unit: f32, low: f32, mass: f32, t: u32, first: u32, last: u32) {
    if is_coupled(run.loss) {
        for (var i = first + t; i < last; i += {{ threads }}u) {
            let label = y[run.sample + i];
            g[run.residual + i] = coupled_residual_of(run.loss, behind(run, unit, low, i), label, mass);
        }
    } else {
        for (var i = first + t; i < last; i += {{ threads }}u) {
            let f = g[run.residual + i] * unit;
            g[run.residual + i] = residual_of(run.loss, run.parameter, f, y[run.sample + i], run.samples);
        }
    }
}

fn accumulate_range(run: RunConstants, eta: f32, eta_exponent: i32, t: u32, first: u32, last: u32) {
    if eta != 0.0 {
        for (var i = run.residual + first + t; i < run.residual + last; i += {{ threads }}u) {
            accumulated[i] = added(accumulated[i], eta * g[i], eta_exponent);
        }
    }
}

// The state with the step to take, in the thread that knows the moments.
fn after(r: u32, run: RunConstants, before: StepState, skipped: bool, broken: f32, moments: vec3<f32>) -> StepState {
    var now = before;
    if skipped {
        now.moves = 0u;
        return now;
    }
    if broken > 0.0 || !is_finite(moments.x) || !is_finite(moments.y) || !is_finite(moments.z) {
        now.diverged = 1u;
    }
    return step_of(run, now, eta_of(now.submit_step, r), moments.x / run.m, moments.y / run.m);
}
{%- if entry == "residual" or entry == "residual_arcs" or entry == "range_step" %}

// Records the moments and the step, and goes on to the next step.
fn leave_step(r: u32, run: RunConstants, before: StepState, after: StepState, skipped: bool, moments: vec3<f32>) {
    let record = record_of(run, before);
    if !skipped && record_at(before.submit_step) != NONE {
        history[record] = bitcast<u32>(moments.x);
        history[record + 1u] = bitcast<u32>(moments.y);
        history[record + 2u] = bitcast<u32>(moments.z);
        history[record + 3u] = bitcast<u32>(before.exponent);
        history[record + 4u] = after.diverged;
    }
    let factor = added(vec2<u32>(0u), select(0.0, after.factor, after.moves == 1u), after.eta_exponent);
    let at = 2u * (before.submit_step * arrayLength(&runs) + r);
    history[at] = factor.x;
    history[at + 1u] = factor.y;
    var now = after;
    now.submit_step += 1u;
    now.step += now.moves;
    state[r] = now;
}
{%- endif %}
