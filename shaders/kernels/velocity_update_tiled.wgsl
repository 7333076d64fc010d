// velocity for large d: G_j = Σ_i g_i 1[z_ij > 0] x_i from the activation bits that predict left, and
// ẇ_j = force a_j G_j − λ w_j{% if update %}, with which w takes its step{% endif %}. What these coordinates add to w_j·G_j
// (with the old w) goes to {% if update %}update_output{% else %}velocity_output{% endif %}. G = (g 1[z > 0]) X: the columns are coordinates. d = {{ d }}
{%- if sums == "leave" %}
// This one goes over some of the samples and leaves G of them to the next.
{%- elif sums == "add" %}
// This one has G from those who went over the samples.
{%- endif %}
{%- from "lib/workgroup.wgsl" import builtins, own_row %}
{%- from "lib/storage.wgsl" import vectors as types, planes, read_particles, read_inputs, store_particles %}
{%- from "lib/gradient.wgsl" import leave_gradient_sums, add_gradient_sums %}
{%- from "lib/activation_bits.wgsl" import word_at %}
{%- from "lib/gradient_product.wgsl" import gradient_product %}
{%- set G = "sum" if blocked else "G" %}
{%- from "lib/rows.wgsl" import update_row %}
{% include "lib/common.wgsl" %}
{{ update_row() }}

@group(0) @binding({{ slot.runs }}) var<storage, read> runs: array<RunConstants>;
@group(0) @binding({{ slot.state }}) var<storage, read> state: array<StepState>;
@group(0) @binding({{ slot.residual }}) var<storage, read> g: array<f32>;
@group(1) @binding({{ slot.rows }}) var<storage, read> rows: array<UpdateRow>;
@group(1) @binding({{ slot.bits }}) var<storage, read> bits: array<vec4<u32>>;
@group(1) @binding({{ slot.parts }}) var<storage, read_write> parts: array<vec4<f32>>;
@group(1) @binding({{ slot.gradient_sums }}) var<storage, read_write> gradient_sums: array<vec4<f32>>;
{%- if sums == "leave" %}
{%- elif update %}
@group(1) @binding({{ slot.particles }}) var<storage, read_write> particles: array<S>;
{%- else %}
@group(1) @binding({{ slot.particles }}) var<storage, read> particles: array<S>;
@group(1) @binding({{ slot.velocity }}) var<storage, read_write> velocities: array<vec4<f32>>;
{%- endif %}

