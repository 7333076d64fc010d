// G = (g 1[z > 0]) X of a block of particles and coordinates, over samples start..stop, inside
// velocity_update_tiled. A macro.
// Needs: storage.wgsl, activation_bits.wgsl (word_at); the bindings `g` and `bits`; `row`, `t`, `p`, `c`,
// `vectors`, `words`, `column`, `origin`, `residual`, `end`, v{q} and the sums G{k}_{q} of a thread (k coordinates,
// q vectors of particles); staged m_slice and x_slice in workgroup memory.
{%- from "lib/workgroup.wgsl" import broadcast %}

{%- macro gradient_product(tile) %}
{%- if tile.staged %}
    for (var i = start; i < stop; i += {{ tile.depth }}u) {
        workgroupBarrier();
        for (var e = t; e < {{ tile.depth * tile.particles // 4 }}u; e += {{ tile.threads }}u) {
            let s = i + e / {{ tile.particles // 4 }}u;
            let word = bits[word_at(row.bits, words, min(e % {{ tile.particles // 4 }}u, vectors - 1u), i / 32u)];
            let g_s = select(0.0, g[residual + min(s, end - 1u)], s < stop);
            m_slice[e] = select(V(0.0), V(g_s), (word & vec4<u32>(1u << (s % 32u))) != vec4<u32>(0u));
        }
        for (var e = t; e < {{ tile.depth * tile.columns // 4 }}u; e += {{ tile.threads }}u) {
            let row_of = (origin + min(i + e / {{ tile.columns // 4 }}u, end - 1u)) * {{ row_vectors }}u;
            x_slice[e] = input(row_of + min(column + e % {{ tile.columns // 4 }}u, {{ row_vectors - 1 }}u));
        }
        workgroupBarrier();
        for (var s = 0u; s < {{ tile.depth }}u; s += 1u) {
{%- for q in range(tile.fours) %}
            let m{{ q }} = m_slice[s * {{ tile.particles // 4 }}u + p + {{ q * tile.across }}u];
{%- endfor %}
{%- for j in range(tile.columns_held // 4) %}
            let x{{ j }} = x_slice[s * {{ tile.columns // 4 }}u + c + {{ j * tile.down }}u];
{%- for q in range(tile.fours) %}{% for e in range(4) %}
            G{{ 4 * j + e }}_{{ q }} = fma(m{{ q }}, V(x{{ j }}.{{ axes[e] }}), G{{ 4 * j + e }}_{{ q }});
{%- endfor %}{% endfor %}
{%- endfor %}
        }
    }
{%- else %}
{%- set width = tile.subgroup_width %}
{%- set fetches = (tile.columns_held // 4 + width - 1) // width %}
{%- for f in range(fetches) %}
    let c{{ f }} = min(column + c + ({% if width > 1 %}lane + {% endif %}{{ f * width }}u) * {{ tile.down }}u, {{ row_vectors - 1 }}u);
{%- endfor %}
    for (var block = start; block < stop; block += 32u) {
{%- for q in range(tile.fours) %}
        let word{{ q }} = bits[word_at(row.bits, words, v{{ q }}, block / 32u)];
{%- endfor %}
        for (var i = block; i < min(block + 32u, stop); i += {{ tile.depth }}u) {
{%- for s in range(tile.depth) %}
            let i{{ s }} = min(i + {{ s }}u, end - 1u);
            let g{{ s }} = select(0.0, g[residual + i{{ s }}], i + {{ s }}u < stop);
{%- for q in range(tile.fours) %}
            let m{{ s }}_{{ q }} = select(V(0.0), V(g{{ s }}), (word{{ q }} & vec4<u32>(1u << (i % 32u + {{ s }}u))) != vec4<u32>(0u));
{%- endfor %}
{%- for f in range(fetches) %}
            let own{{ s }}_{{ f }} = input((origin + i{{ s }}) * {{ row_vectors }}u + c{{ f }});
{%- endfor %}
{%- endfor %}
{%- for j in range(tile.columns_held // 4) %}
{%- for s in range(tile.depth) %}
            let x{{ s }}_{{ j }} = {{ broadcast("own" ~ s ~ "_" ~ (j // width), j % width, width) }};
{%- endfor %}
{%- for e in range(4) %}{% for q in range(tile.fours) %}{% for s in range(tile.depth) %}
            G{{ 4 * j + e }}_{{ q }} = fma(m{{ s }}_{{ q }}, V(x{{ s }}_{{ j }}.{{ axes[e] }}), G{{ 4 * j + e }}_{{ q }});
{%- endfor %}{% endfor %}{% endfor %}
{%- endfor %}
        }
    }
{%- endif %}
{%- endmacro %}
