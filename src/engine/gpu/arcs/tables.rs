//! The circles of the data sets and the work of a step, as the tables that the kernels read. Pure
//! code, no device.

use bytemuck::{Pod, Zeroable};

use super::kernels::{ArcShape, Load};
use crate::data::Dataset;
use crate::engine::Batch;
use crate::engine::gpu::layout::LANES;
use crate::engine::methods::circle::{Circle, Spanning, entry, key};
use crate::engine::plan::{MOMENTS, Row, Size, Storage, Tiling};

const D: usize = 2;

/// What stays the same of a run on its circle: see lib/arcs/circle.wgsl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct ArcRun {
    /// Its number in the batch.
    pub run: u32,
    /// Samples that are not zero, and so ends in [0, π).
    pub count: u32,
    /// First pair of its circle, which runs share.
    pub circle: u32,
    /// First of its sums, one per position, in fours of words; and how many copies there are, so that
    /// the cores of a processor do not take them from one another.
    pub slots: u32,
    pub copies: u32,
    /// First of its gradients, in fours of words.
    pub gradients: u32,
    /// First tile of moments, and their number.
    pub moments: u32,
    pub tiles: u32,
    /// 2^headroom ≥ m.
    pub headroom: i32,
    /// Threads of its residual_arcs.
    pub threads: u32,
}

/// The work of one workgroup on a tile of particles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct ArcRow {
    pub run: u32,
    /// First particle in the shard, and their number.
    pub first: u32,
    pub count: u32,
    /// Index of the first particle in its network.
    pub particle: u32,
    /// Where the moments go.
    pub moments: u32,
    /// To which copy of the sums it adds.
    pub copy: u32,
}

impl Row for ArcRow {
    fn run(&self) -> usize {
        self.run as usize
    }
}

/// The runs that take the short cut.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tables {
    pub runs: Vec<ArcRun>,
    /// See lib/arcs/circle.wgsl.
    pub circle: Vec<[u32; 2]>,
    /// The rows of each shard.
    pub rows: Vec<Vec<ArcRow>>,
    /// Lengths of buffers, in words.
    pub sums: usize,
    pub gradients: usize,
    pub moments: usize,
}

/// Positions on a circle that `count` samples cut: arcs upright and turned, ends, the origin.
fn positions(count: usize) -> usize {
    2 * (count + 1) + 2 * count + 1
}

/// Words of the gradients: a pair per position (and one to fill up), and the sums behind and ahead of
/// each arc.
fn gradient_words(count: usize) -> usize {
    2 * (positions(count) + 1) + 2 * 4 * (count + 1)
}

/// What the loops of a run of m particles on a circle go over, where `count` of its n samples cut it.
fn load(m: usize, n: usize, count: usize, shape: &ArcShape) -> Load {
    let positions = positions(count);
    // Each copy costs residual a pass over its positions.
    let copies = (m / (PER_COPY * positions)).clamp(1, shape.copies);
    Load {
        m,
        n,
        count,
        positions,
        copies,
    }
}

/// Whether residual_arcs, which has one workgroup for a run, has enough threads for one of m
/// particles on these samples.
pub(super) fn is_within_reach(data: &Dataset, m: usize, shape: &ArcShape) -> bool {
    let cuts = |i: &usize| data.row(*i).iter().any(|x| *x != 0.0);
    let count = (0..data.n()).filter(cuts).count();
    let load = load(m, data.n(), count, shape);
    shape.threads_for(&load).is_some()
}

