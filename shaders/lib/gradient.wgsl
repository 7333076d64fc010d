// G_j = Σ_i g_i σ'(w_j·x_i) x_i of the particles that a thread holds, and what follows from it. Macros
// for the inside of entry points.
// Needs: storage.wgsl (V); for the partial sums `row` (UpdateRow), `t` and the binding `gradient_sums`.
// Vector v of particles has w{v}_{k}, a{v} and G{v}_{k}; k counts coordinates.
{%- from "lib/workgroup.wgsl" import broadcast %}
{%- from "lib/activation.wgsl" import weighted_slope %}

{#- Adds g_own σ'(w·x) x to G, x in x0, x1, … (four coordinates each). Of a subgroup all lanes add what each
    of `subgroup_width` lanes has. Needs variables z{v} and m{v}. #}
{%- macro accumulate_gradient(vectors, subgroup_width) %}
        // What the samples at hand add to G.
{%- for s in range(subgroup_width) %}
        let g_{{ s }} = {{ broadcast("g_own", s, subgroup_width) }};
{%- for k in range(d) %}
        let x_{{ k }}_{{ s }} = {{ broadcast("x" ~ (k // 4) ~ "." ~ axes[k % 4], s, subgroup_width) }};
{%- for v in range(vectors) %}
        z{{ v }} = {% if k == 0 %}w{{ v }}_0 * x_0_{{ s }}{% else %}fma(w{{ v }}_{{ k }}, V(x_{{ k }}_{{ s }}), z{{ v }}){% endif %};
{%- endfor %}
{%- endfor %}
{%- for v in range(vectors) %}
        m{{ v }} = {{ weighted_slope("V(g_" ~ s ~ ")", "z" ~ v, "V(0.0)") }};
{%- for k in range(d) %}
        G{{ v }}_{{ k }} = fma(m{{ v }}, V(x_{{ k }}_{{ s }}), G{{ v }}_{{ k }});
{%- endfor %}
{%- endfor %}
{%- endfor %}
{%- endmacro %}

{#- Leaves down × across sums of a thread, named G{i}_{j}, on top of those over the samples of rows before;
    `width` numbers in a sum. #}
{%- macro leave_gradient_sums(G, down, across, width, threads) %}
    // Leaves the sums G that the thread holds, on top of those over the samples of rows before.
    let left = row.gradient_sum / {{ width }}u + t;
    if row.adds > 0u {
{%- for i in range(down) %}{% for j in range(across) %}
        {{ G }}{{ i }}_{{ j }} += gradient_sums[left + {{ (i * across + j) * threads }}u];
{%- endfor %}{% endfor %}
    }
{%- for i in range(down) %}{% for j in range(across) %}
    gradient_sums[left + {{ (i * across + j) * threads }}u] = {{ G }}{{ i }}_{{ j }};
{%- endfor %}{% endfor %}
{%- endmacro %}

{#- Adds up what leave_gradient_sums has left. #}
{%- macro add_gradient_sums(down, across, width, threads) %}
    // G from its partial sums, in order.
    for (var part = 0u; part < row.gradient_sums; part += 1u) {
        let left = row.gradient_sum / {{ width }}u + part * {{ down * across * threads }}u + t;
{%- for i in range(down) %}{% for j in range(across) %}
        G{{ i }}_{{ j }} += gradient_sums[left + {{ (i * across + j) * threads }}u];
{%- endfor %}{% endfor %}
    }
{%- endmacro %}

{#- Gives va and vw{k}, the velocity of vector v in stored units; with `update` also next{k}, where it is
    after the step, a last. `now` is the state of the run. #}
{%- macro velocity(v, G, update) %}
        // The velocity of particles from their G{% if update %}, and where they are after the step{% endif %}.
        var wG = w{{ v }}_0 * {{ G }}{{ v }}_0;
{%- for k in range(1, d) %}
        wG = fma(w{{ v }}_{{ k }}, {{ G }}{{ v }}_{{ k }}, wG);
{%- endfor %}
        let va = now.force_a * wG - now.decay_a * a{{ v }};
        let force = now.force_w * a{{ v }};
{%- for k in range(d) %}
        let vw{{ k }} = force * {{ G }}{{ v }}_{{ k }} - now.decay_w * w{{ v }}_{{ k }};
{%- endfor %}
{%- if update %}
{%- for k in range(d) %}
        let next{{ k }} = now.shift_w * (w{{ v }}_{{ k }} + now.eta * vw{{ k }});
{%- endfor %}
        let next{{ d }} = now.shift_a * (a{{ v }} + now.eta * va);
{%- endif %}
{%- endmacro %}
