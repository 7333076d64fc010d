use std::time::Duration;

use super::*;
use crate::certify::arrangement::Arrangement;
use crate::certify::input_matrix::{add, dot, norm, unit};
use crate::data::Dataset;
use crate::random::{Draws, Stream};

/// n samples of d Gaussian coordinates, and weights of both signs.
pub fn problem(seed: u64, n: usize, d: usize) -> (Dataset, Vec<f64>) {
    let mut draws = Draws::new(seed, Stream::Probe, 0, 0, 0);
    let (mut x, mut q) = (vec![0.0; n * d], vec![0.0; n]);
    draws.fill_gaussian(&mut x);
    draws.fill_gaussian(&mut q);
    let x = x.into_iter().map(|x| x as f32).collect();
    let y = vec![1.0; n];
    (Dataset { d, x, y }, q)
}

fn limits(gap: f64, stop: &AtomicBool) -> ProofLimits<'_> {
    ProofLimits {
        gap,
        deadline: Instant::now() + Duration::from_secs(3600),
        memory: 1 << 29,
        stop,
    }
}

/// The proofs: as users get it, and with both kinds of cones.
fn proofs(data: &Dataset, q: &[f64], gap: f64) -> Vec<ProvedMaximum> {
    let inputs = InputMatrix::new(data);
    let sums = [1.0, -1.0].map(|sign| UnitSum::new(&inputs, q, sign));
    let stop = AtomicBool::new(false);
    let limits = limits(gap, &stop);
    let mut all = vec![
        prove_maximum(&inputs, q, &[], &limits).unwrap(),
        prove_with::<Cell>(&inputs, q, &sums, &[], &limits),
    ];
    if (2..=FEW_DIMENSIONS).contains(&data.d) {
        all.push(prove_with::<Simplex>(&inputs, q, &sums, &[], &limits));
    }
    all
}

/// max |V| up to rounding: for d ≤ 3 by the cells of the arrangement, else by all faces of it.
fn exact(data: &Dataset, q: &[f64]) -> f64 {
    let inputs = InputMatrix::new(data);
    match data.d <= 3 {
        true => Arrangement::new(&inputs).maximum(q, None).value,
        false => over_faces(&inputs, q, 0, &mut Vec::new()),
    }
}

/// The largest |V| at all points PG/|PG|, with P the projection on the intersection of some hyperplanes and G the
/// sum of any other samples: V is linear on each face, so its maxima are among these.
fn over_faces(inputs: &InputMatrix, q: &[f64], from: usize, basis: &mut Vec<Vec<f64>>) -> f64 {
    let mut most: f64 = 0.0;
    for active in 0..1_u32 << inputs.n() {
        let mut g = vec![0.0; inputs.d()];
        for i in (0..inputs.n()).filter(|i| active >> i & 1 == 1) {
            add(&mut g, q[i], inputs.row(i));
        }
        basis.iter().for_each(|b| {
            let along = dot(b, &g);
            add(&mut g, -along, b)
        });
        if let Some(theta) = unit(g) {
            let minus: Vec<f64> = theta.iter().map(|t| -t).collect();
            most = most.max(inputs.variation(q, &theta).abs());
            most = most.max(inputs.variation(q, &minus).abs());
        }
    }
    if basis.len() + 1 < inputs.d() {
        for i in from..inputs.n() {
            let mut x = inputs.row(i).to_vec();
            for b in basis.iter() {
                let along = dot(b, &x);
                add(&mut x, -along, b);
            }
            if norm(&x) > 1e-9 * inputs.norms()[i] {
                basis.extend(unit(x));
                most = most.max(over_faces(inputs, q, i + 1, basis));
                basis.pop();
            }
        }
    }
    most
}

/// Whether bounds enclose a maximum known up to rounding.
fn encloses(proof: &ProvedMaximum, maximum: f64) -> bool {
    let tiny = 1e-9 * maximum;
    proof.lower <= maximum + tiny && proof.upper >= maximum - tiny
}

fn assert_proved(data: &Dataset, q: &[f64], gap: f64, case: &str) {
    let maximum = exact(data, q);
    for proof in proofs(data, q, gap) {
        assert!(encloses(&proof, maximum), "{case}: {proof:?}, {maximum}");
        assert!(proof.is_reached, "{case}: {proof:?}");
        assert!(
            proof.upper - proof.lower <= 1.0001 * gap * proof.upper,
            "{case}: {proof:?}"
        );
        let theta = proof.theta.unwrap();
        let value = InputMatrix::new(data).variation(q, &theta).abs();
        assert!((value - proof.lower).abs() <= 1e-12 * value && (norm(&theta) - 1.0).abs() < 1e-12);
    }
}

