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
// Whether a sample before the ones at hand activates a particle.
@group(1) @binding({{ slot.alive }}) var<storage, read_write> alive: array<u32>;
@group(1) @binding({{ slot.tallies }}) var<storage, read_write> tallies: array<Tally>;

alias V = f32;
{% include "inputs.wgsl" %}
{% include "stored.wgsl" %}

var<workgroup> found: array<Tally, {{ lanes }}>;

{%- set loops = (d - 1) // unrolled %}

// Whether one of the samples at hand activates the particle whose planes begin at a word.
fn is_active(work: Row, at: u32) -> bool {
    for (var i = 0u; i < work.samples; i += 1u) {
        let row = (work.x + i) * {{ row_vectors }}u;
        var z = 0.0;
{%- if loops > 0 %}
        for (var k = 0u; k < {{ loops * unrolled }}u; k += {{ unrolled }}u) {
{%- for e in range(unrolled) %}
            z = fma(particle(at + (k + {{ e }}u) * {{ lanes }}u), input(row + k / 4u + {{ e // 4 }}u).{{ axes[e % 4] }}, z);
{%- endfor %}
        }
{%- endif %}
{%- for k in range(loops * unrolled, d) %}
        z = fma(particle(at + {{ k * lanes }}u), input(row + {{ k // 4 }}u).{{ axes[k % 4] }}, z);
{%- endfor %}
        if z > 0.0 {
            return true;
        }
    }
    return false;
}

// What the particle at a word contributes; `slot` is its number in the shard.
fn tally_of(unit: Units, at: u32, slot: u32) -> Tally {
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
    tally.dead = select(1.0, 0.0, alive[slot] != 0u);
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
    let unit = units[row.run];
    let at = row.first * {{ d + 1 }}u + t;
    let slot = row.first + t;
    if t < row.count && (row.sample == 0u || alive[slot] == 0u) {
        alive[slot] = select(0u, 1u, is_active(row, at));
    }
    if row.sample + row.samples < runs[row.run].n {
        return;
    }
    if t < row.count {
        found[t] = tally_of(unit, at, slot);
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
    tallies[row.out] = all;
}
