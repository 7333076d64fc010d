// Stores particles after a step.
{%- if stored == "f32" %}
fn store(at: u32, v: V, step: u32) {
    particles[at] = v;
}
{%- else %}
{%- if width == 1 %}
alias U = u32;
{%- else %}
alias U = vec{{ width }}<u32>;
{%- endif %}

// Bits without a pattern (PCG's output function on its own state).
fn scrambled(v: U) -> U {
    let state = v * 747796405u + 2891336453u;
    let word = ((state >> ((state >> U(28u)) + 4u)) ^ state) * 277803737u;
    return (word >> U(22u)) ^ word;
}

// Up or down to one of the two neighbours among the f16, with chances that make it right on
// average: nearest would forget every step that is smaller than half of their distance. The dice
// depend on number and step alone, so equal particles stay equal and a resume throws the same.
fn store(at: u32, v: V, step: u32) {
    let bits = bitcast<U>(v);
    let size = bits & U(0x7fffffffu);
    let dice = scrambled(scrambled(size) + step) & U(0x1fffu);
    let normal = (size + dice) & U(0xffffe000u);
    // Below 2^-14 the f16 are 2^-24 apart.
    let small = floor(fma(abs(v), V(0x1p24f), V(dice) * 0x1p-13f)) * 0x1p-24f;
    let near = select(normal, bitcast<U>(small), size < U(0x38800000u));
    // Beyond the largest there is only infinity.
    let whole = select(near, U(0x7f800000u), near > U(0x477fe000u));
    particles[at] = S(bitcast<V>(whole | (bits & U(0x80000000u))));
}
{%- endif %}
