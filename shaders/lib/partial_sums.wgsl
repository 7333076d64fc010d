// Sums over some of the particles, of which others have left those before.
// Needs: common.wgsl; the binding `sums`.
// Gives: leave.

// Leaves a sum, or adds it to what the rows before this one have left.
fn leave(row: Row, at: u32, sum: f32) {
    if row.adds > 0u {
        sums[at] += sum;
    } else {
        sums[at] = sum;
    }
}
