// velocity: G_j from the table of gradients, by the particle's position; the rest as in velocity_update.
// velocity_update_arcs also takes the step, and measures the state that it leaves. Two particles at
// a time.
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/storage.wgsl" import planes %}
{%- from "lib/gradient.wgsl" import velocity %}
{%- from "lib/arcs/circle.wgsl" import arc_run %}
{%- set per_block = lanes // 2 %}
{%- from "lib/rows.wgsl" import arc_row %}
{% include "lib/common.wgsl" %}
{{ arc_row() }}
{% include "lib/arcs/word_pairs.wgsl" %}
{{ arc_run() }}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<StepState>;
@group(0) @binding({{ slot.arc_runs }}) var<storage, read> arc_runs: array<ArcRun>;
@group(0) @binding({{ slot.gradients }}) var<storage, read> gradients: array<Pair>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<ArcRow>;
@group(1) @binding({{ slot.positions }}) var<storage, read> positions: array<Pair>;
{%- if update %}
@group(0) @binding({{ slot.magnitudes }}) var<storage, read_write> magnitudes: array<atomic<u32>>;
@group(1) @binding({{ slot.particles }}) var<storage, read_write> particles: array<Pair>;
{%- else %}
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<Pair>;
@group(1) @binding({{ slot.velocity }}) var<storage, read_write> velocities: array<vec2<f32>>;
{%- endif %}

{{ planes(2) }}
{%- if update %}
{% include "lib/arcs/magnitude.wgsl" %}
{%- endif %}

@compute @workgroup_size({{ threads }})
fn {{ entry }}({{ builtins() }}) {
{{ own_row() }}
    let now = state[row.run];
    let arc_run = runs[row.run].arcs;
    let table = 2u * arc_runs[arc_run].gradients;
{%- if update %}
    if now.moves == 0u {
        return;
    }
    var largest = 0u;
{%- endif %}
    for (var i = t; i < (row.count + 1u) / 2u; i += {{ threads }}u) {
        let at0 = planes(row.first, i);
        let w0_0 = floats_of(particles[at0]);
        let w0_1 = floats_of(particles[at0 + {{ per_block }}u]);
        let a0 = floats_of(particles[at0 + {{ 2 * per_block }}u]);
        let position = words_of(positions[row.first / 2u + i]);
        let gradient_x = floats_of(gradients[table + position.x]);
        let gradient_y = floats_of(gradients[table + position.y]);
        let G0_0 = vec2<f32>(gradient_x.x, gradient_y.x);
        let G0_1 = vec2<f32>(gradient_x.y, gradient_y.y);
{{ velocity(0, "G", update) }}
{%- if update %}
{%- for k in range(d + 1) %}
        particles[at0 + {{ k * per_block }}u] = pair_of(bitcast<vec2<u32>>(next{{ k }}));
{%- endfor %}
        largest = max(largest, magnitude(next0, next1, next2));
{%- else %}
{%- for k in range(d) %}
        velocities[at0 + {{ k * per_block }}u] = vw{{ k }};
{%- endfor %}
        velocities[at0 + {{ d * per_block }}u] = va;
{%- endif %}
    }
{%- if update %}
    raise(arc_run, t, largest);
{%- endif %}
}
