// The residual of every loss, as src/model/loss/ has it.
// Needs: common.wgsl (pow2).
// Gives: residual_of; is_coupled, mass_of and coupled_residual_of; exp_exact.

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

// g of a loss that sees one prediction f = 2^p f̂ at a time.
fn residual_of(loss: u32, parameter: f32, f: f32, y: f32, n: f32) -> f32 {
    let u = y * f;
    switch loss {
{%- for loss in losses if loss.body is defined %}
        // {{ loss.name }}
        case {{ loss.code }}u: { {{ loss.body }} }
{%- endfor %}
        default: { return 0.0; }
    }
}

// Of a loss that sees all predictions at once, by how far they are behind the least margin: whether it is
// one, what a sample adds to the mass, and g.
fn is_coupled(loss: u32) -> bool {
    return {% for loss in losses if loss.mass is defined %}{{ "" if loop.first else " || " }}loss == {{ loss.code }}u{% endfor %};
}

fn mass_of(loss: u32, behind: f32) -> f32 {
    switch loss {
{%- for loss in losses if loss.mass is defined %}
        case {{ loss.code }}u: { return {{ loss.mass }}; }
{%- endfor %}
        default: { return 0.0; }
    }
}

fn coupled_residual_of(loss: u32, behind: f32, y: f32, mass: f32) -> f32 {
    switch loss {
{%- for loss in losses if loss.mass is defined %}
        case {{ loss.code }}u: { return {{ loss.residual }}; }
{%- endfor %}
        default: { return 0.0; }
    }
}