// A workgroup makes a block of {{ tile.particles }} particles times {{ tile.columns }} coordinates. Each of its
// {{ tile.threads }} threads holds {{ tile.held }} × {{ tile.columns_held }} sums in registers, the particles four by four.
{{ types(4) }}
{{ planes(4) }}
{{ word_at() }}
{{ read_inputs() }}
{%- if sums != "leave" %}
{{ read_particles() }}
{%- if update %}
{{ store_particles(4) }}
{%- endif %}
{%- endif %}
{%- if tile.staged and sums != "add" %}
// g_i 1[z_ij > 0] and x_i of a few samples.
var<workgroup> m_slice: array<V, {{ tile.depth * tile.particles // 4 }}>;
var<workgroup> x_slice: array<V, {{ tile.depth * tile.columns // 4 }}>;
{%- endif %}
{%- if tile.down > 1 and sums != "leave" %}
var<workgroup> scratch: array<V, {{ tile.down * tile.particles // 4 }}>;
{%- endif %}

@compute @workgroup_size({{ tile.threads }})
fn {{ entry }}({{ builtins(lane=tile.subgroup_width > 1) }}) {
{{ own_row() }}
{%- if update or sums != "leave" %}
    let now = state[row.run];
{%- endif %}
{%- if update %}
    if now.moves == 0u {
        return;
    }
{%- endif %}
    let p = t % {{ tile.across }}u;
    let c = t / {{ tile.across }}u;
    let vectors = (row.count + 3u) / 4u;
    // The first of its vectors of coordinates.
    let column = row.coordinate / 4u;
{%- for q in range(tile.fours) %}
    let v{{ q }} = min(p + {{ q * tile.across }}u, vectors - 1u);
{%- for k in range(tile.columns_held) %}
    var G{{ k }}_{{ q }} = V(0.0);
{%- if blocked %}
    var sum{{ k }}_{{ q }} = V(0.0);
{%- endif %}
{%- endfor %}
{%- endfor %}
{%- if sums == "add" %}
{{- add_gradient_sums(tile.columns_held, tile.fours, 4, tile.threads) }}
{%- else %}
    let words = (runs[row.run].n + 31u) / 32u;
    // Sample i of the run lies in row origin + i of X, modulo 2³².
    let origin = row.x - row.sample;
    let residual = runs[row.run].residual;
    let end = row.sample + row.samples;
{%- if blocked %}
    // Blocked summation: parts of {{ chunk }} samples, then their sum.
    for (var start = row.sample; start < end; start += {{ chunk }}u) {
    let stop = min(start + {{ chunk }}u, end);
{%- for q in range(tile.fours) %}{% for k in range(tile.columns_held) %}
    G{{ k }}_{{ q }} = V(0.0);
{%- endfor %}{% endfor %}
{%- else %}
    let start = row.sample;
    let stop = end;
{%- endif %}
{{- gradient_product(tile) }}
{%- if blocked %}
{%- for q in range(tile.fours) %}{% for k in range(tile.columns_held) %}
    sum{{ k }}_{{ q }} += G{{ k }}_{{ q }};
{%- endfor %}{% endfor %}
    }
{%- endif %}
{%- endif %}
{%- if sums == "leave" %}
{{- leave_gradient_sums(G, tile.columns_held, tile.fours, 4, tile.threads) }}
{%- else %}
{%- for q in range(tile.fours) %}
    let at{{ q }} = planes(row.first, v{{ q }});
    let own{{ q }} = p + {{ q * tile.across }}u < vectors;
    let a{{ q }} = particle(at{{ q }} + {{ d * lanes // 4 }}u);
    var wG{{ q }} = V(0.0);
{%- endfor %}
{%- for k in range(tile.columns_held) %}
    let k{{ k }} = 4u * (column + c + {{ k // 4 * tile.down }}u) + {{ k % 4 }}u;
    if k{{ k }} < {{ d }}u {
{%- for q in range(tile.fours) %}
        let w{{ q }} = particle(at{{ q }} + k{{ k }} * {{ lanes // 4 }}u);
        wG{{ q }} = fma(w{{ q }}, {{ G }}{{ k }}_{{ q }}, wG{{ q }});
        let vw{{ q }} = now.force_w * a{{ q }} * {{ G }}{{ k }}_{{ q }} - now.decay_w * w{{ q }};
        if own{{ q }} {
{%- if update %}
            store(at{{ q }} + k{{ k }} * {{ lanes // 4 }}u, now.shift_w * (w{{ q }} + now.eta * vw{{ q }}), now.step);
{%- else %}
            velocities[at{{ q }} + k{{ k }} * {{ lanes // 4 }}u] = vw{{ q }};
{%- endif %}
        }
{%- endfor %}
    }
{%- endfor %}
{%- if tile.down > 1 %}
{%- for q in range(tile.fours) %}
    scratch[c * {{ tile.particles // 4 }}u + p + {{ q * tile.across }}u] = wG{{ q }};
{%- endfor %}
    workgroupBarrier();
    for (var v = t; v < {{ tile.particles // 4 }}u; v += {{ tile.threads }}u) {
        var total = scratch[v];
{%- for other in range(1, tile.down) %}
        total += scratch[{{ other * tile.particles // 4 }}u + v];
{%- endfor %}
        parts[row.part / 4u + v] = total;
    }
{%- else %}
{%- for q in range(tile.fours) %}
    parts[row.part / 4u + p + {{ q * tile.across }}u] = wG{{ q }};
{%- endfor %}
{%- endif %}
{%- endif %}
}
