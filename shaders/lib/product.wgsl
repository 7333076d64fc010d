// Z = W Xᵀ of a block of particles and samples, over all of d, inside predict_tiled. A macro.
// Needs: storage.wgsl; `row`, `t`, `vectors`, `last`, `start`, `p`, `c`, and for each of the sums z{s}_{q} of a
// thread (s samples, q vectors of particles) at{q} and, unstaged, i{f}, where its sample f begins in X;
// staged w_slice and x_slice in workgroup memory.
{%- from "lib/workgroup.wgsl" import broadcast %}

{%- macro product(tile) %}
{%- if tile.staged %}
        for (var slice = 0u; slice < {{ row_vectors }}u; slice += {{ tile.depth // 4 }}u) {
            workgroupBarrier();
            for (var e = t; e < {{ tile.depth * tile.particles // 4 }}u; e += {{ tile.threads }}u) {
                let v = min(start + e % {{ tile.particles // 4 }}u, vectors - 1u);
                // Beyond d the samples are 0.
                let k = min(4u * slice + e / {{ tile.particles // 4 }}u, {{ d - 1 }}u);
                w_slice[e] = particle(planes(row.first, v) + k * {{ lanes // 4 }}u);
            }
            for (var e = t; e < {{ tile.columns * tile.depth // 4 }}u; e += {{ tile.threads }}u) {
                let s = e / {{ tile.depth // 4 }}u;
                let part = e % {{ tile.depth // 4 }}u;
                x_slice[s * {{ tile.pitch }}u + part] = input((row.x + min(s, last)) * {{ row_vectors }}u + slice + part);
            }
            workgroupBarrier();
            for (var part = 0u; part < {{ tile.depth // 4 }}u; part += 1u) {
{%- for k in range(4) %}{% for q in range(tile.fours) %}
                let w{{ k }}_{{ q }} = w_slice[(4u * part + {{ k }}u) * {{ tile.particles // 4 }}u + p + {{ q * tile.across }}u];
{%- endfor %}{% endfor %}
{%- for s in range(tile.columns_held) %}
                let x{{ s }} = x_slice[(c + {{ s * tile.down }}u) * {{ tile.pitch }}u + part];
{%- for q in range(tile.fours) %}{% for k in range(4) %}
                z{{ s }}_{{ q }} = fma(w{{ k }}_{{ q }}, V(x{{ s }}.{{ axes[k] }}), z{{ s }}_{{ q }});
{%- endfor %}{% endfor %}
{%- endfor %}
            }
        }
{%- else %}
{%- set width = tile.subgroup_width %}
        for (var part = 0u; part < {{ row_vectors }}u; part += {{ tile.depth // 4 }}u) {
{%- for k in range(tile.depth) %}
            let k{{ k }} = min(4u * part + {{ k }}u, {{ d - 1 }}u) * {{ lanes // 4 }}u;
{%- for q in range(tile.fours) %}
            let w{{ k }}_{{ q }} = particle(at{{ q }} + k{{ k }});
{%- endfor %}
{%- endfor %}
{%- for f in range(tile.fetches) %}{% for part in range(tile.depth // 4) %}
            let own{{ f }}_{{ part }} = input(i{{ f }} + part + {{ part }}u);
{%- endfor %}{% endfor %}
{%- for s in range(tile.columns_held) %}
{%- for part in range(tile.depth // 4) %}
            let x{{ s }}_{{ part }} = {{ broadcast("own" ~ (s // width) ~ "_" ~ part, s % width, width) }};
{%- endfor %}
{%- for q in range(tile.fours) %}{% for k in range(tile.depth) %}
            z{{ s }}_{{ q }} = fma(w{{ k }}_{{ q }}, V(x{{ s }}_{{ k // 4 }}.{{ axes[k % 4] }}), z{{ s }}_{{ q }});
{%- endfor %}{% endfor %}
{%- endfor %}
        }
{%- endif %}
{%- endmacro %}
