// On which side of a vector another one is, exactly: a particle on the kink of a sample is not active on it.
// Gives: orientation.

// A product of two floats without their signs: exponent, and 48 bits in two halves, the highest set.
// Exponents are biased to stay above that of 0.
fn product(x: u32, y: u32) -> vec3<u32> {
    let field = (vec2<u32>(x, y) >> vec2<u32>(23u)) & vec2<u32>(255u);
    let fraction = vec2<u32>(x, y) & vec2<u32>(0x7fffffu);
    // Denormal numbers are brought to the form of the others.
    let lift = countLeadingZeros(fraction) - vec2<u32>(8u);
    let normal = field > vec2<u32>(0u);
    let m = select(fraction << lift, fraction | vec2<u32>(0x800000u), normal);
    let e = select(vec2<u32>(65u) - lift, vec2<u32>(64u) + field, normal);
    let upper = m >> vec2<u32>(12u);
    let lower = m & vec2<u32>(0xfffu);
    let middle = upper.x * lower.y + lower.x * upper.y;
    let low = lower.x * lower.y + ((middle & 0xfffu) << 12u);
    let high = upper.x * upper.y + (middle >> 12u) + (low >> 24u);
    let short = 1u - (high >> 23u);
    let number = vec3<u32>(
        e.x + e.y - short,
        (high << short) | ((low >> 23u) & short),
        (low << short) & 0xffffffu,
    );
    return select(vec3<u32>(0u), number, m.x > 0u && m.y > 0u);
}

// A number of the sign of u × v = u0 v1 − u1 v0, for two vectors of floats.
fn orientation(u: vec2<u32>, v: vec2<u32>) -> i32 {
    let p = product(u.x, v.y);
    let q = product(u.y, v.x);
    let sign = 1 - 2 * vec2<i32>((u ^ v.yx) >> vec2<u32>(31u));
    let sign_p = select(0, sign.x, p.x > 0u);
    let sign_q = select(0, sign.y, q.x > 0u);
    var larger = select(-1, 1, p.z > q.z);
    larger = select(larger, 0, p.z == q.z);
    larger = select(larger, select(-1, 1, p.y > q.y), p.y != q.y);
    larger = select(larger, select(-1, 1, p.x > q.x), p.x != q.x);
    return select(sign_p - sign_q, larger * sign_p, sign_p == sign_q);
}
