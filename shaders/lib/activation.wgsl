{#- The activation of src/model/activation.rs, in one place for all kernels. Needs nothing; gives expressions of z: σ(z), whether z is
    on, and g σ'(z). `zero` is 0 in the type of z. -#}
{%- macro sigma(z, zero="0.0") -%}
max({{ z }}, {{ zero }})
{%- endmacro -%}
{%- macro is_on(z, zero="0.0") -%}
{{ z }} > {{ zero }}
{%- endmacro -%}
{%- macro weighted_slope(g, z, zero="0.0") -%}
{# σ'(0) = 0 -#}
select({{ zero }}, {{ g }}, {{ is_on(z, zero) }})
{%- endmacro -%}
