//! Gaps between ensembles, and their noise floors.

use super::ensemble::{Ensemble, Relation};
use super::inputs::CommonInputs;
use super::network::NetworkSummary;
use super::report::Gap;
use super::sliced_wasserstein::sliced_w2;

/// Largest number of pairs of runs over which a gap or a noise floor is averaged.
pub const MOST_PAIRS: usize = 16;

/// Indices of two runs in their ensembles.
pub type Runs = (usize, usize);

/// Pairs of runs of two ensembles with their relation: independent pairs, in which every run occurs about
/// equally often; if there are none, pairs of the next relation that occurs.
pub fn between(a: &Ensemble, b: &Ensemble) -> (Relation, Vec<Runs>) {
    let (left, right) = (a.runs.len(), b.runs.len());
    let relation = |&(i, j): &Runs| Relation::of(a.experiment(a.runs[i]), b.experiment(b.runs[j]));
    let all = (1..=right).flat_map(|shift| (0..left).map(move |i| (i, (i + shift) % right)));
    let of = |wanted: Relation| {
        let fits = all.clone().filter(|pair| relation(pair) == wanted);
        (wanted, fits.take(MOST_PAIRS).collect::<Vec<Runs>>())
    };
    let kinds = [
        Relation::Independent,
        Relation::Nested,
        Relation::Same,
        Relation::Unknown,
    ];
    let found = kinds
        .into_iter()
        .map(of)
        .find(|(_, pairs)| !pairs.is_empty());
    found.unwrap_or((Relation::Unknown, Vec::new()))
}

/// Pairs of independent runs within an ensemble.
pub fn within(of: &Ensemble) -> Vec<Runs> {
    let count = of.runs.len();
    let pairs = (1..=count / 2).flat_map(|shift| {
        // With an even number of runs, the second half of a shift by half of them repeats the first half.
        let firsts = if 2 * shift == count { shift } else { count };
        (0..firsts).map(move |i| (i, (i + shift) % count))
    });
    let independent = |&(i, j): &Runs| {
        let of = |k: usize| of.experiment(of.runs[k]);
        Relation::of(of(i), of(j)) == Relation::Independent
    };
    pairs.filter(independent).take(MOST_PAIRS).collect()
}

/// Two runs, each as (ensemble, run in it).
type Pair = ((usize, usize), (usize, usize));

/// The gaps of each pair of ensembles, from the pairs of runs that [`between`] and [`within`] chose.
pub fn gaps(
    networks: &[Vec<NetworkSummary>],
    inputs: &CommonInputs,
    crossing: &[((usize, usize), Vec<Runs>)],
    inner: &[Vec<Runs>],
    projections: usize,
) -> Vec<Vec<Gap>> {
    // The measured pairs: those of each pair of ensembles, then those inside each ensemble.
    let mut pairs: Vec<Pair> = Vec::new();
    let mut add = |a: usize, b: usize, runs: &[Runs]| {
        let from = pairs.len();
        pairs.extend(runs.iter().map(|&(i, j)| ((a, i), (b, j))));
        from..pairs.len()
    };
    let outer: Vec<_> = crossing
        .iter()
        .map(|((a, b), runs)| add(*a, *b, runs))
        .collect();
    let inner: Vec<_> = inner
        .iter()
        .enumerate()
        .map(|(e, runs)| add(e, e, runs))
        .collect();
    let measured = measure(networks, inputs, &pairs, projections);
    let one = |((a, b), range): ((usize, usize), std::ops::Range<usize>)| {
        let gap = |(name, part, values): &(&'static str, Option<&'static str>, Vec<f64>)| {
            let [floor_a, floor_b] = [a, b].map(|e| root_mean_square(&values[inner[e].clone()]));
            let known: Vec<f64> = [floor_a, floor_b].into_iter().flatten().collect();
            Gap {
                quantity: name,
                inputs: *part,
                value: root_mean_square(&values[range.clone()]),
                floor: root_mean_square(&known),
                floor_a,
                floor_b,
            }
        };
        measured.iter().map(gap).collect()
    };
    let ends = crossing.iter().map(|(ends, _)| *ends);
    ends.zip(outer).map(one).collect()
}

/// Every statistic, by name and inputs, for every pair of runs.
fn measure(
    networks: &[Vec<NetworkSummary>],
    inputs: &CommonInputs,
    pairs: &[Pair],
    projections: usize,
) -> Vec<(&'static str, Option<&'static str>, Vec<f64>)> {
    let at = |(e, i): (usize, usize)| &networks[e][i];
    let each = |of: &dyn Fn(&NetworkSummary, &NetworkSummary) -> f64| -> Vec<f64> {
        pairs.iter().map(|&(a, b)| of(at(a), at(b))).collect()
    };
    let mut all = Vec::new();
    for (p, (part, _)) in inputs.parts.iter().enumerate() {
        let on = |of: fn(&[f64], &[f64]) -> f64| {
            each(&|a, b| of(inputs.split(&a.f)[p], inputs.split(&b.f)[p]))
        };
        all.push(("prediction_rms", Some(*part), on(rms_gap)));
        all.push(("prediction_max", Some(*part), on(largest_gap)));
        all.push(("prediction_relative", Some(*part), on(relative_gap)));
    }
    for (sign, name) in ["mass_plus", "mass_minus"].into_iter().enumerate() {
        let gap = each(&|a, b| (a.masses[sign] - b.masses[sign]).abs());
        all.push((name, None, gap));
    }
    let offsets: Vec<usize> = (0..networks.len())
        .map(|e| networks[..e].iter().map(Vec::len).sum())
        .collect();
    let flat = |(e, i): (usize, usize)| offsets[e] + i;
    let flat: Vec<(usize, usize)> = pairs.iter().map(|&(a, b)| (flat(a), flat(b))).collect();
    let (directions, raw): (Vec<_>, Vec<_>) = networks
        .iter()
        .flatten()
        .map(|of| (&of.directions, &of.raw))
        .unzip();
    all.push((
        "w2_directions",
        None,
        sliced_w2(&directions, &flat, projections),
    ));
    all.push(("w2_raw", None, sliced_w2(&raw, &flat, projections)));
    all
}

/// √((1/n) Σ_i (f_i − f'_i)²)
fn rms_gap(f: &[f64], other: &[f64]) -> f64 {
    let squares = f.iter().zip(other).map(|(f, g)| (f - g) * (f - g));
    (squares.sum::<f64>() / f.len() as f64).sqrt()
}

/// max_i |f_i − f'_i|; NaN if a difference is NaN.
fn largest_gap(f: &[f64], other: &[f64]) -> f64 {
    let gaps = f.iter().zip(other).map(|(f, g)| (f - g).abs());
    gaps.fold(0.0, |most, gap| if gap <= most { most } else { gap })
}

/// The RMS gap divided by the RMS of both predictions together.
fn relative_gap(f: &[f64], other: &[f64]) -> f64 {
    let square = |f: &[f64]| f.iter().map(|f| f * f).sum::<f64>();
    let size = ((square(f) + square(other)) / (2 * f.len()) as f64).sqrt();
    rms_gap(f, other) / size
}

/// √((1/n) Σ v²); `None` if there are no values or the result is not finite.
fn root_mean_square(values: &[f64]) -> Option<f64> {
    let square = values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
    Some(square.sqrt()).filter(|root| root.is_finite())
}
