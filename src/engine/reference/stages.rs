//! The four stages, as docs/model.md writes them.

use crate::data::Dataset;
use crate::model::Run;
use crate::model::Train;
use crate::particles::Particles;

/// w·x in f64.
pub(super) fn dot(w: &[f64], x: &[f32]) -> f64 {
    w.iter().zip(x).map(|(w, x)| w * f64::from(*x)).sum()
}

/// predict: f_i = (α/m) Σ_j a_j σ(w_j·x_i), of length n.
pub fn predict(run: &Run, p: &Particles, data: &Dataset) -> Vec<f64> {
    (0..data.n())
        .map(|i| {
            let mut sum = 0.0;
            for j in 0..p.m() {
                sum += p.a[j] * run.activation.value(dot(p.w(j), data.row(i)));
            }
            run.alpha / run.m as f64 * sum
        })
        .collect()
}

/// velocity: ȧ_j = −(1/α) w_j·G_j − λ a_j and ẇ_j = −(1/α) a_j G_j − λ w_j with
/// G_j = Σ_i g_i σ'(w_j·x_i) x_i, as σ is on or off; zero for a layer that does not train.
pub fn velocity(run: &Run, p: &Particles, g: &[f64], data: &Dataset) -> Particles {
    let mut v = Particles::zeros(p.m(), p.d);
    for j in 0..p.m() {
        let mut big_g = vec![0.0; p.d];
        for (i, &g) in g.iter().enumerate() {
            let slope = run.activation.derivative(dot(p.w(j), data.row(i)));
            if slope != 0.0 {
                for (sum, &x) in big_g.iter_mut().zip(data.row(i)) {
                    *sum += g * slope * f64::from(x);
                }
            }
        }
        if run.train != Train::Input {
            let force: f64 = p.w(j).iter().zip(&big_g).map(|(w, g)| w * g).sum();
            v.a[j] = -force / run.alpha - run.lambda * p.a[j];
        }
        if run.train != Train::Output {
            for (k, g) in big_g.iter().enumerate() {
                v.w[j * p.d + k] = -p.a[j] * g / run.alpha - run.lambda * p.w(j)[k];
            }
        }
    }
    v
}

/// update: (a, w) += η (ȧ, ẇ), an Euler step.
pub fn update(p: &mut Particles, v: &Particles, eta: f64) {
    for (a, v) in p.a.iter_mut().zip(&v.a) {
        *a += eta * v;
    }
    for (w, v) in p.w.iter_mut().zip(&v.w) {
        *w += eta * v;
    }
}
