    // The velocities of the particles that the thread holds, and the step that they take.
{%- set G = "sum" if blocked else "G" %}
{%- for v in range(vectors) %}
    if t + {{ v * threads }}u < held {
        var wG = w{{ v }}_0 * {{ G }}{{ v }}_0;
{%- for k in range(1, d) %}
        wG = fma(w{{ v }}_{{ k }}, {{ G }}{{ v }}_{{ k }}, wG);
{%- endfor %}
        let va = now.force_a * wG - now.decay_a * a{{ v }};
        let pull = now.force_w * a{{ v }};
{%- for k in range(d) %}
        let vw{{ k }} = pull * {{ G }}{{ v }}_{{ k }} - now.decay_w * w{{ v }}_{{ k }};
{%- endfor %}
{%- if update %}
{%- for k in range(d) %}
        particles[at{{ v }} + {{ k * per_block }}u] = now.shift_w * (w{{ v }}_{{ k }} + now.eta * vw{{ k }});
{%- endfor %}
        particles[at{{ v }} + {{ d * per_block }}u] = now.shift_a * (a{{ v }} + now.eta * va);
{%- else %}
{%- for k in range(d) %}
        velocities[at{{ v }} + {{ k * per_block }}u] = vw{{ k }};
{%- endfor %}
        velocities[at{{ v }} + {{ d * per_block }}u] = va;
{%- endif %}
    }
{%- endfor %}
