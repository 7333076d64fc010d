// Needs: circle.wgsl; before_sums (workgroup.wgsl); the bindings `gradients` and `g`.
// Gives: gradients_of.

// G per position: sums of g_i x_i over active samples and no others, so that a neuron that no sample
// activates feels exactly nothing, and terms that differ by many powers of ten do not spoil each other:
// upright: entering samples behind + leaving samples ahead; turned: leaving behind + entering ahead.
// gradients = [G upright, G turned: arcs, ends, origin] [entering, leaving samples behind] [… ahead]
fn gradients_of(arcs: ArcRun, run: RunConstants, t: u32, skipped: bool) {
    let count = select(arcs.count, 0u, skipped);
    let each = (count + {{ threads - 1 }}u) / {{ threads }}u;
    let first = min(t * each, count);
    let last = min(first + each, count);
    let behind = arcs.gradients + ends_from(arcs);
    let ahead = behind + arcs.count + 1u;
    var sum = vec4<f32>(0.0);
    for (var k = first; k < last; k += 1u) {
        sum += term(arcs, run, k);
    }
    var running = before_sums(t, sum);
    for (var k = first; k < last; k += 1u) {
        gradients[behind + k] = running;
        running += term(arcs, run, k);
    }
    let left = before_sums({{ threads - 1 }}u - t, sum);
    if t == {{ threads - 1 }}u {
        gradients[behind + count] = running;
        gradients[ahead + count] = left;
    }
    running = left;
    for (var k = last; k > first; k -= 1u) {
        running += term(arcs, run, k - 1u);
        gradients[ahead + k - 1u] = running;
    }
    storageBarrier();
    for (var c = t; c < count + 1u; c += {{ threads }}u) {
        let past = gradients[behind + c];
        let next = gradients[ahead + c];
        gradients[arcs.gradients + c] = past + next.zwxy;
    }
    for (var k = t; k < count; k += {{ threads }}u) {
        let line = in_line(arcs, k);
        if line.x == k {
            let past = gradients[behind + k];
            let next = gradients[ahead + line.y];
            gradients[arcs.gradients + arcs.count + 1u + k] = past + next.zwxy;
        }
    }
}

// (g x of an entering sample, 0) or (0, g x of a leaving one)
fn term(arcs: ArcRun, run: RunConstants, k: u32) -> vec4<f32> {
    let sample = sample_of(arcs, k);
    let enters = sample.y != 0u;
    let gx = g[run.residual + sample.x] * input_of(arcs, k, enters);
    return select(vec4<f32>(0.0, 0.0, gx), vec4<f32>(gx, 0.0, 0.0), enters);
}
