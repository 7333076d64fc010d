//! Times certificates of the largest margin on generated data, from no measure and no weights.
//!
//!     cargo bench --bench certificates -- [N,D …]
//!
//! A line per case: n, d, rounds, seconds, bounds. The data are the clusters of `margin-vs-width`,
//! seed 1; for d = 2 points on six arcs of the circle with alternating labels.

use std::time::Instant;

use widefield::certify::{Measure, SolverOptions, Sphere, margin};
use widefield::data::{self, Dataset};
use widefield::experiment;
use widefield::random::{Draws, Stream};

const CASES: [(usize, usize); 3] = [(256, 15), (1000, 15), (10_000, 3)];

/// n points of the unit circle, labels by the sixth of the circle, none within a tenth of a sixth from its ends.
fn circle(n: usize) -> Dataset {
    let mut data = Dataset {
        d: 2,
        x: Vec::new(),
        y: Vec::new(),
    };
    for i in 0..n {
        let uniform = Draws::new(1, Stream::TrainData, 0, i as u64, 0).uniform();
        let sixth = (6.0 * uniform).floor();
        let within = 0.1 + 0.8 * (6.0 * uniform - sixth);
        let angle = (sixth + within) * std::f64::consts::FRAC_PI_3;
        data.x.extend([angle.cos() as f32, angle.sin() as f32]);
        data.y.push(if sixth.rem_euclid(2.0) == 0.0 {
            1.0
        } else {
            -1.0
        });
    }
    data
}

fn clusters(n: usize, d: usize) -> widefield::Result<Dataset> {
    let sets = [format!("data.n={n}"), format!("data.d={d}")];
    let grid = experiment::load("margin-vs-width", &sets)?;
    let of = &grid.runs[0].experiment;
    Ok(data::load(&of.data, of.seed, of.risk.loss)?.train)
}

fn main() -> widefield::Result<()> {
    let pair = |text: String| {
        let (n, d) = text.split_once(',')?;
        Some((n.parse().ok()?, d.parse().ok()?))
    };
    let mut cases: Vec<(usize, usize)> = std::env::args().skip(1).filter_map(pair).collect();
    if cases.is_empty() {
        cases.extend(CASES);
    }
    println!("n d rounds seconds lower upper proof");
    for (n, d) in cases {
        let data = match d {
            2 => circle(n),
            _ => clusters(n, d)?,
        };
        let started = Instant::now();
        let sphere = Sphere::new(&data);
        let nothing = Measure::zero(d);
        let found = margin::solve(&sphere, &data.y, &nothing, None, &SolverOptions::default())?;
        println!(
            "{n} {d} {} {:.2} {:.9e} {:.9e} {:?}",
            found.rounds,
            started.elapsed().as_secs_f64(),
            found.bounds.lower,
            found.bounds.upper,
            found.proof
        );
    }
    Ok(())
}