#[test]
fn bounds_enclose_exact_maxima() {
    for (d, n, sets) in [(1, 9, 4), (2, 5, 20), (2, 60, 5), (3, 6, 20), (3, 40, 5)] {
        for seed in 0..sets {
            let (data, q) = problem(seed, n, d);
            assert_proved(&data, &q, 1e-4, &format!("d {d}, n {n}, set {seed}"));
        }
    }
}

#[test]
fn bounds_enclose_maxima_over_all_faces() {
    for (d, n, sets) in [(4, 8, 6), (5, 8, 3), (6, 7, 3)] {
        for seed in 0..sets {
            let (data, q) = problem(seed, n, d);
            assert_proved(&data, &q, 1e-3, &format!("d {d}, n {n}, set {seed}"));
        }
    }
}

/// The sabotage twin of both tests above: bounds that leave out a sample.
#[test]
fn bounds_without_a_sample_are_found() {
    for d in [3, 4] {
        let mut found = [0; 3];
        for seed in 0..8 {
            let (data, q) = problem(seed, 8, d);
            let maximum = exact(&data, &q);
            let mut other = q.clone();
            other[seed as usize % 8] = 0.0;
            for (found, proof) in found.iter_mut().zip(proofs(&data, &other, 1e-4)) {
                *found += usize::from(!encloses(&proof, maximum));
            }
        }
        assert!(found.iter().all(|found| *found >= 4), "d {d}: {found:?}");
    }
}

#[test]
fn degenerate_samples_are_enclosed() {
    for d in [2, 3, 4] {
        let (data, q) = problem(5, 6, d);
        let mut cases = Vec::new();
        // The same row twice with opposite weights, a row and its opposite, a row of zeros.
        let mut x = data.x.clone();
        let first = x[..d].to_vec();
        x[d..2 * d].copy_from_slice(&first);
        x[2 * d..3 * d]
            .iter_mut()
            .zip(&first)
            .for_each(|(x, f)| *x = -f);
        x[3 * d..4 * d].fill(0.0);
        let mut opposite = q.clone();
        opposite[1] = -opposite[0];
        cases.push(("conflict", x, opposite));
        // Rows that are collinear but for their rounding.
        let mut x = data.x.clone();
        for k in 1..4 {
            let factor = 0.3 * k as f32;
            let near: Vec<f32> = first.iter().map(|f| f * factor).collect();
            x[k * d..(k + 1) * d].copy_from_slice(&near);
        }
        cases.push(("collinear", x, q.clone()));
        let one_sign = q.iter().map(|q| q.abs()).collect();
        cases.push(("one sign", data.x.clone(), one_sign));
        for (name, x, q) in cases {
            let data = Dataset { x, ..data.clone() };
            assert_proved(&data, &q, 1e-4, &format!("{name}, d {d}"));
        }
    }
}

/// V = 0 everywhere, exactly or but for rounding: the bound is of the size of rounding errors, and the search ends.
#[test]
fn weights_that_cancel_give_a_bound_near_zero() {
    let (data, q) = problem(0, 4, 4);
    let inputs = InputMatrix::new(&data);
    let stop = AtomicBool::new(false);
    let zero = prove_maximum(&inputs, &[0.0; 4], &[], &limits(1e-3, &stop)).unwrap();
    assert_eq!((zero.lower, zero.upper, zero.theta), (0.0, 0.0, None));
    let mut x = data.x.clone();
    let doubled: Vec<f32> = x[..4].iter().map(|x| 2.0 * x).collect();
    x[4..8].copy_from_slice(&doubled);
    let data = Dataset { x, ..data };
    let q = [q[0], -0.5 * q[0], 0.0, 0.0];
    for proof in proofs(&data, &q, 1e-3) {
        assert!(proof.lower <= 1e-12 && proof.upper <= 1e-9, "{proof:?}");
    }
}

