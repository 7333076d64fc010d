//! Sliced Wasserstein distance of weighted point clouds:
//!
//! SW2²(μ, ν) = E_u W2²(u·μ, u·ν), u uniform on the unit sphere of R^k, where in one dimension
//! W2² = ∫_0^1 (F_μ⁻¹(q) − F_ν⁻¹(q))² dq: the sorted points, matched by their quantiles, exactly.
//!
//! Source: Bonneel, Rabin, Peyré, Pfister: Sliced and Radon Wasserstein Barycenters of Measures (2015).

use rayon::prelude::*;

use crate::random::{Draws, Stream};

/// A probability measure Σ_j p_j δ_(x_j) on R^k.
#[derive(Debug, Clone, PartialEq)]
pub struct PointCloud {
    /// k
    pub dimension: usize,
    /// x, row-major (m, k).
    pub points: Vec<f64>,
    /// p (m), of sum 1.
    pub weights: Vec<f64>,
}

impl PointCloud {
    /// The probability measure with weights proportional to these masses.
    pub fn new(dimension: usize, points: Vec<f64>, masses: Vec<f64>) -> Self {
        let total: f64 = masses.iter().sum();
        PointCloud {
            dimension,
            points,
            weights: masses.into_iter().map(|mass| mass / total).collect(),
        }
    }

    /// The projections u·x_j with their weights, sorted.
    fn projected(&self, u: &[f64]) -> Vec<(f64, f64)> {
        let points = self.points.chunks_exact(self.dimension);
        let along = |x: &[f64]| x.iter().zip(u).map(|(x, u)| x * u).sum::<f64>();
        let mut line: Vec<(f64, f64)> = points
            .map(along)
            .zip(self.weights.iter().copied())
            .collect();
        line.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        line
    }
}

/// W2² between two measures on the line, given as sorted (position, weight) with weights of sum 1. NaN if a
/// position or weight is NaN.
pub fn w2_squared(a: &[(f64, f64)], b: &[(f64, f64)]) -> f64 {
    let (mut a, mut b) = (a.iter().copied(), b.iter().copied());
    let (mut left, mut right) = (a.next(), b.next());
    let mut sum = 0.0;
    // Mass that is left of one measure when the other is used up is due to rounding and ignored.
    while let (Some((x, p)), Some((y, q))) = (left, right) {
        let mass = p.min(q);
        let cost = (x - y) * (x - y);
        // A pair with mass 0 contributes nothing, whatever its positions; NaN mass must not be skipped.
        if mass != 0.0 {
            sum += mass * cost;
        }
        if !(p + q).is_finite() {
            return f64::NAN;
        }
        left = if p > q { Some((x, p - q)) } else { a.next() };
        right = if q > p { Some((y, q - p)) } else { b.next() };
    }
    sum
}

