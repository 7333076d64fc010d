// Where residual has its sums from: the tiles of predict, added up by reduce.
// Needs: common.wgsl; the binding `runs`.
// Gives: the binding `sums`; run_of, gather, sum_of, moments_of, hand_over.
@group(0) @binding({{ slot.sums }}) var<storage, read{% if entry != "residual" %}_write{% endif %}> sums: array<f32>;

// The run of a workgroup, or NONE.
fn run_of(index: u32) -> u32 {
    if index >= arrayLength(&runs) || runs[index].arcs != NONE || runs[index].ranges > 1u {
        return NONE;
    }
    return index;
}

fn grouped(run: RunConstants, column: u32) -> f32 {
    var sum = 0.0;
    for (var group = 0u; group < run.groups; group += 1u) {
        sum += sums[run.sums + group * run.stride + column];
    }
    return sum;
}

// Whether the sums cannot be had.
fn gather(index: u32, run: RunConstants, t: u32, skipped: bool) -> bool {
    return false;
}

// Σ_j a_j σ(w_j·x_i)
fn sum_of(run: RunConstants, i: u32) -> f32 {
    return grouped(run, i);
}

// Σa², Σ|w|², Σ|a||w|, in thread 0.
fn moments_of(index: u32, run: RunConstants, t: u32) -> vec3<f32> {
    if t > 0u {
        return vec3<f32>(0.0);
    }
    return vec3<f32>(grouped(run, run.n), grouped(run, run.n + 1u), grouped(run, run.n + 2u));
}

// What velocity needs beside g: nothing.
fn hand_over(index: u32, run: RunConstants, t: u32, skipped: bool, moves: bool) {}
