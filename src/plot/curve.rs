//! A column of the metrics as a readable curve: the mean over seeds, thinned if it has many records,
//! averaged if it oscillates.

use std::collections::BTreeMap;

use super::colour::Colour;
use super::figure::Mark;
use super::folder::{Family, Folder};
use super::particle_cloud::thousands;

/// Largest number of points of a curve; of more, the extremes of bins are drawn.
const POINTS: usize = 400;
/// Curves whose total variation exceeds this many heights of their panel are averaged over bins.
const SWINGS: f64 = 6.0;
/// Bins per decade of steps of an averaged curve, for runs of any length.
const BINS: f64 = 6.0;

/// Step, with mean, minimum and maximum over the seeds.
type CurvePoint = (f64, [f64; 3]);

/// A column of the metrics over the seeds of a family.
pub struct Curve {
    points: Vec<CurvePoint>,
    seeds: usize,
    thinned: Thinned,
}

/// How a curve was thinned.
enum Thinned {
    Not,
    /// Only the extremes of bins, out of this many rows.
    Extremes(usize),
    /// Means over bins, with the minimum and maximum of each bin.
    Means,
}

impl Curve {
    pub fn new(folder: &Folder, family: &Family, column: &str) -> Self {
        let mut at: BTreeMap<u64, (usize, [f64; 3])> = BTreeMap::new();
        for &run in &family.runs {
            let steps = folder.metrics.column(run, "step").unwrap_or_default();
            let values = folder.metrics.column(run, column).unwrap_or_default();
            for (&step, &value) in steps.iter().zip(values).filter(|(_, v)| v.is_finite()) {
                let new = (0, [0.0, f64::INFINITY, f64::NEG_INFINITY]);
                let (count, sums) = at.entry(step as u64).or_insert(new);
                *count += 1;
                *sums = [sums[0] + value, sums[1].min(value), sums[2].max(value)];
            }
        }
        let seeds = at.values().map(|(count, _)| *count).max().unwrap_or(0);
        // Steps that only some of the seeds have are left out, as the mean would jump.
        let whole = at.into_iter().filter(|(_, (count, _))| *count == seeds);
        let points = whole.map(|(step, (count, [sum, low, high]))| {
            (step as f64, [sum / count as f64, low, high])
        });
        let mut points: Vec<CurvePoint> = points.collect();
        // Step 0 cannot be shown on a logarithmic axis.
        if points.len() > 1 && points[0].0 == 0.0 {
            points.remove(0);
        }
        Curve {
            points,
            seeds,
            thinned: Thinned::Not,
        }
    }

    /// Minimum and maximum of the line.
    pub fn range(&self) -> (f64, f64) {
        let values = self.points.iter().map(|(_, [mean, ..])| *mean);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        })
    }

    /// Thins the curve for a panel with this range of values.
    pub fn thin(&mut self, (low, high): (f64, f64)) {
        let rows = self.points.len();
        if swings(&self.points, high - low) {
            self.points = means(&self.points);
            self.thinned = Thinned::Means;
        } else if rows > POINTS {
            self.points = extremes(&self.points);
            self.thinned = Thinned::Extremes(rows);
        }
    }

    /// Notes on averaging and thinning, where the line is not the values of one run.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.seeds > 1 {
            notes.push(format!("mean of {} seeds", self.seeds));
        }
        match self.thinned {
            Thinned::Not => {}
            Thinned::Extremes(rows) => {
                notes.push(format!("{} rows as extremes of bins", thousands(rows)));
            }
            Thinned::Means => notes.push("where curves swing, mean over bins of steps".into()),
        }
        notes
    }

    pub fn mean(&self) -> Vec<(f64, f64)> {
        let points = self.points.iter();
        points.map(|&(x, [mean, ..])| (x, mean)).collect()
    }

    /// The band between minimum and maximum of the averaged values.
    pub fn band(&self, colour: Colour) -> Option<Mark> {
        let points = self.points.iter();
        let points = points.map(|&(x, [_, low, high])| (x, low, high));
        (self.seeds > 1 || matches!(self.thinned, Thinned::Means)).then(|| Mark::Band {
            points: points.collect(),
            colour,
        })
    }
}

/// Whether the total variation of a curve exceeds [`SWINGS`] times the span, beyond rounding.
fn swings(points: &[CurvePoint], span: f64) -> bool {
    let values = || points.iter().map(|(_, [mean, ..])| *mean);
    let ways = values().zip(values().skip(1));
    let way: f64 = ways.map(|(from, to)| (to - from).abs()).sum();
    let size = values().map(f64::abs).fold(0.0, f64::max);
    span > 1e-9 * size && way > SWINGS * span
}

