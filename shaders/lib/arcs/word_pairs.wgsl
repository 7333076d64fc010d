// Pairs of words. An adapter that goes through its lanes one by one loads both as one.
// Gives: Pair, words_of, floats_of, pair_of.
{%- if wide %}
alias Pair = u64;
{%- else %}
alias Pair = vec2<u32>;
{%- endif %}

fn words_of(pair: Pair) -> vec2<u32> {
{%- if wide %}
    return vec2<u32>(u32(pair & 0xfffffffflu), u32(pair >> 32u));
{%- else %}
    return pair;
{%- endif %}
}

fn floats_of(pair: Pair) -> vec2<f32> {
    return bitcast<vec2<f32>>(words_of(pair));
}

fn pair_of(words: vec2<u32>) -> Pair {
{%- if wide %}
    return u64(words.x) | (u64(words.y) << 32u);
{%- else %}
    return words;
{%- endif %}
}
