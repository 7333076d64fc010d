//! How many turns the loops of each kernel make in an invocation at most, and so how much work a
//! workgroup may be given.
//!
//! Written beside the shaders: one call of [`looped`] for each of their loops. A turn that finds a
//! loop's end counts as one, as it does for llvmpipe.

use super::kernels::UNROLLED;
use super::layout::LANES;
use super::shape::Shape;
use super::tiles::{Product, Tiles};
use crate::engine::plan::Reach;

/// Particles or samples of a row are never more.
const ROW_MOST: usize = 1 << 30;

/// Turns of a loop that is repeated `times` times, where each repetition makes `each` turns of inner loops.
pub(super) fn looped(times: usize, each: usize) -> usize {
    times.saturating_mul(1 + each) + 1
}

/// Turns of a loop over `places` that all threads of a workgroup share.
pub(super) fn shared(places: usize, threads: usize) -> usize {
    looped(places.div_ceil(threads), 0)
}

/// The largest multiple of `unit` that makes no more turns than `bound`; at least one unit.
fn most(unit: usize, bound: usize, turns: impl Fn(usize) -> usize) -> usize {
    let (mut fits, mut beyond) = (1, ROW_MOST / unit + 1);
    while beyond - fits > 1 {
        let middle = fits + (beyond - fits) / 2;
        match turns(middle * unit) <= bound {
            true => fits = middle,
            false => beyond = middle,
        }
    }
    fits * unit
}

impl Shape {
    /// How much a workgroup of these kernels takes, if an invocation makes at most `bound` turns.
    pub fn reach(&self, d: usize, bound: usize) -> Reach {
        if self.naive {
            let particles = most(1, bound, |count| self.predict_turns(count, d));
            return Reach {
                particles,
                moments: particles,
                samples: most(1, bound, |count| self.velocity_turns(count, d)),
            };
        }
        let chunk = match self.velocity_turns(self.update_chunk, d) <= bound {
            true => self.update_chunk,
            // Whole words of bits.
            false => 32,
        };
        Reach {
            particles: most(LANES, bound, |count| self.predict_turns(count, d)),
            moments: most(LANES, bound, |count| self.tiles.moments_turns(count, d)),
            samples: most(chunk, bound, |count| self.velocity_turns(count, d)),
        }
    }

    /// predict, or predict_tiled, over `count` particles.
    pub(super) fn predict_turns(&self, count: usize, d: usize) -> usize {
        if self.naive {
            return looped(count, looped(d, 0));
        }
        if self.tiled {
            return self.tiles.predict_turns(count, self.row_vectors(d));
        }
        let width = if self.subgroup_width > 1 { 1 } else { 4 };
        let per_block = LANES / width;
        let sums = if self.predict_staged {
            let brought = shared(per_block * (d + 1), self.predict_threads);
            looped(count.div_ceil(LANES), brought + looped(per_block, 0))
        } else {
            let fetches = count.div_ceil(if self.subgroup_width > 1 {
                self.subgroup_width
            } else {
                4
            });
            let chunk = self.predict_chunk.min(fetches);
            looped(fetches.div_ceil(chunk), looped(chunk, 0))
        };
        let slices = looped(self.predict_threads, 0);
        let moments = shared(count.div_ceil(width), self.predict_threads);
        sums + slices + moments + looped(self.predict_threads, 0)
    }

    /// velocity_update, or velocity_update_tiled, over `samples` samples.
    pub(super) fn velocity_turns(&self, samples: usize, d: usize) -> usize {
        if self.naive {
            return looped(d, 0) + looped(samples, 2 * looped(d, 0));
        }
        let chunk = self.update_chunk.min(samples.next_multiple_of(32));
        let each = if self.tiled {
            self.tiles.velocity_turns(chunk)
        } else if self.update_stage > 0 {
            let stage = self.update_stage;
            let brought = shared(stage * d.div_ceil(4), self.update_threads)
                + shared(stage, self.update_threads);
            looped(chunk.div_ceil(stage), brought + looped(stage, 0))
        } else {
            looped(chunk.div_ceil(self.subgroup_width), 0)
        };
        let joined = if self.tiled {
            self.tiles.joined_turns()
        } else {
            0
        };
        looped(samples.div_ceil(chunk), each) + joined
    }
}

