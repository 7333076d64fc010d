//! Runs that stop at a risk or a gap end at the first state that meets it. Steps are taken a stretch at
//! a time and every state in it is evaluated; a run that went on beyond such a state is put back to
//! where the stretch began and takes its steps up to that state once more, with the same bits.

use super::member::Member;
use crate::engine::{Clock, DualState, Engine, Steps};
use crate::error::Result;
use crate::particles::Particles;

/// Where a run stood before a stretch.
pub struct Kept {
    slot: usize,
    particles: Particles,
    clock: Clock,
    accumulated: Vec<f64>,
    anchor: Option<DualState>,
}

impl Kept {
    /// The runs that may have to be put back, see [`Member::may_rewind`].
    pub fn of(engine: &mut dyn Engine, members: &[Member]) -> Result<Vec<Self>> {
        let mut kept = Vec::new();
        for member in members.iter().filter(|m| m.end.is_none() && m.may_rewind()) {
            kept.push(Kept {
                slot: member.slot,
                particles: engine.read(member.slot, 0..member.run.m)?,
                clock: engine.clock(member.slot),
                accumulated: engine.accumulated(member.slot)?,
                anchor: engine.dual_state(member.slot),
            });
        }
        Ok(kept)
    }

    /// Puts those that met their rule in the stretch back to that state.
    pub fn rewind(kept: Vec<Self>, engine: &mut dyn Engine, members: &[Member]) -> Result<()> {
        for kept in kept {
            let member = members.iter().find(|m| m.slot == kept.slot);
            let Some((member, met)) = member.and_then(|m| Some((m, m.met()?))) else {
                continue;
            };
            if engine.clock(kept.slot).step == met {
                continue;
            }
            engine.write(kept.slot, 0, &kept.particles)?;
            engine.set_clock(kept.slot, kept.clock)?;
            engine.set_accumulated(kept.slot, kept.accumulated)?;
            if let Some(anchor) = kept.anchor {
                engine.set_dual_state(kept.slot, anchor)?;
            }
            let mut steps = Steps::default();
            for step in kept.clock.step..met {
                let mut eta = vec![0.0; engine.batch().runs.len()];
                eta[kept.slot] = member.eta(step);
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
