// Needs: common.wgsl.
// Gives: step_of.

// The step of one run in stored units. f is homogeneous, so with both layers stored as 2^-e of
// themselves velocities scale along; a layer that moves alone feels 2^-e of the force.
// Where a trains alone and steps grow with its norm, they outgrow f32 while their product with this force does
// not. So a step is 2^u eta, and force and decay are stored times 2^u: u = e there, and 0 elsewhere.
fn step_of(run: RunConstants, before: StepState, eta: f32, mean_a2: f32, mean_w2: f32) -> StepState {
    var now = before;
    let a_moves = run.train != {{ train.input }}u;
    let w_moves = run.train != {{ train.output }}u;
    let alone = !(a_moves && w_moves);
    now.eta_exponent = select(0, now.exponent, alone && a_moves && run.norm_scaled != 0u);
    let force = -select(1.0, pow2(now.eta_exponent - now.exponent), alone) / run.alpha;
    now.force_a = select(0.0, force, a_moves);
    now.force_w = select(0.0, force, w_moves);
    let decay = run.lambda * pow2(now.eta_exponent);
    now.decay_a = select(0.0, decay, a_moves);
    now.decay_w = select(0.0, decay, w_moves);
    now.factor = 1.0;
    if run.norm_scaled != 0u {
        let on_a = select(0, now.exponent - now.eta_exponent, a_moves);
        now.factor = max(pow2(-now.eta_exponent), sqrt(mean_a2) * pow2(on_a));
    }
    now.eta = eta * now.factor;
    now.moves = select(0u, 1u, eta != 0.0 && now.diverged == 0u);
    now.shift_a = 1.0;
    now.shift_w = 1.0;
    let largest = max(select(0.0, mean_a2, a_moves), select(0.0, mean_w2, w_moves));
    if now.moves == 1u && largest > {{ rescale_above }} {
        // About the square root, as a power of two.
        let half = (i32(bitcast<u32>(largest) >> 23u) - 127) / 2;
        now.shift_a = select(1.0, pow2(-half), a_moves);
        now.shift_w = select(1.0, pow2(-half), w_moves);
        now.exponent += half;
    }
    return now;
}
