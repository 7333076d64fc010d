//! Sorting particles by direction.

use rayon::prelude::*;

use super::CHUNK;
use crate::engine::cpu::layout::{
    Blocks, LANES, Line, PLACE_BITS, StoragePlace, StoragePlaces, lines_per_block,
};

/// Least number of particles that are sorted together, so that boxes are small.
const SEGMENT: usize = 64 * CHUNK * LANES;

/// Number of segments of a large run: the memory to sort one of them is small beside the particles.
const SEGMENTS: usize = 16;

/// Number of particles that are sorted together, of m.
pub fn segment(m: usize) -> usize {
    let wanted = (m / SEGMENTS).next_multiple_of(SEGMENT);
    wanted.clamp(SEGMENT, 1 << PLACE_BITS)
}

/// Sorts the particles, so that blocks, groups of eight blocks, and so on contain neighbouring directions.
pub fn sort(blocks: &mut Blocks) {
    if blocks.places.is_empty() {
        blocks.places = StoragePlaces::in_order(blocks.m, segment(blocks.m));
    }
    match blocks.d {
        3 => sort_in::<3>(blocks),
        _ => sort_in::<4>(blocks),
    }
}

fn sort_in<const D: usize>(blocks: &mut Blocks) {
    let mut items = Vec::new();
    let lines = blocks.places.segment() / LANES * lines_per_block(D);
    let segments = blocks.lines.chunks_mut(lines);
    for (lines, places) in segments.zip(blocks.places.segments()) {
        sort_segment::<D>(lines, places, &mut items);
    }
}

/// A particle of a segment: w/|w|_∞, rounded to the precision that boxes need, and its index. The eight
/// bytes are reused for the particle itself while it is moved, so that sorting needs little memory.
#[derive(Clone, Copy)]
struct Item<const D: usize>(u64);

impl<const D: usize> Item<D> {
    const BITS: usize = (64 - PLACE_BITS) / D;
    const LARGEST: u64 = (1 << Self::BITS) - 1;
    const NUMBER: u64 = (1 << PLACE_BITS) - 1;

    fn new(w: [f32; D], number: usize) -> Self {
        let longest = w.iter().fold(0.0_f32, |l, w| l.max(w.abs()));
        let mut item = 0;
        for w in w.iter().rev() {
            let u = if longest > 0.0 { w / longest } else { 0.0 };
            let whole = (0.5 * (u + 1.0) * Self::LARGEST as f32).round() as u64;
            item = item << Self::BITS | whole;
        }
        Item(item << PLACE_BITS | number as u64)
    }

    fn coordinate(self, k: usize) -> u64 {
        self.0 >> (PLACE_BITS + k * Self::BITS) & Self::LARGEST
    }

    fn number(self) -> usize {
        (self.0 & Self::NUMBER) as usize
    }
}

/// Sorts the particles of a segment. `places` has the place of each, and is updated; `items` is scratch memory.
fn sort_segment<const D: usize>(
    lines: &mut [Line],
    places: &mut [StoragePlace],
    items: &mut Vec<Item<D>>,
) {
    let at = |place: usize, k: usize| (place / LANES * (D + 1) + k) * LANES + place % LANES;
    let old: &[f32] = bytemuck::cast_slice(lines);
    let item = |(j, place): (usize, &StoragePlace)| {
        let w = std::array::from_fn(|k| old[at(place.get(), k)]);
        Item::new(w, j)
    };
    let all = places.par_iter().enumerate();
    all.map(item).collect_into_vec(items);
    split(items);
    // From here on an item has the old place of the particle in its upper half, and in its lower half the
    // coordinate that is moved.
    for (new, item) in items.iter_mut().enumerate() {
        let place = &mut places[item.number()];
        *item = Item((place.get() as u64) << 32);
        *place = StoragePlace::new(new);
    }
    for k in 0..=D {
        let old: &[f32] = bytemuck::cast_slice(lines);
        items.par_iter_mut().for_each(|item| {
            let place = item.0 >> 32;
            let value = old[at(place as usize, k)];
            *item = Item(place << 32 | u64::from(value.to_bits()));
        });
        let blocks = lines.par_chunks_mut(lines_per_block(D));
        blocks
            .zip(items.par_chunks(LANES))
            .for_each(|(block, items)| {
                let plane = &mut bytemuck::cast_slice_mut::<_, f32>(block)[k * LANES..];
                for (value, item) in plane.iter_mut().zip(items) {
                    *value = f32::from_bits(item.0 as u32);
                }
            });
    }
}