impl Tables {
    /// For the runs that `places` numbers.
    pub fn new(
        batch: &Batch,
        places: &[Option<u32>],
        storage: &Storage,
        tiling: &Tiling,
        shape: &ArcShape,
    ) -> Self {
        let mut tables = Tables {
            rows: vec![Vec::new(); storage.shards.len()],
            ..Tables::default()
        };
        let mut circles: Vec<Option<(u32, u32)>> = vec![None; batch.datasets.len()];
        for (index, run) in batch.runs.iter().enumerate() {
            if places[index].is_none() {
                continue;
            }
            let data = &batch.datasets[run.train_set];
            let circle = &mut tables.circle;
            let (first, count) = *circles[run.train_set].get_or_insert_with(|| {
                let first = circle.len() as u32;
                (first, append_circle(data, circle))
            });
            let size = Size {
                m: run.held_count(),
                particle: run.held().start,
                n: data.n(),
            };
            let tile = tile_within(tiling.tile_of(size, D), shape.tile);
            let tiles = size.m.div_ceil(tile);
            let load = load(size.m, data.n(), count as usize, shape);
            let threads = shape.threads_for(&load).unwrap_or(shape.residual_most);
            let copies = load.copies;
            let arc_run = ArcRun {
                run: index as u32,
                count,
                circle: first,
                slots: (tables.sums / 4) as u32,
                copies: copies as u32,
                gradients: (tables.gradients / 4) as u32,
                moments: (tables.moments / MOMENTS) as u32,
                tiles: tiles as u32,
                headroom: size.m.next_power_of_two().ilog2() as i32,
                threads: threads as u32,
            };
            tables.runs.push(arc_run);
            tables.sums += 4 * positions(count as usize) * copies;
            tables.gradients += gradient_words(count as usize);
            tables.moments += MOMENTS * tiles;
            tables.append_rows(&arc_run, storage, tile);
        }
        tables
    }

    fn append_rows(&mut self, arc_run: &ArcRun, storage: &Storage, tile: usize) {
        let run = arc_run.run as usize;
        for piece in storage.pieces.iter().filter(|piece| piece.run == run) {
            let first = (piece.particles.start / tile) as u32;
            for (index, span) in (first..).zip(piece.span(LANES).parts(tile)) {
                self.rows[piece.shard].push(ArcRow {
                    run: span.run,
                    first: span.first,
                    count: span.count,
                    particle: span.particle,
                    moments: MOMENTS as u32 * (arc_run.moments + index),
                    // Neighbours share: a core of a processor takes rows side by side.
                    copy: index * arc_run.copies / arc_run.tiles,
                });
            }
        }
    }
}

/// Particles per position for each copy of the sums.
const PER_COPY: usize = 8;

/// About `wanted` particles, but a divisor of the run's tiles, so that shards do not cut through it.
fn tile_within(tiles: usize, wanted: usize) -> usize {
    let (mut u, mut v) = (tiles / LANES, wanted / LANES);
    while v > 0 {
        (u, v) = (v, u % v);
    }
    u * LANES
}

/// Appends the circle of a data set; returns how many samples cut it.
fn append_circle(data: &Dataset, pairs: &mut Vec<[u32; 2]>) -> u32 {
    let circle = Circle::new(data);
    let half = circle.ends.len() / 2;
    let samples = &circle.samples;
    // Of those in line with each end: the first, and the next beyond them.
    let mut lines = vec![0; half + 1];
    samples.iter().for_each(|s| lines[s.axis() + 1] += 1);
    (0..half).for_each(|e| lines[e + 1] += lines[e]);
    let end = |s: &Spanning| entry(s.x).map(|v| if s.enters_first() { v } else { -v });
    let keys: Vec<f64> = samples.iter().map(|s| key(end(s))).collect();
    let bits = |v: [f32; 2]| v.map(f32::to_bits);
    pairs.extend((0..=keys.len()).map(|arc| bits(bounds(&keys, arc))));
    pairs.push(bits(NOWHERE));
    pairs.extend(samples.iter().map(|s| bits(end(s))));
    pairs.extend(
        samples
            .iter()
            .map(|s| [lines[s.axis()], lines[s.axis() + 1]]),
    );
    pairs.extend(
        samples
            .iter()
            .map(|s| [s.index as u32, u32::from(s.enters_first())]),
    );
    let mut cuts = vec![false; circle.n];
    samples.iter().for_each(|s| cuts[s.index] = true);
    let rest = (0..circle.n).filter(|&i| !cuts[i]);
    pairs.extend(rest.map(|i| [i as u32, 0]));
    samples.len() as u32
}

/// How much the kernels' [`key`]s may be off: |x| + |y| and the last difference by a rounding of 2^-24,
/// the quotient by 2.5 units in the last place (5 · 2^-24), and 2^-24 for the bounds themselves.
const MARGIN: f64 = 1.0 / (1 << 21) as f64;

