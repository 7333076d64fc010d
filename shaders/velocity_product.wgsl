{#- G += (g 1[z > 0]) X over the samples start..stop, inside velocity_update_tiled. #}
{%- macro lent(name, s) -%}
{% if lockstep > 1 %}subgroupBroadcast({{ name }}, {{ s }}u){% else %}{{ name }}{% endif %}
{%- endmacro %}
{%- if staged %}
    for (var i = start; i < stop; i += {{ depth }}u) {
        workgroupBarrier();
        for (var e = t; e < {{ depth * particles // 4 }}u; e += {{ threads }}u) {
            let s = i + e / {{ particles // 4 }}u;
            let word = bits[word_at(row.bits, words, min(e % {{ particles // 4 }}u, vectors - 1u), i / 32u)];
            let g_s = select(0.0, g[residual + min(s, end - 1u)], s < stop);
            m_slice[e] = select(V(0.0), V(g_s), (word & vec4<u32>(1u << (s % 32u))) != vec4<u32>(0u));
        }
        for (var e = t; e < {{ depth * columns // 4 }}u; e += {{ threads }}u) {
            let row_of = (origin + min(i + e / {{ columns // 4 }}u, end - 1u)) * {{ row_vectors }}u;
            x_slice[e] = input(row_of + min(column + e % {{ columns // 4 }}u, {{ row_vectors - 1 }}u));
        }
        workgroupBarrier();
        for (var s = 0u; s < {{ depth }}u; s += 1u) {
{%- for q in range(fours) %}
            let m{{ q }} = m_slice[s * {{ particles // 4 }}u + p + {{ q * across }}u];
{%- endfor %}
{%- for j in range(fours_held) %}
            let x{{ j }} = x_slice[s * {{ columns // 4 }}u + c + {{ j * down }}u];
{%- for q in range(fours) %}{% for e in range(4) %}
            G{{ 4 * j + e }}_{{ q }} = fma(m{{ q }}, V(x{{ j }}.{{ axes[e] }}), G{{ 4 * j + e }}_{{ q }});
{%- endfor %}{% endfor %}
{%- endfor %}
        }
    }
{%- else %}
{%- set fetches = (fours_held + lockstep - 1) // lockstep %}
{%- for f in range(fetches) %}
    let c{{ f }} = min(column + c + ({% if lockstep > 1 %}lane + {% endif %}{{ f * lockstep }}u) * {{ down }}u, {{ row_vectors - 1 }}u);
{%- endfor %}
    for (var block = start; block < stop; block += 32u) {
{%- for q in range(fours) %}
        let word{{ q }} = bits[word_at(row.bits, words, v{{ q }}, block / 32u)];
{%- endfor %}
        for (var i = block; i < min(block + 32u, stop); i += {{ depth }}u) {
{%- for s in range(depth) %}
            let i{{ s }} = min(i + {{ s }}u, end - 1u);
            let g{{ s }} = select(0.0, g[residual + i{{ s }}], i + {{ s }}u < stop);
{%- for q in range(fours) %}
            let m{{ s }}_{{ q }} = select(V(0.0), V(g{{ s }}), (word{{ q }} & vec4<u32>(1u << (i % 32u + {{ s }}u))) != vec4<u32>(0u));
{%- endfor %}
{%- for f in range(fetches) %}
            let own{{ s }}_{{ f }} = input((origin + i{{ s }}) * {{ row_vectors }}u + c{{ f }});
{%- endfor %}
{%- endfor %}
{%- for j in range(fours_held) %}
{%- for s in range(depth) %}
            let x{{ s }}_{{ j }} = {{ lent("own" ~ s ~ "_" ~ (j // lockstep), j % lockstep) }};
{%- endfor %}
{%- for e in range(4) %}{% for q in range(fours) %}{% for s in range(depth) %}
            G{{ 4 * j + e }}_{{ q }} = fma(m{{ s }}_{{ q }}, V(x{{ s }}_{{ j }}.{{ axes[e] }}), G{{ 4 * j + e }}_{{ q }});
{%- endfor %}{% endfor %}{% endfor %}
{%- endfor %}
        }
    }
{%- endif %}
