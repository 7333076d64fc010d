//! Samples that no network without bias classifies right, whatever its width.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::input_matrix::{InputMatrix, ray};

/// A reason why γ1 is 0. Rows are those of the training data, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// A row of zeros, where f = 0.
    Zero(usize),
    /// Two equal rows with different labels.
    Equal(usize, usize),
    /// Two rows with different labels of which one is a positive multiple of the other: f(κx) = κ f(x).
    Ray(usize, usize),
}

impl Conflict {
    /// The first one in the data, if there is any, without a search: zeros before pairs.
    pub fn find(inputs: &InputMatrix, y: &[f32]) -> Option<Self> {
        let zero = inputs.norms().iter().position(|&r| r == 0.0);
        zero.map(Conflict::Zero).or_else(|| pair(inputs, y))
    }

    /// Weights p (n) in the simplex with V = 0.
    pub fn weights(self, inputs: &InputMatrix) -> Vec<f64> {
        let mut p = vec![0.0; inputs.n()];
        match self {
            Conflict::Zero(i) => p[i] = 1.0,
            Conflict::Equal(i, j) | Conflict::Ray(i, j) => {
                let norms = inputs.norms();
                let total = norms[i] + norms[j];
                (p[i], p[j]) = (norms[j] / total, norms[i] / total);
            }
        }
        p
    }
}

fn pair(inputs: &InputMatrix, y: &[f32]) -> Option<Conflict> {
    // By ray, the first row with each label.
    let mut first: HashMap<Vec<u64>, [Option<usize>; 2]> = HashMap::new();
    for (i, x) in inputs.rows().enumerate() {
        let own = usize::from(y[i] > 0.0);
        let seen = first.entry(ray(x)).or_default();
        seen[own].get_or_insert(i);
        if let Some(j) = seen[1 - own] {
            return Some(match inputs.row(j) == x {
                true => Conflict::Equal(j, i),
                false => Conflict::Ray(j, i),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;

    fn found(rows: &[[f32; 2]], y: &[f32]) -> Option<Conflict> {
        let data = Dataset {
            d: 2,
            x: rows.concat(),
            y: y.to_vec(),
        };
        let inputs = InputMatrix::new(&data);
        let conflict = Conflict::find(&inputs, y);
        if let Some(conflict) = conflict {
            let p = conflict.weights(&inputs);
            let q: Vec<f64> = p.iter().zip(y).map(|(p, &y)| p * f64::from(y)).collect();
            for theta in [[1.0, 0.0], [0.6, 0.8], [-0.6, 0.8], [0.0, -1.0]] {
                assert!(inputs.variation(&q, &theta).abs() <= 1e-15 * inputs.radius());
            }
        }
        conflict
    }

    #[test]
    fn conflicts_are_told_apart_by_their_rows() {
        let one = 1.0_f32;
        let next = one.next_up();
        let tiny = 1e-30_f32;
        assert_eq!(
            found(&[[1.0, 0.0], [0.0, 0.0]], &[1.0, 1.0]),
            Some(Conflict::Zero(1))
        );
        let rows = [[2.0, 1.0], [1.0, 0.0], [1.0, -0.0]];
        assert_eq!(found(&rows, &[1.0, 1.0, -1.0]), Some(Conflict::Equal(1, 2)));
        assert_eq!(found(&rows, &[-1.0, 1.0, 1.0]), None);
        let rows = [[tiny, 2.0 * tiny], [0.5, 1.0], [-0.5, -1.0]];
        assert_eq!(found(&rows, &[1.0, -1.0, -1.0]), Some(Conflict::Ray(0, 1)));
        let rows = [[3.0, 1.5], [2.0, 1.0], [-2.0, -1.0]];
        assert_eq!(found(&rows, &[1.0, -1.0, -1.0]), Some(Conflict::Ray(0, 1)));
        // Opposite rows and neighbours in f32 are no conflict.
        assert_eq!(found(&rows, &[1.0, 1.0, -1.0]), None);
        assert_eq!(found(&[[one, next], [one, one]], &[1.0, -1.0]), None);
    }
}
