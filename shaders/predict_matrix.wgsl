{#- z = W Xᵀ over all of d by cooperative matrices of f16 with sums in f32, inside predict_tiled:
    {{ edge }} particles by {{ edge }} samples each, some to every subgroup. #}
{%- set tall = particles // edge %}
{%- set wide = columns // edge // (threads // subgroup_lanes) %}
        // Others may still read the last block.
        workgroupBarrier();
        for (var e = t; e < {{ particles * columns }}u; e += {{ threads }}u) {
            z_block[e] = 0.0;
        }
        workgroupBarrier();
{%- for j in range(wide) %}
        let first{{ j }} = (subgroup * {{ wide }}u + {{ j }}u) * {{ edge }}u;
{%- for i in range(tall) %}
        var Z{{ i }}_{{ j }} = coopLoad<coop_mat{{ edge }}x{{ edge }}<f32, C>>(&z_block[first{{ j }} * {{ particles }}u + {{ i * edge }}u], {{ particles }}u);
{%- endfor %}
{%- endfor %}
        for (var slice = 0u; slice < {{ row_vectors }}u; slice += {{ depth // 4 }}u) {
            workgroupBarrier();
            for (var e = t; e < {{ depth * particles // 4 }}u; e += {{ threads }}u) {
                let v = min(start + e % {{ particles // 4 }}u, vectors - 1u);
                // Beyond d the samples are 0.
                let k = min(4u * slice + e / {{ particles // 4 }}u, {{ d - 1 }}u);
                let four = particles[planes(row.first, v) + k * {{ lanes // 4 }}u];
{%- for i in range(4) %}
                w_slice[4u * e + {{ i }}u] = four.{{ axes[i] }};
{%- endfor %}
            }
            for (var e = t; e < {{ columns * depth // 4 }}u; e += {{ threads }}u) {
                let s = e / {{ depth // 4 }}u;
                let part = e % {{ depth // 4 }}u;
                let four = x[(row.x + min(s, last)) * {{ row_vectors }}u + slice + part];
{%- for i in range(4) %}
                x_slice[4u * e + {{ i }}u] = four.{{ axes[i] }};
{%- endfor %}
            }
            workgroupBarrier();
{%- for k in range(0, depth, edge) %}
{%- for j in range(wide) %}
            let X{{ k }}_{{ j }} = coopLoad<coop_mat{{ edge }}x{{ edge }}<f16, B>>(&x_slice[first{{ j }} * {{ depth }}u + {{ k }}u], {{ depth }}u);
{%- endfor %}
{%- for i in range(tall) %}
            let W{{ k }}_{{ i }} = coopLoad<coop_mat{{ edge }}x{{ edge }}<f16, A>>(&w_slice[{{ k * particles + i * edge }}u], {{ particles }}u);
{%- for j in range(wide) %}
            Z{{ i }}_{{ j }} = coopMultiplyAdd(W{{ k }}_{{ i }}, X{{ k }}_{{ j }}, Z{{ i }}_{{ j }});
{%- endfor %}
{%- endfor %}
{%- endfor %}
        }
{%- for j in range(wide) %}{% for i in range(tall) %}
        coopStore(Z{{ i }}_{{ j }}, &z_block[first{{ j }} * {{ particles }}u + {{ i * edge }}u], {{ particles }}u);
{%- endfor %}{% endfor %}
        workgroupBarrier();
{%- for s in range(columns_held) %}{% for q in range(fours) %}
        z{{ s }}_{{ q }} = z_four((c + {{ s * down }}u) * {{ particles }}u + 4u * (p + {{ q * across }}u));
{%- endfor %}{% endfor %}
