// Needs: common.wgsl, circle.wgsl (ArcRun).
// Gives: is_bounded, scale_of, unit_of, pack, unpack, plus, minus.

// Sums of a_j w_j in fixed point: 64 bits in two words (low, high), in steps of 2^(bound + headroom - 63)
// for |a_j w_jk| < 2^bound and 2^headroom particles. Whole numbers have no order of summation, and
// what is taken away is what was added.

// From the largest magnitude of a run. Below the clamp 63 bits are more than enough.
fn bound_of(magnitude: u32) -> i32 {
    return max(i32(magnitude) - 252, -56);
}

// Beyond it 2^-bound is beyond f32.
fn is_bounded(magnitude: u32) -> bool {
    return bound_of(magnitude) <= 120;
}

// The high word of 1.
fn scale_of(arcs: ArcRun, magnitude: u32) -> f32 {
    return pow2(31 - arcs.headroom - bound_of(magnitude));
}

// The value of a step.
fn unit_of(arcs: ArcRun, magnitude: u32) -> f32 {
    return pow2(arcs.headroom + bound_of(magnitude) - 63);
}

// (low, high) of a number whose high word is this; rounded towards 0.
fn pack(number: f32) -> vec2<u32> {
    let quantised = trunc(number);
    // The lowest bit stays empty: a signed conversion is cheaper.
    let fraction = i32((number - quantised) * 2147483648.0);
    return vec2<u32>(u32(fraction) << 1u, u32(i32(quantised) + (fraction >> 31u)));
}

// Two numbers as (low, high, low, high).
fn unpack(sum: vec4<u32>, unit: f32) -> vec2<f32> {
    let negative = sum.yw > vec2<u32>(0x7fffffffu);
    let opposite = minus(vec4<u32>(0u), sum);
    let low = select(sum.xz, opposite.xz, negative);
    let high = select(sum.yw, opposite.yw, negative);
    let value = fma(vec2<f32>(high), vec2<f32>(4294967296.0), vec2<f32>(low)) * unit;
    return select(value, -value, negative);
}

fn plus(u: vec4<u32>, v: vec4<u32>) -> vec4<u32> {
    let low = u.xz + v.xz;
    let high = u.yw + v.yw + select(vec2<u32>(0u), vec2<u32>(1u), low < u.xz);
    return vec4<u32>(low.x, high.x, low.y, high.y);
}

fn minus(u: vec4<u32>, v: vec4<u32>) -> vec4<u32> {
    let low = u.xz - v.xz;
    let high = u.yw - v.yw - select(vec2<u32>(0u), vec2<u32>(1u), u.xz < v.xz);
    return vec4<u32>(low.x, high.x, low.y, high.y);
}
