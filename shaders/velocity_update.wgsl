// velocity: G_j = Σ_i g_i 1[w_j·x_i > 0] x_i, ȧ_j = force w_j·G_j − λ a_j, ẇ_j = force a_j G_j − λ w_j.
// velocity_update also takes the step. A thread holds {{ vectors }} vector(s) of {{ width }} particles in
// registers and streams the samples. d = {{ d }}
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

@compute @workgroup_size({{ threads }})
fn {{ entry }}(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let index = workgroup_index(id, workgroups);
    if index >= arrayLength(&rows) {
        return;
    }
    let row = rows[index];
    let now = state[row.run];
    let held = (row.count + {{ width - 1 }}u) / {{ width }}u;
    if t >= held{% if update %} || now.moves == 0u{% endif %} {
        return;
    }
{%- for v in range(vectors) %}
    // A vector beyond the row repeats the thread's first and is not written.
    let at{{ v }} = planes(row.first, select(t, t + {{ v * threads }}u, t + {{ v * threads }}u < held));
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
    for (var i = start; i < stop; i += 1u) {
        let gi = V(g[residual + i]);
{%- for c in range(row_vectors) %}
        let x{{ c }} = x[(sample + i) * {{ row_vectors }}u + {{ c }}u];
{%- endfor %}
{%- for k in range(d) %}{% for v in range(vectors) %}
{%- set xk = "x" ~ (k // 4) ~ "." ~ axes[k % 4] %}
        z{{ v }} = {% if k == 0 %}w{{ v }}_0 * {{ xk }}{% else %}fma(w{{ v }}_{{ k }}, V({{ xk }}), z{{ v }}){% endif %};
{%- endfor %}{% endfor %}
{%- for v in range(vectors) %}
        // σ'(0) = 0
        m{{ v }} = select(V(0.0), gi, z{{ v }} > V(0.0));
{%- endfor %}
{%- for k in range(d) %}{% for v in range(vectors) %}
{%- set xk = "x" ~ (k // 4) ~ "." ~ axes[k % 4] %}
        G{{ v }}_{{ k }} = fma(m{{ v }}, V({{ xk }}), G{{ v }}_{{ k }});
{%- endfor %}{% endfor %}
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