/// Groups the points into bins, by the integer part of a function that increases with the step.
fn bins(points: &[CurvePoint], bin: impl Fn(f64) -> f64) -> impl Iterator<Item = &[CurvePoint]> {
    points.chunk_by(move |a, b| bin(a.0).floor() == bin(b.0).floor())
}

/// The mean of each bin, at the middle of its steps; that of the last bin at the last step.
fn means(points: &[CurvePoint]) -> Vec<CurvePoint> {
    let each = bins(points, |step| BINS * step.max(1.0).log10()).map(|part| {
        let count = part.len() as f64;
        let step = part.iter().map(|p| p.0.max(1.0).ln()).sum::<f64>() / count;
        let mean = part.iter().map(|p| p.1[0]).sum::<f64>() / count;
        let low = part.iter().map(|p| p.1[1]).fold(f64::INFINITY, f64::min);
        let high = part
            .iter()
            .map(|p| p.1[2])
            .fold(f64::NEG_INFINITY, f64::max);
        (step.exp(), [mean, low, high])
    });
    let mut means: Vec<CurvePoint> = each.collect();
    if let (Some(mean), Some(last)) = (means.last_mut(), points.last()) {
        mean.0 = last.0;
    }
    means
}

/// The minimum and maximum of each bin, and the first and last point of the curve.
fn extremes(points: &[CurvePoint]) -> Vec<CurvePoint> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Vec::new();
    };
    let unit = |step: f64| step.max(1.0).ln();
    let width = (unit(last.0) - unit(first.0)).max(f64::MIN_POSITIVE) * 2.0 / POINTS as f64;
    let mut kept = vec![*first];
    for part in bins(points, |step| (unit(step) - unit(first.0)) / width) {
        let least = part.iter().min_by(|a, b| a.1[0].total_cmp(&b.1[0]));
        let most = part.iter().max_by(|a, b| a.1[0].total_cmp(&b.1[0]));
        let mut ends: Vec<CurvePoint> = least.into_iter().chain(most).copied().collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        kept.extend(ends);
    }
    kept.push(*last);
    kept.dedup_by(|a, b| a.0 == b.0);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that falls from 1 to 0 from step 1 on, plus an alternating oscillation of this size.
    fn curve(swing: f64, count: usize) -> Vec<CurvePoint> {
        let at = |k: usize| {
            let value = 1.0 - k as f64 / (count - 1) as f64 + swing * (-1f64).powi(k as i32);
            ((k + 1) as f64, [value; 3])
        };
        (0..count).map(at).collect()
    }

    #[test]
    fn curves_that_swing_are_averaged() {
        let blot = curve(0.3, 300);
        assert!(swings(&blot, 1.6));
        let means = means(&blot);
        assert!(means.len() <= 16, "{}", means.len());
        assert_eq!(means[0].1, blot[0].1);
        assert_eq!(means.last().unwrap().0, 300.0);
        // With many steps per bin, the mean follows the line and the band has the size of the oscillation.
        for (step, [mean, low, high]) in means.into_iter().filter(|p| p.0 > 30.0) {
            let (line, near) = (1.0 - (step - 1.0) / 299.0, 0.5 * step / 299.0);
            assert!((mean - line).abs() < 0.3 / 10.0 + near, "{step} {mean}");
            assert!((line + 0.3 - high).abs() < near, "{step} {high}");
            assert!((line - 0.3 - low).abs() < near, "{step} {low}");
        }
    }

    /// Oscillations that are small relative to the panel are not averaged.
    #[test]
    fn curves_that_get_somewhere_are_drawn_as_they_are() {
        assert!(!swings(&curve(0.0, 300), 1.0));
        assert!(!swings(&curve(0.008, 300), 1.0));
        assert!(swings(&curve(0.008, 300), 0.1));
        let flat: Vec<CurvePoint> = (1..300)
            .map(|k| (f64::from(k), [0.1 + f64::from(k % 2) * 1e-16; 3]))
            .collect();
        assert!(!swings(&flat, 1e-16));
        assert!(!swings(&[], 0.0));
    }

    /// A run and a longer one that starts with the same values.
    #[test]
    fn the_bins_are_those_of_a_longer_run() {
        let long = curve(0.3, 3000);
        let [short, long] = [means(&long[..200]), means(&long)];
        let whole = short.len() - 1;
        assert_eq!(short[..whole], long[..whole]);
    }
}
