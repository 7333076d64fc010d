// The steps of a submit: which states are evaluated, and η for every run.
// Needs: common.wgsl; the bindings `runs`, `state` and `schedule`, which is
// [record of the evaluation or NONE (steps)] [bits of η (steps, runs)].
// Gives: record_at, eta_of, is_skipped.
fn record_at(step: u32) -> u32 {
    return schedule[step];
}

fn eta_of(step: u32, run: u32) -> f32 {
    return bitcast<f32>(schedule[{{ steps_most }}u + step * arrayLength(&runs) + run]);
}

// Whether nobody asks for this run's predictions in this step.
fn is_skipped(run: u32) -> bool {
    let step = state[run].submit_step;
    let still = state[run].diverged != 0u || eta_of(step, run) == 0.0;
    return still && record_at(step) == NONE;
}
