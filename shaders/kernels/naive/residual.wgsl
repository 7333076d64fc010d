// residual, naive: f̂_i, g_i = ∂R/∂f_i and the step that follows. A thread has a range of samples of a run. One
// after another: predictions, masses (of coupled losses), residuals, and the step, a thread per run.
// Stored weights are 2^-exponent of the true ones, so f = 2^p f̂.
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/rows.wgsl" import range_row %}
{% include "lib/common.wgsl" %}
{{ range_row() }}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.state }}) var<storage, read_write> state: array<StepState>;
@group(0) @binding({{ slot.schedule }}) var<storage, read> schedule: array<u32>;
@group(0) @binding({{ slot.y }}) var<storage, read> y: array<f32>;
@group(0) @binding({{ slot.sums }}) var<storage, read_write> sums: array<f32>;
@group(0) @binding({{ slot.residual }}) var<storage, read_write> g: array<f32>;
// [factor of each step taken, in f64, else 0 (steps, runs)] [records of evaluations]
@group(0) @binding({{ slot.history }}) var<storage, read_write> history: array<u32>;
// Σ η g of the steps taken, in f64.
@group(0) @binding({{ slot.accumulated }}) var<storage, read_write> accumulated: array<vec2<u32>>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<RangeRow>;

{% include "lib/schedule.wgsl" %}
{% include "lib/losses.wgsl" %}
{% include "lib/step.wgsl" %}
{% include "lib/f64_addition.wgsl" %}

// Σ_j a_j σ(w_j·x_i), or a moment, over the groups of tiles.
fn sum_of(run: RunConstants, column: u32) -> f32 {
    var sum = 0.0;
    for (var group = 0u; group < run.groups; group += 1u) {
        sum += sums[run.sums + group * run.stride + column];
    }
    return sum;
}

// Each range leaves how many of its predictions are not finite, its least margin, and its mass.
fn total_of_ranges(row: RangeRow, which: u32) -> f32 {
    var sum = 0.0;
    for (var range = 0u; range < row.ranges; range += 1u) {
        sum += sums[row.first + {{ range_sums }}u * range + which];
    }
    return sum;
}

fn least_margin(row: RangeRow) -> f32 {
    var least = {{ huge }};
    for (var range = 0u; range < row.ranges; range += 1u) {
        least = min(least, sums[row.first + {{ range_sums }}u * range + 1u]);
    }
    return least;
}

// 2^p
fn unit_of(run: RunConstants, before: StepState) -> f32 {
    return pow2(select(1, 2, run.train == {{ train.both }}u) * before.exponent);
}

fn record_of(run: RunConstants, before: StepState) -> u32 {
    return {{ 2 * steps_most }}u * arrayLength(&runs) + record_at(before.submit_step) * run.record + run.history;
}

// The state of a run with its step, which every range finds and the last kernel takes.
fn after(row: RangeRow, run: RunConstants, before: StepState) -> StepState {
    var now = before;
    if is_skipped(row.run) {
        now.moves = 0u;
        return now;
    }
    let a2 = sum_of(run, run.n);
    let w2 = sum_of(run, run.n + 1u);
    let aw = sum_of(run, run.n + 2u);
    if total_of_ranges(row, 0u) > 0.0 || !is_finite(a2) || !is_finite(w2) || !is_finite(aw) {
        now.diverged = 1u;
    }
    return step_of(run, now, eta_of(now.submit_step, row.run), a2 / run.m, w2 / run.m);
}

@compute @workgroup_size(1)
fn naive_predictions({{ builtins() }}) {
{{ own_row() }}
    if is_skipped(row.run) {
        return;
    }
    let run = runs[row.run];
    let before = state[row.run];
    let is_recorded = record_at(before.submit_step) != NONE;
    var broken = 0.0;
    var least = {{ huge }};
    for (var i = row.sample; i < row.sample + row.samples; i += 1u) {
        let f = run.alpha * sum_of(run, i) / run.m;
        if !is_finite(f) {
            broken += 1.0;
        }
        least = min(least, y[run.sample + i] * f);
        g[run.residual + i] = f;
        if is_recorded {
            history[record_of(run, before) + {{ header }}u + i] = bitcast<u32>(f);
        }
    }
    sums[row.out] = broken;
    sums[row.out + 1u] = least;
}

@compute @workgroup_size(1)
fn naive_masses({{ builtins() }}) {
{{ own_row() }}
    if is_skipped(row.run) {
        return;
    }
    let run = runs[row.run];
    let unit = unit_of(run, state[row.run]);
    let least = least_margin(row);
    var mass = 0.0;
    for (var i = row.sample; i < row.sample + row.samples; i += 1u) {
        let behind = (least - y[run.sample + i] * g[run.residual + i]) * unit;
        mass += mass_of(run.loss, behind);
    }
    sums[row.out + 2u] = mass;
}

@compute @workgroup_size(1)
fn naive_residuals({{ builtins() }}) {
{{ own_row() }}
    if is_skipped(row.run) {
        return;
    }
    let run = runs[row.run];
    let before = state[row.run];
    let unit = unit_of(run, before);
    let now = after(row, run, before);
    let least = least_margin(row);
    let mass = total_of_ranges(row, 2u);
    for (var i = row.sample; i < row.sample + row.samples; i += 1u) {
        let f = g[run.residual + i];
        let label = y[run.sample + i];
        var g_i = 0.0;
        if is_coupled(run.loss) {
            g_i = coupled_residual_of(run.loss, (least - label * f) * unit, label, mass);
        } else {
            g_i = residual_of(run.loss, run.parameter, f * unit, label, run.samples);
        }
        g[run.residual + i] = g_i;
        if now.moves == 1u {
            let sum = accumulated[run.residual + i];
            accumulated[run.residual + i] = added(sum, now.eta * g_i, now.eta_exponent);
        }
    }
}

@compute @workgroup_size(1)
fn naive_step({{ builtins() }}) {
{{ own_row() }}
    let run = runs[row.run];
    let before = state[row.run];
    var now = after(row, run, before);
    if !is_skipped(row.run) && record_at(before.submit_step) != NONE {
        let record = record_of(run, before);
        for (var q = 0u; q < 3u; q += 1u) {
            history[record + q] = bitcast<u32>(sum_of(run, run.n + q));
        }
        history[record + 3u] = bitcast<u32>(before.exponent);
        history[record + 4u] = now.diverged;
    }
    // What the step was scaled by tells the host that it was taken.
    let factor = added(vec2<u32>(0u), select(0.0, now.factor, now.moves == 1u), now.eta_exponent);
    let at = 2u * (before.submit_step * arrayLength(&runs) + row.run);
    history[at] = factor.x;
    history[at + 1u] = factor.y;
    now.submit_step += 1u;
    now.step += now.moves;
    state[row.run] = now;
}
