use super::*;

const TILING: Tiling = Tiling {
    lanes: 64,
    tile: 64,
    fixed: false,
    threads: 32,
    samples: 4,
    subgroup_width: 8,
    update: 128,
    columns: 32,
    groups: 32,
    residual: 32,
    turns: TURNS_MOST,
    reach: Reach {
        particles: 1 << 17,
        moments: 1 << 17,
        samples: 1 << 14,
    },
    tiled: None,
    ranged: false,
};
const LIMITS: Limits = Limits { binding: 128 << 20 };

fn size(m: usize, n: usize) -> Size {
    Size { m, n, particle: 0 }
}

fn plan(sizes: &[Size], d: usize, tiling: &Tiling, shard: Option<u64>) -> (Storage, Prediction) {
    let storage = storage(sizes, d, tiling, &LIMITS, shard).unwrap();
    let prediction = prediction(sizes, sizes, d, tiling, &LIMITS, &storage).unwrap();
    (storage, prediction)
}

/// Checks that every particle of every run lies in one place, in blocks that no other piece uses.
fn check_storage(sizes: &[Size], storage: &Storage) {
    let mut next = vec![0; sizes.len()];
    let mut used: Vec<_> = storage
        .shards
        .iter()
        .map(|&blocks| vec![false; blocks])
        .collect();
    for piece in &storage.pieces {
        assert_eq!(piece.particles.start, next[piece.run]);
        next[piece.run] = piece.particles.end;
        let blocks = piece.particles.len().div_ceil(TILING.lanes);
        for used in &mut used[piece.shard][piece.block..piece.block + blocks] {
            assert!(!std::mem::replace(used, true));
        }
    }
    assert!(next.iter().zip(sizes).all(|(next, size)| *next == size.m));
    assert!(used.iter().flatten().all(|used| *used));
}

/// Checks that every sum is written once, and the tiles of a run are in order.
fn check_sums(sizes: &[Size], prediction: &Prediction) {
    let mut written = vec![0; prediction.words];
    for row in prediction.predict.iter().flatten() {
        assert_eq!(TILING.threads as u32 % row.slices, 0);
        let columns = TILING.threads as u32 / row.slices;
        assert!(columns * TILING.samples as u32 >= row.samples);
        for i in 0..row.samples {
            written[(row.out + i) as usize] += 1;
        }
        if row.moments != NONE {
            for q in 0..MOMENTS {
                written[row.moments as usize + q] += 1;
            }
        }
    }
    for row in &prediction.reduce {
        for i in 0..row.columns {
            written[(row.out + i) as usize] += 1;
            let stride = prediction.sums[row.run as usize].stride;
            for tile in 0..row.tiles as usize {
                let from = (row.first + i) as usize + tile * stride;
                assert!(from < prediction.sums[row.run as usize].first);
            }
        }
    }
    assert!(written.iter().all(|times| *times == 1));
    for (size, sums) in sizes.iter().zip(&prediction.sums) {
        assert_eq!(sums.stride, size.n + MOMENTS);
        assert!(sums.groups <= TILING.groups);
        assert!(sums.first + sums.groups * sums.stride <= prediction.words);
    }
}

#[test]
fn everything_is_covered_once() {
    let sizes = [
        size(1, 1),
        size(63, 2),
        size(64, 128),
        size(65, 129),
        size(5000, 257),
        size(7, 0),
        size(100_003, 3),
    ];
    for shard in [None, Some(64 * 4 * 4 * 40)] {
        let (storage, prediction) = plan(&sizes, 3, &TILING, shard);
        assert_eq!(storage.shards.len() > 1, shard.is_some());
        check_storage(&sizes, &storage);
        check_sums(&sizes, &prediction);
    }
}

