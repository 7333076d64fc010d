// How particles and inputs lie in memory: particles in blocks of {{ lanes }}, of which each coordinate is a
// plane, w before a; inputs as rows of vectors of four, padded with zeros. Macros.
// Needs: for read_particles() the type V and the binding `particles`, for store_particles() the type S, too.
{%- macro planes(width) %}
{%- set per_block = lanes // width %}
// Where the planes of the v-th vector of {{ width }} particles begin.
fn planes(first: u32, v: u32) -> u32 {
    return (first / {{ lanes }}u + v / {{ per_block }}u) * {{ per_block * (d + 1) }}u + v % {{ per_block }}u;
}
{%- endmacro %}

{#- One by one: where coordinate k of a particle lies, a as coordinate d, and coordinate k of a row of X. #}
{%- macro words() %}
fn word_of(particle: u32, k: u32) -> u32 {
    return particle / {{ lanes }}u * {{ lanes * (d + 1) }}u + k * {{ lanes }}u + particle % {{ lanes }}u;
}

fn word_of_input(row: u32, k: u32) -> u32 {
    return row * {{ 4 * row_vectors }}u + k;
}
{%- endmacro %}

{#- Gives V and S, the same coordinate of `width` particles as it is computed with and as it is stored. #}
{%- macro vectors(width) %}
{%- if width == 1 %}
alias V = f32;
alias S = {{ stored }};
{%- else %}
alias V = vec{{ width }}<f32>;
alias S = vec{{ width }}<{{ stored }}>;
{%- endif %}
{%- endmacro %}

{%- macro read_particles() %}
// Particles are stored as {{ stored }}, which V widens to f32.
fn particle(at: u32) -> V {
{%- if stored == "f32" %}
    return particles[at];
{%- else %}
    return V(particles[at]);
{%- endif %}
}
{%- endmacro %}

{%- macro read_inputs() %}
@group(1) @binding({{ slot.x }}) var<storage, read> x: array<vec4<{{ stored }}>>;

// Four coordinates of a sample; rows of tables say where their samples begin (x).
fn input(at: u32) -> vec4<f32> {
{%- if stored == "f32" %}
    return x[at];
{%- else %}
    return vec4<f32>(x[at]);
{%- endif %}
}
{%- endmacro %}

{%- macro store_particles(width) %}
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
// average: nearest would forget every step that is smaller than half of their distance. The random bits
// depend on number and step alone, so equal particles stay equal and a resume draws the same.
fn store(at: u32, v: V, step: u32) {
    let bits = bitcast<U>(v);
    let size = bits & U(0x7fffffffu);
    let random = scrambled(scrambled(size) + step) & U(0x1fffu);
    let normal = (size + random) & U(0xffffe000u);
    // Below 2^-14 the f16 are 2^-24 apart.
    let small = floor(fma(abs(v), V(0x1p24f), V(random) * 0x1p-13f)) * 0x1p-24f;
    let near = select(normal, bitcast<U>(small), size < U(0x38800000u));
    // Beyond the largest there is only infinity.
    let rounded = select(near, U(0x7f800000u), near > U(0x477fe000u));
    particles[at] = S(bitcast<V>(rounded | (bits & U(0x80000000u))));
}
{%- endif %}
{%- endmacro %}
