{#- z += W Xᵀ over all of d, inside predict_tiled. #}
{%- if staged %}
        for (var slice = 0u; slice < {{ row_vectors }}u; slice += {{ depth // 4 }}u) {
            workgroupBarrier();
            for (var e = t; e < {{ depth * particles // 4 }}u; e += {{ threads }}u) {
                let v = min(start + e % {{ particles // 4 }}u, vectors - 1u);
                // Beyond d the samples are 0.
                let k = min(4u * slice + e / {{ particles // 4 }}u, {{ d - 1 }}u);
                w_slice[e] = particle(planes(row.first, v) + k * {{ lanes // 4 }}u);
            }
            for (var e = t; e < {{ columns * depth // 4 }}u; e += {{ threads }}u) {
                let s = e / {{ depth // 4 }}u;
                let part = e % {{ depth // 4 }}u;
                x_slice[s * {{ pitch }}u + part] = input((row.x + min(s, last)) * {{ row_vectors }}u + slice + part);
            }
            workgroupBarrier();
            for (var part = 0u; part < {{ depth // 4 }}u; part += 1u) {
{%- for k in range(4) %}{% for q in range(fours) %}
                let w{{ k }}_{{ q }} = w_slice[(4u * part + {{ k }}u) * {{ particles // 4 }}u + p + {{ q * across }}u];
{%- endfor %}{% endfor %}
{%- for s in range(columns_held) %}
                let x{{ s }} = x_slice[(c + {{ s * down }}u) * {{ pitch }}u + part];
{%- for q in range(fours) %}{% for k in range(4) %}
                z{{ s }}_{{ q }} = fma(w{{ k }}_{{ q }}, V(x{{ s }}.{{ axes[k] }}), z{{ s }}_{{ q }});
{%- endfor %}{% endfor %}
{%- endfor %}
            }
        }
{%- else %}
        for (var part = 0u; part < {{ row_vectors }}u; part += {{ depth // 4 }}u) {
{%- for k in range(depth) %}
            let k{{ k }} = min(4u * part + {{ k }}u, {{ d - 1 }}u) * {{ lanes // 4 }}u;
{%- for q in range(fours) %}
            let w{{ k }}_{{ q }} = particle(at{{ q }} + k{{ k }});
{%- endfor %}
{%- endfor %}
{%- for i in range(fetches) %}{% for part in range(depth // 4) %}
            let own{{ i }}_{{ part }} = input(i{{ i }} + part + {{ part }}u);
{%- endfor %}{% endfor %}
{%- for s in range(columns_held) %}
{%- for part in range(depth // 4) %}
            let x{{ s }}_{{ part }} = {{ lent("own" ~ (s // lockstep) ~ "_" ~ part, s % lockstep) }};
{%- endfor %}
{%- for q in range(fours) %}{% for k in range(depth) %}
            z{{ s }}_{{ q }} = fma(w{{ k }}_{{ q }}, V(x{{ s }}_{{ k // 4 }}.{{ axes[k % 4] }}), z{{ s }}_{{ q }});
{%- endfor %}{% endfor %}
{%- endfor %}
        }
{%- endif %}
