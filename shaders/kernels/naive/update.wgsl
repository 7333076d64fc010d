// update, naive: θ_j += η θ̇_j, in stored units. A thread has one particle. d = {{ d }}
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/storage.wgsl" import words %}
{%- from "lib/rows.wgsl" import update_row %}
{% include "lib/common.wgsl" %}
{{ update_row() }}

@group(0) @binding({{ slot.state }}) var<storage, read> state: array<StepState>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<UpdateRow>;
@group(1) @binding({{ slot.velocity }}) var<storage, read_write> velocities: array<f32>;
@group(1) @binding({{ slot.particles }}) var<storage, read_write> particles: array<f32>;

{{ words() }}

@compute @workgroup_size({{ threads }})
fn {{ entry }}({{ builtins() }}) {
{{ own_row() }}
    let now = state[row.run];
    if t >= row.count || now.moves == 0u {
        return;
    }
    let j = row.first + t;
    for (var k = 0u; k <= {{ d }}u; k += 1u) {
        // 1, or a power of two where stored numbers grow too large.
        let shift = select(now.shift_w, now.shift_a, k == {{ d }}u);
        particles[word_of(j, k)] = shift * (particles[word_of(j, k)] + now.eta * velocities[word_of(j, k)]);
    }
}
