//! Independent brackets of γ1: a linear program on a grid of directions.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT};
use widefield::data::Dataset;
use widefield::particles::random::{Draws, Stream};

/// The margin L over atoms on a grid of directions, by the primal linear program. If h is half the
/// diameter of a cell of the grid, L ≤ γ1 ≤ L + h max_i |x_i|.
pub fn margin_on_grid(data: &Dataset, grid: &[Vec<f64>]) -> f64 {
    // Variables c⁺, c⁻ ≥ 0 of every direction, and t: maximise t subject to
    // t − y_i Σ_k (c⁺_k − c⁻_k) σ(θ_k·x_i) ≤ 0 and Σ (c⁺ + c⁻) ≤ 1.
    let (n, atoms) = (data.n(), grid.len());
    let (mut starts, mut places, mut values) = (vec![0], Vec::new(), Vec::new());
    for sign in [1.0, -1.0] {
        for (k, theta) in grid.iter().enumerate() {
            for i in 0..n {
                let z: f64 = theta
                    .iter()
                    .zip(data.row(i))
                    .map(|(t, &x)| t * f64::from(x))
                    .sum();
                places.push(i);
                values.push(-sign * f64::from(data.y[i]) * z.max(0.0));
            }
            let own = k + if sign > 0.0 { 0 } else { atoms };
            places.extend([n, n + 1 + own]);
            values.extend([1.0, -1.0]);
            starts.push(places.len());
        }
    }
    places.extend(0..n);
    values.extend(vec![1.0; n]);
    starts.push(places.len());
    let (rows, columns) = (n + 1 + 2 * atoms, 2 * atoms + 1);
    let matrix = CscMatrix::new(rows, columns, starts, places, values);
    let mut right = vec![0.0; rows];
    right[n] = 1.0;
    let mut cost = vec![0.0; columns];
    cost[2 * atoms] = -1.0;
    let settings = DefaultSettings {
        verbose: false,
        ..DefaultSettings::default()
    };
    let cones = [NonnegativeConeT(rows)];
    let form = CscMatrix::zeros((columns, columns));
    let mut solver = DefaultSolver::new(&form, &cost, &matrix, &right, &cones, settings).unwrap();
    solver.solve();
    solver.solution.x[2 * atoms]
}

/// Directions on a grid of the circle or of a cube's faces, and half the diameter of a cell.
pub fn grid(d: usize) -> (Vec<Vec<f64>>, f64) {
    if d == 2 {
        let k = 360;
        let angle = |k: usize| std::f64::consts::TAU * k as f64 / 360.0;
        let points = (0..k).map(|k| vec![angle(k).cos(), angle(k).sin()]);
        return (points.collect(), angle(1) / 2.0);
    }
    let k = 12;
    let place = |k: usize| (2 * k + 1) as f64 / 12.0 - 1.0;
    let mut points = Vec::new();
    for face in 0..6 {
        for cell in 0..k * k {
            let mut theta = [place(cell / k), place(cell % k), 1.0];
            theta[2] = if face % 2 == 0 { 1.0 } else { -1.0 };
            theta.rotate_right(face / 2);
            let size = theta.iter().map(|t| t * t).sum::<f64>().sqrt();
            points.push(theta.iter().map(|t| t / size).collect());
        }
    }
    // The centre of a square of edge 2/k is √2/k from its corners; the sphere only shrinks that.
    (points, 2.0_f64.sqrt() / k as f64)
}

/// Small random data sets, some with repeated, opposite, zero, collinear or lattice inputs.
pub fn small_set(seed: u64, d: usize) -> Dataset {
    let n = 1 + seed as usize % 8;
    let mut values = vec![0.0; n * (d + 1)];
    Draws::new(seed, Stream::World, d as u32, 0, 0).fill_gaussian(&mut values);
    let (mut x, y): (Vec<f32>, Vec<f32>) = (
        values[n..].iter().map(|&v| v as f32).collect(),
        values[..n].iter().map(|v| v.signum() as f32).collect(),
    );
    let kind = seed / 8 % 6;
    for i in 1..n {
        for k in 0..d {
            let first = x[k];
            let at = &mut x[i * d + k];
            *at = match kind {
                1 if i % 3 == 1 => first,
                2 if i % 3 == 1 => -first,
                3 if i == n - 1 => 0.0,
                4 => first * (i as f32 - 1.5),
                5 => at.round(),
                _ => *at,
            };
        }
    }
    Dataset { d, x, y }
}
