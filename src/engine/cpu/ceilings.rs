//! Ceilings of the processor: multiply-adds in registers, and a copy, on all threads.

use std::hint::black_box;
use std::time::Duration;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Options;
use crate::engine::ceilings::{Ceilings, best_rate};
use crate::error::Result;

/// Ceilings of these threads with these vectors: independent chains of dependent multiply-adds, and a copy
/// much larger than the caches.
///
/// # Errors
/// As [`super::Cpu::new`].
pub fn ceilings(options: &Options) -> Result<Ceilings> {
    let (arch, pool) = (options.arch()?, options.pool()?);
    // More pieces than threads, so that all threads are busy until the end.
    let pieces = 16 * pool.threads();
    let work = 2 * TURNS * CHAINS * arch.dispatch(Lanes) * pieces;
    let fma = best_rate(work as f64, Duration::from_millis(50), |k| {
        let turns = TURNS * k as usize;
        pool.install(|| {
            let pieces = (0..pieces).into_par_iter().with_max_len(1);
            black_box(pieces.map(|_| arch.dispatch(Fma(turns))).sum::<f32>());
        });
        Ok(())
    })?;
    let source = vec![1.0_f32; COPIED];
    let mut target = vec![0.0_f32; COPIED];
    let bytes = 2 * size_of_val(&source[..]);
    let copy = best_rate(bytes as f64, Duration::from_millis(20), |k| {
        for _ in 0..k {
            pool.install(|| {
                let pieces = target.par_chunks_mut(PIECE).zip(source.par_chunks(PIECE));
                pieces.for_each(|(to, from)| to.copy_from_slice(from));
            });
            black_box(&mut target);
        }
        Ok(())
    })?;
    Ok(Ceilings {
        fma_gflops: fma / 1e9,
        copy_gb_per_s: copy / 1e9,
    })
}

/// Independent sums: latency times units, and registers to spare.
const CHAINS: usize = 12;
/// Turns of a piece in the shortest launch.
const TURNS: usize = 20_000;
/// Numbers copied, and those of one piece.
const COPIED: usize = 1 << 26;
const PIECE: usize = 1 << 20;

/// So many turns of one multiply-add in every chain.
struct Fma(usize);

impl WithSimd for Fma {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let mut sums = [simd.splat_f32s(black_box(1.0)); CHAINS];
        let a = simd.splat_f32s(black_box(0.999));
        let b = simd.splat_f32s(black_box(1e-3));
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, a, b);
            }
        }
        sums.iter().map(|&s| simd.reduce_sum_f32s(s)).sum()
    }
}

/// Lanes of the machine's vectors.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}
