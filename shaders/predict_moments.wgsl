    // Σa², Σ|w|², Σ|a||w| of the tile, by all threads of the workgroup.
    if row.moments == NONE {
        return;
    }
    var m0 = V(0.0);
    var m1 = V(0.0);
    var m2 = V(0.0);
    for (var v = t; v < (row.count + {{ width - 1 }}u) / {{ width }}u; v += {{ threads }}u) {
        let at = planes(row.first, v);
        var square = V(0.0);
{%- for k in range(d) %}
        let w{{ k }} = particle(at + {{ k * per_block }}u);
        square = fma(w{{ k }}, w{{ k }}, square);
{%- endfor %}
        let a = particle(at + {{ d * per_block }}u);
        m0 = fma(a, a, m0);
        m1 += square;
        m2 = fma(abs(a), sqrt(square), m2);
    }
{%- for q in range(3) %}
    scratch[{{ q * threads }}u + t] = {{ folded("m" ~ q) }};
{%- endfor %}
    workgroupBarrier();
    if t < 3u {
        var total = 0.0;
        for (var other = 0u; other < {{ threads }}u; other += 1u) {
            total += scratch[t * {{ threads }}u + other];
        }
        leave(row, row.moments + t, total);
    }
