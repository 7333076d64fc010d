// geometry: what {{ lanes }} particles contribute to the geometry of their run, a thread each. d = {{ d }}
{% include "common.wgsl" %}

// See gpu/geometry.rs.
struct Units {
    a: f32,
    w: f32,
    start: f32,
    informative: u32,
}

// See Tally in engine/geometry.rs.
struct Tally {
    dead: f32,
    largest_a: f32,
    largest_w: f32,
    drift: f32,
    mass: f32,
    informative: f32,
}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<Run>;
@group(0) @binding({{ slot.units }}) var<storage, read> units: array<Units>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<Row>;
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<{{ stored }}>;
// a² − |w|² at the start, a word per particle.
@group(1) @binding({{ slot.start }}) var<storage, read> start: array<f32>;
@group(1) @binding({{ slot.tallies }}) var<storage, read_write> tallies: array<Tally>;

alias V = f32;
{% include "inputs.wgsl" %}
{% include "stored.wgsl" %}

var<workgroup> found: array<Tally, {{ lanes }}>;

// Whether some sample activates the particle whose planes begin at a word.
fn is_active(run: Run, at: u32) -> bool {
    for (var i = 0u; i < run.n; i += 1u) {
        let row = (run.sample + i) * {{ row_vectors }}u;
        var z = 0.0;
        for (var k = 0u; k < {{ d }}u; k += 1u) {
            z = fma(particle(at + k * {{ lanes }}u), input(row + k / 4u)[k % 4u], z);
        }
        if z > 0.0 {
            return true;
        }
    }
    return false;
}

// What the particle at a word contributes; `slot` is its number in the shard.
fn tally_of(run: Run, unit: Units, at: u32, slot: u32) -> Tally {
    var square = 0.0;
    var informative = 0.0;
    for (var k = 0u; k < {{ d }}u; k += 1u) {
        let w = particle(at + k * {{ lanes }}u);
        square = fma(w, w, square);
        if k + 1u == unit.informative {
            informative = square;
        }
    }
    let a = abs(particle(at + {{ d * lanes }}u));
    let norm = sqrt(square);
    let balance = a * a * unit.a - square * unit.w;
    var tally: Tally;
    tally.dead = select(1.0, 0.0, is_active(run, at));
    tally.largest_a = a;
    tally.largest_w = norm;
    tally.drift = abs(balance - start[slot] * unit.start);
    tally.mass = a * norm;
    if square > 0.0 {
        tally.informative = a * (informative / norm);
    }
    return tally;
}

{% set threads = lanes %}
{% include "row.wgsl" %}
    if t < row.count {
        let at = row.first * {{ d + 1 }}u + t;
        found[t] = tally_of(runs[row.run], units[row.run], at, row.first + t);
    }
    workgroupBarrier();
    if t > 0u {
        return;
    }
    var all = found[0];
    for (var other = 1u; other < row.count; other += 1u) {
        let one = found[other];
        all.dead += one.dead;
        all.largest_a = max(all.largest_a, one.largest_a);
        all.largest_w = max(all.largest_w, one.largest_w);
        all.drift = max(all.drift, one.drift);
        all.mass += one.mass;
        all.informative += one.informative;
    }
    tallies[index] = all;
}
