    // The velocities of the particles that the thread holds, and the step that they take.
{%- set G = "sum" if blocked else "G" %}
{%- for v in range(vectors) %}
    if t + {{ v * threads }}u < held {
{% include "motion.wgsl" %}
{%- if update %}
{%- for k in range(d + 1) %}
        store(at{{ v }} + {{ k * per_block }}u, next{{ k }}, now.step);
{%- endfor %}
{%- else %}
{%- for k in range(d) %}
        velocities[at{{ v }} + {{ k * per_block }}u] = vw{{ k }};
{%- endfor %}
        velocities[at{{ v }} + {{ d * per_block }}u] = va;
{%- endif %}
    }
{%- endfor %}
