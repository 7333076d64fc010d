// {% if update %}update of the output weights{% else %}velocity of the output weights{% endif %}: ȧ_j = force w_j·G_j − λ a_j, where velocity_update_tiled left
// w_j·G_j as a sum per {{ tile.columns }} coordinates. A thread has four particles. d = {{ d }}
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/storage.wgsl" import vectors, planes, read_particles, store_particles %}
{%- from "lib/rows.wgsl" import update_row %}
{% include "lib/common.wgsl" %}
{{ update_row() }}

@group(0) @binding({{ slot.state }}) var<storage, read> state: array<StepState>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<UpdateRow>;
@group(1) @binding({{ slot.parts }}) var<storage, read> parts: array<vec4<f32>>;
{%- if update %}
@group(1) @binding({{ slot.particles }}) var<storage, read_write> particles: array<S>;
{%- else %}
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<S>;
@group(1) @binding({{ slot.velocity }}) var<storage, read_write> velocities: array<vec4<f32>>;
{%- endif %}

{{ vectors(4) }}
{{ planes(4) }}
{{ read_particles() }}
{%- if update %}
{{ store_particles(4) }}
{%- endif %}

@compute @workgroup_size({{ tile.particles // 4 }})
fn {{ entry }}({{ builtins() }}) {
{{ own_row() }}
    let now = state[row.run];
    if {% if update %}now.moves == 0u || {% endif %}t >= (row.count + 3u) / 4u {
        return;
    }
    var wG = V(0.0);
    for (var part = 0u; part < {{ (d + tile.columns - 1) // tile.columns }}u; part += 1u) {
        wG += parts[row.part / 4u + part * {{ tile.particles // 4 }}u + t];
    }
    let at = planes(row.first, t) + {{ d * lanes // 4 }}u;
    let a = particle(at);
    let va = now.force_a * wG - now.decay_a * a;
{%- if update %}
    store(at, now.shift_a * (a + now.eta * va), now.step);
{%- else %}
    velocities[at] = va;
{%- endif %}
}
