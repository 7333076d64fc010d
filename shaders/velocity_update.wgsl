// velocity: G_j = Σ_i g_i 1[w_j·x_i > 0] x_i, ȧ_j = force w_j·G_j − λ a_j, ẇ_j = force a_j G_j − λ w_j.
// velocity_update also takes the step. A thread holds {{ vectors }} vector(s) of {{ width }} particles in
// registers and streams the samples. d = {{ d }}
{%- if lockstep > 1 %}
// Each lane of a subgroup reads one sample of {{ lockstep }} and lends it to the others.
{%- endif %}
{% include "common.wgsl" %}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<Run>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<State>;
@group(0) @binding({{ slot.x }}) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding({{ slot.residual }}) var<storage, read> g: array<f32>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<Row>;
{%- if update %}
@group(1) @binding({{ slot.particles }}) var<storage, read_write> particles: array<V>;
{%- else %}
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<V>;
@group(1) @binding({{ slot.velocity }}) var<storage, read_write> velocities: array<V>;
{%- endif %}

{% if width == 1 %}alias V = f32;{% else %}alias V = vec{{ width }}<f32>;{% endif %}
{% set per_block = lanes // width %}
// Where the planes of the v-th vector of particles begin.
fn planes(first: u32, v: u32) -> u32 {
    return (first / {{ lanes }}u + v / {{ per_block }}u) * {{ per_block * (d + 1) }}u + v % {{ per_block }}u;
}

{%- macro lent(name, s) -%}
{% if lockstep > 1 %}subgroupBroadcast({{ name }}, {{ s }}u){% else %}{{ name }}{% endif %}
{%- endmacro %}

@compute @workgroup_size({{ threads }})
fn {{ entry }}(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
{%- if lockstep > 1 %}
    @builtin(subgroup_invocation_id) lane: u32,
{%- endif %}
) {
    let index = workgroup_index(id, workgroups);
    if index >= arrayLength(&rows) {
        return;
    }
    let row = rows[index];
    let now = state[row.run];
    let held = (row.count + {{ width - 1 }}u) / {{ width }}u;
{%- if update %}
    if now.moves == 0u {
        return;
    }
{%- endif %}
{%- if lockstep == 1 %}
    if t >= held {
        return;
    }
{%- endif %}
{%- for v in range(vectors) %}
    // A vector beyond the row repeats the last and is not written.
    let at{{ v }} = planes(row.first, min(t + {{ v * threads }}u, held - 1u));
{%- for k in range(d) %}
    let w{{ v }}_{{ k }} = particles[at{{ v }} + {{ k * per_block }}u];
    var G{{ v }}_{{ k }} = V(0.0);
{%- if blocked %}
    var sum{{ v }}_{{ k }} = V(0.0);
{%- endif %}
{%- endfor %}
    let a{{ v }} = particles[at{{ v }} + {{ d * per_block }}u];
    var z{{ v }}: V;
    var m{{ v }}: V;
{%- endfor %}
    let n = runs[row.run].n;
    let sample = runs[row.run].sample;
    let residual = runs[row.run].residual;
{%- if blocked %}
    // Blocked summation: parts of {{ chunk }} samples, then their sum.
    for (var start = 0u; start < n; start += {{ chunk }}u) {
    let stop = min(start + {{ chunk }}u, n);
{%- for v in range(vectors) %}{% for k in range(d) %}
    G{{ v }}_{{ k }} = V(0.0);
{%- endfor %}{% endfor %}
{%- else %}
    let start = 0u;
    let stop = n;
{%- endif %}
    for (var i = start; i < stop; i += {{ lockstep }}u) {
{%- if lockstep > 1 %}
        // Lanes beyond the end lend a sample of weight 0.
        let own = min(i + lane, n - 1u);
        let g_own = select(0.0, g[residual + own], i + lane < stop);
{%- else %}
        let own = i;
        let g_own = g[residual + i];
{%- endif %}
{%- for c in range(row_vectors) %}
        let x{{ c }} = x[(sample + own) * {{ row_vectors }}u + {{ c }}u];
{%- endfor %}
{%- for s in range(lockstep) %}
        let g_{{ s }} = {{ lent("g_own", s) }};
{%- for k in range(d) %}
        let x_{{ k }}_{{ s }} = {{ lent("x" ~ (k // 4) ~ "." ~ axes[k % 4], s) }};
{%- for v in range(vectors) %}
        z{{ v }} = {% if k == 0 %}w{{ v }}_0 * x_0_{{ s }}{% else %}fma(w{{ v }}_{{ k }}, V(x_{{ k }}_{{ s }}), z{{ v }}){% endif %};
{%- endfor %}
{%- endfor %}
{%- for v in range(vectors) %}
        // σ'(0) = 0
        m{{ v }} = select(V(0.0), V(g_{{ s }}), z{{ v }} > V(0.0));
{%- for k in range(d) %}
        G{{ v }}_{{ k }} = fma(m{{ v }}, V(x_{{ k }}_{{ s }}), G{{ v }}_{{ k }});
{%- endfor %}
{%- endfor %}
{%- endfor %}
    }
{%- if blocked %}
{%- for v in range(vectors) %}{% for k in range(d) %}
    sum{{ v }}_{{ k }} += G{{ v }}_{{ k }};
{%- endfor %}{% endfor %}
    }
{%- endif %}
{%- set G = "sum" if blocked else "G" %}
{%- for v in range(vectors) %}
    if t + {{ v * threads }}u < held {
        var wG = w{{ v }}_0 * {{ G }}{{ v }}_0;
{%- for k in range(1, d) %}
        wG = fma(w{{ v }}_{{ k }}, {{ G }}{{ v }}_{{ k }}, wG);
{%- endfor %}
        let va = now.force_a * wG - now.decay_a * a{{ v }};
        let pull = now.force_w * a{{ v }};
{%- for k in range(d) %}
        let vw{{ k }} = pull * {{ G }}{{ v }}_{{ k }} - now.decay_w * w{{ v }}_{{ k }};
{%- endfor %}
{%- if update %}
{%- for k in range(d) %}
        particles[at{{ v }} + {{ k * per_block }}u] = now.shift_w * (w{{ v }}_{{ k }} + now.eta * vw{{ k }});
{%- endfor %}
        particles[at{{ v }} + {{ d * per_block }}u] = now.shift_a * (a{{ v }} + now.eta * va);
{%- else %}
{%- for k in range(d) %}
        velocities[at{{ v }} + {{ k * per_block }}u] = vw{{ k }};
{%- endfor %}
        velocities[at{{ v }} + {{ d * per_block }}u] = va;
{%- endif %}
    }
{%- endfor %}
}
