        // The velocity of particles from their G{% if update %}, and where they are after the step{% endif %}.
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
        let next{{ k }} = now.shift_w * (w{{ v }}_{{ k }} + now.eta * vw{{ k }});
{%- endfor %}
        let next{{ d }} = now.shift_a * (a{{ v }} + now.eta * va);
{%- endif %}
