// Addition of an f32 to an f64, which few adapters have: a sum is its two words, the low one first.
// Gives: added.

// A number that is not zero: the leading bit of its mantissa is bit 62.
struct Parts {
    negative: u32,
    exponent: u32,
    mantissa: vec2<u32>,
}

// By s < 64 bits.
fn shifted_left(v: vec2<u32>, s: u32) -> vec2<u32> {
    let words = select(v, vec2<u32>(0u, v.x), s > 31u);
    let rest = s % 32u;
    // Nothing is shifted by 32 bits.
    return vec2<u32>(words.x << rest, (words.y << rest) | ((words.x >> 1u) >> (31u - rest)));
}

// What is lost leaves a mark in the last bit.
fn shifted_right(v: vec2<u32>, s: u32) -> vec2<u32> {
    var words = v;
    var lost = 0u;
    if s > 31u {
        lost = v.x;
        words = vec2<u32>(v.y, 0u);
    }
    if s > 63u {
        lost |= v.y;
        words = vec2<u32>(0u);
    }
    let rest = s % 32u;
    lost |= (words.x << 1u) << (31u - rest);
    let low = (words.x >> rest) | ((words.y << 1u) << (31u - rest));
    return vec2<u32>(low | select(0u, 1u, lost != 0u), words.y >> rest);
}

fn parts_of_sum(sum: vec2<u32>) -> Parts {
    let mantissa = vec2<u32>(sum.x, (sum.y & 0xfffffu) | 0x100000u);
    return Parts(sum.y >> 31u, (sum.y >> 20u) & 0x7ffu, shifted_left(mantissa, 10u));
}

fn parts_of_term(term: u32, power: i32) -> Parts {
    let mantissa = ((term & 0x7fffffu) | 0x800000u) << 7u;
    let exponent = clamp(i32((term >> 23u) & 0xffu) + {{ 1023 - 127 }} + power, 1, 2047);
    return Parts(term >> 31u, u32(exponent), vec2<u32>(0u, mantissa));
}

// The nearest f64, halves to even; infinite from 2^1024. The leading bit of the mantissa may be anywhere.
fn rounded(parts: Parts) -> vec2<u32> {
    let v = parts.mantissa;
    if v.x == 0u && v.y == 0u {
        return v;
    }
    let zeros = select(countLeadingZeros(v.y), 32u + countLeadingZeros(v.x), v.y == 0u);
    var mantissa = shifted_right(v, 1u);
    if zeros > 0u {
        mantissa = shifted_left(v, zeros - 1u);
    }
    let low = mantissa.x + 0x1ffu + ((mantissa.x >> 10u) & 1u);
    let high = mantissa.y + select(0u, 1u, low < mantissa.x);
    // The leading bit adds 1 to the exponent, or 2 where rounding has moved it.
    let exponent = parts.exponent - zeros;
    if exponent + (high >> 30u) > 2046u {
        return vec2<u32>(0u, (parts.negative << 31u) | 0x7ff00000u);
    }
    return vec2<u32>((low >> 10u) | (high << 22u), (parts.negative << 31u) + (exponent << 20u) + (high >> 10u));
}

// sum + 2^power term. A term that is 0 or denormal in f32, or not finite, adds nothing.
fn added(sum: vec2<u32>, term: f32, power: i32) -> vec2<u32> {
    let exponent = (bitcast<u32>(term) >> 23u) & 0xffu;
    if exponent == 0u || exponent == 0xffu {
        return sum;
    }
    var large = parts_of_term(bitcast<u32>(term), power);
    if (sum.y << 1u) == 0u && sum.x == 0u {
        return rounded(large);
    }
    var small = parts_of_sum(sum);
    let is_larger = small.mantissa.y > large.mantissa.y
        || (small.mantissa.y == large.mantissa.y && small.mantissa.x > large.mantissa.x);
    if small.exponent > large.exponent || (small.exponent == large.exponent && is_larger) {
        let term_parts = large;
        large = small;
        small = term_parts;
    }
    let u = large.mantissa;
    let v = shifted_right(small.mantissa, large.exponent - small.exponent);
    if large.negative == small.negative {
        let low = u.x + v.x;
        large.mantissa = vec2<u32>(low, u.y + v.y + select(0u, 1u, low < u.x));
    } else {
        large.mantissa = vec2<u32>(u.x - v.x, u.y - v.y - select(0u, 1u, u.x < v.x));
    }
    return rounded(large);
}
