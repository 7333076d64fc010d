// The head of a stage whose work is a table: a workgroup per row. The stage goes on after it.
@compute @workgroup_size({{ threads }})
fn {{ entry }}(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
{%- if lockstep is defined and lockstep > 1 %}
    @builtin(subgroup_invocation_id) lane: u32,
{%- endif %}
{%- if edge is defined and edge > 0 %}
    @builtin(subgroup_id) subgroup: u32,
{%- endif %}
) {
    let index = workgroup_index(id, workgroups);
{%- if edge is defined and edge > 0 %}
    // Cooperative operations may not come after a return.
    let is_left_over = index >= arrayLength(&rows);
    let row = rows[min(index, arrayLength(&rows) - 1u)];
{%- else %}
    if index >= arrayLength(&rows) {
        return;
    }
    let row = rows[index];
{%- endif %}
