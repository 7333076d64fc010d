//! Kernels without a device: every shape must be valid WGSL, and share its structs with Rust.

use std::panic::AssertUnwindSafe;

use super::geometry::{GeometryRow, Partial, RunUnits};
use super::kernels::{BatchProperties, render};
use super::layout::LANES;
use super::layout::{RunConstants, StepState};
use super::shape::{D_HELD, D_MOST, NAIVE, Shape};
use super::stages::{
    GEOMETRY, GRADIENT_SUMS, PREDICT, RANGES, REDUCE, RESIDUAL, Stage, UPDATE_FROM_SUMS, VELOCITY,
    VELOCITY_FROM_SUMS, VELOCITY_GRADIENT_SUMS, VELOCITY_UPDATE,
};
use super::stages::{naive, tiled};
use crate::engine::plan::{PredictRow, RangeRow, ReduceRow, TURNS_MOST, UpdateRow};
use crate::model::StateFormat;

const STAGES: [Stage; 10] = [
    PREDICT,
    REDUCE,
    RESIDUAL,
    VELOCITY_UPDATE,
    VELOCITY,
    GRADIENT_SUMS,
    UPDATE_FROM_SUMS,
    VELOCITY_GRADIENT_SUMS,
    VELOCITY_FROM_SUMS,
    GEOMETRY,
];

fn shapes(d: usize) -> [Shape; 5] {
    let hardware = Shape::hardware(d);
    let staged = hardware.with("predict_staged=true,update_stage=64");
    let matrices = hardware.with("tiled_subgroup=32,tiled_predict_matrix=16");
    [
        Shape::software(d, 1),
        Shape::software(d, 8),
        hardware,
        staged.unwrap(),
        matrices.unwrap(),
    ]
}

/// The source for f32, of which the one for f16 is known to be valid too.
fn written(stage: Stage, d: usize, n_most: usize, shape: &Shape) -> String {
    let source = |state| render(stage, &BatchProperties { d, n_most, state }, shape).unwrap();
    validated(&source(StateFormat::F16));
    source(StateFormat::F32)
}

fn parse(stage: Stage, d: usize, n_most: usize, shape: &Shape) -> naga::Module {
    validated(&written(stage, d, n_most, shape))
}

/// The module of a valid source, which Metal and Direct3D take, too, where they have what it needs.
pub(super) fn validated(source: &str) -> naga::Module {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)));
    let info = naga::valid::Validator::new(
        naga::valid::ValidationFlags::all(),
        naga::valid::Capabilities::SUBGROUP
            | naga::valid::Capabilities::SHADER_FLOAT16
            | naga::valid::Capabilities::COOPERATIVE_MATRIX
            | naga::valid::Capabilities::SHADER_INT64
            | naga::valid::Capabilities::SHADER_INT64_ATOMIC_ALL_OPS,
    )
    .validate(&module)
    .unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)));
    // Metal has no atomic addition of 64 bits, Direct3D no cooperative matrices: adapters say so.
    if !source.contains("atomic<u64>") && !source.contains("atomic<i64>") {
        let written = to_metal(&module, &info);
        written.unwrap_or_else(|error| panic!("{error}: {source}"));
    }
    if !source.contains("wgpu_cooperative_matrix") {
        let written = to_direct3d(&module, &info);
        written.unwrap_or_else(|error| panic!("{error}: {source}"));
    }
    module
}

fn to_metal(
    module: &naga::Module,
    info: &naga::valid::ModuleInfo,
) -> Result<String, naga::back::msl::Error> {
    let options = naga::back::msl::Options {
        lang_version: (3, 1),
        ..Default::default()
    };
    let written = naga::back::msl::write_string(module, info, &options, &Default::default());
    Ok(written?.0)
}

