// reduce: adds the sums of consecutive tiles of a run, in order, a thread per sum.
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/rows.wgsl" import reduce_row %}
{% include "lib/common.wgsl" %}
{{ reduce_row() }}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<StepState>;
@group(0) @binding({{ slot.schedule }}) var<storage, read> schedule: array<u32>;
@group(0) @binding({{ slot.sums }}) var<storage, read_write> sums: array<f32>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<ReduceRow>;

{% include "lib/schedule.wgsl" %}
{% include "lib/partial_sums.wgsl" %}

@compute @workgroup_size({{ threads }})
fn {{ entry }}({{ builtins() }}) {
{{ own_row() }}
    if t >= row.columns || is_skipped(row.run) {
        return;
    }
    let stride = runs[row.run].stride;
    var total = 0.0;
    for (var tile = 0u; tile < row.tiles; tile += 1u) {
        total += sums[row.first + t + tile * stride];
    }
    leave(row.adds, row.out + t, total);
}
