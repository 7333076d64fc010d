@group(1) @binding({{ slot.x }}) var<storage, read> x: array<vec4<{{ stored }}>>;

// Four coordinates of a sample; rows of tables say where their samples begin (Row.x).
fn input(at: u32) -> vec4<f32> {
{%- if stored == "f32" %}
    return x[at];
{%- else %}
    return vec4<f32>(x[at]);
{%- endif %}
}
