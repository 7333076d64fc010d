// measure_arcs: the largest magnitude of a run whose particles the host may have written.
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/storage.wgsl" import planes %}
{%- set per_block = lanes // 2 %}
{%- from "lib/rows.wgsl" import arc_row %}
{% include "lib/common.wgsl" %}
{{ arc_row() }}
{% include "lib/arcs/word_pairs.wgsl" %}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.magnitudes }}) var<storage, read_write> magnitudes: array<atomic<u32>>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<ArcRow>;
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<Pair>;

{{ planes(2) }}
{% include "lib/arcs/magnitude.wgsl" %}

@compute @workgroup_size({{ threads }})
fn {{ entry }}({{ builtins() }}) {
{{ own_row() }}
    var largest = 0u;
    for (var i = t; i < (row.count + 1u) / 2u; i += {{ threads }}u) {
        let at = planes(row.first, i);
{%- for k in range(3) %}
        let v{{ k }} = floats_of(particles[at + {{ k * per_block }}u]);
{%- endfor %}
        largest = max(largest, magnitude(v0, v1, v2));
    }
    raise(runs[row.run].arcs, t, largest);
}
