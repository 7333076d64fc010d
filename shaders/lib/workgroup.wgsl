// The threads of a workgroup: their built-in values, and how they share data. Macros.
// Needs: common.wgsl; for own_row() the binding `rows`, for reduction() an array `scratch` of f32 and for
// scan() one `words` of vec4<u32> in workgroup memory, a place per thread each. `halves` are threads/2,
// threads/4, …, 1.
{%- macro builtins(lane=false, subgroup=false) %}
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
{%- if lane %}
    @builtin(subgroup_invocation_id) lane: u32,
{%- endif %}
{%- if subgroup %}
    @builtin(subgroup_id) subgroup: u32,
{%- endif %}
{% endmacro %}

{#- Gives `row`, the work of the workgroup. Workgroups beyond the last row return or, as cooperative
    operations may not come after a return, stay with `is_left_over`. #}
{%- macro own_row(stay=false) %}
    let index = workgroup_index(id, workgroups);
{%- if stay %}
    let is_left_over = index >= arrayLength(&rows);
    let row = rows[min(index, arrayLength(&rows) - 1u)];
{%- else %}
    if index >= arrayLength(&rows) {
        return;
    }
    let row = rows[index];
{%- endif %}
{%- endmacro %}

{#- The value of a lane in all lanes of a subgroup, where several read for one another. #}
{%- macro broadcast(value, lane, subgroup_width) -%}
{% if subgroup_width > 1 %}subgroupBroadcast({{ value }}, {{ lane }}u){% else %}{{ value }}{% endif %}
{%- endmacro %}

{#- A function that joins a value of each thread, u and v in `join`. #}
{%- macro reduction(name, join, halves) %}
// All threads get the result; the order is fixed.
fn {{ name }}(t: u32, value: f32) -> f32 {
    workgroupBarrier();
    scratch[t] = value;
{%- for half in halves %}
    workgroupBarrier();
    if t < {{ half }}u {
        let u = scratch[t];
        let v = scratch[t + {{ half }}u];
        scratch[t] = {{ join }};
    }
{%- endfor %}
    workgroupBarrier();
    return scratch[0];
}
{%- endmacro %}

{#- A function that sums what the threads before one have. #}
{%- macro scan(name, type, join, halves) %}
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
