// e^x within 2 units in the last place, the same on every adapter (Cephes): the builtin may be
// off by 3 + 2|x| of them.
fn exp_exact(x: f32) -> f32 {
    let v = clamp(x, -110.0, 110.0);
    let k = round(v * 1.44269504);
    let r = fma(k, 2.12194440e-4, fma(k, -0.693359375, v));
    var p = fma(1.9875691500e-4, r, 1.3981999507e-3);
    p = fma(p, r, 8.3334519073e-3);
    p = fma(p, r, 4.1665795894e-2);
    p = fma(p, r, 1.6666665459e-1);
    p = fma(p, r, 5.0000001201e-1);
    p = fma(p, r * r, r) + 1.0;
    // 2^k in two factors: k reaches ±159.
    let half = i32(k) / 2;
    return p * pow2(half) * pow2(i32(k) - half);
}

// g, but for softmin, from f = 2^p f̂.
fn residual_of(loss: u32, f: f32, y: f32, n: f32) -> f32 {
    let u = y * f;
    switch loss {
        case {{ loss.square }}u: { return (f - y) / n; }
        case {{ loss.logistic }}u: { return -y / (n * (1.0 + exp_exact(u))); }
        case {{ loss.exponential }}u: { return -y * exp_exact(-u) / n; }
        case {{ loss.hinge }}u: { return select(0.0, -y / n, u < 1.0); }
        case {{ loss.squared_hinge }}u: { return -y * max(0.0, 1.0 - u) / n; }
        default: { return 0.0; }
    }
}
