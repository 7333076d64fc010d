// What the kernels for large d share. A workgroup makes a block of a matrix product: {{ particles }} particles
// times {{ columns }} columns. Each of its {{ threads }} threads holds {{ held }} × {{ columns_held }} sums in registers, the
// particles four by four.
alias V = vec4<f32>;
alias S = vec4<{{ stored }}>;

// Where the planes of the v-th four particles begin.
fn planes(first: u32, v: u32) -> u32 {
    return (first / {{ lanes }}u + v / {{ lanes // 4 }}u) * {{ lanes // 4 * (d + 1) }}u + v % {{ lanes // 4 }}u;
}

// Where the activation bits of the v-th four particles for the word-th 32 of their samples lie.
fn word_at(first: u32, words: u32, v: u32, word: u32) -> u32 {
    return first / 4u + (v / {{ lanes // 4 }}u * words + word) * {{ lanes // 4 }}u + v % {{ lanes // 4 }}u;
}
