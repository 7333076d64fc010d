// Needs: circle.wgsl, fixed_point.wgsl; `words` and before_words (workgroup.wgsl); the bindings `arc_sums` and `g`.
// Gives: predictions.

// Σ_j a_j σ(w_j·x_i) in place of g, from the sums per position. An entering sample is active on the
// upright arcs that its end is behind of and on the turned arcs that it is ahead of; a leaving one on
// the others. With one running sum of (turned − upright) along the arcs behind the end:
// entering: upright total + running sum; leaving: turned total − running sum.
fn predictions(arcs: ArcRun, run: RunConstants, unit: f32, t: u32, skipped: bool) {
    let count = select(arcs.count + 1u, 0u, skipped);
    let each = (count + {{ threads - 1 }}u) / {{ threads }}u;
    let first = min(t * each, count);
    let last = min(first + each, count);
    var upright = vec4<u32>(0u);
    var turned = vec4<u32>(0u);
    for (var c = first; c < last; c += 1u) {
        upright = plus(upright, collected(arcs, 2u * c));
        turned = plus(turned, collected(arcs, 2u * c + 1u));
    }
    var running = before_words(t, minus(turned, upright));
    let change = words[{{ threads - 1 }}];
    before_words(t, upright);
    let all_upright = words[{{ threads - 1 }}];
    let all_turned = plus(all_upright, change);
    for (var k = first; k < last; k += 1u) {
        running = plus(running, collected(arcs, 2u * k + 1u));
        running = minus(running, collected(arcs, 2u * k));
        if k < arcs.count {
            let sample = sample_of(arcs, k);
            let enters = sample.y != 0u;
            var sum = minus(all_turned, running);
            if enters {
                sum = plus(all_upright, running);
            }
            // Particles on its own end count on the arc behind it, but not for this sample.
            let own = ends_from(arcs) + 2u * in_line(arcs, k).x + sample.y;
            let total_aw = unpack(minus(sum, collected(arcs, own)), unit);
            let x = input_of(arcs, k, enters);
            g[run.residual + sample.x] = fma(x.x, total_aw.x, x.y * total_aw.y);
        }
    }
    // Samples at the origin.
    for (var k = arcs.count + t; k < run.n && !skipped; k += {{ threads }}u) {
        g[run.residual + sample_of(arcs, k).x] = 0.0;
    }
    storageBarrier();
}

// The sum of a position over the copies.
fn collected(arcs: ArcRun, position: u32) -> vec4<u32> {
    var at = arcs.slots + position;
    var sum = arc_sums[at];
    for (var copy = 1u; copy < arcs.copies; copy += 1u) {
        at += positions_of(arcs);
        sum = plus(sum, arc_sums[at]);
    }
    return sum;
}
