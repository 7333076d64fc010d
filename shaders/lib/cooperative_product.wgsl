// Z = W Xᵀ as in product.wgsl, by cooperative matrices of f16 with sums in f32: {{ tile.edge }} particles by
// {{ tile.edge }} samples each, some to every subgroup. Macros.
// Needs: what product.wgsl needs, and `subgroup`; the bindings `particles` and `x` in f16.
{%- macro memory(tile) %}
// W, (coordinates, particles), X, (samples, coordinates), of a slice, and Z, (samples, particles).
var<workgroup> w_slice: array<f16, {{ tile.depth * tile.particles }}>;
var<workgroup> x_slice: array<f16, {{ tile.columns * tile.depth }}>;
var<workgroup> z_block: array<f32, {{ tile.particles * tile.columns }}>;

fn z_four(at: u32) -> V {
    return V(z_block[at], z_block[at + 1u], z_block[at + 2u], z_block[at + 3u]);
}
{%- endmacro %}

{%- macro cooperative_product(tile) %}
{%- set edge = tile.edge %}
{%- set tall = tile.particles // edge %}
{%- set wide = tile.columns // edge // (tile.threads // tile.matrix_threads) %}
        // Others may still read the last block.
        workgroupBarrier();
        for (var e = t; e < {{ tile.particles * tile.columns }}u; e += {{ tile.threads }}u) {
            z_block[e] = 0.0;
        }
        workgroupBarrier();
{%- for j in range(wide) %}
        let first{{ j }} = (subgroup * {{ wide }}u + {{ j }}u) * {{ edge }}u;
{%- for i in range(tall) %}
        var Z{{ i }}_{{ j }} = coopLoad<coop_mat{{ edge }}x{{ edge }}<f32, C>>(&z_block[first{{ j }} * {{ tile.particles }}u + {{ i * edge }}u], {{ tile.particles }}u);
{%- endfor %}
{%- endfor %}
        for (var slice = 0u; slice < {{ row_vectors }}u; slice += {{ tile.depth // 4 }}u) {
            workgroupBarrier();
            for (var e = t; e < {{ tile.depth * tile.particles // 4 }}u; e += {{ tile.threads }}u) {
                let v = min(start + e % {{ tile.particles // 4 }}u, vectors - 1u);
                // Beyond d the samples are 0.
                let k = min(4u * slice + e / {{ tile.particles // 4 }}u, {{ d - 1 }}u);
                let four = particles[planes(row.first, v) + k * {{ lanes // 4 }}u];
{%- for i in range(4) %}
                w_slice[4u * e + {{ i }}u] = four.{{ axes[i] }};
{%- endfor %}
            }
            for (var e = t; e < {{ tile.columns * tile.depth // 4 }}u; e += {{ tile.threads }}u) {
                let s = e / {{ tile.depth // 4 }}u;
                let part = e % {{ tile.depth // 4 }}u;
                let four = x[(row.x + min(s, last)) * {{ row_vectors }}u + slice + part];
{%- for i in range(4) %}
                x_slice[4u * e + {{ i }}u] = four.{{ axes[i] }};
{%- endfor %}
            }
            workgroupBarrier();
{%- for k in range(0, tile.depth, edge) %}
{%- for j in range(wide) %}
            let X{{ k }}_{{ j }} = coopLoad<coop_mat{{ edge }}x{{ edge }}<f16, B>>(&x_slice[first{{ j }} * {{ tile.depth }}u + {{ k }}u], {{ tile.depth }}u);
{%- endfor %}
{%- for i in range(tall) %}
            let W{{ k }}_{{ i }} = coopLoad<coop_mat{{ edge }}x{{ edge }}<f16, A>>(&w_slice[{{ k * tile.particles + i * edge }}u], {{ tile.particles }}u);
{%- for j in range(wide) %}
            Z{{ i }}_{{ j }} = coopMultiplyAdd(W{{ k }}_{{ i }}, X{{ k }}_{{ j }}, Z{{ i }}_{{ j }});
{%- endfor %}
{%- endfor %}
{%- endfor %}
        }
{%- for j in range(wide) %}{% for i in range(tall) %}
        coopStore(Z{{ i }}_{{ j }}, &z_block[first{{ j }} * {{ tile.particles }}u + {{ i * edge }}u], {{ tile.particles }}u);
{%- endfor %}{% endfor %}
        workgroupBarrier();
{%- for s in range(tile.columns_held) %}{% for q in range(tile.fours) %}
        z{{ s }}_{{ q }} = z_four((c + {{ s * tile.down }}u) * {{ tile.particles }}u + 4u * (p + {{ q * tile.across }}u));
{%- endfor %}{% endfor %}
{%- endmacro %}
