// What all kernels share. The letters are those of docs/model.md; sizes in braces come from Rust.
// Needs: to come before all declarations, but after a kernel's own `enable`.
// Gives: RunConstants, StepState, NONE, workgroup_index, pow2, is_finite.
{%- if stored == "f16" %}
enable f16;
{%- endif %}

// What stays the same of a run: see layout::RunConstants.
struct RunConstants {
    n: u32,
    stride: u32,
    sums: u32,
    groups: u32,
    sample: u32,
    residual: u32,
    history: u32,
    record: u32,
    loss: u32,
    parameter: f32,
    train: u32,
    norm_scaled: u32,
    samples: f32,
    m: f32,
    alpha: f32,
    lambda: f32,
    arcs: u32,
    ranges: u32,
}

// What changes of a run: see layout::StepState.
struct StepState {
    exponent: i32,
    diverged: u32,
    submit_step: u32,
    step: u32,
    moves: u32,
    force_a: f32,
    force_w: f32,
    decay_a: f32,
    decay_w: f32,
    eta: f32,
    factor: f32,
    eta_exponent: i32,
    shift_a: f32,
    shift_w: f32,
}

const NONE: u32 = 0xffffffffu;

// Dispatches are folded into two dimensions.
fn workgroup_index(id: vec3<u32>, count: vec3<u32>) -> u32 {
    return id.y * count.x + id.x;
}

// 2^e for |e| up to 120, where f32 has both it and its inverse.
fn pow2(e: i32) -> f32 {
    return bitcast<f32>(u32(clamp(e, -120, 120) + 127) << 23u);
}

// On bits: compilers may assume that floats are finite.
fn is_finite(v: f32) -> bool {
    return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}
