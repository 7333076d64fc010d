// The work of one workgroup, by the table that a kernel has: see src/engine/plan/row.rs, and geometry.rs and
// arcs/tables.rs of the gpu engine. Macros that give a struct each.
{%- macro predict_row() %}
struct PredictRow {
    run: u32,
    first: u32,
    count: u32,
    sample: u32,
    samples: u32,
    x: u32,
    out: u32,
    moments: u32,
    slices: u32,
    bits: u32,
    adds: u32,
}
{%- endmacro %}

{%- macro reduce_row() %}
struct ReduceRow {
    run: u32,
    first: u32,
    tiles: u32,
    columns: u32,
    out: u32,
    adds: u32,
}
{%- endmacro %}

{%- macro range_row() %}
struct RangeRow {
    run: u32,
    sample: u32,
    samples: u32,
    first: u32,
    ranges: u32,
    out: u32,
}
{%- endmacro %}

{%- macro update_row() %}
struct UpdateRow {
    run: u32,
    first: u32,
    count: u32,
    particle: u32,
    sample: u32,
    samples: u32,
    x: u32,
    gradient_sum: u32,
    gradient_sums: u32,
    coordinate: u32,
    bits: u32,
    part: u32,
    adds: u32,
}
{%- endmacro %}

{%- macro geometry_row() %}
struct GeometryRow {
    run: u32,
    first: u32,
    count: u32,
    sample: u32,
    samples: u32,
    x: u32,
    out: u32,
    adds: u32,
}
{%- endmacro %}

{%- macro arc_row() %}
struct ArcRow {
    run: u32,
    first: u32,
    count: u32,
    particle: u32,
    moments: u32,
    copy: u32,
}
{%- endmacro %}
