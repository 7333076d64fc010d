// Where residual_arcs has its sums from, and where g goes: the arcs of the circle.
// Needs: common.wgsl; the binding `g`; total.
// Gives: the bindings of the circle; run_of, gather, sum_of, moments_of, hand_over.
{%- from "lib/workgroup.wgsl" import scan %}
{%- from "lib/arcs/circle.wgsl" import arc_run, circle %}
{% include "lib/arcs/word_pairs.wgsl" %}
{{ arc_run() }}
@group(0) @binding({{ slot.arc_runs }}) var<storage, read> arc_runs: array<ArcRun>;
@group(0) @binding({{ slot.circle }}) var<storage, read> circle: array<Pair>;
@group(0) @binding({{ slot.arc_sums }}) var<storage, read_write> arc_sums: array<vec4<u32>>;
@group(0) @binding({{ slot.arc_moments }}) var<storage, read> arc_moments: array<f32>;
@group(0) @binding({{ slot.magnitudes }}) var<storage, read_write> magnitudes: array<u32>;
@group(0) @binding({{ slot.gradients }}) var<storage, read_write> gradients: array<vec4<f32>>;

var<workgroup> words: array<vec4<u32>, {{ threads }}>;
{{ scan("before_words", "vec4<u32>", "plus(u, v)", halves) }}
{{ scan("before_sums", "vec4<f32>", "u + v", halves) }}

{% include "lib/arcs/fixed_point.wgsl" %}
{{ circle() }}
{% include "lib/arcs/predictions.wgsl" %}
{% include "lib/arcs/gradients.wgsl" %}

// The run of a workgroup, or NONE.
fn run_of(index: u32) -> u32 {
    // Others are for workgroups of another size.
    if index >= arrayLength(&arc_runs) || arc_runs[index].threads != {{ threads }}u {
        return NONE;
    }
    return arc_runs[index].run;
}

// Whether the sums cannot be had.
fn gather(index: u32, run: RunConstants, t: u32, skipped: bool) -> bool {
    let arcs = arc_runs[index];
    let magnitude = magnitudes[index];
    predictions(arcs, run, unit_of(arcs, magnitude), t, skipped);
    return !is_bounded(magnitude);
}

// Σ_j a_j σ(w_j·x_i)
fn sum_of(run: RunConstants, i: u32) -> f32 {
    return g[run.residual + i];
}

// Σa², Σ|w|², Σ|a||w| over the tiles.
fn moments_of(index: u32, run: RunConstants, t: u32) -> vec3<f32> {
    let arcs = arc_runs[index];
    var sum = vec3<f32>(0.0);
    for (var tile = arcs.moments + t; tile < arcs.moments + arcs.tiles; tile += {{ threads }}u) {
        sum += vec3<f32>(arc_moments[3u * tile], arc_moments[3u * tile + 1u], arc_moments[3u * tile + 2u]);
    }
    return vec3<f32>(total(t, sum.x), total(t, sum.y), total(t, sum.z));
}

// G for velocity; and for predict after the step, sums and a magnitude that start at 0.
fn hand_over(index: u32, run: RunConstants, t: u32, skipped: bool, moves: bool) {
    let arcs = arc_runs[index];
    storageBarrier();
    gradients_of(arcs, run, t, skipped);
    for (var p = t; p < arcs.copies * positions_of(arcs); p += {{ threads }}u) {
        arc_sums[arcs.slots + p] = vec4<u32>(0u);
    }
    if t == 0u && moves {
        magnitudes[index] = 0u;
    }
}
