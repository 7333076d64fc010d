// predict_arcs: where each particle of a tile is on the circle, the sums of a_j w_j there, and the
// tile's moments Σa², Σ|w|², Σ|a||w|. Particles of an end count there and on the arc behind it.
// Two particles at a time.
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/storage.wgsl" import planes %}
{%- from "lib/arcs/circle.wgsl" import arc_run, circle %}
{%- set per_block = lanes // 2 %}
{%- from "lib/rows.wgsl" import arc_row %}
{% include "lib/common.wgsl" %}
{{ arc_row() }}
{% include "lib/arcs/word_pairs.wgsl" %}
{{ arc_run() }}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<StepState>;
@group(0) @binding({{ slot.schedule }}) var<storage, read> schedule: array<u32>;
@group(0) @binding({{ slot.arc_runs }}) var<storage, read> arc_runs: array<ArcRun>;
@group(0) @binding({{ slot.circle }}) var<storage, read> circle: array<Pair>;
{%- if wide %}
@group(0) @binding({{ slot.arc_sums }}) var<storage, read_write> arc_sums: array<atomic<u64>>;
{%- else %}
@group(0) @binding({{ slot.arc_sums }}) var<storage, read_write> arc_sums: array<atomic<u32>>;
{%- endif %}
@group(0) @binding({{ slot.arc_moments }}) var<storage, read_write> arc_moments: array<f32>;
@group(0) @binding({{ slot.magnitudes }}) var<storage, read> magnitudes: array<u32>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<ArcRow>;
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<Pair>;
@group(1) @binding({{ slot.positions }}) var<storage, read_write> positions: array<Pair>;

{% include "lib/schedule.wgsl" %}
{{ planes(2) }}
{% include "lib/arcs/fixed_point.wgsl" %}
{{ circle() }}
{% include "lib/arcs/orientation.wgsl" %}
{% include "lib/arcs/locate.wgsl" %}

var<workgroup> scratch: array<f32, {{ threads * 3 }}>;

// Adds to the sum of one coordinate.
fn add_to(sum: u32, number: f32) {
    let amount = pack(number);
{%- if wide %}
    atomicAdd(&arc_sums[sum], pair_of(amount));
{%- else %}
    let before = atomicAdd(&arc_sums[2u * sum], amount.x);
    let carry = select(0u, 1u, before + amount.x < before);
    atomicAdd(&arc_sums[2u * sum + 1u], amount.y + carry);
{%- endif %}
}

fn add(slot: u32, w0: f32, w1: f32, scale: f32) {
    add_to(2u * slot, w0 * scale);
    add_to(2u * slot + 1u, w1 * scale);
}

@compute @workgroup_size({{ threads }})
fn {{ entry }}({{ builtins() }}) {
{{ own_row() }}
    if is_skipped(row.run) {
        return;
    }
    let arc_run = runs[row.run].arcs;
    let arcs = arc_runs[arc_run];
    let slots = arcs.slots + row.copy * positions_of(arcs);
    let scale = scale_of(arcs, magnitudes[arc_run]);
    var m0 = vec2<f32>(0.0);
    var m1 = vec2<f32>(0.0);
    var m2 = vec2<f32>(0.0);
    let ends = ends_from(arcs);
    let pairs = (row.count + 1u) / 2u;
    for (var first = t; first < pairs; first += {{ 32 * threads }}u) {
        let last = min(first + {{ 32 * threads }}u, pairs);
        // Particles that are not surely where they were wait, so that the others do not wait for them:
        // a bit for each.
        var waiting = vec2<u32>(0u);
        var bit = 1u;
        for (var i = first; i < last; i += {{ threads }}u) {
            let at = planes(row.first, i);
            let w0 = floats_of(particles[at]);
            let w1 = floats_of(particles[at + {{ per_block }}u]);
            let a = floats_of(particles[at + {{ 2 * per_block }}u]);
            let position = words_of(positions[row.first / 2u + i]);
            // The key 1 − x/(|x| + |y|) rises with the angle. Bounds leave room for its rounding; sums
            // that overflow or are near to what is rounded to 0 are beyond them.
            let size = abs(w0) + abs(w1);
            let ratio = w0 / size;
            let near = (size > vec2<f32>(0x1p-90f)) & (size < vec2<f32>(0x1p120f));
            let product0 = a * w0;
            let product1 = a * w1;
{%- for p in range(2) %}
{%- set p = axes[p] %}
            let turned_{{ p }} = is_turned(bitcast<u32>(w0.{{ p }}), bitcast<u32>(w1.{{ p }}));
            let key_{{ p }} = 1.0 - select(ratio.{{ p }}, -ratio.{{ p }}, turned_{{ p }} == 1u);
            let bounds_{{ p }} = bounds_of(arcs, min(position.{{ p }} / 2u, arcs.count + 1u));
            let sure_{{ p }} = near.{{ p }} && turned_{{ p }} == position.{{ p }} % 2u
                && key_{{ p }} > bounds_{{ p }}.x && key_{{ p }} < bounds_{{ p }}.y;
            if sure_{{ p }} {
                add(slots + position.{{ p }}, product0.{{ p }}, product1.{{ p }}, scale);
            }
            waiting.{{ p }} |= select(bit, 0u, sure_{{ p }});
{%- endfor %}
            bit <<= 1u;
            let square = fma(w1, w1, w0 * w0);
            m0 = fma(a, a, m0);
            m1 += square;
            m2 = fma(abs(a), sqrt(square), m2);
        }
        while (waiting.x | waiting.y) != 0u {
            let second = waiting.x == 0u;
            let i = first + firstTrailingBit(select(waiting.x, waiting.y, second)) * {{ threads }}u;
            waiting.y &= select(waiting.y, waiting.y - 1u, second);
            waiting.x &= select(waiting.x - 1u, waiting.x, second);
            // A last particle may have no second.
            if 2u * i + select(0u, 1u, second) < row.count {
                let at = planes(row.first, i);
                let w0 = floats_of(particles[at]);
                let w1 = floats_of(particles[at + {{ per_block }}u]);
                let a = floats_of(particles[at + {{ 2 * per_block }}u]);
                var pair = words_of(positions[row.first / 2u + i]);
                let w = select(vec2<f32>(w0.x, w1.x), vec2<f32>(w0.y, w1.y), second);
                let before = select(pair.x, pair.y, second);
                let position = locate(arcs, bitcast<vec2<u32>>(w), before);
                pair = select(vec2<u32>(position, pair.y), vec2<u32>(pair.x, position), second);
                positions[row.first / 2u + i] = pair_of(pair);
                let product = select(a.x, a.y, second) * w;
                add(slots + position, product.x, product.y, scale);
                if position >= ends {
                    add(slots + position - ends, product.x, product.y, scale);
                }
            }
        }
    }
{%- for q in range(3) %}
    scratch[{{ q * threads }}u + t] = m{{ q }}.x + m{{ q }}.y;
{%- endfor %}
    workgroupBarrier();
    if t < 3u {
        var total = 0.0;
        for (var other = 0u; other < {{ threads }}u; other += 1u) {
            total += scratch[t * {{ threads }}u + other];
        }
        arc_moments[row.moments + t] = total;
    }
}
