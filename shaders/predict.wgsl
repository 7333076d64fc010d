// predict: sums over a tile of particles of a_j σ(w_j·x_i), and the tile's moments Σa², Σ|w|²,
// Σ|a||w|. A thread holds {{ samples }} samples in registers and streams particles; where samples are
// few, several threads (slices) share them and split the particles. d = {{ d }}
{%- if lockstep > 1 %}
// Each lane of a subgroup reads one particle of {{ lockstep }} and lends it to the others.
{%- else %}
// All threads of a slice read the same particles, four by four.
{%- endif %}
{% include "common.wgsl" %}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<Run>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<State>;
@group(0) @binding({{ slot.schedule }}) var<storage, read> schedule: array<u32>;
@group(0) @binding({{ slot.x }}) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding({{ slot.sums }}) var<storage, read_write> sums: array<f32>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<Row>;
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<V>;

{% if lockstep > 1 %}alias V = f32;{% else %}alias V = vec4<f32>;{% endif %}

{% include "idle.wgsl" %}

{% set width = 1 if lockstep > 1 else 4 %}
{% set fetched = lockstep if lockstep > 1 else 4 %}
{% set per_block = lanes // width %}
var<workgroup> scratch: array<f32, {{ threads * [samples, 3] | max }}>;

// Where the planes of the v-th vector of particles begin.
fn planes(first: u32, v: u32) -> u32 {
    return (first / {{ lanes }}u + v / {{ per_block }}u) * {{ per_block * (d + 1) }}u + v % {{ per_block }}u;
}

{%- macro particle(name, p) -%}
{% if lockstep > 1 %}subgroupBroadcast({{ name }}, {{ p }}u){% else %}{{ name }}.{{ axes[p] }}{% endif %}
{%- endmacro %}
{%- macro folded(name) -%}
{% if width == 1 %}{{ name }}{% else %}({{ name }}.x + {{ name }}.y) + ({{ name }}.z + {{ name }}.w){% endif %}
{%- endmacro %}

@compute @workgroup_size({{ threads }})
fn predict(
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
    if is_idle(row.run) {
        return;
    }
    let fetches = (row.count + {{ fetched - 1 }}u) / {{ fetched }}u;
    let columns = {{ threads }}u / row.slices;
    let column = t % columns;
    let slice = t / columns;
    let last = max(row.samples, 1u) - 1u;
    let sample = runs[row.run].sample + row.sample;
{% for s in range(samples) %}
    let i{{ s }} = (sample + min(column + {{ s }}u * columns, last)) * {{ row_vectors }}u;
{%- for c in range(row_vectors) %}
    let x{{ s }}_{{ c }} = x[i{{ s }} + {{ c }}u];
{%- endfor %}
    var f{{ s }} = 0.0;
    var part{{ s }}: f32;
    var z{{ s }}: f32;
{%- endfor %}
    // Blocked summation: parts of a few particles, then their sum.
    let reach = row.slices * {{ chunk }}u;
    for (var start = slice; start < fetches && row.samples > 0u; start += reach) {
        let stop = min(start + reach, fetches);
{%- for s in range(samples) %}
        part{{ s }} = 0.0;
{%- endfor %}
        for (var v = start; v < stop; v += row.slices) {
            let at = planes(row.first, {% if lockstep > 1 %}v * {{ lockstep }}u + lane{% else %}v{% endif %});
{%- for k in range(d + 1) %}
            let w{{ k }} = particles[at + {{ k * per_block }}u];
{%- endfor %}
{%- for p in range(fetched) %}
{%- for k in range(d) %}
            let w{{ k }}_{{ p }} = {{ particle("w" ~ k, p) }};
{%- for s in range(samples) %}
{%- set xk = "x" ~ s ~ "_" ~ (k // 4) ~ "." ~ axes[k % 4] %}
            z{{ s }} = {% if k == 0 %}w0_{{ p }} * {{ xk }}{% else %}fma(w{{ k }}_{{ p }}, {{ xk }}, z{{ s }}){% endif %};
{%- endfor %}
{%- endfor %}
            let a_{{ p }} = {{ particle("w" ~ d, p) }};
{%- for s in range(samples) %}
            part{{ s }} = fma(a_{{ p }}, max(z{{ s }}, 0.0), part{{ s }});
{%- endfor %}
{%- endfor %}
        }
{%- for s in range(samples) %}
        f{{ s }} += part{{ s }};
{%- endfor %}
    }
    if row.slices > 1u {
{%- for s in range(samples) %}
        scratch[{{ s }}u * {{ threads }}u + t] = f{{ s }};
{%- endfor %}
        workgroupBarrier();
        if slice == 0u {
            for (var other = t + columns; other < {{ threads }}u; other += columns) {
{%- for s in range(samples) %}
                f{{ s }} += scratch[{{ s }}u * {{ threads }}u + other];
{%- endfor %}
            }
        }
        workgroupBarrier();
    }
    if slice == 0u {
{%- for s in range(samples) %}
        if column + {{ s }}u * columns < row.samples {
            sums[row.out + column + {{ s }}u * columns] = f{{ s }};
        }
{%- endfor %}
    }
    if row.moments == NONE {
        return;
    }
    var m0 = V(0.0);
    var m1 = V(0.0);
    var m2 = V(0.0);
    for (var v = t; v < (row.count + {{ width - 1 }}u) / {{ width }}u; v += {{ threads }}u) {
        let at = planes(row.first, v);
        var square = V(0.0);
{%- for k in range(d) %}
        let w{{ k }} = particles[at + {{ k * per_block }}u];
        square = fma(w{{ k }}, w{{ k }}, square);
{%- endfor %}
        let a = particles[at + {{ d * per_block }}u];
        m0 = fma(a, a, m0);
        m1 += square;
        m2 = fma(abs(a), sqrt(square), m2);
    }
{%- for q in range(3) %}
    scratch[{{ q * threads }}u + t] = {{ folded("m" ~ q) }};
{%- endfor %}
    workgroupBarrier();
    if t < 3u {
        var total = 0.0;
        for (var other = 0u; other < {{ threads }}u; other += 1u) {
            total += scratch[t * {{ threads }}u + other];
        }
        sums[row.moments + t] = total;
    }
}
