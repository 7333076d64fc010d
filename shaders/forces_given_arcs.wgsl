// forces_given_arcs: G per position for a residual that the host has set, a workgroup per run.
{% include "common.wgsl" %}
{% include "words.wgsl" %}
{% include "arc_run.wgsl" %}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<Run>;
@group(0) @binding({{ slot.residual }}) var<storage, read> g: array<f32>;
@group(0) @binding({{ slot.arc_runs }}) var<storage, read> arc_runs: array<ArcRun>;
@group(0) @binding({{ slot.circle }}) var<storage, read> circle: array<Pair>;
@group(0) @binding({{ slot.forces }}) var<storage, read_write> forces: array<vec4<f32>>;

{% include "fixed.wgsl" %}
{% include "scans.wgsl" %}
{% include "circle.wgsl" %}
{% include "forces_arcs.wgsl" %}

@compute @workgroup_size({{ threads }})
fn {{ entry }}(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let index = workgroup_index(id, workgroups);
    // Others are for workgroups of another size.
    if index >= arrayLength(&arc_runs) || arc_runs[index].threads != {{ threads }}u {
        return;
    }
    let arcs = arc_runs[index];
    forces_of(arcs, runs[arcs.run], t, false);
}