#[test]
fn tiles_depend_on_the_run_alone() {
    let sums = |sizes: &[Size], shard| {
        let (_, prediction) = plan(sizes, 2, &TILING, shard);
        let last = sizes.len() as u32 - 1;
        let own = prediction
            .predict
            .iter()
            .flatten()
            .filter(|row| row.run == last);
        let tiles: Vec<_> = own
            .map(|row| (row.count, row.sample, row.samples, row.slices))
            .collect();
        (tiles, prediction.sums[last as usize].groups)
    };
    let alone = sums(&[size(5000, 37)], None);
    assert_eq!(alone, sums(&[size(5000, 37)], Some(64 * 3 * 4 * 7)));
    assert_eq!(
        alone,
        sums(&[size(99, 1), size(3, 500), size(5000, 37)], None)
    );
    assert_ne!(alone, sums(&[size(5001, 37)], None));
}

/// Rows of velocity name their particles by the index in the network, of which a part may be held.
#[test]
fn update_rows_know_their_particles() {
    let held = [
        size(5000, 37),
        Size {
            particle: 777,
            ..size(300, 1_000_003)
        },
    ];
    for (shard, naive) in [(None, false), (Some(64 * 4 * 4 * 40), true)] {
        let storage = storage(&held, 3, &TILING, &LIMITS, shard).unwrap();
        let passes = match naive {
            false => update(&held, 3, &TILING, &storage, 1 << 20).passes,
            true => velocity_then_update(&held, &TILING, &storage),
        };
        let mut found = [0, 0];
        for (passes, index) in passes.iter().zip(0..) {
            for pass in passes {
                let Pass::Update(_, rows) = pass else {
                    panic!("these kernels keep no bits")
                };
                for row in rows {
                    let (run, slot) = (row.run as usize, row.first as usize);
                    let own = |p: &&Piece| {
                        let first = p.block * TILING.lanes;
                        p.shard == index && (first..first + p.particles.len()).contains(&slot)
                    };
                    let piece = storage.pieces.iter().find(own).unwrap();
                    let local = piece.particles.start + slot - piece.block * TILING.lanes;
                    assert_eq!(piece.run, run);
                    assert_eq!(row.particle as usize, held[run].particle + local);
                    found[run] += 1;
                }
            }
        }
        assert!(found.iter().all(|rows| *rows > 1));
    }
}

#[test]
fn partial_sums_stay_small() {
    for (m, n, d) in [
        (1_000_000, 256, 3),
        (1_000_000, 10_000, 2),
        (100_000_000, 256, 15),
    ] {
        let tile = TILING.tile_of(size(m, n), d);
        let sums = m.div_ceil(tile) * (n + MOMENTS) * 4;
        assert!(sums * 8 <= m * (d + 1) * 4, "{m} {n} {d}: tiles of {tile}");
        assert!(m.div_ceil(tile) <= TILES_MOST);
    }
    assert_eq!(TILING.tile_of(size(1000, 256), 15), 64);
    let fixed = Tiling {
        fixed: true,
        ..TILING
    };
    assert_eq!(fixed.tile_of(size(100_000_000, 256), 15), 64);
}

#[test]
fn dispatches_fold() {
    for rows in [1, 2, 65_535, 65_536, 67_188, 200_001, 4_294_836_225] {
        let (x, y) = fold(rows, 65_535);
        assert!(x <= 65_535 && y <= 65_535);
        assert!(x as usize * y as usize >= rows);
        assert!(x as usize * (y as usize - 1) < rows);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let small = storage(&[size(1000, 8)], 3, &TILING, &LIMITS, Some(64 * 4 * 4 - 1));
    assert!(small.unwrap_err().to_string().contains("shard"));
    let tight = Limits { binding: 4096 };
    let sizes = [size(64, 2000)];
    let storage = storage(&sizes, 3, &TILING, &tight, None).unwrap();
    let sums = prediction(&sizes, &sizes, 3, &TILING, &tight, &storage);
    assert!(sums.unwrap_err().to_string().contains("partial sums"));
}
