//! z = w·x of samples and vectors of particles.

use bytemuck::Pod;
use pulp::{NullaryFnOnce, Simd};

use super::per_plane;
use super::vectors::first_product;
use crate::engine::cpu::layout::{GROUP, Line, SAMPLES, lines_per_block};

/// z = w·x of N samples of a group, from number `sample` on, and of V vectors of particles, from
/// number `first` on. `with` is applied to w.
#[inline(always)]
pub fn products<S: Simd, const N: usize, const V: usize>(
    simd: S,
    w: &[S::f32s],
    first: usize,
    x: &[[f32; GROUP]],
    sample: usize,
    with: impl Fn(S::f32s) -> S::f32s,
) -> [[S::f32s; V]; N] {
    let mut z = [[simd.splat_f32s(0.0); V]; N];
    let planes = w.split_at_checked(per_plane::<S>());
    if let Some(((plane, w), (x, rest))) = planes.zip(x.split_first()) {
        for (s, z) in z.iter_mut().enumerate() {
            let x = simd.splat_f32s(x[sample + s]);
            for (w, z) in plane[first..first + V].iter().zip(z) {
                *z = first_product(simd, with(*w), x);
            }
        }
        add_products(simd, &mut z, w, first, rest, sample, with);
    }
    z
}

/// Adds w·x over further coordinates to z, see [`products`]; W samples lie side by side.
#[inline(always)]
pub fn add_products<S: Simd, const N: usize, const V: usize, const W: usize>(
    simd: S,
    z: &mut [[S::f32s; V]; N],
    w: &[S::f32s],
    first: usize,
    x: &[[f32; W]],
    sample: usize,
    with: impl Fn(S::f32s) -> S::f32s,
) {
    for (plane, x) in w.chunks_exact(per_plane::<S>()).zip(x) {
        for (s, z) in z.iter_mut().enumerate() {
            let x = simd.splat_f32s(x[sample + s]);
            for (w, z) in plane[first..first + V].iter().zip(z) {
                *z = simd.mul_add_e_f32s(with(*w), x, *z);
            }
        }
    }
}

/// Where d is larger, z is summed over so many coordinates at a time: those of a block and of the
/// samples of a word fit in a first-level cache.
pub const COORDINATES: usize = 160;

/// −z of the particles of a tile and the samples whose activation bits share a word, for d above
/// [`COORDINATES`]. They are bit for bit what [`products`] gives for −w; only the order in which memory
/// is read differs.
#[derive(Debug)]
pub struct WordProducts<T> {
    /// (vectors of particles, samples)
    z: Vec<T>,
}

impl<T: Pod> WordProducts<T> {
    /// Room for a tile.
    #[inline(always)]
    pub fn new<S: Simd<f32s = T>>(simd: S, d: usize, tile: &[Line]) -> Self {
        let vectors = tile.len() / lines_per_block(d) * per_plane::<S>();
        WordProducts {
            z: vec![simd.splat_f32s(0.0); vectors * SAMPLES],
        }
    }

    /// −z of N samples from number `sample` on and V vectors from number `first` of the tile on.
    #[inline(always)]
    pub fn at<const N: usize, const V: usize>(&self, first: usize, sample: usize) -> [[T; V]; N] {
        let z = &self.z[first * SAMPLES..(first + V) * SAMPLES];
        std::array::from_fn(|s| std::array::from_fn(|v| z[v * SAMPLES + sample + s]))
    }

    /// Computes −z for samples x (groups, d), at most those of one word.
    #[inline(always)]
    pub fn fill<S: Simd<f32s = T>>(
        &mut self,
        simd: S,
        d: usize,
        tile: &[Line],
        x: &[[f32; GROUP]],
    ) {
        let z = &mut self.z;
        // `vectorize` makes it a function of its own, which is compiled once for all kernels that use it.
        simd.vectorize(Fill {
            simd,
            d,
            tile,
            x,
            z,
        });
    }
}

struct Fill<'a, S: Simd> {
    simd: S,
    d: usize,
    tile: &'a [Line],
    x: &'a [[f32; GROUP]],
    /// As in [`WordProducts`].
    z: &'a mut [S::f32s],
}

