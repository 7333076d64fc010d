//! The samples that cut a node: those that activate some directions of its region but not others.

use super::region::{Region, TOP};
use crate::engine::cpu::layout::GROUP;

/// Samples that cut a node, packed anew from those that cut its parent.
#[derive(Debug)]
pub struct Crossing {
    /// In groups (groups, D), padded with zero inputs.
    x: Vec<[f32; GROUP]>,
    /// Numbers of the samples, padded with arbitrary ones.
    index: Vec<[u32; GROUP]>,
    len: usize,
}

impl Crossing {
    /// All samples (groups, d).
    pub fn all(x: &[[f32; GROUP]], d: usize) -> Self {
        let groups = x.len() / d;
        let mut index = vec![[0; GROUP]; groups];
        let numbers = index.as_flattened_mut().iter_mut().zip(0..);
        numbers.for_each(|(index, number)| *index = number);
        Crossing {
            x: x.to_vec(),
            index,
            len: groups * GROUP,
        }
    }

    /// Room for this many samples of d coordinates.
    fn with_room(samples: usize, d: usize) -> Self {
        // One place more: `narrow` writes each sample to the next place, also where it does not keep it.
        let groups = samples / GROUP + 1;
        Crossing {
            x: vec![[0.0; GROUP]; groups * d],
            index: vec![[0; GROUP]; groups],
            len: 0,
        }
    }

    /// Stores in `self` those of the parent's samples that cut a region. For all of the parent's samples
    /// `add` is called with the index of the sample and 1 if it activates the whole region, else 0.
    #[inline(always)]
    fn narrow<const D: usize>(
        &mut self,
        parent: &Crossing,
        region: &Region<D>,
        mut add: impl FnMut(usize, f64),
    ) {
        let mut len = 0;
        let groups = parent.len.div_ceil(GROUP);
        let (all_x, _) = parent.x.as_chunks::<D>();
        let (own_x, _) = self.x.as_chunks_mut::<D>();
        for (x, index) in all_x[..groups].iter().zip(&parent.index[..groups]) {
            let (low, high) = region.reach(x);
            for s in 0..GROUP {
                let (all, none) = (low[s] > 0.0, high[s] <= 0.0);
                add(index[s] as usize, f64::from(u8::from(all)));
                let (group, lane) = (len / GROUP, len % GROUP);
                for k in 0..D {
                    own_x[group][k][lane] = x[k][s];
                }
                self.index[group][lane] = index[s];
                len += usize::from(!(all | none));
            }
        }
        for x in &mut own_x[len / GROUP] {
            x[len % GROUP..].fill(0.0);
        }
        self.len = len;
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// A sample and its number.
    #[inline(always)]
    pub fn sample<const D: usize>(&self, s: usize) -> (usize, [f32; D]) {
        let (group, lane) = (s / GROUP, s % GROUP);
        let mut x = [0.0; D];
        for (x, group) in x.iter_mut().zip(&self.x[group * D..]) {
            *x = group[lane];
        }
        (self.index[group][lane] as usize, x)
    }
}

/// The samples that cut the nodes around a block, level by level, and the block itself.
pub struct CrossingByLevel<'a> {
    all: &'a Crossing,
    levels: Vec<Crossing>,
}

impl<'a> CrossingByLevel<'a> {
    pub fn new(all: &'a Crossing, d: usize) -> Self {
        CrossingByLevel {
            all,
            levels: (0..=TOP).map(|_| Crossing::with_room(all.len, d)).collect(),
        }
    }

    /// Enters a node of a level, after the node above it. `add` is called for every sample that cuts the
    /// node above, with its number, and 1 if it activates the whole node that is entered, else 0.
    #[inline(always)]
    pub fn enter<const D: usize>(
        &mut self,
        level: usize,
        region: &Region<D>,
        add: impl FnMut(usize, f64),
    ) {
        let (below, above) = self.levels.split_at_mut(level + 1);
        below[level].narrow(above.first().unwrap_or(self.all), region, add);
    }

    /// The samples that cut the block that was entered last.
    pub fn block(&self) -> &Crossing {
        &self.levels[0]
    }
}
