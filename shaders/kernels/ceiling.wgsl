// What the adapter can do at most: multiply-adds in registers (entry `fma_loop`), and a copy (entry
// `copy`). Factor and addend are read from `source`, and a result is written, so that no compiler
// can do the work beforehand or leave it out.
@group(0) @binding({{ slot.count }}) var<storage, read> count: array<u32>;
@group(0) @binding({{ slot.source }}) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding({{ slot.target }}) var<storage, read_write> target_: array<vec4<f32>>;

fn thread(id: vec3<u32>, t: u32) -> u32 {
    return id.x * {{ threads }}u + t;
}

{% if entry == "fma_loop" -%}
// count[0] times {{ unrolled }} multiply-adds in each of {{ chains }} independent chains.
@compute @workgroup_size({{ threads }})
fn fma_loop(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let a = source[0].x;
    let b = source[0].y;
{%- for c in range(chains) %}
    var sum{{ c }} = f32(t + {{ c }}u);
{%- endfor %}
    let stop = count[0];
    for (var i = 0u; i < stop; i += 1u) {
{%- for u in range(unrolled) %}
{%- for c in range(chains) %}
        sum{{ c }} = fma(sum{{ c }}, a, b);
{%- endfor %}
{%- endfor %}
    }
    if thread(id, t) < arrayLength(&target_) {
        target_[thread(id, t)] = vec4(0.0{% for c in range(chains) %} + sum{{ c }}{% endfor %});
    }
}
{%- else -%}
@compute @workgroup_size({{ threads }})
fn copy(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let stride = workgroups.x * {{ threads }}u;
    for (var i = thread(id, t); i < arrayLength(&source); i += stride) {
        target_[i] = source[i];
    }
}
{%- endif %}
