use super::FiniteGame;
use crate::certify::matrix_game::solve_game;
use crate::random::{Draws, Stream};

/// Random payoffs, one row per atom, with positive mean so that the value is not near 0, and shares.
fn payoffs(seed: u64, n: usize, count: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut draws = Draws::new(seed, Stream::TrainData, 0, 0, 0);
    let mut row = || -> Vec<f64> { (0..n).map(|_| draws.uniform() - 0.2).collect() };
    let rows = (0..count).map(|_| row()).collect();
    let shares = (0..n).map(|i| if i == 0 { 1.0 } else { draws.uniform() });
    (rows, shares.collect())
}

fn game(rows: &[Vec<f64>], shares: &[f64]) -> FiniteGame {
    let mut game = FiniteGame::default();
    shares
        .iter()
        .for_each(|b| game.add_sample(*b, std::iter::empty()));
    rows.iter().for_each(|row| game.add_atom(row));
    game
}

/// The value, after a check of both strategies.
fn solved(game: &mut FiniteGame, shares: &[f64]) -> f64 {
    let (q, c) = game.solve(1e-12).unwrap();
    assert!(q.iter().chain(&c).all(|v| *v >= 0.0));
    assert!(game.is_solved_by(&q, &c, 1e-9));
    let total: f64 = q.iter().zip(shares).map(|(q, b)| q * b).sum();
    game.value(&q) / total
}

fn assert_near(got: f64, want: f64) {
    assert!((got / want - 1.0).abs() < 1e-7, "{got} {want}");
}

#[test]
fn a_game_of_two_by_two() {
    let mut game = game(&[vec![2.0, 0.0], vec![0.0, 1.0]], &[1.0, 1.0]);
    let (q, c) = game.solve(1e-12).unwrap();
    let total: f64 = c.iter().sum();
    for (got, want) in [
        (q[0], 1.0 / 3.0),
        (q[1], 2.0 / 3.0),
        (c[0] / total, 1.0 / 3.0),
    ] {
        assert_near(got, want);
    }
    assert!(game.is_solved_by(&q, &c, 1e-9));
    // The sabotage: other weights, other masses.
    assert!(!game.is_solved_by(&[0.5, 0.5], &c, 1e-9));
    assert!(!game.is_solved_by(&q, &[0.5, 0.5], 1e-9));
}

#[test]
fn the_value_is_that_of_the_conic_solver() {
    for seed in 0..20 {
        let (n, count) = (1 + seed as usize % 9, 2 + seed as usize % 13);
        let (rows, shares) = payoffs(seed, n, count);
        let value = solved(&mut game(&rows, &shares), &shares);
        let other = solve_game(&rows, &shares, 0.0, 0.0).unwrap();
        let gains = rows.iter().map(|row| -> f64 {
            let pairs = row.iter().zip(&other.q);
            pairs.map(|(v, q)| v * q).sum()
        });
        assert_near(value, gains.fold(f64::NEG_INFINITY, f64::max));
    }
}

/// A game that grows has the value that it has from the beginning, whatever is added in which order.
#[test]
fn a_kept_basis_changes_nothing() {
    for seed in 0..10 {
        let (rows, shares) = payoffs(seed, 30, 60);
        let mut grown = game(&[], &shares[..20]);
        for (k, row) in rows.iter().enumerate() {
            grown.add_atom(&row[..grown.size().0]);
            if k % 10 == 9 {
                let n = grown.size().0;
                solved(&mut grown, &shares[..n]);
            }
            if k == 35 {
                for i in 20..30 {
                    grown.add_sample(shares[i], rows[..=k].iter().map(|row| row[i]));
                }
            }
        }
        let value = solved(&mut grown, &shares);
        assert_near(value, solved(&mut game(&rows, &shares), &shares));
        // Atoms without mass may go.
        let (_, c) = grown.solve(1e-12).unwrap();
        let kept = grown.retain_atoms(|_| false);
        assert!(kept.iter().zip(&c).all(|(kept, c)| *kept || *c == 0.0));
        assert!(grown.size().1 < 60);
        assert_near(solved(&mut grown, &shares), value);
    }
}

/// Equal atoms and equal samples leave the value as it is.
#[test]
fn repeated_atoms_and_samples() {
    for seed in 0..10 {
        let (rows, shares) = payoffs(seed, 6, 8);
        let value = solved(&mut game(&rows, &shares), &shares);
        let twice = |v: &[f64]| [v, v].concat();
        let doubled: Vec<Vec<f64>> = rows.iter().chain(&rows).map(|row| twice(row)).collect();
        let shares = twice(&shares);
        assert_near(solved(&mut game(&doubled, &shares), &shares), value);
    }
}

#[test]
fn a_game_without_players_is_refused() {
    assert!(FiniteGame::default().solve(1e-9).is_err());
    assert!(game(&[], &[1.0]).solve(1e-9).is_err());
}
