//! The geometry of the particles, as its definition has it.

use super::stages::dot;
use crate::data::Dataset;
use crate::engine::PartialGeometry;
use crate::model::Run;
use crate::particles::Particles;

/// What particles in true units contribute to the geometry of a run on its training set, with their
/// balance at the start (m).
pub fn partial_geometry(
    run: &Run,
    p: &Particles,
    data: &Dataset,
    start: Option<&[f64]>,
) -> PartialGeometry {
    let norm = |w: &[f64]| w.iter().map(|w| w * w).sum::<f64>().sqrt();
    let mut sums = PartialGeometry::default();
    for j in 0..p.m() {
        let (a, w) = (p.a[j].abs(), norm(p.w(j)));
        if (0..data.n()).all(|i| dot(p.w(j), data.row(i)) <= 0.0) {
            sums.dead += 1.0;
        }
        sums.largest_a = sums.largest_a.max(a);
        sums.largest_w = sums.largest_w.max(w);
        sums.mass += a * w;
        if let Some(k) = run.informative
            && w > 0.0
        {
            let share = norm(&p.w(j)[..k.min(p.d)]) / w;
            sums.informative += a * w * share * share;
        }
    }
    if let Some(start) = start {
        let changes = p.balance().into_iter().zip(start).map(|(b, b0)| b - b0);
        sums.drift = changes.fold(0.0, |largest, change| largest.max(change.abs()));
    }
    sums
}
