//! The geometry of the particles, as its definition has it.

use super::stages::dot;
use crate::data::Dataset;
use crate::engine::Geometry;
use crate::model::Run;
use crate::particles::Particles;

/// The geometry of a run on its training set, from particles in true units and their balance at
/// the start (m).
pub fn geometry(run: &Run, p: &Particles, data: &Dataset, start: Option<&[f64]>) -> Geometry {
    let norm = |w: &[f64]| w.iter().map(|w| w * w).sum::<f64>().sqrt();
    let (mut dead, mut largest) = (0.0, 0.0_f64);
    let (mut mass, mut informative) = (0.0, 0.0);
    for j in 0..p.m() {
        let (a, w) = (p.a[j].abs(), norm(p.w(j)));
        if (0..data.n()).all(|i| dot(p.w(j), data.row(i)) <= 0.0) {
            dead += 1.0;
        }
        largest = largest.max(a).max(w);
        mass += a * w;
        if let Some(k) = run.informative
            && w > 0.0
        {
            let share = norm(&p.w(j)[..k.min(p.d)]) / w;
            informative += a * w * share * share;
        }
    }
    let drift = |start: &[f64]| {
        let changes = p.balance().into_iter().zip(start).map(|(b, b0)| b - b0);
        changes.fold(0.0_f64, |largest, change| largest.max(change.abs()))
    };
    Geometry {
        dead: dead / p.m() as f64,
        largest_weight: largest,
        balance_drift: start.map(drift),
        informative: (run.informative.is_some() && mass > 0.0).then(|| informative / mass),
    }
}
