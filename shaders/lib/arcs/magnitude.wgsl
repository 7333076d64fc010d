// How large the products a_j w_jk of a run are at most.
// Needs: the binding `magnitudes`, of atomics.
// Gives: magnitude, raise.

// |a_j w_jk| < 2^(magnitude - 252): exponents are added as integers, so that the largest of a run
// depends neither on order nor on rounding.
fn magnitude(w0: vec2<f32>, w1: vec2<f32>, a: vec2<f32>) -> u32 {
    let size = max(abs_bits(w0), abs_bits(w1)) >> vec2<u32>(23u);
    let sum = size + (abs_bits(a) >> vec2<u32>(23u));
    return max(sum.x, sum.y);
}

fn abs_bits(v: vec2<f32>) -> vec2<u32> {
    return bitcast<vec2<u32>>(v) & vec2<u32>(0x7fffffffu);
}

var<workgroup> highest: atomic<u32>;

// Raises the magnitude of a run to that of a workgroup's particles.
fn raise(arc_run: u32, t: u32, own: u32) {
    if t == 0u {
        atomicStore(&highest, 0u);
    }
    workgroupBarrier();
    atomicMax(&highest, own);
    workgroupBarrier();
    if t == 0u {
        atomicMax(&magnitudes[arc_run], atomicLoad(&highest));
    }
}