#[test]
fn scales_of_rows_do_not_matter() {
    let (data, q) = problem(3, 8, 4);
    let maximum = exact(&data, &q);
    let scales = [1e30_f32, 1e-30, 1e12, 1.0, 1e-12, 1e30, 3.0, 1e-30];
    let mut scaled = data.clone();
    for (row, scale) in scaled.x.chunks_exact_mut(4).zip(scales) {
        row.iter_mut().for_each(|x| *x *= scale);
    }
    let weights: Vec<f64> = q
        .iter()
        .zip(scales)
        .map(|(q, s)| q / f64::from(s))
        .collect();
    for proof in proofs(&scaled, &weights, 1e-4) {
        let is_near = (proof.upper / maximum - 1.0).abs() < 1e-4 + 1e-6;
        assert!(proof.is_reached && is_near, "{proof:?}, {maximum}");
    }
    let huge: Vec<f64> = q.iter().map(|q| q * 1e300).collect();
    for proof in proofs(&data, &huge, 1e-4) {
        assert!(
            proof.is_reached && encloses(&proof, maximum * 1e300),
            "{proof:?}"
        );
    }
}

#[test]
fn bounds_hold_for_columns_of_any_scale() {
    for scales in [[1e30_f32, 1.0, 1.0], [1.0, 1e-30, 1.0], [1e-30, 1.0, 1e30]] {
        for seed in 0..4 {
            let (mut data, q) = problem(seed, 8, 3);
            for row in data.x.chunks_exact_mut(3) {
                row.iter_mut().zip(scales).for_each(|(x, s)| *x *= s);
            }
            let maximum = exact(&data, &q);
            for proof in proofs(&data, &q, 1e-3) {
                assert!(
                    encloses(&proof, maximum),
                    "{scales:?}, set {seed}: {proof:?}, {maximum}"
                );
            }
        }
    }
}

/// Without time the first bound is given; a raised flag and a passed deadline both end the proof.
#[test]
fn a_proof_that_is_ended_early_holds() {
    let (data, q) = problem(1, 60, 5);
    let inputs = InputMatrix::new(&data);
    let raised = AtomicBool::new(true);
    let lowered = AtomicBool::new(false);
    let passed = ProofLimits {
        deadline: Instant::now(),
        ..limits(1e-3, &lowered)
    };
    let full = prove_maximum(&inputs, &q, &[], &limits(1e-2, &lowered)).unwrap();
    assert!(full.is_reached);
    for early in [limits(1e-3, &raised), passed] {
        let proof = prove_maximum(&inputs, &q, full.theta.as_deref().unwrap(), &early).unwrap();
        assert!(!proof.is_reached && proof.cones <= 64, "{proof:?}");
        assert!(
            proof.lower >= full.lower * (1.0 - 1e-12) && proof.upper >= full.lower,
            "{proof:?}"
        );
    }
}

/// Cells without convex samples have their maximum for a bound, so that no gap is too small.
#[test]
fn cells_close_small_gaps() {
    let stop = AtomicBool::new(false);
    for seed in 0..40 {
        let (data, q) = problem(seed, 24, 4 + seed as usize % 3);
        let inputs = InputMatrix::new(&data);
        let sums = [1.0, -1.0].map(|sign| UnitSum::new(&inputs, &q, sign));
        for gap in [1e-1, 1e-2, 1e-7] {
            let proof = prove_with::<Cell>(&inputs, &q, &sums, &[], &limits(gap, &stop));
            assert!(proof.is_reached, "set {seed}, gap {gap}: {proof:?}");
        }
    }
}

/// Without memory for cones that wait, those with the smallest bound come first, to the same end.
#[test]
fn a_proof_needs_little_memory() {
    let stop = AtomicBool::new(false);
    let (data, q) = problem(1, 60, 4);
    let inputs = InputMatrix::new(&data);
    let full = prove_maximum(&inputs, &q, &[], &limits(1e-3, &stop)).unwrap();
    let sparing = ProofLimits {
        memory: 0,
        ..limits(1e-3, &stop)
    };
    let proof = prove_maximum(&inputs, &q, &[], &sparing).unwrap();
    assert!(full.is_reached && proof.is_reached);
    assert!(
        (proof.upper / full.upper - 1.0).abs() <= 2e-3,
        "{proof:?}, {full:?}"
    );
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let (data, _) = problem(0, 3, 4);
    let inputs = InputMatrix::new(&data);
    let stop = AtomicBool::new(false);
    for q in [&[1.0, f64::NAN, 0.0][..], &[f64::INFINITY; 3], &[1.0; 2]] {
        assert!(prove_maximum(&inputs, q, &[], &limits(1e-3, &stop)).is_err());
    }
}

/// The same cones give the same bounds, whatever the threads do.
#[test]
fn proofs_repeat() {
    let (data, q) = problem(2, 30, 5);
    assert_eq!(proofs(&data, &q, 1e-3), proofs(&data, &q, 1e-3));
}