/// Samples that a geometry workgroup goes through, if an invocation makes at most `bound` turns.
pub(super) fn geometry_samples(d: usize, bound: usize) -> usize {
    most(1, bound, |samples| geometry_turns(samples, d))
}

/// geometry over `samples` samples.
fn geometry_turns(samples: usize, d: usize) -> usize {
    let blocks = match (d - 1) / UNROLLED {
        0 => 0,
        blocks => looped(blocks, 0),
    };
    looped(samples, blocks) + looped(d, 0) + looped(LANES, 0)
}

impl Tiles {
    /// predict_tiled, and predict_bits, over `count` particles, where X has rows of `row_vectors` vectors.
    fn predict_turns(&self, count: usize, row_vectors: usize) -> usize {
        let product = self.predict();
        let Product { columns, slice, .. } = product;
        let (particles, threads) = (self.tiled_particles, self.threads(&product));
        let slices = row_vectors.div_ceil(slice / 4);
        let mut block = if self.tiled_staged {
            let brought =
                shared(slice * particles / 4, threads) + shared(slice * columns / 4, threads);
            looped(slices, brought + looped(slice / 4, 0))
        } else {
            looped(slices, 0)
        };
        if self.tiled_predict_matrix > 0 {
            block += shared(particles * columns, threads);
        }
        let bits =
            shared(particles * columns / 32, threads) + shared(particles * columns / 128, threads);
        let across = particles / self.tiled_held;
        looped(count.div_ceil(particles), block + bits)
            + looped(columns.div_ceil(threads), looped(across, 0))
    }

    /// The moments of `count` particles.
    fn moments_turns(&self, count: usize, d: usize) -> usize {
        let threads = self.threads(&self.predict());
        let abreast = threads.min(LANES / 4);
        let vectors = count.div_ceil(4).div_ceil(abreast);
        looped(vectors, shared(d, threads / abreast)) + looped(abreast, 0)
    }

    /// One chunk of samples of velocity_update_tiled.
    fn velocity_turns(&self, samples: usize) -> usize {
        let product = self.update();
        let Product { columns, slice, .. } = product;
        let threads = self.threads(&product);
        if self.tiled_staged {
            let brought = shared(slice * self.tiled_particles / 4, threads)
                + shared(slice * columns / 4, threads);
            looped(samples.div_ceil(slice), brought + looped(slice, 0))
        } else {
            looped(samples.div_ceil(32), looped(32 / slice, 0))
        }
    }

