// velocity, naive: ȧ_j = force Σ_i g_i σ(w_j·x_i) − λ a_j, ẇ_j = force a_j Σ_i g_i σ'(w_j·x_i) x_i − λ w_j with
// force = −1/α, in stored units. A thread has one particle and goes over some samples; the rows after it go on.
// d = {{ d }}
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/storage.wgsl" import words %}
{%- from "lib/activation.wgsl" import weighted_slope %}
{%- from "lib/rows.wgsl" import update_row %}
{% include "lib/common.wgsl" %}
{{ update_row() }}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<StepState>;
@group(0) @binding({{ slot.residual }}) var<storage, read> g: array<f32>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<UpdateRow>;
@group(1) @binding({{ slot.x }}) var<storage, read> x: array<f32>;
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<f32>;
@group(1) @binding({{ slot.velocity }}) var<storage, read_write> velocities: array<f32>;

{{ words() }}

@compute @workgroup_size({{ threads }})
fn {{ entry }}({{ builtins() }}) {
{{ own_row() }}
    if t >= row.count {
        return;
    }
    let now = state[row.run];
    let j = row.first + t;
    let a = particles[word_of(j, {{ d }}u)];
    if row.adds == 0u {
        for (var k = 0u; k < {{ d }}u; k += 1u) {
            velocities[word_of(j, k)] = -now.decay_w * particles[word_of(j, k)];
        }
        velocities[word_of(j, {{ d }}u)] = -now.decay_a * a;
    }
    for (var i = 0u; i < row.samples; i += 1u) {
        var z = 0.0;
        for (var k = 0u; k < {{ d }}u; k += 1u) {
            z += particles[word_of(j, k)] * x[word_of_input(row.x + i, k)];
        }
        let g_i = {{ weighted_slope("g[runs[row.run].residual + row.sample + i]", "z") }};
        if g_i != 0.0 {
            for (var k = 0u; k < {{ d }}u; k += 1u) {
                velocities[word_of(j, k)] += now.force_w * a * g_i * x[word_of_input(row.x + i, k)];
            }
            velocities[word_of(j, {{ d }}u)] += now.force_a * g_i * z;
        }
    }
}
