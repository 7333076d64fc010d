// Particles are stored as {{ stored }}, which V widens to f32.
{%- if stored == "f32" %}
fn particle(at: u32) -> V {
    return particles[at];
}
{%- else %}
fn particle(at: u32) -> V {
    return V(particles[at]);
}
{%- endif %}