    /// The parts of w·G of a workgroup.
    fn joined_turns(&self) -> usize {
        shared(self.tiled_particles / 4, self.threads(&self.update()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::adapter::Kind;
    use super::super::shape::{D_MOST, NAIVE};
    use super::super::tune::alternatives;
    use super::*;
    use crate::engine::plan::{
        self, Limits, Part, Pass, PredictRow, Size, TURNS_MOST, Tiling, UpdateRow,
    };

    /// What the tuner starts from, by lanes of a subgroup.
    fn starts(d: usize) -> Vec<(Kind, usize, Shape)> {
        let lanes = [1, 4, 8, 16, 32, 64];
        let software = lanes.map(|lanes| (Kind::Software, lanes, Shape::software(d, lanes)));
        let hardware = (Kind::Discrete, 32, Shape::hardware(d));
        software.into_iter().chain([hardware]).collect()
    }

    /// Everything that it may choose.
    fn shapes(d: usize) -> Vec<Shape> {
        let mut all = Vec::new();
        for (kind, lanes, start) in starts(d) {
            let mut found = vec![start];
            for choices in alternatives(kind, d, lanes) {
                let with = |choice| {
                    let chosen = found.iter().filter_map(|shape| shape.with(choice).ok());
                    chosen.collect::<Vec<_>>()
                };
                let chosen: Vec<_> = choices.iter().flat_map(|choice| with(choice)).collect();
                found.extend(chosen);
            }
            let matrices = "tiled_subgroup=32,tiled_predict_matrix=16";
            let matrices: Vec<_> = found.iter().filter_map(|s| s.with(matrices).ok()).collect();
            all.extend(found.into_iter().chain(matrices));
        }
        all
    }

    fn size(m: usize, n: usize) -> Size {
        Size { m, n, particle: 0 }
    }

    fn naive(d: usize) -> Shape {
        Shape::software(d, 8).with(NAIVE).unwrap()
    }

    /// Turns of the kernels that make or use the sums of a row, by the table it is from.
    fn predict(shape: &Shape, row: &PredictRow, d: usize) -> usize {
        match (shape.tiled, row.moments) {
            (true, plan::NONE) | (false, _) => shape.predict_turns(row.count as usize, d),
            (true, _) => shape.tiles.moments_turns(row.count as usize, d),
        }
    }

    fn update(shape: &Shape, part: Part, row: &UpdateRow, d: usize) -> usize {
        match part {
            Part::Bits => panic!("bits are rows of predict"),
            Part::Velocity | Part::GradientSums => shape.velocity_turns(row.samples as usize, d),
            Part::FromSums => {
                let joined = if shape.tiled {
                    shape.tiles.joined_turns()
                } else {
                    0
                };
                looped(row.gradient_sums as usize, 0) + joined
            }
            Part::Output => looped(d.div_ceil(shape.tiles.tiled_update_coordinates), 0),
            Part::Update => looped(d + 1, 0),
        }
    }

    /// residual of all samples of a run, or of one of its ranges.
    fn residual(samples: usize, groups: usize, ranges: usize, threads: usize) -> usize {
        let grouped = looped(groups, 0);
        let predictions = looped(samples.div_ceil(threads), grouped);
        predictions + 3 * shared(samples, threads) + 3 * grouped + 3 * shared(ranges, threads)
    }

    /// The most turns of any kernel on a run of this size.
    fn worst(shape: &Shape, tiling: &Tiling, size: Size, d: usize) -> usize {
        let (sizes, limits) = ([size], Limits { binding: 1 << 40 });
        let storage = plan::storage(&sizes, d, tiling, &limits, None).unwrap();
        let sums = plan::prediction(&sizes, &sizes, d, tiling, &limits, &storage).unwrap();
        let passes = match &tiling.tiled {
            _ if shape.naive => plan::velocity_then_update(&sizes, tiling, &storage),
            Some(cut) => {
                cut.update(
                    &sizes,
                    d,
                    tiling,
                    &storage,
                    plan::tiled::Room {
                        bits: 1 << 24,
                        gradient_sums: 1 << 24,
                    },
                )
                .passes
            }
            None => plan::update(&sizes, d, tiling, &storage, 1 << 24).passes,
        };
        let mut worst = geometry_turns(size.n.min(geometry_samples(d, tiling.turns)), d);
        let mut meet = |turns: usize| worst = worst.max(turns);
        for row in sums.predict.iter().flatten() {
            meet(predict(shape, row, d));
        }
        for row in &sums.reduce {
            meet(looped(row.tiles as usize, 0));
        }
        let (groups, ranges) = (sums.sums[0].groups, sums.sums[0].ranges);
        let threads = shape.residual_threads;
        if ranges == 1 {
            meet(residual(size.n, groups, 0, threads));
        }
        for row in &sums.ranges {
            meet(residual(row.samples as usize, groups, ranges, threads));
        }
        for pass in passes.iter().flatten() {
            match pass {
                Pass::Bits(rows) => rows
                    .iter()
                    .for_each(|row| meet(shape.predict_turns(row.count as usize, d))),
                Pass::Update(part, rows) => rows
                    .iter()
                    .for_each(|row| meet(update(shape, *part, row, d))),
            }
        }
        worst
    }

    const SIZES: [(usize, usize); 12] = [
        (1, 1),
        (64, 65_536),
        (1, 1_000_003),
        (1000, 1_000_000),
        (20_000, 60_000),
        (1_000_000, 256),
        (1_000_000, 1000),
        (300_000, 300_000),
        (1_000_000, 10),
        (4096, 300_007),
        (65_537, 32_769),
        (10_000_000, 97),
    ];

    const DIMENSIONS: [usize; 12] = [1, 2, 3, 8, 15, 33, 64, 65, 80, 129, 785, D_MOST];

    /// Whatever the tuner chooses, what a workgroup may be given keeps to the turns.
    #[test]
    fn no_shape_may_be_given_too_much() {
        for d in DIMENSIONS {
            let shapes = shapes(d);
            assert!(shapes.len() > 20, "d = {d}");
            for shape in shapes {
                let Reach {
                    particles,
                    moments,
                    samples,
                } = shape.reach(d, TURNS_MOST);
                let mut turns = vec![
                    shape.predict_turns(particles, d),
                    shape.velocity_turns(samples, d),
                    looped(256, 0),
                ];
                if shape.tiled {
                    turns.push(shape.tiles.moments_turns(moments, d));
                }
                assert!(
                    turns.iter().all(|&turns| turns <= TURNS_MOST),
                    "{turns:?} turns: d = {d}, {shape:?}"
                );
            }
        }
    }

    /// No row of any table asks for more, from one particle or sample to very many.
    #[test]
    fn no_invocation_loops_too_long() {
        for d in [1, 3, 33, 64, 65, 785] {
            for shape in [Shape::software(d, 8), Shape::hardware(d), naive(d)] {
                let tiling = shape.tiling(d, TURNS_MOST);
                // Tables that are not too long to walk.
                for (m, n) in SIZES.into_iter().filter(|(m, _)| m * d <= 20_000_000) {
                    let turns = worst(&shape, &tiling, size(m, n), d);
                    assert!(
                        turns <= TURNS_MOST,
                        "{turns}: d = {d}, m = {m}, n = {n}, {shape:?}"
                    );
                }
            }
        }
        let shape = Shape::hardware(3);
        let tiling = shape.tiling(3, TURNS_MOST);
        for (m, n) in [(1, 100_000_000), (100_000_000, 1)] {
            let turns = worst(&shape, &tiling, size(m, n), 3);
            assert!(turns <= TURNS_MOST, "{turns}: m = {m}, n = {n}");
        }
    }

    /// The twin: without a bound they do.
    #[test]
    fn invocations_without_a_bound_loop_too_long() {
        for d in [1, 64, 65] {
            let shape = Shape::software(d, 8);
            let tiling = shape.tiling(d, usize::MAX / 2);
            let size = size(1000, 1_000_000);
            let turns = worst(&shape, &tiling, size, d);
            assert!(turns > 65_535, "d = {d}: {turns}");
        }
    }

    /// What a workgroup takes grows up to the bound: nothing is cut without need.
    #[test]
    fn work_is_cut_no_finer_than_the_bound_asks_for() {
        for d in [1, 15, 64, 65, 785] {
            for shape in [Shape::software(d, 8), Shape::hardware(d)] {
                let reach = shape.reach(d, TURNS_MOST);
                assert!(shape.velocity_turns(2 * reach.samples, d) > TURNS_MOST);
                assert!(shape.predict_turns(2 * reach.particles, d) > TURNS_MOST);
                assert!(geometry_turns(2 * geometry_samples(d, TURNS_MOST), d) > TURNS_MOST);
            }
        }
    }
}