/// Between which keys a direction of the first half circle is surely on an arc.
fn bounds(keys: &[f64], arc: usize) -> [f32; 2] {
    let from = arc.checked_sub(1).map_or(-1.0, |k| keys[k] + MARGIN);
    let to = keys.get(arc).map_or(3.0, |key| key - MARGIN);
    [from as f32, to as f32]
}

/// Between these there is no key.
const NOWHERE: [f32; 2] = [3.0, -1.0];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::gpu::shape::Shape;
    use crate::engine::gpu::turns::looped;
    use crate::engine::methods::circle;
    use crate::engine::methods::circle::cross;
    use crate::engine::plan::{Limits, TURNS_MOST, storage};
    use crate::model::Run;
    use crate::model::{Loss, StateFormat};
    use std::sync::Arc;

    const ARCS: ArcShape = ArcShape {
        threads: 32,
        tile: 2048,
        residual_threads: 32,
        residual_most: 1024,
        turns: TURNS_MOST,
        wide: false,
        copies: 3,
    };

    fn data(x: &[[f32; 2]]) -> Dataset {
        Dataset {
            d: 2,
            x: x.concat(),
            y: vec![1.0; x.len()],
        }
    }

    #[test]
    fn a_circle_holds_its_samples_in_order() {
        let x = [
            [1.0, 0.5],
            [0.0, 0.0],
            [-2.0, -1.0],
            [0.0, -1.0],
            [-1.0, 3.0],
            [0.5, 0.25],
            [0.0, 0.0],
        ];
        let mut pairs = vec![[7, 7]];
        let count = append_circle(&data(&x), &mut pairs) as usize;
        assert_eq!((count, pairs.len()), (5, 1 + 7 + 3 * 5 + 2));
        let (bounds, rest) = pairs[1..].split_at(count + 2);
        let (ends, rest) = rest.split_at(count);
        let (lines, samples) = rest.split_at(count);
        let ends: Vec<[f32; 2]> = ends.iter().map(|e| e.map(f32::from_bits)).collect();
        let bounds: Vec<[f32; 2]> = bounds.iter().map(|b| b.map(f32::from_bits)).collect();
        for (k, &[index, enters]) in samples.iter().enumerate() {
            let Some(end) = ends.get(k) else {
                assert_eq!(x[index as usize], [0.0; 2]);
                continue;
            };
            // Upright, perpendicular, and entered counterclockwise or left.
            assert!(end[1] > 0.0 || (end[1] == 0.0 && end[0] > 0.0));
            let sample = x[index as usize];
            assert_eq!(sample[0] * end[0] + sample[1] * end[1], 0.0);
            assert_eq!(cross(*end, sample) > 0.0, enters == 1);
            let [first, next] = lines[k].map(|l| l as usize);
            for (other, e) in ends.iter().enumerate() {
                let in_line = circle::by_angle(e, end).is_eq();
                assert_eq!(in_line, (first..next).contains(&other));
            }
            assert!(k == 0 || circle::by_angle(&ends[k - 1], end).is_le());
            // Its own key is in no arc.
            let key = key(*end) as f32;
            assert!(!bounds.iter().any(|b| b[0] < key && key < b[1]));
        }
        let listed: Vec<u32> = samples.iter().map(|s| s[0]).collect();
        let mut all = listed.clone();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(bounds[count + 1], NOWHERE);
        let wide = bounds[..=count].iter().filter(|b| b[0] < b[1]).count();
        assert_eq!(wide, 4, "three lines cut the half circle in four");
    }

    /// Rows and moments of a run depend neither on shards nor on other runs.
    #[test]
    fn rows_cover_every_particle_once() {
        let shared = Arc::new(data(&[[1.0, 2.0], [0.0, 0.0], [3.0, -1.0]]));
        let runs: Vec<Run> = [5000, 1, 130_001, 70]
            .map(|m| Run::simple(m, Loss::SQUARE))
            .into();
        let batch = Batch {
            d: 2,
            datasets: vec![shared],
            runs,
            state: StateFormat::F32,
        };
        let sizes: Vec<Size> = batch
            .runs
            .iter()
            .map(|r| Size {
                m: r.m,
                n: 3,
                particle: 0,
            })
            .collect();
        let tiling = Shape::software(2, 8).tiling(2, TURNS_MOST);
        let limits = Limits { binding: 1 << 27 };
        let of = |shard| {
            let storage = storage(&sizes, 2, &tiling, &limits, shard).unwrap();
            let tables = Tables::new(
                &batch,
                &[Some(0), None, Some(1), Some(2)],
                &storage,
                &tiling,
                &ARCS,
            );
            (storage, tables)
        };
        let (_, whole) = of(None);
        let (storage, cut) = of(Some(60_000));
        assert!(storage.shards.len() > 10);
        assert_eq!((&whole.runs, &whole.circle), (&cut.runs, &cut.circle));
        let tiles = |tables: &Tables| {
            let rows = tables.rows.iter().flatten();
            let mut tiles: Vec<_> = rows.map(|r| (r.run, r.count, r.moments)).collect();
            tiles.sort_unstable();
            tiles
        };
        assert_eq!(tiles(&whole), tiles(&cut));
        for (run, arc_run) in [0, 2, 3].into_iter().zip(&cut.runs) {
            let own = tiles(&cut).into_iter().filter(|row| row.0 == run);
            let (counts, outs): (Vec<_>, Vec<_>) = own.map(|(_, count, out)| (count, out)).unzip();
            assert_eq!(counts.iter().sum::<u32>() as usize, sizes[run as usize].m);
            let mut outs = outs;
            outs.sort_unstable();
            let places = arc_run.moments..arc_run.moments + arc_run.tiles;
            assert!(outs.into_iter().eq(places.map(|tile| 3 * tile)));
            assert!(1 << arc_run.headroom >= sizes[run as usize].m);
            let copies = cut.rows.iter().flatten().filter(|row| row.run == run);
            let used = copies.map(|row| row.copy + 1).max();
            assert_eq!(used, Some(arc_run.copies));
        }
        let last = cut.runs[2];
        assert_eq!(
            cut.runs.iter().map(|r| r.copies).collect::<Vec<_>>(),
            [3, 3, 1]
        );
        assert_eq!(cut.sums, 7 * 4 * positions(2));
        assert_eq!(
            last.gradients as usize * 4 + gradient_words(2),
            cut.gradients
        );
    }

    /// Runs take the short cut while the largest workgroup keeps to the turns, and no longer.
    #[test]
    fn long_circles_have_large_workgroups_or_none() {
        for copies in [1, 2, 64] {
            for m in [1, 10_000, 1_000_000, 100_000_000] {
                let shape = ArcShape { copies, ..ARCS };
                let mut seen = Vec::new();
                for n in (0..27).map(|k| 1 << k) {
                    let load = load(m, n, n, &shape);
                    let threads = shape.threads_for(&load);
                    if let Some(threads) = threads {
                        assert!(load.residual_turns(threads) <= TURNS_MOST);
                        assert!(threads == 32 || load.residual_turns(32) > TURNS_MOST);
                    }
                    seen.push(threads);
                }
                seen.dedup();
                let small = (m < 100_000_000).then_some(Some(32));
                let want: Vec<_> = small.into_iter().chain([Some(1024), None]).collect();
                assert_eq!(seen, want, "m = {m}, {copies} copies");
            }
        }
    }

    /// A thread of predict_arcs that has to look for all of its particles, each by strides that
    /// double and halve.
    #[test]
    fn looking_for_particles_does_not_take_long() {
        for (threads, tile) in [(8, 32 * LANES), (128, 16 * LANES)] {
            let most = (1_usize << 27).ilog2() as usize;
            let located = looped(2 * most + 2, 0);
            let each = looped(32, 0) + looped(64, located);
            let turns = looped((tile / 2).div_ceil(32 * threads), each) + looped(threads, 0);
            assert!(turns <= TURNS_MOST, "{turns}");
        }
    }

    #[test]
    fn tiles_divide() {
        for (tiles, wanted, got) in [
            (512, 2048, 512),
            (32_768, 2048, 2048),
            (192, 2048, 64),
            (640, 1024, 128),
        ] {
            assert_eq!(tile_within(tiles, wanted), got);
        }
    }
}
