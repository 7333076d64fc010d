// geometry: what {{ lanes }} particles contribute to the geometry of their run, a thread each. d = {{ d }}
{%- from "lib/activation.wgsl" import is_on %}
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/storage.wgsl" import read_inputs, read_particles %}
{%- from "lib/rows.wgsl" import geometry_row %}
{% include "lib/common.wgsl" %}
{{ geometry_row() }}

// RunUnits and Partial: see gpu/geometry.rs.
struct RunUnits {
    a: f32,
    w: f32,
    start: f32,
    informative: u32,
}

struct Partial {
    dead: f32,
    largest_a: f32,
    largest_w: f32,
    drift: f32,
    mass: f32,
    informative: f32,
}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.units }}) var<storage, read> units: array<RunUnits>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<GeometryRow>;
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<{{ stored }}>;
// a² − |w|² at the start, a word per particle.
@group(1) @binding({{ slot.start }}) var<storage, read> start: array<f32>;
// Whether a sample before the ones at hand activates a particle.
@group(1) @binding({{ slot.alive }}) var<storage, read_write> alive: array<u32>;
@group(1) @binding({{ slot.partials }}) var<storage, read_write> partials: array<Partial>;

alias V = f32;
{{ read_inputs() }}
{{ read_particles() }}

var<workgroup> found: array<Partial, {{ lanes }}>;

{%- set loops = (d - 1) // unrolled %}

// Whether one of the samples at hand activates the particle whose planes begin at a word.
fn is_active(work: GeometryRow, at: u32) -> bool {
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
        if {{ is_on("z") }} {
            return true;
        }
    }
    return false;
}

// What the particle at a word contributes; `slot` is its number in the shard.
fn partial_of(unit: RunUnits, at: u32, slot: u32) -> Partial {
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
    var partial: Partial;
    partial.dead = select(1.0, 0.0, alive[slot] != 0u);
    partial.largest_a = a;
    partial.largest_w = norm;
    partial.drift = abs(balance - start[slot] * unit.start);
    partial.mass = a * norm;
    if square > 0.0 {
        partial.informative = a * (informative / norm);
    }
    return partial;
}

@compute @workgroup_size({{ lanes }})
fn {{ entry }}({{ builtins() }}) {
{{ own_row() }}
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
        found[t] = partial_of(unit, at, slot);
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
    partials[row.out] = all;
}
