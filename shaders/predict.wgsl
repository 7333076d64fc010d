// predict: sums over a tile of particles of a_j σ(w_j·x_i), and the tile's moments Σa², Σ|w|²,
// Σ|a||w|. A thread holds {{ samples }} samples in registers and reads particles four by four;
// where samples are few, several threads (slices) share them and split the particles.
// d = {{ d }}
{% include "common.wgsl" %}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<Run>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<State>;
@group(0) @binding({{ slot.schedule }}) var<storage, read> schedule: array<u32>;
@group(0) @binding({{ slot.x }}) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding({{ slot.sums }}) var<storage, read_write> sums: array<f32>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<Row>;
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<vec4<f32>>;

{% include "idle.wgsl" %}

{% set vectors = lanes // 4 %}
var<workgroup> scratch: array<f32, {{ threads * [samples, 3] | max }}>;

// Where the planes of the v-th four particles begin.
fn planes(first: u32, v: u32) -> u32 {
    return (first / {{ lanes }}u + v / {{ vectors }}u) * {{ vectors * (d + 1) }}u + v % {{ vectors }}u;
}

@compute @workgroup_size({{ threads }})
fn predict(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let index = workgroup_index(id, workgroups);
    if index >= arrayLength(&rows) {
        return;
    }
    let row = rows[index];
    if is_idle(row.run) {
        return;
    }
    let fours = (row.count + 3u) / 4u;
    let columns = {{ threads }}u / row.slices;
    let column = t % columns;
    let slice = t / columns;
    let last = max(row.samples, 1u) - 1u;
    let sample = runs[row.run].sample + row.sample;
{% for s in range(samples) %}
    let i{{ s }} = (sample + min(column + {{ s }}u * columns, last)) * {{ row_vectors }}u;
{%- for c in range(row_vectors) %}
    let x{{ s }}_{{ c }} = x[i{{ s }} + {{ c }}u];
{%- endfor %}
    var f{{ s }} = 0.0;
    var part{{ s }}: vec4<f32>;
    var z{{ s }}: vec4<f32>;
{%- endfor %}
    // Blocked summation: parts of a few particles, then their sum.
    let reach = row.slices * {{ chunk }}u;
    for (var start = slice; start < fours && row.samples > 0u; start += reach) {
        let stop = min(start + reach, fours);
{%- for s in range(samples) %}
        part{{ s }} = vec4<f32>(0.0);
{%- endfor %}
        for (var v = start; v < stop; v += row.slices) {
            let at = planes(row.first, v);
{%- for k in range(d) %}
            let w{{ k }} = particles[at + {{ k * vectors }}u];
{%- for s in range(samples) %}
{%- set xk = "x" ~ s ~ "_" ~ (k // 4) ~ "." ~ axes[k % 4] %}
{%- if k == 0 %}
            z{{ s }} = w{{ k }} * {{ xk }};
{%- else %}
            z{{ s }} = fma(w{{ k }}, vec4<f32>({{ xk }}), z{{ s }});
{%- endif %}
{%- endfor %}
{%- endfor %}
            let a = particles[at + {{ d * vectors }}u];
{%- for s in range(samples) %}
            part{{ s }} = fma(a, max(z{{ s }}, vec4<f32>(0.0)), part{{ s }});
{%- endfor %}
        }
{%- for s in range(samples) %}
        f{{ s }} += (part{{ s }}.x + part{{ s }}.y) + (part{{ s }}.z + part{{ s }}.w);
{%- endfor %}
    }
    if row.slices > 1u {
{%- for s in range(samples) %}
        scratch[{{ s }}u * {{ threads }}u + t] = f{{ s }};
{%- endfor %}
        workgroupBarrier();
        if slice == 0u {
            for (var other = t + columns; other < {{ threads }}u; other += columns) {
{%- for s in range(samples) %}
                f{{ s }} += scratch[{{ s }}u * {{ threads }}u + other];
{%- endfor %}
            }
        }
        workgroupBarrier();
    }
    if slice == 0u {
{%- for s in range(samples) %}
        if column + {{ s }}u * columns < row.samples {
            sums[row.out + column + {{ s }}u * columns] = f{{ s }};
        }
{%- endfor %}
    }
    if row.moments == NONE {
        return;
    }
    var m0 = vec4<f32>(0.0);
    var m1 = vec4<f32>(0.0);
    var m2 = vec4<f32>(0.0);
    for (var v = t; v < fours; v += {{ threads }}u) {
        let at = planes(row.first, v);
        var square = vec4<f32>(0.0);
{%- for k in range(d) %}
        let w{{ k }} = particles[at + {{ k * vectors }}u];
        square = fma(w{{ k }}, w{{ k }}, square);
{%- endfor %}
        let a = particles[at + {{ d * vectors }}u];
        m0 = fma(a, a, m0);
        m1 += square;
        m2 = fma(abs(a), sqrt(square), m2);
    }
{%- for q in range(3) %}
    scratch[{{ q }}u * {{ threads }}u + t] = (m{{ q }}.x + m{{ q }}.y) + (m{{ q }}.z + m{{ q }}.w);
{%- endfor %}
    workgroupBarrier();
    if t < 3u {
        var total = 0.0;
        for (var other = 0u; other < {{ threads }}u; other += 1u) {
            total += scratch[t * {{ threads }}u + other];
        }
        sums[row.moments + t] = total;
    }
}
