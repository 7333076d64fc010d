        // What the samples at hand add to G.
{%- for s in range(lockstep) %}
        let g_{{ s }} = {{ lent("g_own", s) }};
{%- for k in range(d) %}
        let x_{{ k }}_{{ s }} = {{ lent("x" ~ (k // 4) ~ "." ~ axes[k % 4], s) }};
{%- for v in range(vectors) %}
        z{{ v }} = {% if k == 0 %}w{{ v }}_0 * x_0_{{ s }}{% else %}fma(w{{ v }}_{{ k }}, V(x_{{ k }}_{{ s }}), z{{ v }}){% endif %};
{%- endfor %}
{%- endfor %}
{%- for v in range(vectors) %}
        // σ'(0) = 0
        m{{ v }} = select(V(0.0), V(g_{{ s }}), z{{ v }} > V(0.0));
{%- for k in range(d) %}
        G{{ v }}_{{ k }} = fma(m{{ v }}, V(x_{{ k }}_{{ s }}), G{{ v }}_{{ k }});
{%- endfor %}
{%- endfor %}
{%- endfor %}
