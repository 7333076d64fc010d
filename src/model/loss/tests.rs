use super::*;

const Y: [f32; 5] = [1.0, -1.0, -1.0, 1.0, 1.0];
const F: [f64; 5] = [0.3, -1.7, 0.4, 2.0, -0.25];

#[test]
fn hand_values() {
    let at = |loss: Loss| loss.risk([0.0, 0.0].into_iter(), &[1.0, -1.0]);
    assert_eq!(at(Loss::SQUARE), 0.5);
    assert_eq!(at(Loss::LOGISTIC), 2.0_f64.ln());
    assert_eq!(at(Loss::EXPONENTIAL), 1.0);
    assert_eq!(at(Loss::SOFTMIN), 0.0);
    assert_eq!(at(Loss::HINGE), 1.0);
    assert_eq!(at(Loss::SQUARED_HINGE), 0.5);
}

/// g is the gradient of R, by central differences off the kinks.
#[test]
fn the_residual_is_the_gradient() {
    let h = 1e-5;
    for loss in Loss::ALL {
        let g = loss.residual(&F, 0, &Y);
        for i in 0..F.len() {
            let at = |step: f64| {
                let mut f = F;
                f[i] += step;
                loss.risk(f.into_iter(), &Y)
            };
            let slope = (at(h) - at(-h)) / (2.0 * h);
            let difference = (slope - g[i]).abs();
            assert!(difference <= 1e-9, "{loss} {i}: {slope} {}", g[i]);
        }
        // Sabotage: the gradients of the other losses must fail.
        let others = Loss::ALL.iter().filter(|other| *other != loss);
        for other in others {
            assert_ne!(other.residual(&F, 0, &Y), g, "{loss} {other}");
        }
    }
}

/// The residual of predictions stored with a power of two is that of the true predictions.
#[test]
fn residuals_of_stored_predictions_are_those_of_the_true_ones() {
    for loss in Loss::ALL {
        let stored = F.map(|f| f / 8.0);
        assert_eq!(loss.residual(&stored, 3, &Y), loss.residual(&F, 0, &Y));
    }
}

#[test]
fn no_exponential_overflows() {
    let far = [1e300, -1e300, -1e300, 1e300, 1e300];
    assert_eq!(Loss::LOGISTIC.risk(far.into_iter(), &Y), 0.0);
    assert_eq!(Loss::SOFTMIN.risk(far.into_iter(), &Y), -1e300);
    let wrong = far.map(|f| -f);
    assert_eq!(Loss::LOGISTIC.risk(wrong.into_iter(), &Y), 1e300);
    assert_eq!(Loss::SOFTMIN.risk(wrong.into_iter(), &Y), 1e300);
}

/// No predictions go below the infimum of R, and it is attained only where declared.
#[test]
fn no_risk_is_below_its_infimum() {
    for loss in Loss::ALL {
        let scales = [0.0, 1.0, 30.0, 1000.0];
        let risks = scales.map(|s| loss.risk(Y.iter().map(|y| s * f64::from(*y)), &Y));
        let least = risks.into_iter().fold(f64::INFINITY, f64::min);
        match loss.infimum() {
            Infimum::Attained => assert_eq!(least, 0.0, "{loss}"),
            Infimum::Approached => assert!((0.0..1e-12).contains(&least), "{loss}"),
            Infimum::None => assert!(least < -100.0, "{loss}"),
        }
    }
}

/// Every loss of the table has its own name and code, and equals only itself.
#[test]
fn losses_differ() {
    for (i, a) in Loss::ALL.iter().enumerate() {
        assert_eq!(a.code(), i as u32);
        for (k, b) in Loss::ALL.iter().enumerate() {
            assert_eq!(a == b, i == k);
            assert_eq!(a.name() == b.name(), i == k);
        }
        if a.parameter().is_some() {
            assert_ne!(*a, a.with(17.5));
        }
    }
}
