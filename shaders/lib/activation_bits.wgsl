// The activation bits σ'(z_ij) ∈ {0, 1} that predict leaves to velocity: 32 samples of a particle in a word,
// words of four particles in a vector. Macros.
// Needs: to keep them common.wgsl, rows.wgsl (PredictRow), the bindings `runs` and `bits`, and inside
// predict_tiled z{s}_{q}, v{q}, `row`, `t`, `start`, `p`, `c`.
{%- from "lib/activation.wgsl" import is_on %}
{%- macro word_at() %}
// Where the activation bits of the v-th four particles for the word-th 32 of their samples lie.
fn word_at(first: u32, words: u32, v: u32, word: u32) -> u32 {
    return first / 4u + (v / {{ lanes // 4 }}u * words + word) * {{ lanes // 4 }}u + v % {{ lanes // 4 }}u;
}
{%- endmacro %}

{%- macro keep(tile) %}
// Keeps the activation bits of the v-th four particles for the word-th 32 samples.
fn keep(row: PredictRow, v: u32, word: u32, mark: vec4<u32>) {
    let words = (runs[row.run].n + 31u) / 32u;
    if v < (row.count + 3u) / 4u && word < words {
        bits[word_at(row.bits, words, v, word)] = mark;
    }
}
{%- if tile.down > 1 %}
var<workgroup> marks: array<atomic<u32>, {{ tile.particles * tile.columns // 32 }}>;
{%- endif %}
{%- endmacro %}

{#- Keeps 1[z > 0] of a block. #}
{%- macro keep_block(tile) %}
{%- if tile.down > 1 %}
        // Threads side by side make a word together.
        workgroupBarrier();
        for (var e = t; e < {{ tile.particles * tile.columns // 32 }}u; e += {{ tile.threads }}u) {
            atomicStore(&marks[e], 0u);
        }
        workgroupBarrier();
{%- endif %}
{%- for word in range(tile.columns // 32) %}
{%- for q in range(tile.fours) %}
        var mark{{ word }}_{{ q }} = vec4<u32>(0u);
{%- for s in range(tile.columns_held) if s * tile.down // 32 == word %}
        mark{{ word }}_{{ q }} |= select(vec4<u32>(0u), vec4<u32>(1u << (c + {{ s * tile.down % 32 }}u)), {{ is_on("z" ~ s ~ "_" ~ q, "V(0.0)") }});
{%- endfor %}
{%- if tile.down > 1 %}
{%- for e in range(4) %}
        atomicOr(&marks[({{ word * tile.particles // 4 + q * tile.across }}u + p) * 4u + {{ e }}u], mark{{ word }}_{{ q }}.{{ axes[e] }});
{%- endfor %}
{%- endif %}
{%- endfor %}
{%- endfor %}
{%- if tile.down > 1 %}
        workgroupBarrier();
        for (var e = t; e < {{ tile.particles * tile.columns // 128 }}u; e += {{ tile.threads }}u) {
            let mark = vec4<u32>(
{%- for e in range(4) %}atomicLoad(&marks[4u * e + {{ e }}u]){% if e < 3 %}, {% endif %}{% endfor %});
            keep(row, start + e % {{ tile.particles // 4 }}u, row.sample / 32u + e / {{ tile.particles // 4 }}u, mark);
        }
{%- else %}
{%- for word in range(tile.columns // 32) %}{% for q in range(tile.fours) %}
        keep(row, v{{ q }}, row.sample / 32u + {{ word }}u, mark{{ word }}_{{ q }});
{%- endfor %}{% endfor %}
{%- endif %}
{%- endmacro %}
