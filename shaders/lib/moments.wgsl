// The moments Σa², Σ|w|², Σ|a||w| of the particles of a row. Macros.
// Needs: common.wgsl, rows.wgsl (PredictRow), partial_sums.wgsl, storage.wgsl (planes, V, particle); an array `scratch` of f32 in
// workgroup memory, three places per thread.

{#- Inside an entry point with `row` and `t`: every thread has particles of its own, `width` in a vector. #}
{%- macro moments_by_threads(threads, width) %}
{%- set per_block = lanes // width %}
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
    scratch[{{ q * threads }}u + t] = {% if width == 1 %}m{{ q }}{% else %}(m{{ q }}.x + m{{ q }}.y) + (m{{ q }}.z + m{{ q }}.w){% endif %};
{%- endfor %}
    workgroupBarrier();
    if t < 3u {
        var total = 0.0;
        for (var other = 0u; other < {{ threads }}u; other += 1u) {
            total += scratch[t * {{ threads }}u + other];
        }
        leave(row.adds, row.moments + t, total);
    }
{%- endmacro %}

{#- Gives the function moments(row, t) for large d, four particles in a vector: groups of threads share the
    coordinates. #}
{%- macro moments_by_groups(threads) %}
{%- set abreast = [threads, lanes // 4] | min %}
{%- set groups = threads // abreast %}
{%- if groups > 1 %}
var<workgroup> squares: array<V, {{ threads }}>;
{%- endif %}

// Moments Σa², Σ|w|², Σ|a||w| of a tile; groups of threads share the coordinates.
fn moments(row: PredictRow, t: u32) {
    let lane = t % {{ abreast }}u;
    let group = t / {{ abreast }}u;
    let vectors = (row.count + 3u) / 4u;
    var m0 = V(0.0);
    var m1 = V(0.0);
    var m2 = V(0.0);
    for (var start = 0u; start < vectors; start += {{ abreast }}u) {
        let at = planes(row.first, min(start + lane, vectors - 1u));
        var square = V(0.0);
        for (var k = group; k < {{ d }}u; k += {{ groups }}u) {
            let w = particle(at + k * {{ lanes // 4 }}u);
            square = fma(w, w, square);
        }
{%- if groups > 1 %}
        workgroupBarrier();
        squares[t] = square;
        workgroupBarrier();
{%- for g in range(1, groups) %}
        square += squares[(t + {{ g * abreast }}u) % {{ threads }}u];
{%- endfor %}
{%- endif %}
        if start + lane < vectors {
            let a = particle(at + {{ d * lanes // 4 }}u);
            m0 = fma(a, a, m0);
            m1 += square;
            m2 = fma(abs(a), sqrt(square), m2);
        }
    }
{%- for q in range(3) %}
    let sum{{ q }} = (m{{ q }}.x + m{{ q }}.y) + (m{{ q }}.z + m{{ q }}.w);
{%- endfor %}
    if group == 0u {
{%- for q in range(3) %}
        scratch[{{ q * abreast }}u + lane] = sum{{ q }};
{%- endfor %}
    }
    workgroupBarrier();
    if t < 3u {
        var total = 0.0;
        for (var other = 0u; other < {{ abreast }}u; other += 1u) {
            total += scratch[t * {{ abreast }}u + other];
        }
        leave(row.adds, row.moments + t, total);
    }
}
{%- endmacro %}
