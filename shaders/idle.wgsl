// The turns of a submit: which states are evaluated, and η for every run.
// schedule = [slot of the evaluation or NONE (turns)] [bits of η (turns, runs)]
fn slot_of(turn: u32) -> u32 {
    return schedule[turn];
}

fn eta_of(turn: u32, run: u32) -> f32 {
    return bitcast<f32>(schedule[{{ turns }}u + turn * arrayLength(&runs) + run]);
}

// Whether nobody asks for this run's predictions in this turn.
fn is_idle(run: u32) -> bool {
    let turn = state[run].turn;
    let still = state[run].diverged != 0u || eta_of(turn, run) == 0.0;
    return still && slot_of(turn) == NONE;
}
