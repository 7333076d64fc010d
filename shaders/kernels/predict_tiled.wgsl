{%- if bits_only -%}
// The activation bits z_ij > 0 that predict leaves to velocity, made again for some particles.
{%- else -%}
// predict for large d: sums over a tile of particles of a_j σ(w_j·x_i), the tile's moments (in a
// workgroup of their own), and the activation bits z_ij > 0, 32 samples of a particle in a word.
{%- endif %}
// Z = W Xᵀ: the columns are samples. d = {{ d }}
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/storage.wgsl" import vectors as types, planes, read_particles, read_inputs %}
{%- from "lib/activation.wgsl" import sigma %}
{%- from "lib/moments.wgsl" import moments_by_groups %}
{%- from "lib/product.wgsl" import product %}
{%- from "lib/cooperative_product.wgsl" import memory, cooperative_product %}
{%- from "lib/activation_bits.wgsl" import word_at, keep, keep_block %}
{%- if tile.edge > 0 %}
enable wgpu_cooperative_matrix;
{%- endif %}
{%- from "lib/rows.wgsl" import predict_row %}
{% include "lib/common.wgsl" %}
{{ predict_row() }}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<StepState>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<PredictRow>;
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<S>;
@group(1) @binding({{ slot.bits }}) var<storage, read_write> bits: array<vec4<u32>>;

// A workgroup makes a block of {{ tile.particles }} particles times {{ tile.columns }} samples. Each of its
// {{ tile.threads }} threads holds {{ tile.held }} × {{ tile.columns_held }} sums in registers, the particles four by four.
{{ types(4) }}
{{ planes(4) }}
{{ word_at() }}
{{ read_inputs() }}
{{ read_particles() }}
{%- if not bits_only %}
@group(0) @binding({{ slot.schedule }}) var<storage, read> schedule: array<u32>;
@group(0) @binding({{ slot.sums }}) var<storage, read_write> sums: array<f32>;
{% include "lib/schedule.wgsl" %}
{% include "lib/partial_sums.wgsl" %}
var<workgroup> scratch: array<f32, {{ [tile.across * tile.columns, 3 * lanes // 4] | max }}>;
{{ moments_by_groups(tile.threads) }}
{%- endif %}

{{ keep(tile) }}
{%- if tile.edge > 0 %}
{{ memory(tile) }}
var<workgroup> go_on: u32;
{%- elif tile.staged %}
var<workgroup> w_slice: array<V, {{ tile.depth * tile.particles // 4 }}>;
// A sample's row is padded, so that the threads of a subgroup read from different banks.
var<workgroup> x_slice: array<V, {{ tile.columns * tile.pitch }}>;
{%- endif %}

@compute @workgroup_size({{ tile.threads }})
fn {{ entry }}({{ builtins(lane=tile.subgroup_width > 1, subgroup=tile.edge > 0) }}) {
{{ own_row(stay=tile.edge > 0) }}
{%- if not bits_only %}
    let skipped = is_skipped(row.run){% if tile.edge > 0 %} || is_left_over{% endif %};
    if !skipped && row.moments != NONE {
        moments(row, t);
    }
    let busy = !skipped && row.moments == NONE;
{%- elif update %}
    let busy = state[row.run].moves != 0u;
{%- else %}
    let busy = true;
{%- endif %}
{%- if tile.edge > 0 %}
    // That all threads go on has to be plain to see.
    if t == 0u {
        go_on = u32(busy);
    }
    workgroupBarrier();
    if go_on != 0u {
{%- else %}
    if busy {
{%- endif %}
    let p = t % {{ tile.across }}u;
    let c = t / {{ tile.across }}u;
    let vectors = (row.count + 3u) / 4u;
    let last = row.samples - 1u;
{%- if not tile.staged %}
{%- for i in range(tile.fetches) %}
    let i{{ i }} = (row.x + min(c + ({% if tile.subgroup_width > 1 %}lane + {% endif %}{{ i * tile.subgroup_width }}u) * {{ tile.down }}u, last)) * {{ row_vectors }}u;
{%- endfor %}
{%- endif %}
{%- for s in range(tile.columns_held) %}
{%- if not bits_only %}
    var f{{ s }} = 0.0;
{%- endif %}
{%- for q in range(tile.fours) %}
    var z{{ s }}_{{ q }}: V;
{%- endfor %}
{%- endfor %}
    // A few particles after another: at most {{ tile.particles }}.
    for (var start = 0u; start < vectors; start += {{ tile.particles // 4 }}u) {
{%- for q in range(tile.fours) %}
        let v{{ q }} = start + p + {{ q * tile.across }}u;
        let at{{ q }} = planes(row.first, min(v{{ q }}, vectors - 1u));
{%- for s in range(tile.columns_held) %}
        z{{ s }}_{{ q }} = V(0.0);
{%- endfor %}
{%- endfor %}
{%- if tile.edge > 0 %}
{{- cooperative_product(tile) }}
{%- else %}
{{- product(tile) }}
{%- endif %}
{%- if not bits_only %}
        // Particles beyond the tile weigh nothing.
{%- for q in range(tile.fours) %}
        let a{{ q }} = select(V(0.0), particle(at{{ q }} + {{ d * lanes // 4 }}u), v{{ q }} < vectors);
{%- endfor %}
{%- for s in range(tile.columns_held) %}
        let part{{ s }} = {% for q in range(tile.fours) -%}
            {% if q > 0 %} + {% endif %}a{{ q }} * {{ sigma("z" ~ s ~ "_" ~ q, "V(0.0)") }}{% endfor %};
        f{{ s }} += (part{{ s }}.x + part{{ s }}.y) + (part{{ s }}.z + part{{ s }}.w);
{%- endfor %}
        if row.bits == NONE {
            continue;
        }
{%- endif %}
{{- keep_block(tile) }}
    }
{%- if not bits_only %}
{%- for s in range(tile.columns_held) %}
    scratch[p * {{ tile.columns }}u + c + {{ s * tile.down }}u] = f{{ s }};
{%- endfor %}
    workgroupBarrier();
    for (var s = t; s < row.samples; s += {{ tile.threads }}u) {
        var total = 0.0;
        for (var other = 0u; other < {{ tile.across }}u; other += 1u) {
            total += scratch[other * {{ tile.columns }}u + s];
        }
        leave(row.adds, row.out + s, total);
    }
{%- endif %}
    }
}
