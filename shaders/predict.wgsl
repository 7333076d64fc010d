// predict: sums over a tile of particles of a_j σ(w_j·x_i), and the tile's moments Σa², Σ|w|²,
// Σ|a||w|. A thread holds {{ samples }} samples in registers and streams particles; where samples are
// few, several threads (slices) share them and split the particles. d = {{ d }}
{%- if lockstep > 1 %}
// Each lane of a subgroup reads one particle of {{ lockstep }} and lends it to the others.
{%- elif staged %}
// All threads of a workgroup bring a block of particles to workgroup memory and read it there.
{%- else %}
// All threads of a slice read the same particles, four by four.
{%- endif %}
{% include "common.wgsl" %}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<Run>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<State>;
@group(0) @binding({{ slot.schedule }}) var<storage, read> schedule: array<u32>;
@group(0) @binding({{ slot.sums }}) var<storage, read_write> sums: array<f32>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<Row>;
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<S>;

{% if lockstep > 1 %}
alias V = f32;
alias S = {{ stored }};
{% else %}
alias V = vec4<f32>;
alias S = vec4<{{ stored }}>;
{% endif %}

{% include "idle.wgsl" %}
{% include "leave.wgsl" %}

{% set width = 1 if lockstep > 1 else 4 %}
{% set fetched = lockstep if lockstep > 1 else 4 %}
{% set per_block = lanes // width %}
var<workgroup> scratch: array<f32, {{ threads * [samples, 3] | max }}>;

{%- if staged %}
var<workgroup> stage: array<V, {{ per_block * (d + 1) }}>;

fn staged(at: u32) -> V {
    return stage[at];
}
{%- endif %}

{% include "planes.wgsl" %}
{% include "inputs.wgsl" %}
{% include "stored.wgsl" %}

{%- macro particle(name, p) -%}
{% if lockstep > 1 %}subgroupBroadcast({{ name }}, {{ p }}u){% else %}{{ name }}.{{ axes[p] }}{% endif %}
{%- endmacro %}
{%- macro folded(name) -%}
{% if width == 1 %}{{ name }}{% else %}({{ name }}.x + {{ name }}.y) + ({{ name }}.z + {{ name }}.w){% endif %}
{%- endmacro %}

{% include "row.wgsl" %}
    if is_idle(row.run) {
        return;
    }
    let columns = {{ threads }}u / row.slices;
    let column = t % columns;
    let slice = t / columns;
    let last = max(row.samples, 1u) - 1u;
{% for s in range(samples) %}
    let i{{ s }} = (row.x + min(column + {{ s }}u * columns, last)) * {{ row_vectors }}u;
{%- for c in range(row_vectors) %}
    let x{{ s }}_{{ c }} = input(i{{ s }} + {{ c }}u);
{%- endfor %}
    var f{{ s }} = 0.0;
    var part{{ s }}: f32;
    var z{{ s }}: f32;
{%- endfor %}
{%- if staged %}
    // Blocks pass through workgroup memory; the particles of a block are one part of the sum.
    let blocks = (row.count + {{ lanes - 1 }}u) / {{ lanes }}u;
    for (var block = 0u; block < blocks && row.samples > 0u; block += 1u) {
        workgroupBarrier();
        let origin = planes(row.first, block * {{ per_block }}u);
        for (var e = t; e < {{ per_block * (d + 1) }}u; e += {{ threads }}u) {
            stage[e] = particle(origin + e);
        }
        workgroupBarrier();
{%- for s in range(samples) %}
        part{{ s }} = 0.0;
{%- endfor %}
        for (var at = slice; at < {{ per_block }}u; at += row.slices) {
{%- set source = "staged" %}
{% include "take.wgsl" %}
        }
{%- for s in range(samples) %}
        f{{ s }} += part{{ s }};
{%- endfor %}
    }
{%- else %}
    let fetches = (row.count + {{ fetched - 1 }}u) / {{ fetched }}u;
    // Blocked summation: parts of a few particles, then their sum.
    let reach = row.slices * {{ chunk }}u;
    for (var start = slice; start < fetches && row.samples > 0u; start += reach) {
        let stop = min(start + reach, fetches);
{%- for s in range(samples) %}
        part{{ s }} = 0.0;
{%- endfor %}
        for (var v = start; v < stop; v += row.slices) {
            let at = planes(row.first, {% if lockstep > 1 %}v * {{ lockstep }}u + lane{% else %}v{% endif %});
{%- set source = "particle" %}
{% include "take.wgsl" %}
        }
{%- for s in range(samples) %}
        f{{ s }} += part{{ s }};
{%- endfor %}
    }
{%- endif %}
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
            leave(row, row.out + column + {{ s }}u * columns, f{{ s }});
        }
{%- endfor %}
    }
{% include "predict_moments.wgsl" %}
}
