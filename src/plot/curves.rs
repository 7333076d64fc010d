//! Observables against the step: risks, errors, norms, drift, features.

use super::figure::{Dash, Figure, Scale};
use super::folder::Folder;
use super::margins::margins;
use super::over_steps::{Quantity, figure, quantity, share};

const RISK: Quantity = quantity(
    "risk R(f)",
    &[("risk", Dash::Solid), ("risk_test", Dash::Dashed)],
);
const OBJECTIVE: Quantity = quantity("objective F", &[("objective", Dash::Solid)]);
const ERROR: Quantity = share(
    "share misclassified",
    &[("error_train", Dash::Solid), ("error_test", Dash::Dashed)],
);
const NORMS: [Quantity; 2] = [
    Quantity {
        scale: Scale::Log,
        ..quantity("tv_norm", &[("tv_norm", Dash::Solid)])
    },
    Quantity {
        scale: Scale::Log,
        ..quantity("param_norm", &[("param_norm", Dash::Solid)])
    },
];
const DRIFT: [Quantity; 2] = [
    quantity("kernel drift", &[("kernel_drift", Dash::Solid)]),
    quantity("balance drift", &[("balance_drift", Dash::Solid)]),
];
const FEATURES: [Quantity; 3] = [
    quantity("cosine to the start", &[("direction_cosine", Dash::Solid)]),
    share("informative share", &[("informative", Dash::Solid)]),
    share("share dead", &[("dead", Dash::Solid)]),
];

/// Every figure of curves for which the folder's metrics have values.
pub fn curves(folder: &Folder) -> Vec<Figure> {
    let mut risk = vec![RISK];
    if objective_differs(folder) {
        risk.push(OBJECTIVE);
    }
    let all = [
        figure(folder, "risk", "Risk against the step", &risk),
        figure(
            folder,
            "error",
            "Share of misclassified samples against the step",
            &[ERROR],
        ),
        margins(folder),
        figure(folder, "norms", "Norms against the step", &NORMS),
        figure(
            folder,
            "drift",
            "How far the tangent kernel and balance have moved, against the step",
            &DRIFT,
        ),
        figure(
            folder,
            "features",
            "What the features have become, against the step",
            &FEATURES,
        ),
    ];
    all.into_iter()
        .filter(|figure| !figure.is_empty())
        .collect()
}

/// Whether objective and risk differ: they are equal without decay and with α = 1.
fn objective_differs(folder: &Folder) -> bool {
    (0..folder.grid.runs.len()).any(|run| {
        let of = folder.experiment(run);
        of.risk.weight_decay > 0.0 || of.network.alpha() != 1.0
    })
}
