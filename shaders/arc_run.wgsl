// The short cut for d = 2. A direction is upright (angle in [0, π)) or turned (the opposite of an
// upright one). The ends of the samples in [0, π), sorted, cut each half into arcs 0..=count; arc c
// has c ends behind it. Positions: arcs 2c + turned, then ends 2k + turned, then the origin.
// Offsets of a run: see arcs/tables.rs.
struct ArcRun {
    run: u32,
    count: u32,
    circle: u32,
    slots: u32,
    copies: u32,
    forces: u32,
    moments: u32,
    tiles: u32,
    headroom: i32,
    threads: u32,
}

// The first position on an end.
fn ends_from(arcs: ArcRun) -> u32 {
    return 2u * (arcs.count + 1u);
}

// All positions, the origin included.
fn positions_of(arcs: ArcRun) -> u32 {
    return 2u * ends_from(arcs) - 1u;
}
