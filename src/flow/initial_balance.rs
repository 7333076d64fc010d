//! The initial balance a² − |w|² of the particles, relative to which its drift is measured.

use std::ops::Range;

use crate::engine::{Engine, Origins, Precision};
use crate::model::StateFormat;
use crate::particles::init::Initializer;
use crate::store::blocks;

/// The initial balance of one run.
#[derive(Debug)]
pub struct InitialBalance {
    of: BalanceSource,
    /// The format to which the engine rounded the initial particles; `None` for f64.
    state: Option<StateFormat>,
}

#[derive(Debug)]
enum BalanceSource {
    /// For drawn particles, which are drawn again on each request.
    Drawn(Initializer),
    /// For particles from a file, which are not kept in memory: a² − |w|² (m).
    Stored(Vec<f64>),
}

impl InitialBalance {
    /// For a run of width m with this initialisation on an engine.
    pub fn new(init: Initializer, m: usize, engine: &dyn Engine) -> Self {
        let state = match engine.precision() {
            Precision::F32 => Some(engine.batch().state),
            Precision::F64 => None,
        };
        let of = match init.is_drawn() {
            true => BalanceSource::Drawn(init),
            false => {
                BalanceSource::Stored(blocks(m).flat_map(|r| balance(&init, state, r)).collect())
            }
        };
        InitialBalance { of, state }
    }

    fn balance(&self, range: Range<usize>) -> Vec<f64> {
        match &self.of {
            BalanceSource::Drawn(init) => balance(init, self.state, range),
            BalanceSource::Stored(all) => all[range].to_vec(),
        }
    }
}

/// a² − |w|² of the initial particles as the engine stored them.
fn balance(init: &Initializer, state: Option<StateFormat>, range: Range<usize>) -> Vec<f64> {
    let mut block = init.block(range);
    if let Some(state) = state {
        let values = block.w.iter_mut().chain(&mut block.a);
        values.for_each(|v| *v = state.nearest(*v));
    }
    block.balance()
}

/// The initial balance of each run of a batch, in the order of the batch.
#[derive(Debug, Default)]
pub struct InitialBalances(Vec<InitialBalance>);

impl InitialBalances {
    /// Adds the next run of the batch.
    pub fn add(&mut self, initial_balance: InitialBalance) {
        self.0.push(initial_balance);
    }
}

impl Origins for InitialBalances {
    fn balance(&self, run: usize, range: Range<usize>) -> Option<Vec<f64>> {
        Some(self.0.get(run)?.balance(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{InitKind, InitSpec, Widths};

    /// The balance is that of the rounded particles, and any block of it can be computed again.
    #[test]
    fn balances_are_those_of_the_stored_particles() {
        let init = InitSpec {
            kind: InitKind::Gaussian,
            scale_w: 1.5,
            scale_a: 0.5,
            doubled: false,
            widths: Widths::Nested,
            seed: None,
            path: None,
        };
        let init = || Initializer::new(&init, 100, 3, 7).unwrap();
        let began = |state| InitialBalance {
            of: BalanceSource::Drawn(init()),
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
        let all = InitialBalances(vec![began(None)]);
        assert_eq!(all.balance(0, range), Some(block.balance()));
        assert_eq!(all.balance(1, 0..0), None);
    }
}
