// The circle of a data set, in pairs: [between which keys a direction is surely on an arc, for each arc;
// and for none] [ends in [0, π), by angle] [first and next of the ends in line with each] [number of the
// sample, whether it enters there; then the samples at the origin]
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
