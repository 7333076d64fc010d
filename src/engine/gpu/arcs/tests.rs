//! Kernels of the short cut without a device.

use super::kernels::{ArcShape, render};

use super::tables::{ArcRow, ArcRun};
use crate::engine::gpu::kernel_tests::{same_layout, validated};
use crate::engine::gpu::stages::Stage;
use crate::engine::gpu::stages::arcs::{
    GRADIENTS_GIVEN_ARCS, MEASURE_ARCS, PREDICT_ARCS, RESIDUAL_ARCS, VELOCITY_ARCS,
    VELOCITY_UPDATE_ARCS,
};
use crate::engine::plan::TURNS_MOST;

const STAGES: [Stage; 6] = [
    MEASURE_ARCS,
    PREDICT_ARCS,
    RESIDUAL_ARCS,
    GRADIENTS_GIVEN_ARCS,
    VELOCITY_UPDATE_ARCS,
    VELOCITY_ARCS,
];

#[test]
fn every_kernel_is_valid() {
    for (threads, residual_threads, wide) in [
        (32, 32, false),
        (32, 32, true),
        (128, 1024, false),
        (128, 256, true),
    ] {
        let shape = ArcShape {
            threads,
            tile: 1024,
            residual_threads,
            residual_most: 1024,
            turns: TURNS_MOST,
            wide,
            copies: 1,
        };
        for stage in STAGES {
            let module = validated(&render(stage, &shape).unwrap());
            assert_eq!(module.entry_points[0].name, stage.name);
        }
    }
}

#[test]
fn structs_are_the_same_on_both_sides() {
    let shape = ArcShape {
        threads: 32,
        tile: 1024,
        residual_threads: 32,
        residual_most: 1024,
        turns: TURNS_MOST,
        wide: false,
        copies: 1,
    };
    let predict = validated(&render(PREDICT_ARCS, &shape).unwrap());
    same_layout!(&predict, ArcRun: run count circle slots copies gradients moments tiles
        headroom threads);
    same_layout!(&predict, ArcRow: run first count particle moments copy);
}