impl<S: Simd> NullaryFnOnce for Fill<'_, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Fill { simd, d, tile, .. } = self;
        for start in (0..d).step_by(COORDINATES) {
            let end = d.min(start + COORDINATES);
            let blocks = tile.chunks_exact(lines_per_block(d));
            let z = self.z.chunks_exact_mut(per_plane::<S>() * SAMPLES);
            for (block, z) in blocks.zip(z) {
                let planes: &[S::f32s] = bytemuck::cast_slice(block);
                for (group, x) in self.x.chunks_exact(d).enumerate() {
                    let mut part = PartialProducts {
                        w: &planes[start * per_plane::<S>()..end * per_plane::<S>()],
                        x: &x[start..end],
                        first: start == 0,
                        z,
                        sample: group * GROUP,
                    };
                    // Twelve independent sums or more hide the latency of a multiply-add.
                    if S::REGISTER_COUNT >= 32 {
                        part.add::<S, 8, 2>(simd, 0);
                    } else {
                        part.add::<S, 6, 2>(simd, 0);
                        part.add::<S, 2, 4>(simd, 6);
                    }
                }
            }
        }
    }
}

/// Some coordinates of a block and of a group of samples.
struct PartialProducts<'a, T> {
    w: &'a [T],
    x: &'a [[f32; GROUP]],
    /// Whether these are the first coordinates, so that z is set and not added to.
    first: bool,
    /// (vectors of the block, samples of the word)
    z: &'a mut [T],
    /// Number of the group's first sample in the word.
    sample: usize,
}

impl<T: Pod> PartialProducts<'_, T> {
    /// Adds to −z of N samples from number `sample` of the group on, V vectors at a time.
    #[inline(always)]
    fn add<S: Simd<f32s = T>, const N: usize, const V: usize>(&mut self, simd: S, sample: usize) {
        let negate = |w: T| simd.neg_f32s(w);
        for first in (0..per_plane::<S>()).step_by(V) {
            let place = |s: usize, v: usize| (first + v) * SAMPLES + self.sample + sample + s;
            let mut z: [[T; V]; N];
            if self.first {
                z = products::<S, N, V>(simd, self.w, first, self.x, sample, negate);
            } else {
                z = std::array::from_fn(|s| std::array::from_fn(|v| self.z[place(s, v)]));
                add_products(simd, &mut z, self.w, first, self.x, sample, negate);
            }
            for (s, z) in z.iter().enumerate() {
                for (v, z) in z.iter().enumerate() {
                    self.z[place(s, v)] = *z;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;
    use pulp::{Arch, WithSimd};

    use super::*;
    use crate::engine::cpu::layout::LANES;

    struct Compared {
        d: usize,
        /// A coordinate of the samples that is changed for one of the two ways.
        spoilt: Option<usize>,
    }

    impl WithSimd for Compared {
        type Output = bool;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> bool {
            let Compared { d, spoilt } = self;
            let number = |i: usize| ((i * 7919 % 1013) as f32 - 500.0) / 300.0;
            let mut tile = vec![Line::zeroed(); 3 * lines_per_block(d)];
            let values: &mut [f32] = bytemuck::cast_slice_mut(&mut tile);
            (0..).zip(values).for_each(|(i, w)| *w = number(i));
            let mut x: Vec<[f32; GROUP]> = (0..3 * d).map(|i| [number(11 * i); GROUP]).collect();
            let mut word = WordProducts::new(simd, d, &tile);
            word.fill(simd, d, &tile, &x);
            if let Some(k) = spoilt {
                x[2 * d + k][GROUP - 1] += 1e-3;
            }
            let mut same = true;
            for (b, block) in tile.chunks_exact(lines_per_block(d)).enumerate() {
                let planes: &[S::f32s] = bytemuck::cast_slice(block);
                let w = &planes[..d * LANES / S::F32_LANES];
                for (group, x) in x.chunks_exact(d).enumerate() {
                    for first in 0..per_plane::<S>() {
                        let negate = |w: S::f32s| simd.neg_f32s(w);
                        let z = products::<S, GROUP, 1>(simd, w, first, x, 0, negate);
                        let cut = word.at::<GROUP, 1>(b * per_plane::<S>() + first, group * GROUP);
                        let pairs = z.as_flattened().iter().zip(cut.as_flattened());
                        same &= { pairs }
                            .all(|(z, cut)| bytemuck::bytes_of(z) == bytemuck::bytes_of(cut));
                    }
                }
            }
            same
        }
    }

    /// Every bit of z is the same whether or not the sum is cut over d; a change of one input is noticed.
    #[test]
    fn a_cut_changes_no_bit() {
        for arch in [Arch::Scalar, Arch::new()] {
            for d in [COORDINATES + 1, 2 * COORDINATES, 785] {
                let compared = |spoilt| arch.dispatch(Compared { d, spoilt });
                assert!(compared(None), "{arch:?}, d = {d}");
                for k in [0, COORDINATES, d - 1] {
                    assert!(!compared(Some(k)), "{arch:?}, d = {d}, input {k}");
                }
            }
        }
    }
}
