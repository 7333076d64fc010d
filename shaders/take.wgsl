            // One fetch of particles, for every sample that the thread holds.
{%- for k in range(d + 1) %}
            let w{{ k }} = {{ source }}(at + {{ k * per_block }}u);
{%- endfor %}
{%- for p in range(fetched) %}
{%- for k in range(d) %}
            let w{{ k }}_{{ p }} = {{ particle("w" ~ k, p) }};
{%- for s in range(samples) %}
{%- set xk = "x" ~ s ~ "_" ~ (k // 4) ~ "." ~ axes[k % 4] %}
            z{{ s }} = {% if k == 0 %}w0_{{ p }} * {{ xk }}{% else %}fma(w{{ k }}_{{ p }}, {{ xk }}, z{{ s }}){% endif %};
{%- endfor %}
{%- endfor %}
            let a_{{ p }} = {{ particle("w" ~ d, p) }};
{%- for s in range(samples) %}
            part{{ s }} = fma(a_{{ p }}, max(z{{ s }}, 0.0), part{{ s }});
{%- endfor %}
{%- endfor %}