/// Above this number of blocks, two threads sort the two halves.
const APART: usize = 64;

/// Halves the items along the widest coordinate, down to blocks.
fn split<const D: usize>(items: &mut [Item<D>]) {
    let blocks = items.len().div_ceil(LANES);
    if blocks < 2 {
        return;
    }
    let (mut low, mut high) = ([u64::MAX; D], [0; D]);
    for item in &*items {
        for k in 0..D {
            low[k] = low[k].min(item.coordinate(k));
            high[k] = high[k].max(item.coordinate(k));
        }
    }
    let widest = (0..D).max_by_key(|&k| high[k] - low[k]).unwrap_or(0);
    // A power of two of blocks on the left, so that its nodes are full on every level.
    let left = blocks.next_power_of_two() / 2 * LANES;
    items.select_nth_unstable_by_key(left, |item| item.coordinate(widest));
    let (left, right) = items.split_at_mut(left);
    if blocks > APART {
        rayon::join(|| split(left), || split(right));
    } else {
        split(left);
        split(right);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Draws, Stream};

    /// Particles, of more than one segment and less than whole blocks, are found where they say they
    /// are, and those of a block point the same way.
    fn sorted<const D: usize>(narrow: f32) {
        let m = SEGMENT + 1000;
        let mut values = vec![0.0; m * (D + 1)];
        Draws::new(1, Stream::Init, 0, 0, 0).fill_gaussian(&mut values);
        // No direction.
        values[..D].fill(0.0);
        let mut blocks = Blocks::new(m, D, 1, 0);
        let of = |j: usize, k: usize| values[j * (D + 1) + k] as f32;
        for j in 0..m {
            (0..=D).for_each(|k| *blocks.at(j, k) = of(j, k));
        }
        for _ in 0..2 {
            sort(&mut blocks);
            for j in 0..m {
                (0..=D).for_each(|k| assert_eq!(*blocks.at(j, k), of(j, k)));
            }
        }
        let planes: &[f32] = bytemuck::cast_slice(&blocks.lines);
        let width = |block: &[f32]| {
            let direction = |lane: usize| {
                let w: [f32; D] = std::array::from_fn(|k| block[k * LANES + lane]);
                let longest = w.iter().fold(0.0_f32, |l, w| l.max(w.abs()));
                w.map(|w| w / longest)
            };
            let first = direction(0);
            let away = |lane: usize| {
                let pairs = direction(lane).into_iter().zip(first);
                pairs.map(|(u, v)| (u - v).abs()).fold(0.0, f32::max)
            };
            (1..LANES).map(away).fold(0.0, f32::max)
        };
        let whole = SEGMENT / LANES;
        let widths = planes.chunks_exact((D + 1) * LANES).take(whole).map(width);
        let mean = widths.filter(|w| w.is_finite()).sum::<f32>() / whole as f32;
        assert!(mean <= narrow, "{mean}");
    }

    #[test]
    fn particles_are_found_again_and_blocks_are_narrow() {
        // The side of a square, or cube, of a block's share of the faces, and somewhat more.
        sorted::<3>(2.0 * (24.0 * LANES as f32 / SEGMENT as f32).sqrt());
        sorted::<4>(2.0 * (64.0 * LANES as f32 / SEGMENT as f32).cbrt());
    }
}
