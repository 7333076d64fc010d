// residual: f̂_i and g_i = ∂R/∂f_i of one run, and all that its step depends on: a workgroup per
// run. Stored weights are 2^-exponent of the true ones, so f = 2^p f̂.
{% include "common.wgsl" %}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<Run>;
@group(0) @binding({{ slot.state }}) var<storage, read_write> state: array<State>;
@group(0) @binding({{ slot.schedule }}) var<storage, read> schedule: array<u32>;
@group(0) @binding({{ slot.y }}) var<storage, read> y: array<f32>;
@group(0) @binding({{ slot.residual }}) var<storage, read_write> g: array<f32>;
// [factor of each step taken, else 0 (turns, runs)] [records of evaluations (slots, record)]
@group(0) @binding({{ slot.history }}) var<storage, read_write> history: array<u32>;

{% include "idle.wgsl" %}

var<workgroup> scratch: array<f32, {{ threads }}>;

{%- macro tree(name, join) %}
// All threads get the result; the order is fixed.
fn {{ name }}(t: u32, value: f32) -> f32 {
    workgroupBarrier();
    scratch[t] = value;
{%- for half in halves %}
    workgroupBarrier();
    if t < {{ half }}u {
        let u = scratch[t];
        let v = scratch[t + {{ half }}u];
        scratch[t] = {{ join }};
    }
{%- endfor %}
    workgroupBarrier();
    return scratch[0];
}
{%- endmacro %}
{{ tree("total", "u + v") }}
{{ tree("least", "min(u, v)") }}

{% include sums %}
{% include "losses.wgsl" %}
{% include "step.wgsl" %}
{% include "accumulate.wgsl" %}

@compute @workgroup_size({{ threads }})
fn {{ entry }}(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let index = workgroup_index(id, workgroups);
    let r = run_of(index);
    if r == NONE {
        return;
    }
    let run = runs[r];
    let before = state[r];
    var now = before;
    let idle = is_idle(r);
    let slot = slot_of(now.turn);
    let record = {{ turns }}u * arrayLength(&runs) + slot * run.record + run.history;
    let degree = select(1, 2, run.train == {{ train.both }}u);
    // Twice the exponent may exceed what pow2 has: beyond it only the sign of a difference counts.
    let unit = pow2(degree * now.exponent);
    let n = select(run.n, 0u, idle);

    var low = {{ huge }};
    var broken = select(0.0, 1.0, gather(index, run, t, idle));
    for (var i = t; i < n; i += {{ threads }}u) {
        let f = run.alpha * sum_of(run, i) / run.m;
        broken += select(1.0, 0.0, is_finite(f));
        low = min(low, y[run.sample + i] * f);
        g[run.residual + i] = f;
        if slot != NONE {
            history[record + {{ header }}u + i] = bitcast<u32>(f);
        }
    }
    broken = total(t, broken);
    if run.loss == {{ loss.softmin }}u {
        low = least(t, low);
        var mass = 0.0;
        for (var i = t; i < n; i += {{ threads }}u) {
            mass += exp_exact((low - y[run.sample + i] * g[run.residual + i]) * unit);
        }
        mass = total(t, mass);
        for (var i = t; i < n; i += {{ threads }}u) {
            let label = y[run.sample + i];
            g[run.residual + i] = -label * exp_exact((low - label * g[run.residual + i]) * unit) / mass;
        }
    } else {
        for (var i = t; i < n; i += {{ threads }}u) {
            let f = g[run.residual + i] * unit;
            g[run.residual + i] = residual_of(run.loss, f, y[run.sample + i], run.samples);
        }
    }
    let moments = moments_of(index, run, t);
    if !idle {
        if broken > 0.0 || !is_finite(moments.x) || !is_finite(moments.y) || !is_finite(moments.z) {
            now.diverged = 1u;
        }
        now = step_of(run, now, eta_of(now.turn, r), moments.x / run.m, moments.y / run.m);
    } else {
        now.moves = 0u;
    }
    // Thread 0 alone knows the moments, and so the step.
    let eta = total(t, select(0.0, now.eta, t == 0u && now.moves == 1u));
    if eta != 0.0 {
        for (var i = run.residual + t; i < run.residual + n; i += {{ threads }}u) {
            accumulated[i] = added(accumulated[i], eta * g[i]);
        }
    }
    hand_over(index, run, t, idle, now.moves == 1u);
    if t > 0u {
        return;
    }
    if !idle && slot != NONE {
        history[record] = bitcast<u32>(moments.x);
        history[record + 1u] = bitcast<u32>(moments.y);
        history[record + 2u] = bitcast<u32>(moments.z);
        history[record + 3u] = bitcast<u32>(before.exponent);
        history[record + 4u] = now.diverged;
    }
    history[now.turn * arrayLength(&runs) + r] = select(0u, bitcast<u32>(now.factor), now.moves == 1u);
    now.turn += 1u;
    now.step += now.moves;
    state[r] = now;
}
