// residual of a run whose samples are cut into ranges, a workgroup each. One after another:
// range_predictions, range_masses (coupled losses), range_residuals, and range_step, a workgroup per run.
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/rows.wgsl" import range_row %}
{% include "lib/common.wgsl" %}
{{ range_row() }}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.state }}) var<storage, {% if entry == "range_step" %}read_write{% else %}read{% endif %}> state: array<StepState>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<RangeRow>;
{% include "lib/residual.wgsl" %}

// What all ranges have left, added up in one order: how many predictions are not finite, or masses.
fn total_of_ranges(row: RangeRow, which: u32, t: u32) -> f32 {
    var sum = 0.0;
    for (var range = t; range < row.ranges; range += {{ threads }}u) {
        sum += sums[row.first + range * {{ range_sums }}u + which];
    }
    return total(t, sum);
}

fn least_of_ranges(row: RangeRow, t: u32) -> f32 {
    var low = {{ huge }};
    for (var range = t; range < row.ranges; range += {{ threads }}u) {
        low = min(low, sums[row.first + range * {{ range_sums }}u + 1u]);
    }
    return least(t, low);
}

@compute @workgroup_size({{ threads }})
fn {{ entry }}({{ builtins() }}) {
{{ own_row() }}
    let r = row.run;
    let run = runs[r];
    let before = state[r];
    let skipped = is_skipped(r);
    let last = row.sample + row.samples;
{%- if entry == "range_predictions" %}
    if skipped {
        return;
    }
    let found = predict_range(run, before, t, row.sample, last);
    let broken = total(t, found.x);
    let low = least(t, found.y);
    if t == 0u {
        sums[row.out] = broken;
        sums[row.out + 1u] = low;
    }
{%- elif entry == "range_masses" %}
    if skipped {
        return;
    }
    let unit = unit_of_predictions(run, before);
    let low = least_of_ranges(row, t);
    let mass = total(t, mass_of_range(run, unit, low, t, row.sample, last));
    if t == 0u {
        sums[row.out + 2u] = mass;
    }
{%- else %}
    // Every range finds the same step; the last stage takes it.
    let broken = total_of_ranges(row, 0u, t);
    let moments = moments_of(r, run, t);
    let now = after(r, run, before, skipped, broken, moments);
{%- if entry == "range_residuals" %}
    if skipped {
        return;
    }
    let unit = unit_of_predictions(run, before);
    var low = 0.0;
    var mass = 0.0;
    if is_coupled(run.loss) {
        low = least_of_ranges(row, t);
        mass = total_of_ranges(row, 2u, t);
    }
    residual_of_range(run, unit, low, mass, t, row.sample, last);
    let eta = total(t, select(0.0, now.eta, t == 0u && now.moves == 1u));
    accumulate_range(run, eta, now.eta_exponent, t, row.sample, last);
{%- else %}
    if t == 0u {
        leave_step(r, run, before, now, skipped, moments);
    }
{%- endif %}
{%- endif %}
}
