//! Sorting particles by direction.

use bytemuck::Zeroable;
use rayon::prelude::*;

use super::CHUNK;
use crate::engine::cpu::layout::{Blocks, LANES, Line, lines_per_block};

/// Particles that are sorted together, at least: so many that boxes are small.
const SEGMENT: usize = 64 * CHUNK * LANES;

/// Segments of a large run: what sorting one of them needs is little beside the particles.
const SEGMENTS: usize = 16;

/// Particles of m that are sorted together.
pub fn segment(m: usize) -> usize {
    (m / SEGMENTS).next_multiple_of(SEGMENT).max(SEGMENT)
}

/// Sorts the particles, so that blocks, and eight blocks, and so on, hold neighbours.
pub fn sort(blocks: &mut Blocks) {
    if blocks.slots.is_empty() {
        blocks.slots = (0..blocks.m as u32).collect();
    }
    match blocks.d {
        3 => Room::<3>::default().sort(blocks),
        _ => Room::<4>::default().sort(blocks),
    }
}

/// w/|w|_∞ of a particle, and its number in the segment.
type Item<const D: usize> = ([f32; D], u32);

/// What sorting a segment needs.
#[derive(Default)]
struct Room<const D: usize> {
    items: Vec<Item<D>>,
    sorted: Vec<Line>,
}

impl<const D: usize> Room<D> {
    fn sort(mut self, blocks: &mut Blocks) {
        let segment = segment(blocks.m);
        let lines = segment / LANES * lines_per_block(D);
        let segments = blocks.lines.chunks_mut(lines);
        let segments = segments.zip(blocks.slots.chunks_mut(segment));
        for (number, (lines, slots)) in segments.enumerate() {
            self.sort_segment(lines, slots, number * segment);
        }
    }

    /// `slots` says where each particle of the segment is; its first place is `first`.
    fn sort_segment(&mut self, lines: &mut [Line], slots: &mut [u32], first: usize) {
        let old: &[f32] = bytemuck::cast_slice(lines);
        let at = |slot: usize, k: usize| (slot / LANES * (D + 1) + k) * LANES + slot % LANES;
        let item = |(j, &slot): (usize, &u32)| {
            let mut u = [0.0; D];
            for (k, u) in u.iter_mut().enumerate() {
                *u = old[at(slot as usize - first, k)];
            }
            let longest = u.iter().fold(0.0_f32, |l, w| l.max(w.abs()));
            let u = u.map(|w| if longest > 0.0 { w / longest } else { 0.0 });
            (u, j as u32)
        };
        let items = slots.par_iter().enumerate().map(item);
        items.collect_into_vec(&mut self.items);
        split(&mut self.items);
        self.sorted.clear();
        self.sorted.resize(lines.len(), Line::zeroed());
        let block = |(new, items): (&mut [Line], &[Item<D>])| {
            let new: &mut [f32] = bytemuck::cast_slice_mut(new);
            for (lane, (_, j)) in items.iter().enumerate() {
                let from = slots[*j as usize] as usize - first;
                for k in 0..=D {
                    new[k * LANES + lane] = old[at(from, k)];
                }
            }
        };
        let blocks = self.sorted.par_chunks_mut(lines_per_block(D));
        let items = self.items.par_chunks(LANES);
        blocks.zip(items).for_each(block);
        for (slot, (_, j)) in self.items.iter().enumerate() {
            slots[*j as usize] = (first + slot) as u32;
        }
        lines.copy_from_slice(&self.sorted);
    }
}

/// Blocks whose halves two threads sort, at least.
const APART: usize = 64;

/// Halves the items along the widest coordinate, down to blocks.
fn split<const D: usize>(items: &mut [Item<D>]) {
    let blocks = items.len().div_ceil(LANES);
    if blocks < 2 {
        return;
    }
    let (mut low, mut high) = ([f32::INFINITY; D], [f32::NEG_INFINITY; D]);
    for (u, _) in &*items {
        for k in 0..D {
            low[k] = low[k].min(u[k]);
            high[k] = high[k].max(u[k]);
        }
    }
    let width = |k: &usize| high[*k] - low[*k];
    let widest = (0..D)
        .max_by(|p, q| width(p).total_cmp(&width(q)))
        .unwrap_or(0);
    // Whole nodes of every level on the left.
    let left = blocks.next_power_of_two() / 2 * LANES;
    items.select_nth_unstable_by(left, |(u, _), (v, _)| u[widest].total_cmp(&v[widest]));
    let (left, right) = items.split_at_mut(left);
    if blocks > APART {
        rayon::join(|| split(left), || split(right));
    } else {
        split(left);
        split(right);
    }
}
