//! The empirical risk R(f), a function of the n predictions only.

use crate::experiment::Loss;

/// R(f) for true predictions f (n) and targets y (n); the table "Risks" of MODEL.md, each
/// exponential stabilised by the margin.
pub fn risk(loss: Loss, f: impl Iterator<Item = f64>, y: &[f32]) -> f64 {
    let n = y.len() as f64;
    let pairs = f.zip(y).map(|(f, &y)| (f, f64::from(y)));
    match loss {
        Loss::Square => pairs.map(|(f, y)| (f - y) * (f - y)).sum::<f64>() / (2.0 * n),
        Loss::Logistic => pairs.map(|(f, y)| softplus(-y * f)).sum::<f64>() / n,
        Loss::Exponential => pairs.map(|(f, y)| (-y * f).exp()).sum::<f64>() / n,
        Loss::Softmin => {
            let margins: Vec<f64> = pairs.map(|(f, y)| y * f).collect();
            let smallest = margins.iter().copied().fold(f64::INFINITY, f64::min);
            if smallest.is_infinite() {
                return -smallest;
            }
            let sum: f64 = margins.iter().map(|u| (smallest - u).exp()).sum();
            (sum / n).ln() - smallest
        }
        Loss::Hinge => pairs.map(|(f, y)| (1.0 - y * f).max(0.0)).sum::<f64>() / n,
        Loss::SquaredHinge => {
            pairs
                .map(|(f, y)| (1.0 - y * f).max(0.0).powi(2))
                .sum::<f64>()
                / (2.0 * n)
        }
    }
}

/// log(1 + e^u) without overflow.
fn softplus(u: f64) -> f64 {
    u.max(0.0) + (-u.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reference::residual;

    const Y: [f32; 5] = [1.0, -1.0, -1.0, 1.0, 1.0];
    const F: [f64; 5] = [0.3, -1.7, 0.4, 2.0, -0.25];

    #[test]
    fn hand_values() {
        let at = |loss| risk(loss, [0.0, 0.0].into_iter(), &[1.0, -1.0]);
        assert_eq!(at(Loss::Square), 0.5);
        assert_eq!(at(Loss::Logistic), 2.0_f64.ln());
        assert_eq!(at(Loss::Exponential), 1.0);
        assert_eq!(at(Loss::Softmin), 0.0);
        assert_eq!(at(Loss::Hinge), 1.0);
        assert_eq!(at(Loss::SquaredHinge), 0.5);
    }

    /// g is the gradient of R, by central differences off the kinks; the risk is tested apart
    /// from the gradient that the engines use.
    #[test]
    fn the_residual_is_the_gradient() {
        let h = 1e-5;
        for loss in Loss::ALL {
            let g = residual(loss, &F, &Y);
            for i in 0..F.len() {
                let at = |step: f64| {
                    let mut f = F;
                    f[i] += step;
                    risk(loss, f.into_iter(), &Y)
                };
                let slope = (at(h) - at(-h)) / (2.0 * h);
                assert!(
                    (slope - g[i]).abs() <= 1e-9,
                    "{loss:?} {i}: {slope} {}",
                    g[i]
                );
            }
        }
    }

    #[test]
    fn no_exponential_overflows() {
        let far = [1e300, -1e300, -1e300, 1e300, 1e300];
        assert_eq!(risk(Loss::Logistic, far.into_iter(), &Y), 0.0);
        assert_eq!(risk(Loss::Softmin, far.into_iter(), &Y), -1e300);
        let wrong = far.map(|f| -f);
        assert_eq!(risk(Loss::Logistic, wrong.into_iter(), &Y), 1e300);
        assert_eq!(risk(Loss::Softmin, wrong.into_iter(), &Y), 1e300);
    }
}
