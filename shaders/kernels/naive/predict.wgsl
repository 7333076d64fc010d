// predict, naive: Σ_j a_j σ(w_j·x_i) over the particles of a row, and their Σa², Σ|w|², Σ|a||w|.
// A thread has one sample. d = {{ d }}
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/storage.wgsl" import words %}
{%- from "lib/activation.wgsl" import sigma %}
{%- from "lib/rows.wgsl" import predict_row %}
{% include "lib/common.wgsl" %}
{{ predict_row() }}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<StepState>;
@group(0) @binding({{ slot.schedule }}) var<storage, read> schedule: array<u32>;
@group(0) @binding({{ slot.sums }}) var<storage, read_write> sums: array<f32>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<PredictRow>;
@group(1) @binding({{ slot.x }}) var<storage, read> x: array<f32>;
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<f32>;

{% include "lib/schedule.wgsl" %}
{% include "lib/partial_sums.wgsl" %}
{{ words() }}

@compute @workgroup_size({{ threads }})
fn {{ entry }}({{ builtins() }}) {
{{ own_row() }}
    // A row without samples still has its moments.
    if t >= max(row.samples, 1u) || is_skipped(row.run) {
        return;
    }
    var f = 0.0;
    var sum_a2 = 0.0;
    var sum_w2 = 0.0;
    var sum_aw = 0.0;
    for (var j = row.first; j < row.first + row.count; j += 1u) {
        let a = particles[word_of(j, {{ d }}u)];
        var z = 0.0;
        var w2 = 0.0;
        for (var k = 0u; k < {{ d }}u; k += 1u) {
            let w = particles[word_of(j, k)];
            z += w * x[word_of_input(row.x + t, k)];
            w2 += w * w;
        }
        f += a * {{ sigma("z") }};
        sum_a2 += a * a;
        sum_w2 += w2;
        sum_aw += abs(a) * sqrt(w2);
    }
    if t < row.samples {
        leave(row.adds, row.out + t, f);
    }
    if t == 0u && row.moments != NONE {
        leave(row.adds, row.moments, sum_a2);
        leave(row.adds, row.moments + 1u, sum_w2);
        leave(row.adds, row.moments + 2u, sum_aw);
    }
}
