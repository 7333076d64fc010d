//! Runs that stop at a risk or a gap end at the first state that meets it. Steps are taken in groups, and every
//! state in a group is evaluated. A run that went beyond such a state is put back to the start of the group and
//! takes its steps up to that state again, with the same bits.

use super::run_state::RunState;
use crate::engine::{Clock, DualState, Engine, Steps};
use crate::error::Result;
use crate::particles::Particles;

/// The state of a run before a group of steps.
pub struct RewindPoint {
    batch_index: usize,
    particles: Particles,
    clock: Clock,
    accumulated: Vec<f64>,
    dual_state: Option<DualState>,
}

impl RewindPoint {
    /// The runs that may have to be put back, see [`RunState::may_rewind`].
    pub fn of(engine: &mut dyn Engine, run_states: &[RunState]) -> Result<Vec<Self>> {
        let mut kept = Vec::new();
        for run_state in run_states
            .iter()
            .filter(|m| m.end.is_none() && m.may_rewind())
        {
            kept.push(RewindPoint {
                batch_index: run_state.batch_index,
                particles: engine.read(run_state.batch_index, 0..run_state.run.m)?,
                clock: engine.clock(run_state.batch_index),
                accumulated: engine.accumulated(run_state.batch_index)?,
                dual_state: engine.dual_state(run_state.batch_index),
            });
        }
        Ok(kept)
    }

    /// Puts the runs that met their stopping criterion within the group back to that state.
    pub fn rewind(kept: Vec<Self>, engine: &mut dyn Engine, run_states: &[RunState]) -> Result<()> {
        for kept in kept {
            let run_state = run_states
                .iter()
                .find(|m| m.batch_index == kept.batch_index);
            let Some((run_state, criterion_step)) =
                run_state.and_then(|m| Some((m, m.criterion_step()?)))
            else {
                continue;
            };
            if engine.clock(kept.batch_index).step == criterion_step {
                continue;
            }
            engine.write(kept.batch_index, 0, &kept.particles)?;
            engine.set_clock(kept.batch_index, kept.clock)?;
            engine.set_accumulated(kept.batch_index, kept.accumulated)?;
            if let Some(state) = kept.dual_state {
                engine.set_dual_state(kept.batch_index, state)?;
            }
            let mut steps = Steps::default();
            for step in kept.clock.step..criterion_step {
                let mut eta = vec![0.0; engine.batch().runs.len()];
                eta[kept.batch_index] = run_state.eta(step);
                steps.eta.extend(eta);
                steps.evaluate.push(false);
            }
            if !steps.is_empty() {
                engine.advance(&steps)?;
            }
        }
        Ok(())
    }
}
