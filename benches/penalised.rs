//! Times the least penalised risk of generated data, from no measure.
//!
//!     cargo bench --bench penalised -- [N,D,TOLERANCE …]
//!
//! A line per case: loss, n, d, λ as a share of the largest (above which the optimum has no neurons), rounds,
//! atoms, seconds, relative gap, bounds. The data are the clusters of `margin-vs-width`, seed 1.

use std::time::Instant;

use widefield::certify::{Measure, SolverOptions, Sphere, penalised};
use widefield::experiment;
use widefield::model::Loss;

const CASES: [(usize, usize, f64); 2] = [(100, 5, 1e-6), (256, 15, 1e-3)];
const SHARES: [f64; 2] = [1e-2, 1e-3];

fn main() -> widefield::Result<()> {
    let case = |text: String| {
        let mut parts = text.split(',');
        let (n, d) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some((n, d, parts.next()?.parse().ok()?))
    };
    let mut cases: Vec<(usize, usize, f64)> = std::env::args().skip(1).filter_map(case).collect();
    if cases.is_empty() {
        cases.extend(CASES);
    }
    println!("loss n d share rounds atoms seconds gap lower upper");
    for (n, d, tolerance) in cases {
        let sets = [format!("data.n={n}"), format!("data.d={d}")];
        let grid = experiment::load("margin-vs-width", &sets)?;
        let of = &grid.runs[0].experiment;
        let data = widefield::data::load(&of.data, of.seed, of.risk.loss)?.train;
        let sphere = Sphere::new(&data);
        let zero = Measure::zero(d);
        for loss in [Loss::SQUARE, Loss::LOGISTIC] {
            let largest = penalised::lambda_max(&sphere, loss, &data.y)?;
            for share in SHARES {
                let started = Instant::now();
                let problem = penalised::PenalisedProblem::new(loss, &data.y, share * largest)?;
                let options = SolverOptions {
                    tolerance,
                    ..SolverOptions::default()
                };
                let found = penalised::solve(&sphere, &problem, &zero, &options)?;
                println!(
                    "{loss} {n} {d} {share} {} {} {:.2} {:.1e} {:.9e} {:.9e}",
                    found.rounds,
                    found.measure.len(),
                    started.elapsed().as_secs_f64(),
                    found.bounds.relative_gap(),
                    found.bounds.lower,
                    found.bounds.upper
                );
            }
        }
    }
    Ok(())
}