fn to_direct3d(
    module: &naga::Module,
    info: &naga::valid::ModuleInfo,
) -> Result<String, naga::back::hlsl::Error> {
    let options = naga::back::hlsl::Options {
        shader_model: naga::back::hlsl::ShaderModel::V6_6,
        ..Default::default()
    };
    let mut written = String::new();
    let of_all = naga::back::hlsl::PipelineOptions::default();
    let mut writer = naga::back::hlsl::Writer::new(&mut written, &options, &of_all);
    writer.write(module, info, None)?;
    Ok(written)
}

/// The translators write the same kernel, or return an error where they cannot.
#[test]
fn translations_are_of_the_kernel() {
    let parsed = |source: &str| {
        let module = naga::front::wgsl::parse_str(source).unwrap();
        let flags = naga::valid::ValidationFlags::all();
        let all = naga::valid::Capabilities::all();
        let info = naga::valid::Validator::new(flags, all).validate(&module);
        (module, info.unwrap())
    };
    let (module, info) = parsed(&written(PREDICT, 3, 1, &Shape::software(3, 8)));
    assert!(
        to_metal(&module, &info)
            .unwrap()
            .contains("kernel void predict")
    );
    assert!(
        to_direct3d(&module, &info)
            .unwrap()
            .contains("void predict(")
    );
    // The sabotage: what neither has.
    let doubles = "@group(0) @binding(0) var<storage, read_write> v: f64;
        @compute @workgroup_size(1) fn double() { v = v + v; }";
    let (module, info) = parsed(doubles);
    let written = std::panic::catch_unwind(AssertUnwindSafe(|| to_metal(&module, &info)));
    assert!(!matches!(written, Ok(Ok(_))));
}

#[test]
fn every_kernel_is_valid() {
    for d in [1, 2, 3, 4, 5, 8, 9, 16, 17, 31, 33, D_HELD] {
        for shape in shapes(d) {
            for stage in STAGES.into_iter().chain(RANGES) {
                for n_most in [1, shape.update_chunk + 1] {
                    let module = parse(stage, d, n_most, &shape);
                    assert_eq!(module.entry_points[0].name, stage.name);
                }
            }
        }
    }
}

#[test]
fn every_tiled_kernel_is_valid() {
    for d in [1, 4, D_HELD + 1, 67, 127, 128, 129, 785, D_MOST] {
        for shape in shapes(d) {
            let shape = Shape {
                tiled: true,
                ..shape
            };
            for stage in tiled::STAGES.into_iter().chain([GEOMETRY]) {
                for n_most in [1, shape.update_chunk + 1] {
                    let module = parse(stage, d, n_most, &shape);
                    assert_eq!(module.entry_points[0].name, stage.name);
                }
            }
        }
    }
}

#[test]
fn every_naive_kernel_is_valid() {
    for d in [1, 3, D_HELD + 1, D_MOST] {
        let shape = Shape::hardware(d).with(NAIVE).unwrap();
        for stage in naive::STAGES.into_iter().chain(naive::RANGES) {
            let properties = BatchProperties {
                d,
                n_most: 1,
                state: StateFormat::F32,
            };
            let source = render(stage, &properties, &shape).unwrap();
            let module = validated(&source);
            assert!(module.entry_points.iter().any(|e| e.name == stage.name));
            // As plain as they are said to be.
            for word in ["var<workgroup>", "Barrier", "subgroup", "atomic"] {
                assert!(!source.contains(word), "{word} in {}", stage.name);
            }
        }
    }
}

/// A thread holds what its shape says, and no more.
#[test]
fn tiled_threads_hold_what_the_shape_says() {
    for shape in shapes(D_HELD + 1) {
        let tiles = shape.tiles;
        let source = written(tiled::PREDICT, D_HELD + 1, 1, &shape);
        let held = tiles.tiled_predict_held * tiles.tiled_held / 4;
        assert_eq!(source.matches("var z").count(), held);
        let source = written(tiled::VELOCITY_UPDATE, D_HELD + 1, 1, &shape);
        let held = tiles.tiled_update_held * tiles.tiled_held / 4;
        assert_eq!(source.matches("var G").count(), held);
    }
}

