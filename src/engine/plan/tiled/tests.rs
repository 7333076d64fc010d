use super::super::{Limits, TURNS_MOST, prediction, storage};
use super::*;

const CUT: Cut = Cut {
    particles: 128,
    samples: 64,
    coordinates: 32,
};
const TILING: Tiling = Tiling {
    lanes: 64,
    tile: 128,
    fixed: false,
    threads: 32,
    samples: 4,
    subgroup_width: 1,
    update: 64,
    columns: 32,
    groups: 32,
    residual: 32,
    turns: TURNS_MOST,
    reach: Reach {
        particles: 1 << 17,
        moments: 1 << 17,
        samples: 1 << 14,
    },
    tiled: Some(CUT),
    ranged: false,
};
const LIMITS: Limits = Limits { binding: 128 << 20 };
const D: usize = 67;

fn size(m: usize, n: usize) -> Size {
    Size { m, n, particle: 0 }
}

/// The same room for bits and for partial sums.
fn both(room: u64) -> Room {
    Room {
        bits: room,
        gradient_sums: room,
    }
}

fn plan(sizes: &[Size], shard: Option<u64>, room: u64) -> (Storage, Prediction, TiledUpdatePlan) {
    let storage = storage(sizes, D, &TILING, &LIMITS, shard).unwrap();
    let mut predict = prediction(sizes, sizes, D, &TILING, &LIMITS, &storage).unwrap();
    let update = CUT.update(sizes, D, &TILING, &storage, both(room));
    update.keep(&mut predict, sizes, TILING.lanes);
    (storage, predict, update)
}

fn sizes() -> [Size; 6] {
    [
        size(1, 1),
        size(129, 65),
        size(64, 0),
        size(1000, 64),
        size(7, 300),
        size(500, 33),
    ]
}

/// The words of bits that a row makes or reads on these samples: all words of its blocks, each with its run
/// and block.
fn words(
    (run, first, count, bits): (u32, u32, u32, u32),
    sizes: &[Size],
    samples: std::ops::Range<usize>,
) -> Vec<(usize, (u32, usize))> {
    let of_run = sizes[run as usize].n.div_ceil(32);
    let blocks = (count as usize).div_ceil(64);
    let each = (0..blocks).flat_map(|b| samples.clone().step_by(32).map(move |s| (b, s / 32)));
    let owner = |block| (run, first as usize / 64 + block);
    let at = |block, word| bits as usize + (block * of_run + word) * 64;
    let lanes = |(block, word)| (0..64).map(move |lane| (at(block, word) + lane, owner(block)));
    each.flat_map(lanes).collect()
}

/// The bits that velocity reads are those of its own particles, made by predict or in the pass before.
#[test]
fn bits_are_made_before_they_are_read() {
    let sizes = sizes();
    for (shard, room) in [
        (None, 1 << 20),
        (None, 9000),
        (None, 1),
        (Some(100 << 10), 9000),
    ] {
        let (_, predict, update) = plan(&sizes, shard, room);
        let kept = predict.predict.iter().flatten().any(|row| row.bits != NONE);
        assert_eq!(kept, room == 1 << 20);
        for (shard, passes) in update.passes.iter().enumerate() {
            let mut made = BTreeMap::new();
            let make = |made: &mut BTreeMap<_, _>, row: &PredictRow| {
                let samples = row.sample as usize..(row.sample + row.samples) as usize;
                let particles = (row.run, row.first, row.count, row.bits);
                let words = words(particles, &sizes, samples);
                assert!(words.iter().all(|(word, _)| *word < update.bits));
                made.extend(words);
            };
            let keepers = predict.predict[shard].iter().filter(|row| row.bits != NONE);
            keepers.for_each(|row| make(&mut made, row));
            let mut rows = 0;
            for pass in passes {
                match pass {
                    Pass::Bits(rows) => rows.iter().for_each(|row| make(&mut made, row)),
                    Pass::Update(Part::Velocity, rows) => {
                        for row in rows {
                            let n = sizes[row.run as usize].n;
                            let particles = (row.run, row.first, row.count, row.bits);
                            for (word, owner) in words(particles, &sizes, 0..n) {
                                assert_eq!(made.get(&word), Some(&owner));
                            }
                        }
                    }
                    Pass::Update(Part::Output, own) => rows += own.len(),
                    Pass::Update(part, _) => panic!("{part:?}: no run is that long"),
                }
            }
            assert!(rows > 0);
        }
    }
}

