//! Operations that [`Simd`] lacks, or that one instruction set does faster than [`Simd`] says. Which set is in
//! use is known at compile time; in a `const` block, no code is made for the others.

#[cfg(target_arch = "x86_64")]
use std::any::Any;

use pulp::Simd;
#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};

/// Whether the vectors are those of AVX-512.
#[cfg(target_arch = "x86_64")]
const fn is_v4<S: Simd>() -> bool {
    S::F32_LANES == 16
}

/// Whether the vectors are of an instruction set with [`Lookup`].
pub const fn looks_up<S: Simd>() -> bool {
    cfg!(target_arch = "x86_64") && S::F32_LANES >= 8
}

#[cfg(target_arch = "x86_64")]
fn v4(simd: &impl Simd) -> Option<&V4> {
    (simd as &dyn Any).downcast_ref()
}

/// w x, the first term of a sum of products. A zero may have either sign.
#[inline(always)]
pub fn first_product<S: Simd>(simd: S, w: S::f32s, x: S::f32s) -> S::f32s {
    #[cfg(target_arch = "x86_64")]
    if const { is_v4::<S>() } {
        // A multiplication reads x from memory at no cost; a multiply-add to 0 would first load it.
        return simd.mul_f32s(w, x);
    }
    simd.mul_add_e_f32s(w, x, simd.splat_f32s(0.0))
}

/// min(z, 0) for a sum z that starts with [`first_product`]. The sign bit of the result is set where z < 0,
/// and not where z = 0, unless that 0 is a negative number that was too small for f32.
#[inline(always)]
pub fn negative_part<S: Simd>(simd: S, z: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    #[cfg(target_arch = "x86_64")]
    if const { is_v4::<S>() }
        && let Some(V4 { avx512f, .. }) = v4(&simd)
    {
        // Of two zeros the instruction returns the second, which is +0.
        return bytemuck::cast(avx512f._mm512_min_ps(bytemuck::cast(z), bytemuck::cast(zero)));
    }
    // The sum started from +0, and so it is never −0.
    simd.min_f32s(z, zero)
}

/// A word shifted right by one bit, with the sign bit of z as its highest bit.
#[inline(always)]
pub fn shift_in_sign<S: Simd>(simd: S, word: S::u32s, z: S::f32s) -> S::u32s {
    const TOP: u32 = 1 << 31;
    #[cfg(target_arch = "x86_64")]
    if const { is_v4::<S>() }
        && let Some(V4 { avx512f, .. }) = v4(&simd)
    {
        // word | (z & top) in one operation, which the compiler does not find by itself.
        let word = avx512f._mm512_srli_epi32::<1>(bytemuck::cast(word));
        let top = avx512f._mm512_set1_epi32(TOP.cast_signed());
        let word = avx512f._mm512_ternarylogic_epi32::<0xf8>(word, bytemuck::cast(z), top);
        return bytemuck::cast(word);
    }
    let sign = simd.and_u32s(simd.transmute_u32s_f32s(z), simd.splat_u32s(TOP));
    simd.or_u32s(simd.wrapping_dyn_shr_u32s(word, simd.splat_u32s(1)), sign)
}

/// Vectors that can serve as lookup tables.
pub trait Lookup: Simd {
    /// Bits of an index.
    const BITS: usize = Self::F32_LANES.ilog2() as usize;

    /// In lane i: the lane of `table` whose number the lowest [`Lookup::BITS`] bits of lane i of `index` give.
    fn lookup(self, table: Self::f32s, index: Self::u32s) -> Self::f32s;
}

#[cfg(target_arch = "x86_64")]
impl Lookup for V3 {
    #[inline(always)]
    fn lookup(self, table: Self::f32s, index: Self::u32s) -> Self::f32s {
        let (table, index) = (bytemuck::cast(table), bytemuck::cast(index));
        bytemuck::cast(self.avx2._mm256_permutevar8x32_ps(table, index))
    }
}

#[cfg(target_arch = "x86_64")]
impl Lookup for V4 {
    #[inline(always)]
    fn lookup(self, table: Self::f32s, index: Self::u32s) -> Self::f32s {
        let (table, index) = (bytemuck::cast(table), bytemuck::cast(index));
        bytemuck::cast(self.avx512f._mm512_permutexvar_ps(index, table))
    }
}
