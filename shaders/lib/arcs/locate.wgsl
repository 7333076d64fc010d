// The position of a direction on the circle.
// Needs: circle.wgsl, orientation.wgsl.
// Gives: is_turned, arc_of, locate.

// 1 where the direction is turned: its angle is not in [0, π).
fn is_turned(w0: u32, w1: u32) -> u32 {
    return select(w0, w1, (w1 & 0x7fffffffu) > 0u) >> 31u;
}

// The arc of a position, or one at an end of it.
fn arc_of(arcs: ArcRun, position: u32) -> u32 {
    let ends = ends_from(arcs);
    return select(position, position - ends, position >= ends) / 2u;
}

// The position of a direction, looked for from where it was before.
fn locate(arcs: ArcRun, w: vec2<u32>, before: u32) -> u32 {
    let turned = is_turned(w.x, w.y);
    let v = w ^ vec2<u32>(turned << 31u);
    let ends = ends_from(arcs);
    if ((w.x | w.y) & 0x7fffffffu) == 0u {
        return ends + 2u * arcs.count;
    }
    // Ends below `low` are behind, those from `high` on are ahead.
    var low = 0u;
    var high = arcs.count;
    var k = max(arc_of(arcs, before), 1u) - 1u;
    var stride = 1u;
    while low < high {
        let beyond = orientation(end_at(arcs, k), v);
        if beyond == 0 {
            // All ends in line are one.
            return ends + 2u * in_line(arcs, k).x + turned;
        }
        if beyond > 0 {
            low = k + 1u;
            k = min(k + stride, arcs.count - 1u);
        } else {
            high = k;
            k -= min(k, stride);
        }
        // Strides double until both bounds have been seen; then they halve.
        stride *= 2u;
        if low > 0u && high < arcs.count {
            k = (low + high) / 2u;
        }
    }
    return 2u * low + turned;
}