#[test]
fn every_coordinate_of_every_particle_is_updated_once() {
    let sizes = sizes();
    for (shard, room) in [(None, 1 << 20), (Some(100 << 10), 1)] {
        let (storage, _, update) = plan(&sizes, shard, room);
        for (shard, blocks) in storage.shards.iter().enumerate() {
            let mut seen = vec![[0; D + 1]; blocks * 64];
            for pass in &update.passes[shard] {
                let mut parts = vec![false; update.parts];
                let Pass::Update(part, rows) = pass else {
                    continue;
                };
                for row in rows {
                    let coordinates = match part {
                        Part::Bits | Part::GradientSums | Part::FromSums | Part::Update => 0..0,
                        Part::Velocity => {
                            let first = row.part as usize;
                            for part in &mut parts[first..first + CUT.particles] {
                                assert!(!std::mem::replace(part, true));
                            }
                            let first = row.coordinate as usize;
                            first..D.min(first + CUT.coordinates)
                        }
                        Part::Output => D..D + 1,
                    };
                    for particle in &mut seen[row.first as usize..][..row.count as usize] {
                        coordinates.clone().for_each(|k| particle[k] += 1);
                    }
                }
            }
            let pieces = storage.pieces.iter().filter(|piece| piece.shard == shard);
            for piece in pieces {
                let own = &mut seen[piece.block * 64..][..piece.particles.len()];
                own.iter_mut().flatten().for_each(|times| *times -= 1);
            }
            assert!(seen.iter().flatten().all(|times| *times == 0));
        }
    }
}

#[test]
fn sums_are_written_once() {
    let sizes = sizes();
    let (_, predict, _) = plan(&sizes, None, 1 << 20);
    let mut written = vec![0; predict.sums.iter().map(|s| s.first).max().unwrap_or(0)];
    written.resize(predict.words, 0);
    for row in predict.predict.iter().flatten() {
        let (first, count) = match row.moments {
            NONE => (row.out, row.samples),
            moments => (moments, super::super::MOMENTS as u32),
        };
        (first..first + count).for_each(|at| written[at as usize] += 1);
    }
    let reduced: usize = predict.reduce.iter().map(|row| row.columns as usize).sum();
    assert_eq!(written.iter().sum::<usize>() + reduced, predict.words);
    assert!(written.iter().all(|times| *times <= 1));
}

#[test]
fn memory_stays_near_particles_and_data() {
    let (m, n, d) = (1_000_000, 60_000, 785);
    let bytes = ((m * (d + 1) + n * d) * 4) as u64;
    let limits = Limits { binding: 2 << 30 };
    let sizes = [size(m, n)];
    let storage = storage(&sizes, d, &TILING, &limits, None).unwrap();
    let predict = prediction(&sizes, &sizes, d, &TILING, &limits, &storage).unwrap();
    let room = room(bytes).min(limits.binding);
    let update = CUT.update(&sizes, d, &TILING, &storage, both(room));
    let rows = |rows: &Vec<PredictRow>| rows.len() * size_of::<PredictRow>();
    let of_pass = |pass: &Pass| match pass {
        Pass::Bits(bits) => rows(bits),
        Pass::Update(_, rows) => rows.len() * size_of::<UpdateRow>(),
    };
    let passes = update.passes.iter().flatten();
    let tables =
        passes.map(of_pass).sum::<usize>() + predict.predict.iter().map(rows).sum::<usize>();
    let more = (update.bits + update.parts + update.gradient_sums + predict.words) * 4 + tables;
    assert!(more as f64 <= 0.3 * bytes as f64, "{more} beside {bytes}");
    assert!(super::room(100) as usize == 4 << 20);
}
