// velocity: G_j = Σ_i g_i 1[w_j·x_i > 0] x_i, ȧ_j = force w_j·G_j − λ a_j, ẇ_j = force a_j G_j − λ w_j.
// velocity_update also takes the step. A thread holds {{ vectors }} vector(s) of {{ width }} particles in
// registers and streams the samples. d = {{ d }}
{%- if sums == "leave" %}
// This one streams some of the samples and leaves G of them to the next.
{%- elif sums == "add" %}
// This one has G from those who streamed the samples.
{%- endif %}
{%- if subgroup_width > 1 %}
// Each lane of a subgroup reads one sample of {{ subgroup_width }} and broadcasts it to the others.
{%- elif stage > 0 %}
// All threads bring {{ stage }} samples at a time to workgroup memory and read them there.
{%- endif %}
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/storage.wgsl" import vectors as types, planes, read_particles, read_inputs, store_particles %}
{%- from "lib/gradient.wgsl" import accumulate_gradient, leave_gradient_sums, add_gradient_sums, velocity %}
{%- set per_block = lanes // width %}
{%- set G = "sum" if blocked else "G" %}
{%- from "lib/rows.wgsl" import update_row %}
{% include "lib/common.wgsl" %}
{{ update_row() }}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<StepState>;
@group(0) @binding({{ slot.residual }}) var<storage, read> g: array<f32>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<UpdateRow>;
@group(1) @binding({{ slot.gradient_sums }}) var<storage, read_write> gradient_sums: array<V>;
{%- if sums == "leave" %}
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<S>;
{%- elif update %}
@group(1) @binding({{ slot.particles }}) var<storage, read_write> particles: array<S>;
{%- else %}
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<S>;
@group(1) @binding({{ slot.velocity }}) var<storage, read_write> velocities: array<V>;
{%- endif %}

{{ types(width) }}
{{ planes(width) }}
{{ read_inputs() }}
{{ read_particles() }}
{%- if update and sums != "leave" %}
{{ store_particles(width) }}
{%- endif %}
{%- if stage > 0 %}
var<workgroup> stage_x: array<vec4<f32>, {{ stage * row_vectors }}>;
var<workgroup> stage_g: array<f32, {{ stage }}>;
{%- endif %}

@compute @workgroup_size({{ threads }})
fn {{ entry }}({{ builtins(lane=subgroup_width > 1) }}) {
{{ own_row() }}
{%- if update or sums != "leave" %}
    let now = state[row.run];
{%- endif %}
    let held = (row.count + {{ width - 1 }}u) / {{ width }}u;
{%- if update %}
    if now.moves == 0u {
        return;
    }
{%- endif %}
{%- if subgroup_width == 1 and stage == 0 %}
    if t >= held {
        return;
    }
{%- endif %}
{%- for v in range(vectors) %}
    // A vector beyond the row repeats the last and is not written.
    let at{{ v }} = planes(row.first, min(t + {{ v * threads }}u, held - 1u));
{%- for k in range(d) %}
    let w{{ v }}_{{ k }} = particle(at{{ v }} + {{ k * per_block }}u);
    var G{{ v }}_{{ k }} = V(0.0);
{%- if blocked %}
    var sum{{ v }}_{{ k }} = V(0.0);
{%- endif %}
{%- endfor %}
    let a{{ v }} = particle(at{{ v }} + {{ d * per_block }}u);
    var z{{ v }}: V;
    var m{{ v }}: V;
{%- endfor %}
{%- if sums == "add" %}
{{- add_gradient_sums(vectors, d, width, threads) }}
{%- else %}
    // Sample i of the run lies in row origin + i of X, modulo 2³².
    let origin = row.x - row.sample;
    let residual = runs[row.run].residual;
    let end = row.sample + row.samples;
{%- if blocked %}
    // Blocked summation: parts of {{ chunk }} samples, then their sum.
    for (var start = row.sample; start < end; start += {{ chunk }}u) {
    let stop = min(start + {{ chunk }}u, end);
{%- for v in range(vectors) %}{% for k in range(d) %}
    G{{ v }}_{{ k }} = V(0.0);
{%- endfor %}{% endfor %}
{%- else %}
    let start = row.sample;
    let stop = end;
{%- endif %}
{%- if stage > 0 %}
    for (var base = start; base < stop; base += {{ stage }}u) {
        workgroupBarrier();
        for (var e = t; e < {{ stage * row_vectors }}u; e += {{ threads }}u) {
            let i = min(base + e / {{ row_vectors }}u, end - 1u);
            stage_x[e] = input((origin + i) * {{ row_vectors }}u + e % {{ row_vectors }}u);
        }
        // Places beyond the end hold a sample of weight 0.
        for (var e = t; e < {{ stage }}u; e += {{ threads }}u) {
            stage_g[e] = select(0.0, g[residual + min(base + e, end - 1u)], base + e < stop);
        }
        workgroupBarrier();
        for (var s = 0u; s < {{ stage }}u; s += 1u) {
            let g_own = stage_g[s];
{%- for c in range(row_vectors) %}
            let x{{ c }} = stage_x[s * {{ row_vectors }}u + {{ c }}u];
{%- endfor %}
{{- accumulate_gradient(vectors, subgroup_width) }}
        }
    }
{%- else %}
    for (var i = start; i < stop; i += {{ subgroup_width }}u) {
{%- if subgroup_width > 1 %}
        // Lanes beyond the end broadcast a sample of weight 0.
        let own = min(i + lane, end - 1u);
        let g_own = select(0.0, g[residual + own], i + lane < stop);
{%- else %}
        let own = i;
        let g_own = g[residual + i];
{%- endif %}
{%- for c in range(row_vectors) %}
        let x{{ c }} = input((origin + own) * {{ row_vectors }}u + {{ c }}u);
{%- endfor %}
{{- accumulate_gradient(vectors, subgroup_width) }}
    }
{%- endif %}
{%- if blocked %}
{%- for v in range(vectors) %}{% for k in range(d) %}
    sum{{ v }}_{{ k }} += G{{ v }}_{{ k }};
{%- endfor %}{% endfor %}
    }
{%- endif %}
{%- endif %}
{%- if sums == "leave" %}
{{- leave_gradient_sums(G, vectors, d, width, threads) }}
{%- else %}
    // The velocities of the particles that the thread holds, and the step that they take.
{%- for v in range(vectors) %}
    if t + {{ v * threads }}u < held {
{{- velocity(v, G, update) }}
{%- if update %}
{%- for k in range(d + 1) %}
        store(at{{ v }} + {{ k * per_block }}u, next{{ k }}, now.step);
{%- endfor %}
{%- else %}
{%- for k in range(d) %}
        velocities[at{{ v }} + {{ k * per_block }}u] = vw{{ k }};
{%- endfor %}
        velocities[at{{ v }} + {{ d * per_block }}u] = va;
{%- endif %}
    }
{%- endfor %}
{%- endif %}
}
