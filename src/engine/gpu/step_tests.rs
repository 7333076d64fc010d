//! shaders/lib/step.wgsl on a device against the rule that the other engines share.

#[path = "../../../tests/common/skip.rs"]
mod skip;

use super::adapters;
use super::device::Device;
use super::kernels::Kernel;
use super::layout::{NO_LOSS, NONE, RunConstants, StepState, train_code};
use super::stages::Stage;
use super::templates::{environment, shared};
use crate::engine;
use crate::engine::step::{MeanSquares, StepScalars, eta_exponent, rescale_above};
use crate::model::{Loss, StateFormat, Train, ldexp};
use skip::{Missing, skip};

const WGSL: &str = r#"
{% include "lib/common.wgsl" %}
@group(0) @binding(0) var<storage, read> runs: array<RunConstants>;
@group(0) @binding(1) var<storage, read> before: array<StepState>;
// η, (1/m) Σ â², (1/m) Σ |ŵ|²
@group(0) @binding(2) var<storage, read> inputs: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> after: array<StepState>;
{% include "lib/step.wgsl" %}
@compute @workgroup_size(1)
fn steps(@builtin(workgroup_id) id: vec3<u32>) {
    let r = id.x;
    after[r] = step_of(runs[r], before[r], inputs[r].x, inputs[r].y, inputs[r].z);
}
"#;

struct Case {
    run: engine::Run,
    exponent: i32,
    eta: f32,
    a: f32,
    w: f32,
}

/// All modes with and without norm_scaled, at exponents and mean squares on both sides of the limit.
fn cases(state: StateFormat) -> Vec<Case> {
    let limit = rescale_above(state);
    let mut cases = Vec::new();
    for train in Train::ALL {
        for norm_scaled in [false, true] {
            let beyond_f32: &[i32] = match norm_scaled && train == Train::Output {
                true => &[125, 140, 400],
                false => &[],
            };
            for &exponent in [0, 1, 17, 60].iter().chain(beyond_f32) {
                for (a, w) in [
                    (0.25, 0.5),
                    (limit, limit),
                    (2.0 * limit, 3.0),
                    (3.0, 40.0 * limit),
                    (7.0 * limit, 5.0 * limit),
                ] {
                    cases.push(Case {
                        run: engine::Run {
                            train,
                            norm_scaled,
                            alpha: 3.0,
                            // A decay of such steps would be far beyond 2/η.
                            lambda: if exponent > 60 { 0.0 } else { 0.125 },
                            ..engine::Run::simple(10, Loss::SQUARE)
                        },
                        exponent,
                        eta: 0.75,
                        a,
                        w,
                    });
                }
            }
        }
    }
    cases
}

fn constants(run: &engine::Run) -> RunConstants {
    RunConstants {
        n: 1,
        stride: 0,
        sums: 0,
        groups: 0,
        sample: 0,
        residual: 0,
        history: 0,
        record: 0,
        loss: NO_LOSS,
        parameter: 0.0,
        train: train_code(run.train),
        norm_scaled: u32::from(run.norm_scaled),
        samples: 1.0,
        m: run.m as f32,
        alpha: run.alpha as f32,
        lambda: run.lambda as f32,
        arcs: NONE,
        ranges: 1,
    }
}

fn state_at(exponent: i32) -> StepState {
    StepState {
        exponent,
        diverged: 0,
        submit_step: 0,
        step: 0,
        moves: 0,
        force_a: 0.0,
        force_w: 0.0,
        decay_a: 0.0,
        decay_w: 0.0,
        eta: 0.0,
        factor: 0.0,
        eta_exponent: 0,
        shift_a: 0.0,
        shift_w: 0.0,
    }
}

