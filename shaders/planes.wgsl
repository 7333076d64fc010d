// Where the planes of the v-th vector of particles begin.
fn planes(first: u32, v: u32) -> u32 {
    return (first / {{ lanes }}u + v / {{ per_block }}u) * {{ per_block * (d + 1) }}u + v % {{ per_block }}u;
}
