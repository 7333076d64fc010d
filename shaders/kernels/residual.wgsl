// residual: f̂_i and g_i = ∂R/∂f_i of one run, and all that its step depends on: a workgroup per
// run. Stored weights are 2^-exponent of the true ones, so f = 2^p f̂.
{%- from "lib/workgroup.wgsl" import builtins %}
{% include "lib/common.wgsl" %}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.state }}) var<storage, read_write> state: array<StepState>;
{% include "lib/residual.wgsl" %}

@compute @workgroup_size({{ threads }})
fn {{ entry }}({{ builtins() }}) {
    let index = workgroup_index(id, workgroups);
    let r = run_of(index);
    if r == NONE {
        return;
    }
    let run = runs[r];
    let before = state[r];
    let skipped = is_skipped(r);
    let unit = unit_of_predictions(run, before);
    let n = select(run.n, 0u, skipped);

    let unknown = select(0.0, 1.0, gather(index, run, t, skipped));
    let found = predict_range(run, before, t, 0u, n);
    let broken = total(t, unknown + found.x);
    var low = 0.0;
    var mass = 0.0;
    if is_coupled(run.loss) {
        low = least(t, found.y);
        mass = total(t, mass_of_range(run, unit, low, t, 0u, n));
    }
    residual_of_range(run, unit, low, mass, t, 0u, n);
    let moments = moments_of(index, run, t);
    let now = after(r, run, before, skipped, broken, moments);
    // Thread 0 alone knows the moments, and so the step.
    let eta = total(t, select(0.0, now.eta, t == 0u && now.moves == 1u));
    accumulate_range(run, eta, now.eta_exponent, t, 0u, n);
    hand_over(index, run, t, skipped, now.moves == 1u);
    if t == 0u {
        leave_step(r, run, before, now, skipped, moments);
    }
}
