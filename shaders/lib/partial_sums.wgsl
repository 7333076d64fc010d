// Sums over some of the particles, of which others have left those before.
// Needs: the binding `sums`.
// Gives: leave.

// Leaves a sum, or adds it to what the rows before have left (`adds` of a row).
fn leave(adds: u32, at: u32, sum: f32) {
    if adds > 0u {
        sums[at] += sum;
    } else {
        sums[at] = sum;
    }
}
