//! The methods by which engines compute the steps of a run: the four stages over all pairs of particles
//! and samples, and exact short cuts that give the same up to rounding.
//!
//! | method | applies to | keeps in a checkpoint |
//! |---|---|---|
//! | direct | all runs | nothing |
//! | arcs | d = 2: G is constant on the arcs between the kinks of the samples (`circle`) | nothing |
//! | cells | d = 3, 4 on the cpu engine: most samples do the same to all particles that point the same way | nothing |
//! | gram | output-only training in f32: the Gram matrix of the features ([`gram`]) | a [`DualState`](super::DualState) |
//!
//! This module decides when a method applies and pays, with the costs in `costs`. How a method predicts
//! and updates is in `cpu/method.rs`, in `gpu/arcs` and in [`gram`].

use super::Batch;
use crate::model::{Activation, Run, StateFormat, Train};

pub(super) mod circle;
mod costs;
pub mod gram;

pub(super) use costs::Machine;

/// Whether exact short cuts replace the direct kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShortCuts {
    /// Where they are faster.
    #[default]
    Auto,
    Never,
    /// Wherever they apply.
    Always,
}

/// How the steps of a run are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Direct,
    Arcs,
    Cells,
    Gram,
}

/// The properties that determine the method of a run. Other runs of its batch do not matter, so that its
/// bits do not depend on them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RunProperties {
    pub d: usize,
    /// Training samples.
    pub n: usize,
    /// Particles that the engine holds.
    pub m: usize,
    pub train: Train,
    pub activation: Activation,
    pub state: StateFormat,
    /// The share of the samples that cut a block of cells, on an engine that has cells for d.
    pub cut: Option<f64>,
}

impl Method {
    /// As summaries and `verify` show it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Direct => "direct",
            Method::Arcs => "arcs",
            Method::Cells => "cells",
            Method::Gram => "gram",
        }
    }

    /// Whether the method exists for a run.
    fn applies(self, run: &RunProperties) -> bool {
        let (f32, on_off) = (run.state == StateFormat::F32, run.activation.is_on_off());
        match self {
            Method::Direct => true,
            Method::Arcs => f32 && on_off && run.d == 2,
            Method::Cells => f32 && on_off && run.cut.is_some(),
            Method::Gram => f32 && run.train == Train::Output,
        }
    }
}

impl RunProperties {
    pub fn new(batch: &Batch, run: &Run) -> Self {
        RunProperties {
            d: batch.d,
            n: batch.datasets[run.train_set].n(),
            m: run.held_count(),
            train: run.train,
            activation: run.activation,
            state: batch.state,
            cut: None,
        }
    }
}

/// The method of a run on a machine: the first of these that applies and, if required, is faster than the
/// direct kernels.
pub(super) fn choose(
    methods: &[Method],
    short_cuts: ShortCuts,
    machine: Machine,
    run: &RunProperties,
) -> Method {
    let takes = |method: &&Method| match short_cuts {
        ShortCuts::Never => false,
        ShortCuts::Always => method.applies(run),
        ShortCuts::Auto => method.applies(run) && machine.pays(**method, run),
    };
    methods
        .iter()
        .find(takes)
        .copied()
        .unwrap_or(Method::Direct)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(d: usize, n: usize, m: usize) -> RunProperties {
        RunProperties {
            d,
            n,
            m,
            train: Train::Both,
            activation: Activation::Relu,
            state: StateFormat::F32,
            // The values for a million particles.
            cut: (d == 3).then_some(if m > 100_000 { 0.01 } else { 0.3 }),
        }
    }

    #[test]
    fn a_short_cut_is_taken_where_it_exists_and_pays() {
        let methods = [Method::Arcs, Method::Cells];
        let by =
            |short_cuts, run: RunProperties| choose(&methods, short_cuts, Machine::Processor, &run);
        let auto = |d, n, m| by(ShortCuts::Auto, run(d, n, m));
        assert_eq!(auto(2, 10_000, 1_000_000), Method::Arcs);
        assert_eq!(auto(2, 100, 1000), Method::Direct);
        assert_eq!(auto(3, 256, 1_000_000), Method::Cells);
        assert_eq!(auto(3, 256, 1000), Method::Direct);
        assert_eq!(auto(5, 10_000, 1_000_000), Method::Direct);
        assert_eq!(by(ShortCuts::Always, run(2, 1, 1)), Method::Arcs);
        assert_eq!(
            by(ShortCuts::Never, run(2, 10_000, 1_000_000)),
            Method::Direct
        );
        let halves = RunProperties {
            state: StateFormat::F16,
            ..run(2, 1, 1)
        };
        assert_eq!(by(ShortCuts::Always, halves), Method::Direct);
    }

    #[test]
    fn the_gram_matrix_is_for_training_of_the_output_alone() {
        let by = |train| {
            let run = RunProperties {
                train,
                ..run(7, 100, 1000)
            };
            choose(&[Method::Gram], ShortCuts::Auto, Machine::Processor, &run)
        };
        assert_eq!(by(Train::Output), Method::Gram);
        assert_eq!(by(Train::Both), Method::Direct);
    }
}
