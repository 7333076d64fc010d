//! Counter-based random numbers: Threefry-4x32-20 (Salmon, Moraes, Dror, Shaw 2011).
//!
//! A draw is a pure function of (seed, stream, particle, step): it does not depend on threads,
//! shards or the order of draws. It uses add, rotate and xor only, which WGSL has too.

use std::convert::Infallible;

use rand::TryRng;

/// The purpose of the random numbers; each purpose has its own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// Training inputs and labels.
    TrainData = 1,
    /// Test inputs and labels.
    TestData = 2,
    /// What training and test samples share: the teacher, or the labels of the clusters.
    World = 3,
    /// Initial particles.
    Init = 4,
    /// Start directions of a certificate's search on the sphere.
    Probe = 8,
    /// Projections and subsamples of `widefield compare`.
    Compare = 9,
}

const PARITY: u32 = 0x1BD1_1BDA;
const ROTATIONS: [[u32; 2]; 8] = [
    [10, 26],
    [11, 21],
    [13, 27],
    [23, 5],
    [6, 20],
    [17, 11],
    [25, 10],
    [18, 20],
];

/// Threefry-4x32 with 20 rounds.
pub fn threefry4x32(key: [u32; 4], counter: [u32; 4]) -> [u32; 4] {
    let ks = [
        key[0],
        key[1],
        key[2],
        key[3],
        PARITY ^ key[0] ^ key[1] ^ key[2] ^ key[3],
    ];
    let mut x: [u32; 4] = std::array::from_fn(|i| counter[i].wrapping_add(ks[i]));
    for round in 0..20 {
        let [r0, r1] = ROTATIONS[round % 8];
        // Odd rounds pair the words in the other way.
        let (p, q) = if round % 2 == 0 { (1, 3) } else { (3, 1) };
        x[0] = x[0].wrapping_add(x[p]);
        x[p] = x[p].rotate_left(r0) ^ x[0];
        x[2] = x[2].wrapping_add(x[q]);
        x[q] = x[q].rotate_left(r1) ^ x[2];
        if round % 4 == 3 {
            let s = round / 4 + 1;
            for (i, word) in x.iter_mut().enumerate() {
                *word = word.wrapping_add(ks[(s + i) % 5]);
            }
            x[3] = x[3].wrapping_add(s as u32);
        }
    }
    x
}

/// The random numbers of one (seed, stream, variant, particle, step), in sequence.
#[derive(Debug, Clone)]
pub struct Draws {
    key: [u32; 4],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Draws {
    /// `variant` separates families of draws with the same seed (disjoint widths); otherwise it is
    /// 0.
    pub fn new(seed: u64, stream: Stream, variant: u32, particle: u64, step: u32) -> Self {
        Draws {
            key: [seed as u32, (seed >> 32) as u32, stream as u32, variant],
            counter: [particle as u32, (particle >> 32) as u32, step, 0],
            block: [0; 4],
            used: 4,
        }
    }

    fn word(&mut self) -> u32 {
        if self.used == 4 {
            self.block = threefry4x32(self.key, self.counter);
            self.counter[3] = self.counter[3].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// Uniform on (0, 1): the midpoints of 2⁻³² cells, never 0 or 1.
    pub fn uniform(&mut self) -> f64 {
        (f64::from(self.word()) + 0.5) / 4_294_967_296.0
    }

    /// Two independent N(0, 1), by the Box-Muller transform.
    pub fn gaussian_pair(&mut self) -> [f64; 2] {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        [radius * cos, radius * sin]
    }

    /// Fills `out` with independent N(0, 1).
    pub fn fill_gaussian(&mut self, out: &mut [f64]) {
        for pair in out.chunks_mut(2) {
            let draws = self.gaussian_pair();
            pair.copy_from_slice(&draws[..pair.len()]);
        }
    }

    /// Fills `out` with a point uniform on the unit sphere.
    pub fn fill_sphere(&mut self, out: &mut [f64]) {
        self.fill_gaussian(out);
        let norm = out.iter().map(|v| v * v).sum::<f64>().sqrt();
        out.iter_mut().for_each(|v| *v /= norm);
    }
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> std::result::Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> std::result::Result<u64, Infallible> {
        Ok(u64::from(self.word()) | u64::from(self.word()) << 32)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> std::result::Result<(), Infallible> {
        for bytes in out.chunks_mut(4) {
            let word = self.word().to_le_bytes();
            bytes.copy_from_slice(&word[..bytes.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known-answer vectors of Random123 1.14 (kat_vectors, threefry4x32 20).
    #[test]
    fn published_vectors() {
        let pi_counter = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let pi_key = [0xa409_3822, 0x299f_31d0, 0x082e_fa98, 0xec4e_6c89];
        for (key, counter, want) in [
            (
                [0; 4],
                [0; 4],
                [0x9c6c_a96a, 0xe17e_ae66, 0xfc10_ecd4, 0x5256_a7d8],
            ),
            (
                [u32::MAX; 4],
                [u32::MAX; 4],
                [0x2a88_1696, 0x5701_2287, 0xf6c7_446e, 0xa16a_6732],
            ),
            (
                pi_key,
                pi_counter,
                [0x59cd_1dbb, 0xb887_9579, 0x86b5_d00c, 0xac8b_6d84],
            ),
        ] {
            assert_eq!(threefry4x32(key, counter), want);
        }
    }

    #[test]
    fn gaussian_moments() {
        let mut values = vec![0.0; 1 << 16];
        Draws::new(1, Stream::Init, 0, 0, 0).fill_gaussian(&mut values);
        let n = values.len() as f64;
        let moment = |p: i32| values.iter().map(|v| v.powi(p)).sum::<f64>() / n;
        // Bounds are five standard errors: Var(z) = 1, Var(z²) = 2, Var(z⁴) = 96.
        assert!(moment(1).abs() < 5.0 / n.sqrt());
        assert!((moment(2) - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
        assert!((moment(4) - 3.0).abs() < 5.0 * (96.0 / n).sqrt());
    }
}
