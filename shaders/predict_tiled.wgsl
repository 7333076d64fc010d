{%- set fours = held // 4 %}
{%- set across = particles // held %}
{%- set down = columns // columns_held %}
{%- if bits_only -%}
// The activation bits z_ij > 0 that predict leaves to velocity, made again for some particles.
{%- else -%}
// predict for large d: sums over a tile of particles of a_j σ(w_j·x_i), the tile's moments (in a
// workgroup of their own), and the activation bits z_ij > 0, 32 samples of a particle in a word.
{%- endif %}
// Z = W Xᵀ: the columns are samples. d = {{ d }}
{% include "common.wgsl" %}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<Run>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<State>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<Row>;
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<S>;
@group(1) @binding({{ slot.bits }}) var<storage, read_write> bits: array<vec4<u32>>;

{% include "tiled.wgsl" %}
{% include "inputs.wgsl" %}
{% include "stored.wgsl" %}
{%- if not bits_only %}
@group(0) @binding({{ slot.schedule }}) var<storage, read> schedule: array<u32>;
@group(0) @binding({{ slot.sums }}) var<storage, read_write> sums: array<f32>;
{% include "idle.wgsl" %}
{% include "leave.wgsl" %}
var<workgroup> scratch: array<f32, {{ [across * columns, 3 * lanes // 4] | max }}>;
{% include "moments.wgsl" %}
{%- endif %}

// Keeps the activation bits of the v-th four particles for the word-th 32 samples.
fn keep(row: Row, v: u32, word: u32, mark: vec4<u32>) {
    let words = (runs[row.run].n + 31u) / 32u;
    if v < (row.count + 3u) / 4u && word < words {
        bits[word_at(row.bits, words, v, word)] = mark;
    }
}
{%- if edge > 0 %}
// W, (coordinates, particles), X, (samples, coordinates), of a slice, and Z, (samples, particles).
var<workgroup> w_slice: array<f16, {{ depth * particles }}>;
var<workgroup> x_slice: array<f16, {{ columns * depth }}>;
var<workgroup> z_block: array<f32, {{ particles * columns }}>;
var<workgroup> go_on: u32;

fn z_four(at: u32) -> V {
    return V(z_block[at], z_block[at + 1u], z_block[at + 2u], z_block[at + 3u]);
}
{%- elif staged %}
{%- set pitch = depth // 4 + 1 %}
var<workgroup> w_slice: array<V, {{ depth * particles // 4 }}>;
// A sample's row is padded, so that the threads of a subgroup read from different banks.
var<workgroup> x_slice: array<V, {{ columns * pitch }}>;
{%- endif %}
{%- if down > 1 %}
var<workgroup> marks: array<atomic<u32>, {{ particles * columns // 32 }}>;
{%- endif %}

{%- macro lent(name, s) -%}
{% if lockstep > 1 %}subgroupBroadcast({{ name }}, {{ s }}u){% else %}{{ name }}{% endif %}
{%- endmacro %}

{% include "row.wgsl" %}
{%- if not bits_only %}
    let idle = is_idle(row.run){% if edge > 0 %} || is_left_over{% endif %};
    if !idle && row.moments != NONE {
        moments(row, t);
    }
    let busy = !idle && row.moments == NONE;
{%- elif update %}
    let busy = state[row.run].moves != 0u;
{%- else %}
    let busy = true;
{%- endif %}
{%- if edge > 0 %}
    // That all threads go on has to be plain to see.
    if t == 0u {
        go_on = u32(busy);
    }
    workgroupBarrier();
    if go_on != 0u {
{%- else %}
    if busy {
{%- endif %}
    let p = t % {{ across }}u;
    let c = t / {{ across }}u;
    let vectors = (row.count + 3u) / 4u;
    let last = row.samples - 1u;
{%- if not staged %}
{%- set fetches = (columns_held + lockstep - 1) // lockstep %}
{%- for i in range(fetches) %}
    let i{{ i }} = (row.x + min(c + ({% if lockstep > 1 %}lane + {% endif %}{{ i * lockstep }}u) * {{ down }}u, last)) * {{ row_vectors }}u;
{%- endfor %}
{%- endif %}
{%- for s in range(columns_held) %}
{%- if not bits_only %}
    var f{{ s }} = 0.0;
{%- endif %}
{%- for q in range(fours) %}
    var z{{ s }}_{{ q }}: V;
{%- endfor %}
{%- endfor %}
    // A few particles after another: at most {{ particles }}.
    for (var start = 0u; start < vectors; start += {{ particles // 4 }}u) {
{%- for q in range(fours) %}
        let v{{ q }} = start + p + {{ q * across }}u;
        let at{{ q }} = planes(row.first, min(v{{ q }}, vectors - 1u));
{%- for s in range(columns_held) %}
        z{{ s }}_{{ q }} = V(0.0);
{%- endfor %}
{%- endfor %}
{%- if edge > 0 %}
{%- include "predict_matrix.wgsl" %}
{%- else %}
{%- include "predict_product.wgsl" %}
{%- endif %}
{%- if not bits_only %}
        // Particles beyond the tile weigh nothing.
{%- for q in range(fours) %}
        let a{{ q }} = select(V(0.0), particle(at{{ q }} + {{ d * lanes // 4 }}u), v{{ q }} < vectors);
{%- endfor %}
{%- for s in range(columns_held) %}
        let part{{ s }} = {% for q in range(fours) -%}
            {% if q > 0 %} + {% endif %}a{{ q }} * max(z{{ s }}_{{ q }}, V(0.0)){% endfor %};
        f{{ s }} += (part{{ s }}.x + part{{ s }}.y) + (part{{ s }}.z + part{{ s }}.w);
{%- endfor %}
        if row.bits == NONE {
            continue;
        }
{%- endif %}
{%- include "predict_bits.wgsl" %}
    }
{%- if not bits_only %}
{%- for s in range(columns_held) %}
    scratch[p * {{ columns }}u + c + {{ s * down }}u] = f{{ s }};
{%- endfor %}
    workgroupBarrier();
    for (var s = t; s < row.samples; s += {{ threads }}u) {
        var total = 0.0;
        for (var other = 0u; other < {{ across }}u; other += 1u) {
            total += scratch[other * {{ columns }}u + s];
        }
        leave(row, row.out + s, total);
    }
{%- endif %}
    }
}
