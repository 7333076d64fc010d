// velocity: G_j = Σ_i g_i 1[w_j·x_i > 0] x_i, ȧ_j = force w_j·G_j − λ a_j, ẇ_j = force a_j G_j − λ w_j.
// velocity_update also takes the step. A thread holds {{ vectors }} vector(s) of {{ width }} particles in
// registers and streams the samples. d = {{ d }}
{%- if pulls == "leave" %}
// This one streams some of the samples and leaves G of them to the next.
{%- elif pulls == "take" %}
// This one has G from those who streamed the samples.
{%- endif %}
{%- if lockstep > 1 %}
// Each lane of a subgroup reads one sample of {{ lockstep }} and lends it to the others.
{%- elif stage > 0 %}
// All threads bring {{ stage }} samples at a time to workgroup memory and read them there.
{%- endif %}
{% include "common.wgsl" %}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<Run>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<State>;
@group(0) @binding({{ slot.residual }}) var<storage, read> g: array<f32>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<Row>;
@group(1) @binding({{ slot.pulls }}) var<storage, read_write> pulls: array<V>;
{%- if pulls == "leave" %}
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<S>;
{%- elif update %}
@group(1) @binding({{ slot.particles }}) var<storage, read_write> particles: array<S>;
{%- else %}
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<S>;
@group(1) @binding({{ slot.velocity }}) var<storage, read_write> velocities: array<V>;
{%- endif %}

{% if width == 1 %}
alias V = f32;
alias S = {{ stored }};
{% else %}
alias V = vec{{ width }}<f32>;
alias S = vec{{ width }}<{{ stored }}>;
{% endif %}
{% set per_block = lanes // width %}
{% set sums_down = vectors %}
{% set sums_across = d %}
{% include "planes.wgsl" %}
{% include "inputs.wgsl" %}
{% include "stored.wgsl" %}
{%- if update and pulls != "leave" %}
{% include "store.wgsl" %}
{%- endif %}
{%- if stage > 0 %}
var<workgroup> stage_x: array<vec4<f32>, {{ stage * row_vectors }}>;
var<workgroup> stage_g: array<f32, {{ stage }}>;
{%- endif %}

{%- macro lent(name, s) -%}
{% if lockstep > 1 %}subgroupBroadcast({{ name }}, {{ s }}u){% else %}{{ name }}{% endif %}
{%- endmacro %}

{% include "row.wgsl" %}
{%- if update or pulls != "leave" %}
    let now = state[row.run];
{%- endif %}
    let held = (row.count + {{ width - 1 }}u) / {{ width }}u;
{%- if update %}
    if now.moves == 0u {
        return;
    }
{%- endif %}
{%- if lockstep == 1 and stage == 0 %}
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
{%- if pulls == "take" %}
{% include "pulled.wgsl" %}
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
{% include "pull.wgsl" %}
        }
    }
{%- else %}
    for (var i = start; i < stop; i += {{ lockstep }}u) {
{%- if lockstep > 1 %}
        // Lanes beyond the end lend a sample of weight 0.
        let own = min(i + lane, end - 1u);
        let g_own = select(0.0, g[residual + own], i + lane < stop);
{%- else %}
        let own = i;
        let g_own = g[residual + i];
{%- endif %}
{%- for c in range(row_vectors) %}
        let x{{ c }} = input((origin + own) * {{ row_vectors }}u + {{ c }}u);
{%- endfor %}
{% include "pull.wgsl" %}
    }
{%- endif %}
{%- if blocked %}
{%- for v in range(vectors) %}{% for k in range(d) %}
    sum{{ v }}_{{ k }} += G{{ v }}_{{ k }};
{%- endfor %}{% endfor %}
    }
{%- endif %}
{%- endif %}
{%- if pulls == "leave" %}
{% include "pulls.wgsl" %}
{%- else %}
{% include "update.wgsl" %}
{%- endif %}
}