/// SW2 of each pair of clouds, all of the same dimension, with the same random projections for all: u
/// depends on (dimension, index of the projection) alone, so results are reproducible, and invariant under
/// permutations and duplication of points.
pub fn sliced_w2(clouds: &[&PointCloud], pairs: &[(usize, usize)], projections: usize) -> Vec<f64> {
    let one = |projection: usize| -> Vec<f64> {
        let dimension = clouds.first().map_or(0, |cloud| cloud.dimension);
        let mut u = vec![0.0; dimension];
        let family = dimension as u32;
        Draws::new(0, Stream::Compare, family, projection as u64, 0).fill_sphere(&mut u);
        let lines: Vec<_> = clouds.iter().map(|cloud| cloud.projected(&u)).collect();
        let squared = |&(a, b): &(usize, usize)| w2_squared(&lines[a], &lines[b]);
        pairs.iter().map(squared).collect()
    };
    let each: Vec<Vec<f64>> = (0..projections).into_par_iter().map(one).collect();
    let mean = |pair: usize| each.iter().map(|s| s[pair]).sum::<f64>() / projections as f64;
    (0..pairs.len()).map(|pair| mean(pair).sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaussian(m: usize, dimension: usize, seed: u64, shift: f64) -> PointCloud {
        let mut points = vec![0.0; m * dimension];
        Draws::new(seed, Stream::Init, 0, 0, 0).fill_gaussian(&mut points);
        points.iter_mut().for_each(|x| *x += shift);
        PointCloud::new(dimension, points, vec![1.0; m])
    }

    fn distance(a: &PointCloud, b: &PointCloud) -> f64 {
        sliced_w2(&[a, b], &[(0, 1)], 64)[0]
    }

    /// (1/4, 3/4) on {0, 1} against (1/2, 1/2) on {0, 3}: a quarter stays, a quarter goes from 1 to
    /// 0, a half from 1 to 3.
    #[test]
    fn two_points_with_unequal_weights() {
        let w2 = w2_squared(&[(0.0, 0.25), (1.0, 0.75)], &[(0.0, 0.5), (3.0, 0.5)]);
        assert_eq!(w2, 0.25 + 0.5 * 4.0);
        let moved = w2_squared(&[(0.0, 0.5), (1.0, 0.5)], &[(0.0, 0.5), (3.0, 0.5)]);
        assert_ne!(w2, moved, "the weights count");
    }

    #[test]
    fn points_without_mass_do_not_count_and_nan_is_not_hidden() {
        let a = [(-7.0, 0.0), (0.0, 1.0), (9.0, 0.0)];
        assert_eq!(w2_squared(&a, &[(2.0, 1.0)]), 4.0);
        assert!(w2_squared(&[(0.0, f64::NAN)], &[(2.0, 1.0)]).is_nan());
        assert!(w2_squared(&[(f64::NAN, 1.0)], &[(2.0, 1.0)]).is_nan());
    }

    /// On the line W2² = (μ − μ')² + (σ − σ')² for Gaussians; here approximated by random symmetric pairs
    /// ±x, with different numbers of points.
    #[test]
    fn gaussians_on_the_line() {
        let line = |m: usize, mean: f64, deviation: f64| -> Vec<(f64, f64)> {
            let mut x = vec![0.0; m];
            Draws::new(1, Stream::Init, 0, m as u64, 0).fill_gaussian(&mut x);
            x.sort_by(f64::total_cmp);
            x.iter()
                .map(|x| (mean + deviation * x, 1.0 / m as f64))
                .collect()
        };
        let (a, b) = (line(200_000, 0.0, 1.0), line(150_000, 2.0, 1.5));
        let w2 = w2_squared(&a, &b);
        // Means and deviations of the samples are off by 1/√m; five of their standard errors.
        assert!(
            (w2 - 4.25).abs() < 5.0 * 2.0 * 2.0 * 1.5 / 150_000_f64.sqrt(),
            "{w2}"
        );
    }

    /// A shift s moves every projection by u·s: SW2² = |s|² E (u·s/|s|)² = |s|²/k.
    #[test]
    fn a_shift_in_several_dimensions() {
        let (k, shift) = (5, 0.7);
        let (a, b) = (gaussian(300, k, 1, 0.0), gaussian(300, k, 1, shift));
        let projections = 4096;
        let w2 = sliced_w2(&[&a, &b], &[(0, 1)], projections)[0];
        let expected = shift * shift;
        // (u·e)² has mean 1/k and a variance below 2/k²: five standard errors.
        let allowed = 5.0 * expected * (2.0 / projections as f64).sqrt();
        assert!((w2 * w2 - expected).abs() <= allowed, "{w2}");
    }

    /// Law 5: the measure does not depend on the order of the particles or on duplicating all of them.
    #[test]
    fn permuted_and_duplicated_clouds_are_the_same_measure() {
        let (m, k) = (101, 4);
        let other = gaussian(77, k, 2, 0.3);
        let masses: Vec<f64> = (0..m).map(|j| 1.0 + (j % 7) as f64).collect();
        let a = PointCloud::new(k, gaussian(m, k, 1, 0.0).points, masses.clone());
        let rows = |j: usize| a.points[j * k..(j + 1) * k].to_vec();
        let order = (0..m).map(|j| j * 17 % m);
        let permuted = PointCloud::new(
            k,
            order.clone().flat_map(rows).collect(),
            order.map(|j| masses[j]).collect(),
        );
        let twice = PointCloud::new(k, a.points.repeat(2), masses.repeat(2));
        let d = distance(&a, &other);
        for same in [&permuted, &twice] {
            assert!((distance(same, &other) - d).abs() <= 1e-12 * d);
            // Bound of the rounding error: mass ε moved over distances of order 1, m times.
            assert!(distance(&a, same) <= (m as f64 * f64::EPSILON).sqrt() * 4.0);
        }
        // Sabotage: both checks must detect one moved particle.
        let mut wrong = permuted.clone();
        wrong.points[0] += 0.1;
        assert!((distance(&wrong, &other) - d).abs() > 1e-12 * d);
        assert!(distance(&a, &wrong) > (m as f64 * f64::EPSILON).sqrt() * 4.0);
    }
}
