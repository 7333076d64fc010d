//! The effective number of neurons of a network.

use crate::particles::Particles;

/// Cosine above which two directions are merged: cos 1°.
const NEAR: f64 = 0.999_847_695_156_391_2;

/// Largest number of particles used: the time of merging is quadratic in it.
pub const ATOM_PARTICLES: usize = 4096;

/// Effective number of atoms: the participation ratio (Σ_l μ_l)² / Σ_l μ_l² of the masses |a_j||w_j| after
/// merging. k atoms of equal mass give k, and an atom without mass contributes nothing. It does not depend
/// on the units of a and w. `None` if the total mass is 0.
///
/// Merging: in order of decreasing mass, a particle joins the heaviest atom whose direction is within 1° of
/// its w_j and whose sign is that of its a_j, or becomes a new atom: particles (a, w) and (−a, w) cancel in
/// f, so they are two atoms.
///
/// Source: the participation ratio of Bell & Dean, Atomic Vibrations in Vitreous Silica (1970).
pub fn atoms(p: &Particles) -> Option<f64> {
    let mut particles: Vec<(f64, usize)> = (0..p.m())
        .map(|j| (p.a[j].abs() * norm(p.w(j)), j))
        .filter(|(mass, _)| *mass > 0.0)
        .collect();
    particles.sort_by(|(mass, j), (other, k)| other.total_cmp(mass).then(j.cmp(k)));
    let mut atoms: Vec<Atom> = Vec::new();
    for (mass, j) in particles {
        let size = norm(p.w(j));
        let direction: Vec<f64> = p.w(j).iter().map(|w| w / size).collect();
        let positive = p.a[j] > 0.0;
        let near = |atom: &&mut Atom| {
            let pairs = atom.direction.iter().zip(&direction);
            atom.positive == positive && pairs.map(|(u, v)| u * v).sum::<f64>() >= NEAR
        };
        match atoms.iter_mut().find(near) {
            Some(atom) => atom.mass += mass,
            None => atoms.push(Atom {
                direction,
                positive,
                mass,
            }),
        }
    }
    let total: f64 = atoms.iter().map(|atom| atom.mass).sum();
    // Shares of the total, so that no square overflows.
    let shares = atoms.iter().map(|atom| (atom.mass / total).powi(2));
    (total > 0.0).then(|| 1.0 / shares.sum::<f64>())
}

struct Atom {
    /// w/|w| of its heaviest particle.
    direction: Vec<f64>,
    positive: bool,
    mass: f64,
}

fn norm(w: &[f64]) -> f64 {
    w.iter().map(|w| w * w).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(degrees: &[f64], sizes: &[f64], a: &[f64]) -> Particles {
        let w = degrees.iter().zip(sizes).flat_map(|(angle, size)| {
            let (sin, cos) = angle.to_radians().sin_cos();
            [size * cos, size * sin]
        });
        Particles {
            d: 2,
            w: w.collect(),
            a: a.to_vec(),
        }
    }

    fn near(got: Option<f64>, want: f64) -> bool {
        got.is_some_and(|got| (got - want).abs() <= 1e-12)
    }

    #[test]
    fn equal_atoms_count_one_each() {
        let apart = at(&[0.0, 90.0, 180.0], &[1.0; 3], &[2.0; 3]);
        assert!(near(atoms(&apart), 3.0));
        // Masses 3 and 1: 16/10.
        let uneven = at(&[0.0, 90.0], &[3.0, 0.5], &[1.0, 2.0]);
        assert!(near(atoms(&uneven), 1.6));
    }

    #[test]
    fn directions_merge_within_a_degree_and_one_sign() {
        let merged = at(&[0.0, 0.9, -0.9], &[3.0, 1.0, 1.0], &[1.0; 3]);
        assert!(near(atoms(&merged), 1.0));
        let apart = at(&[0.0, 1.1], &[1.0; 2], &[1.0; 2]);
        assert!(near(atoms(&apart), 2.0));
        let opposed = at(&[0.0, 0.0], &[1.0; 2], &[1.0, -1.0]);
        assert!(near(atoms(&opposed), 2.0));
    }

    #[test]
    fn units_do_not_show_and_no_mass_is_no_atom() {
        let huge = at(&[0.0, 90.0], &[1e150, 1e150], &[1e150, 3e150]);
        assert!(near(atoms(&huge), 1.6));
        assert_eq!(atoms(&at(&[0.0], &[1.0], &[0.0])), None);
    }
}
