// predict: sums over a tile of particles of a_j σ(w_j·x_i), and the tile's moments Σa², Σ|w|²,
// Σ|a||w|. A thread holds {{ samples }} samples in registers and streams particles; where samples are
// few, several threads (slices) share them and split the particles. d = {{ d }}
{%- if subgroup_width > 1 %}
// Each lane of a subgroup reads one particle of {{ subgroup_width }} and broadcasts it to the others.
{%- elif staged %}
// All threads of a workgroup bring a block of particles to workgroup memory and read it there.
{%- else %}
// All threads of a slice read the same particles, four by four.
{%- endif %}
{%- from "lib/workgroup.wgsl" import builtins, own_row, broadcast %}
{%- from "lib/storage.wgsl" import vectors, planes, read_particles, read_inputs %}
{%- from "lib/activation.wgsl" import sigma %}
{%- from "lib/moments.wgsl" import moments_by_threads %}
{%- set width = 1 if subgroup_width > 1 else 4 %}
{%- set fetched = subgroup_width if subgroup_width > 1 else 4 %}
{%- set per_block = lanes // width %}
{%- from "lib/rows.wgsl" import predict_row %}
{% include "lib/common.wgsl" %}
{{ predict_row() }}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<StepState>;
@group(0) @binding({{ slot.schedule }}) var<storage, read> schedule: array<u32>;
@group(0) @binding({{ slot.sums }}) var<storage, read_write> sums: array<f32>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<PredictRow>;
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<S>;

{{ vectors(width) }}
{% include "lib/schedule.wgsl" %}
{% include "lib/partial_sums.wgsl" %}

var<workgroup> scratch: array<f32, {{ threads * [samples, 3] | max }}>;

{%- if staged %}
var<workgroup> stage: array<V, {{ per_block * (d + 1) }}>;

fn staged(at: u32) -> V {
    return stage[at];
}
{%- endif %}

{{ planes(width) }}
{{ read_inputs() }}
{{ read_particles() }}

{#- Particle p of a fetch. #}
{%- macro particle_of(name, p) -%}
{% if subgroup_width > 1 %}{{ broadcast(name, p, subgroup_width) }}{% else %}{{ name }}.{{ axes[p] }}{% endif %}
{%- endmacro %}

{#- One fetch of particles, which begins at `at`, added to part{s} for every sample s that the thread holds. #}
{%- macro accumulate_predictions(read) %}
{%- for k in range(d + 1) %}
            let w{{ k }} = {{ read }}(at + {{ k * per_block }}u);
{%- endfor %}
{%- for p in range(fetched) %}
{%- for k in range(d) %}
            let w{{ k }}_{{ p }} = {{ particle_of("w" ~ k, p) }};
{%- for s in range(samples) %}
{%- set xk = "x" ~ s ~ "_" ~ (k // 4) ~ "." ~ axes[k % 4] %}
            z{{ s }} = {% if k == 0 %}w0_{{ p }} * {{ xk }}{% else %}fma(w{{ k }}_{{ p }}, {{ xk }}, z{{ s }}){% endif %};
{%- endfor %}
{%- endfor %}
            let a_{{ p }} = {{ particle_of("w" ~ d, p) }};
{%- for s in range(samples) %}
            part{{ s }} = fma(a_{{ p }}, {{ sigma("z" ~ s) }}, part{{ s }});
{%- endfor %}
{%- endfor %}
{%- endmacro %}

@compute @workgroup_size({{ threads }})
fn {{ entry }}({{ builtins(lane=subgroup_width > 1) }}) {
{{ own_row() }}
    if is_skipped(row.run) {
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
{{- accumulate_predictions("staged") }}
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
            let at = planes(row.first, {% if subgroup_width > 1 %}v * {{ subgroup_width }}u + lane{% else %}v{% endif %});
{{- accumulate_predictions("particle") }}
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
            leave(row.adds, row.out + column + {{ s }}u * columns, f{{ s }});
        }
{%- endfor %}
    }
{{- moments_by_threads(threads, width) }}
}
