//! The kernels tiled over d.

use super::*;

/// Sizes of the tiled kernels that use workgroup memory, as on a GPU.
const STAGED: &str = "lockstep=1,tile=64,tiled_staged=true,tiled_particles=64,tiled_held=8,\
    tiled_predict_samples=64,tiled_predict_held=8,tiled_predict_slice=16,\
    tiled_update_coordinates=32,tiled_update_held=4,tiled_update_slice=16";

fn staged() -> Options {
    Options {
        kernels: Some(STAGED.into()),
        ..Options::default()
    }
}

#[test]
fn staged_tiles_agree_with_the_reference() {
    needs_adapter!();
    let case = case(
        130,
        &[
            (130, 65, Loss::SOFTMIN, Train::Both),
            (1, 1, Loss::SQUARE, Train::Both),
            (67, 33, Loss::LOGISTIC, Train::Output),
        ],
    );
    let checks = verify_case(&case, &|batch| gpu_with(staged())(batch)).unwrap();
    verdict(&checks).unwrap();
    let usual = trajectory(Options::default(), &case);
    assert_ne!(
        usual,
        trajectory(staged(), &case),
        "the kernels were the usual ones"
    );
    let again = Options {
        kept_bytes: Some(0),
        shard_bytes: Some(128 << 10),
        ..staged()
    };
    assert_eq!(trajectory(staged(), &case), trajectory(again, &case));
}

/// Tiles in d: activation bits stored or recomputed, shards and other runs do not change any bit.
#[test]
fn large_d_has_the_same_promises() {
    needs_adapter!();
    for d in [65, 129, 200] {
        let mut case = case(
            d,
            &[
                (130, 37, Loss::SOFTMIN, Train::Both),
                (1, 1, Loss::SQUARE, Train::Both),
                (65, 70, Loss::LOGISTIC, Train::Output),
                (67, 33, Loss::HINGE, Train::Input),
            ],
        );
        case.eta = 0.01;
        let whole = trajectory(Options::default(), &case);
        let again = Options {
            kept_bytes: Some(0),
            ..Options::default()
        };
        assert_eq!(whole, trajectory(again, &case), "d = {d}: kept bits");
        let shards = Options {
            shard_bytes: Some(128 << 10),
            ..Options::default()
        };
        assert_eq!(whole, trajectory(shards, &case), "d = {d}: shards");
        let mut other = case.clone();
        other.eta *= 1.001;
        let twin = trajectory(Options::default(), &other);
        assert_ne!(whole, twin, "the comparison sees nothing");
        let mut batch = case.batch();
        batch.runs = vec![batch.runs[3].clone()];
        let mut engine = gpu_with(Options::default())(batch).unwrap();
        engine.write(0, 0, &case.particles(3)).unwrap();
        engine.advance(&steps(1, 25, case.eta)).unwrap();
        assert_eq!(
            engine.read(0, 0..67).unwrap(),
            whole.0[3].0,
            "d = {d}: company"
        );
    }
}