/// Matrices multiply particles in f16, and no others.
#[test]
fn matrices_are_for_f16() {
    let [.., matrices] = shapes(129);
    let [_, _, plain, ..] = shapes(129);
    let products = |state, shape: &Shape| {
        let properties = BatchProperties {
            d: 129,
            n_most: 1,
            state,
        };
        let source = render(tiled::PREDICT, &properties, shape).unwrap();
        source.matches("coopMultiplyAdd").count()
    };
    assert_eq!(products(StateFormat::F16, &matrices), 8);
    assert_eq!(products(StateFormat::F32, &matrices), 0);
    assert_eq!(products(StateFormat::F16, &plain), 0);
}

#[test]
fn a_broken_kernel_is_not() {
    let source = written(PREDICT, 3, 1, &Shape::software(3, 8));
    let sabotaged = source.replacen("struct PredictRow", "struct PredictRaw", 1);
    assert!(naga::front::wgsl::parse_str(&sabotaged).is_err());
}

#[test]
fn shapes_fit_the_storage() {
    for d in (1..=D_HELD).chain([D_HELD + 1, 785, D_MOST]) {
        for shape in shapes(d) {
            assert_eq!(shape.with("").unwrap(), shape);
            let tiling = shape.tiling(d, TURNS_MOST);
            assert!(tiling.threads.is_power_of_two());
            assert!(shape.residual_threads.is_power_of_two());
            assert_eq!(tiling.tile % LANES, 0);
            assert_eq!(tiling.update % LANES, 0);
        }
    }
}

/// Name, offset and, for the whole, size of a struct in WGSL.
pub(super) fn reflected(module: &naga::Module, name: &str) -> (Vec<(String, u32)>, u32) {
    let (_, found) = module
        .types
        .iter()
        .find(|(_, ty)| ty.name.as_deref() == Some(name))
        .unwrap();
    match &found.inner {
        naga::TypeInner::Struct { members, span } => (
            members
                .iter()
                .map(|member| (member.name.clone().unwrap(), member.offset))
                .collect(),
            *span,
        ),
        other => panic!("{name} is {other:?}"),
    }
}

/// Checks a struct with these fields against the one of the same name in a module.
macro_rules! same_layout {
    ($module:expr, $ty:ident: $($field:ident)*) => {
        let name = stringify!($ty);
        let (members, span) = crate::engine::gpu::kernel_tests::reflected($module, name);
        let ours = [$((stringify!($field).to_string(), std::mem::offset_of!($ty, $field) as u32)),*];
        assert_eq!(members, ours);
        assert_eq!(span as usize, size_of::<$ty>());
    };
}
pub(super) use same_layout;

#[test]
fn structs_are_the_same_on_both_sides() {
    let shape = Shape::software(3, 8);
    let residual = parse(RESIDUAL, 3, 1, &shape);
    let predict = parse(PREDICT, 3, 1, &shape);
    same_layout!(&predict, PredictRow: run first count sample samples x out moments slices bits
        adds);
    let reduce = parse(REDUCE, 3, 1, &shape);
    same_layout!(&reduce, ReduceRow: run first tiles columns out adds);
    let range = parse(RANGES[0], 3, 1, &shape);
    same_layout!(&range, RangeRow: run sample samples first ranges out);
    let update = parse(VELOCITY_UPDATE, 3, 1, &shape);
    same_layout!(&update, UpdateRow: run first count particle sample samples x gradient_sum
        gradient_sums coordinate bits part adds);
    same_layout!(&residual, RunConstants: n stride sums groups sample residual history record loss parameter
        train norm_scaled samples m alpha lambda arcs ranges);
    same_layout!(&residual, StepState: exponent diverged submit_step step moves force_a force_w decay_a
        decay_w eta factor eta_exponent shift_a shift_w);
    let geometry = parse(GEOMETRY, 3, 1, &shape);
    same_layout!(&geometry, GeometryRow: run first count sample samples x out adds);
    same_layout!(&geometry, RunUnits: a w start informative);
    same_layout!(&geometry, Partial: dead largest_a largest_w drift mass informative);
}
