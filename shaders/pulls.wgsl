    // Leaves the sums G that the thread holds, on top of those over the samples of rows before.
{%- set G = "sum" if blocked else "G" %}
    let left = row.pull / {{ width }}u + t;
    if row.adds > 0u {
{%- for i in range(sums_down) %}{% for j in range(sums_across) %}
        {{ G }}{{ i }}_{{ j }} += pulls[left + {{ (i * sums_across + j) * threads }}u];
{%- endfor %}{% endfor %}
    }
{%- for i in range(sums_down) %}{% for j in range(sums_across) %}
    pulls[left + {{ (i * sums_across + j) * threads }}u] = {{ G }}{{ i }}_{{ j }};
{%- endfor %}{% endfor %}
