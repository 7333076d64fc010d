//! The naive kernels.

use super::*;

pub fn naive() -> Options {
    Options {
        kernels: Some(NAIVE.into()),
        // Where the others take one.
        short_cuts: ShortCuts::Always,
        ..Options::default()
    }
}

/// Every stage in every mode on the naive kernels, including so many samples that the work is
/// split.
#[test]
fn the_naive_kernels_agree_with_the_reference() {
    needs_adapter!();
    let make = gpu_with(naive());
    for case in cases::all(StateFormat::F32)
        .into_iter()
        .chain(cases::long())
    {
        let checks = verify_case(&case, &make).unwrap();
        verdict(&checks).unwrap();
        assert!(checks.iter().all(|check| check.method == "direct"));
    }
}

/// The naive kernels keep their names, and their bits depend neither on other runs nor on shards.
#[test]
fn the_naive_kernels_repeat_a_run() {
    needs_adapter!();
    let case = mixed();
    let engine = gpu_with(naive())(case.batch()).unwrap();
    assert_eq!(engine.kernels().as_deref(), Some(NAIVE));
    let usual = trajectory(naive(), &case);
    assert_eq!(trajectory(naive(), &case), usual);
    let sharded = Options {
        shard_bytes: Some(64 * 4 * 4 * 20),
        ..naive()
    };
    assert_eq!(trajectory(sharded, &case), usual);
    let others = trajectory(Options::default(), &case);
    assert_ne!(others, usual, "the comparison sees nothing");
    for ((usual, _), (other, _)) in usual.0.iter().zip(&others.0) {
        let pairs = usual.w.iter().zip(&other.w);
        assert!(pairs.clone().all(|(u, o)| (u - o).abs() <= 1e-5));
    }
}

#[test]
fn the_naive_kernels_say_what_they_do_not_take() {
    needs_adapter!();
    let refused =
        |options, case: &VerifyCase| gpu_with(options)(case.batch()).err().unwrap().to_string();
    if select(gpu_adapter().as_deref()).unwrap().has_f16() {
        let error = refused(naive(), &mixed_of(3, StateFormat::F16));
        assert!(error.contains("naive") && error.contains("f32"), "{error}");
    }
    let short = Options {
        turns: Some(256),
        ..naive()
    };
    let error = refused(short, &case(1, &[(1, 1000, Loss::SQUARE, Train::Both)]));
    assert!(
        error.contains("naive") && error.contains("fewer samples"),
        "{error}"
    );
}