/// What the shader makes of the cases; `change` may spoil its source.
fn on_device(
    device: &Device,
    cases: &[Case],
    state: StateFormat,
    change: impl Fn(String) -> String,
) -> Vec<StepState> {
    let source = environment().unwrap().render_str(WGSL, shared(1, state));
    let stage = Stage {
        name: "steps",
        file: "lib/step.wgsl",
        common: &[],
        shard: &[],
    };
    let kernel = Kernel::new(device, stage, &change(source.unwrap()), true).unwrap();
    let runs: Vec<RunConstants> = cases.iter().map(|case| constants(&case.run)).collect();
    let before: Vec<StepState> = cases.iter().map(|case| state_at(case.exponent)).collect();
    let inputs: Vec<[f32; 4]> = cases.iter().map(|c| [c.eta, c.a, c.w, 0.0]).collect();
    let words = before.len() * size_of::<StepState>() / 4;
    let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let after = device.buffer("after", words, storage).unwrap();
    let buffers = [
        device.upload("runs", &runs).unwrap(),
        device.upload("before", &before).unwrap(),
        device.upload("inputs", &inputs).unwrap(),
        after,
    ];
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let readback = device.buffer("readback", words, usage).unwrap();
    let entries = buffers.iter().enumerate();
    let entries = entries.map(|(binding, buffer)| wgpu::BindGroupEntry {
        binding: binding as u32,
        resource: buffer.as_entire_binding(),
    });
    let entries: Vec<_> = entries.collect();
    let bound = device.scoped("the bindings of steps", |device| {
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &kernel.pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    });
    let bound = bound.unwrap();
    let bytes = 4 * words as u64;
    let run = device.run("steps", |encoder| {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: None,
        });
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, &bound, &[]);
        pass.dispatch_workgroups(cases.len() as u32, 1, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(&buffers[3], 0, &readback, 0, bytes);
    });
    run.unwrap();
    let states = device.mapped(&readback, bytes, |bytes| {
        bytemuck::pod_collect_to_vec::<u8, StepState>(bytes)
    });
    states.unwrap()
}

/// Whether a case on the device is what the rule says, up to rounding to f32.
fn agrees(case: &Case, got: &StepState, state: StateFormat) -> bool {
    let squares = MeanSquares {
        a: case.a.into(),
        w: case.w.into(),
    };
    let want = StepScalars::new(&case.run, case.exponent, case.eta.into(), squares, state);
    let near = |got: f32, want: f64| (f64::from(got) - want).abs() <= 1e-6 * want.abs();
    let layer = |trains: bool, force: f32, decay: f32, shift: f32| match trains {
        true => {
            near(force * got.eta, want.force)
                && near(decay * got.eta, want.decay)
                && f64::from(shift) == want.scale()
        }
        false => (force, decay, shift) == (0.0, 0.0, 1.0),
    };
    let eta_exponent = eta_exponent(&case.run, case.exponent);
    got.eta_exponent == eta_exponent
        && near(got.eta, ldexp(want.eta, -eta_exponent))
        && got.exponent == case.exponent + want.shift
        && layer(
            case.run.train != Train::Input,
            got.force_a,
            got.decay_a,
            got.shift_a,
        )
        && layer(
            case.run.train != Train::Output,
            got.force_w,
            got.decay_w,
            got.shift_w,
        )
}

#[test]
fn the_shader_and_the_other_engines_have_one_rule() {
    let Some(adapter) = adapters().first().map(|found| found.describe()) else {
        skip(
            Missing::Adapter,
            "no GPU and no software Vulkan driver (tests/run.sh installs one)",
        );
        return;
    };
    let device = Device::open(Some(&adapter)).unwrap();
    let formats = [StateFormat::F32, StateFormat::F16];
    for state in formats
        .into_iter()
        .filter(|&s| device.check_format(s).is_ok())
    {
        let cases = cases(state);
        let got = on_device(&device, &cases, state, |source| source);
        for (case, got) in cases.iter().zip(&got) {
            assert!(
                agrees(case, got, state),
                "{state:?}, {:?}, exponent {}, {} {}: {got:?}",
                case.run,
                case.exponent,
                case.a,
                case.w
            );
        }
        assert!(got.iter().any(|after| after.shift_a < 1.0));
        // The twin: the sum of both layers in place of the larger.
        let spoilt = on_device(&device, &cases, state, |source| {
            let changed = source.replacen("let largest = max(", "let largest = sum(", 1);
            assert_ne!(source, changed);
            changed + "fn sum(u: f32, v: f32) -> f32 { return u + v; }"
        });
        let wrong = cases
            .iter()
            .zip(&spoilt)
            .filter(|(c, s)| !agrees(c, s, state));
        assert!(wrong.count() > 0);
    }
}
