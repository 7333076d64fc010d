// gradients_given_arcs: G per position for a residual that the host has set, a workgroup per run.
{%- from "lib/workgroup.wgsl" import builtins, scan %}
{%- from "lib/arcs/circle.wgsl" import arc_run, circle %}
{% include "lib/common.wgsl" %}
{% include "lib/arcs/word_pairs.wgsl" %}
{{ arc_run() }}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.residual }}) var<storage, read> g: array<f32>;
@group(0) @binding({{ slot.arc_runs }}) var<storage, read> arc_runs: array<ArcRun>;
@group(0) @binding({{ slot.circle }}) var<storage, read> circle: array<Pair>;
@group(0) @binding({{ slot.gradients }}) var<storage, read_write> gradients: array<vec4<f32>>;

var<workgroup> words: array<vec4<u32>, {{ threads }}>;
{{ scan("before_sums", "vec4<f32>", "u + v", halves) }}

{{ circle() }}
{% include "lib/arcs/gradients.wgsl" %}

@compute @workgroup_size({{ threads }})
fn {{ entry }}({{ builtins() }}) {
    let index = workgroup_index(id, workgroups);
    // Others are for workgroups of another size.
    if index >= arrayLength(&arc_runs) || arc_runs[index].threads != {{ threads }}u {
        return;
    }
    let arcs = arc_runs[index];
    gradients_of(arcs, runs[arcs.run], t, false);
}
