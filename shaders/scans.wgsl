var<workgroup> words: array<vec4<u32>, {{ threads }}>;

{%- macro scan(name, type, join) %}
// The sum over the threads whose slot is before this one, in a fixed order and never by taking away;
// leaves the sum over all in the last of the words.
fn {{ name }}(slot: u32, own: {{ type }}) -> {{ type }} {
    workgroupBarrier();
    words[slot] = bitcast<vec4<u32>>(own);
{%- for reach in halves | reverse %}
    workgroupBarrier();
    let before{{ reach }} = words[max(slot, {{ reach }}u) - {{ reach }}u];
    workgroupBarrier();
    if slot >= {{ reach }}u {
        let u = bitcast<{{ type }}>(before{{ reach }});
        let v = bitcast<{{ type }}>(words[slot]);
        words[slot] = bitcast<vec4<u32>>({{ join }});
    }
{%- endfor %}
    workgroupBarrier();
    let before = bitcast<{{ type }}>(words[max(slot, 1u) - 1u]);
    return select({{ type }}(), before, slot > 0u);
}
{%- endmacro %}
{{ scan("before_words", "vec4<u32>", "plus(u, v)") }}
{{ scan("before_sums", "vec4<f32>", "u + v") }}
