    // G from its partial sums, in order.
    for (var part = 0u; part < row.slices; part += 1u) {
        let left = row.pull / {{ width }}u + part * {{ sums_down * sums_across * threads }}u + t;
{%- for i in range(sums_down) %}{% for j in range(sums_across) %}
        G{{ i }}_{{ j }} += pulls[left + {{ (i * sums_across + j) * threads }}u];
{%- endfor %}{% endfor %}
    }
