//! Where the runs of a batch began, for the drift of the balance.

use std::ops::Range;

use crate::engine::{Engine, Origins, Precision};
use crate::model::StateFormat;
use crate::particles::init::Initializer;
use crate::store::blocks;

/// Where one run began.
#[derive(Debug)]
pub struct Beginning {
    of: Law,
    /// The format to which engines round what they are given; `None` for f64.
    state: Option<StateFormat>,
}

#[derive(Debug)]
enum Law {
    /// Draws that are made again whenever they are asked for.
    Drawn(Initializer),
    /// a² − |w|² (m) of particles from a file, which are not kept.
    Known(Vec<f64>),
}

impl Beginning {
    /// Of a run of width m with this initialisation on an engine.
    pub fn new(init: Initializer, m: usize, engine: &dyn Engine) -> Self {
        let state = match engine.precision() {
            Precision::F32 => Some(engine.batch().state),
            Precision::F64 => None,
        };
        let of = match init.is_drawn() {
            true => Law::Drawn(init),
            false => Law::Known(blocks(m).flat_map(|r| balance(&init, state, r)).collect()),
        };
        Beginning { of, state }
    }

    fn balance(&self, range: Range<usize>) -> Vec<f64> {
        match &self.of {
            Law::Drawn(init) => balance(init, self.state, range),
            Law::Known(all) => all[range].to_vec(),
        }
    }
}

/// a² − |w|² of particles as they were stored.
fn balance(init: &Initializer, state: Option<StateFormat>, range: Range<usize>) -> Vec<f64> {
    let mut block = init.block(range);
    if let Some(state) = state {
        let values = block.w.iter_mut().chain(&mut block.a);
        values.for_each(|v| *v = state.nearest(*v));
    }
    block.balance()
}

/// Where each run of a batch began, in its order.
#[derive(Debug, Default)]
pub struct Beginnings(Vec<Beginning>);

impl Beginnings {
    /// The next run of the batch.
    pub fn add(&mut self, beginning: Beginning) {
        self.0.push(beginning);
    }
}

impl Origins for Beginnings {
    fn balance(&self, run: usize, range: Range<usize>) -> Option<Vec<f64>> {
        Some(self.0.get(run)?.balance(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Init, InitKind, Widths};

    /// What a start is measured from is what was stored, and any block of it can be made again.
    #[test]
    fn starts_are_those_of_the_stored_particles() {
        let init = Init {
            kind: InitKind::Gaussian,
            scale_w: 1.5,
            scale_a: 0.5,
            doubled: false,
            widths: Widths::Nested,
            seed: None,
            path: None,
        };
        let init = || Initializer::new(&init, 100, 3, 7).unwrap();
        let began = |state| Beginning {
            of: Law::Drawn(init()),
            state,
        };
        let range = 10..30;
        let block = init().block(range.clone());
        for state in [None, Some(StateFormat::F32)] {
            assert_eq!(began(state).balance(range.clone()), block.balance());
        }
        let mut half = block.clone();
        let values = half.w.iter_mut().chain(&mut half.a);
        values.for_each(|v| *v = StateFormat::F16.nearest(*v));
        assert_ne!(half.balance(), block.balance());
        let f16 = began(Some(StateFormat::F16));
        assert_eq!(f16.balance(range.clone()), half.balance());
        let all = Beginnings(vec![began(None)]);
        assert_eq!(all.balance(0, range), Some(block.balance()));
        assert_eq!(all.balance(1, 0..0), None);
    }
}
