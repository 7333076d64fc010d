{#- Writes 1[z > 0] of a block, inside predict_tiled. #}
{%- if down > 1 %}
        // Threads side by side make a word together.
        workgroupBarrier();
        for (var e = t; e < {{ particles * columns // 32 }}u; e += {{ threads }}u) {
            atomicStore(&marks[e], 0u);
        }
        workgroupBarrier();
{%- endif %}
{%- for word in range(columns // 32) %}
{%- for q in range(fours) %}
        var mark{{ word }}_{{ q }} = vec4<u32>(0u);
{%- for s in range(columns_held) if s * down // 32 == word %}
        mark{{ word }}_{{ q }} |= select(vec4<u32>(0u), vec4<u32>(1u << (c + {{ s * down % 32 }}u)), z{{ s }}_{{ q }} > V(0.0));
{%- endfor %}
{%- if down > 1 %}
{%- for e in range(4) %}
        atomicOr(&marks[({{ word * particles // 4 + q * across }}u + p) * 4u + {{ e }}u], mark{{ word }}_{{ q }}.{{ axes[e] }});
{%- endfor %}
{%- endif %}
{%- endfor %}
{%- endfor %}
{%- if down > 1 %}
        workgroupBarrier();
        for (var e = t; e < {{ particles * columns // 128 }}u; e += {{ threads }}u) {
            let mark = vec4<u32>(
{%- for e in range(4) %}atomicLoad(&marks[4u * e + {{ e }}u]){% if e < 3 %}, {% endif %}{% endfor %});
            keep(row, start + e % {{ particles // 4 }}u, row.sample / 32u + e / {{ particles // 4 }}u, mark);
        }
{%- else %}
{%- for word in range(columns // 32) %}{% for q in range(fours) %}
        keep(row, v{{ q }}, row.sample / 32u + {{ word }}u, mark{{ word }}_{{ q }});
{%- endfor %}{% endfor %}
{%- endif %}
