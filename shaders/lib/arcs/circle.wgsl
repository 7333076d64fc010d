// The circle of a data set of d = 2, for the exact short cut. A direction is upright (angle in [0, π)) or turned
// (the opposite of an upright one). The ends of the samples in [0, π), sorted, cut each half into arcs 0..=count;
// arc c has c ends behind it. Positions: arcs 2c + turned, then ends 2k + turned, then the origin. Macros.
// Needs: for circle() word_pairs.wgsl and the binding `circle`.
{%- macro arc_run() %}
// Offsets of a run: see arcs/tables.rs.
struct ArcRun {
    run: u32,
    count: u32,
    circle: u32,
    slots: u32,
    copies: u32,
    gradients: u32,
    moments: u32,
    tiles: u32,
    headroom: i32,
    threads: u32,
}

// The first position on an end.
fn ends_from(arcs: ArcRun) -> u32 {
    return 2u * (arcs.count + 1u);
}

// All positions, the origin included.
fn positions_of(arcs: ArcRun) -> u32 {
    return 2u * ends_from(arcs) - 1u;
}
{%- endmacro %}

{#- The binding `circle` has, in pairs: [between which keys a direction is surely on an arc, for each arc;
    and for none] [ends in [0, π), by angle] [first and next of the ends in line with each] [number of the
    sample, whether it enters there; then the samples at the origin] #}
{%- macro circle() %}
fn bounds_of(arcs: ArcRun, arc: u32) -> vec2<f32> {
    return floats_of(circle[arcs.circle + arc]);
}

fn end_at(arcs: ArcRun, k: u32) -> vec2<u32> {
    return words_of(circle[arcs.circle + arcs.count + 2u + k]);
}

fn in_line(arcs: ArcRun, k: u32) -> vec2<u32> {
    return words_of(circle[arcs.circle + 2u * arcs.count + 2u + k]);
}

fn sample_of(arcs: ArcRun, k: u32) -> vec2<u32> {
    return words_of(circle[arcs.circle + 3u * arcs.count + 2u + k]);
}

// The sample itself: perpendicular to its end.
fn input_of(arcs: ArcRun, k: u32, enters: bool) -> vec2<f32> {
    let end = bitcast<vec2<f32>>(end_at(arcs, k));
    return select(vec2<f32>(end.y, -end.x), vec2<f32>(-end.y, end.x), enters);
}
{%- endmacro %}
