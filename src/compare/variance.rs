//! How the variance of the prediction over particle seeds decreases with the width: Var f ~ C mˢ, with s =
//! −1 by propagation of chaos (docs/model.md, law 8).

/// A power law v = e^c mˢ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerLaw {
    /// s
    pub exponent: f64,
    /// c
    pub intercept: f64,
    /// Standard error of s, from the jackknife; `None` for fewer than three seeds.
    pub standard_error: Option<f64>,
}

/// (1/n) Σ_i of the unbiased variance of f_i over seeds. `f` holds the n predictions of each seed; NaN for
/// fewer than two seeds.
pub fn variance(f: &[&[f64]]) -> f64 {
    let (seeds, n) = (f.len() as f64, f.first().map_or(0, |f| f.len()));
    let at = |i: usize| {
        let mean = f.iter().map(|f| f[i]).sum::<f64>() / seeds;
        let squares = f.iter().map(|f| (f[i] - mean) * (f[i] - mean));
        squares.sum::<f64>() / (seeds - 1.0)
    };
    (0..n).map(at).sum::<f64>() / n as f64
}

/// Fits log v = c + s log m by least squares to the variances of at least two widths. `f[w][k]`
/// holds the n predictions at width w with seed k, the same number of seeds at each width.
///
/// The standard error of s is the jackknife over the independent units. Where widths are `nested` these are
/// the K seeds: each is left out in turn at every width, and se² = (K−1)/K Σ_k (s_(−k) − mean)². Where
/// widths are independent each run is left out by itself; the same expression is computed for each width
/// and summed over the widths, which uses more independent units. The residuals of the fit are not used:
/// they are few, and not independent where widths are nested.
pub fn fit(widths: &[usize], f: &[Vec<&[f64]>], nested: bool) -> Option<PowerLaw> {
    let (exponent, intercept) = line(widths, f, |_, _| true)?;
    let seeds = f.iter().map(Vec::len).min()?;
    let squared = |at: Option<usize>| {
        // Estimates with seed k left out: at each width separately, or at all widths if nested.
        let without = (0..seeds).map(|k| {
            let kept = |w: usize, seed: usize| seed != k || at.is_some_and(|at| at != w);
            line(widths, f, kept).map(|(slope, _)| slope)
        });
        without.collect::<Option<Vec<f64>>>().map(|s| jackknife(&s))
    };
    let error = match nested {
        true => squared(None),
        false => (0..widths.len()).map(|w| squared(Some(w))).sum(),
    };
    Some(PowerLaw {
        exponent,
        intercept,
        standard_error: error.filter(|_| seeds >= 3).map(f64::sqrt),
    })
}

/// The jackknife standard error of log v, with v the variance over these seeds; `None` for fewer than three
/// seeds or a variance of 0.
pub fn log_error(f: &[&[f64]]) -> Option<f64> {
    let without = |k: usize| {
        let kept = f.iter().enumerate().filter(|(seed, _)| *seed != k);
        variance(&kept.map(|(_, f)| *f).collect::<Vec<_>>()).ln()
    };
    let without: Vec<f64> = (0..f.len()).map(without).collect();
    let error = jackknife(&without).sqrt();
    Some(error).filter(|error| f.len() >= 3 && error.is_finite())
}

/// se² of an estimate, from the estimates with one seed left out.
fn jackknife(without: &[f64]) -> f64 {
    let seeds = without.len() as f64;
    let mean = without.iter().sum::<f64>() / seeds;
    let squares = without.iter().map(|s| (s - mean) * (s - mean));
    (seeds - 1.0) / seeds * squares.sum::<f64>()
}

/// Slope and intercept of log v against log m, from the runs (width, seed) that `keep` selects; `None` with
/// fewer than two widths, or where a variance is 0 or undefined.
fn line(
    widths: &[usize],
    f: &[Vec<&[f64]>],
    kept: impl Fn(usize, usize) -> bool,
) -> Option<(f64, f64)> {
    let point = |(w, &m): (usize, &usize)| {
        let seeds = f[w].iter().enumerate().filter(|(k, _)| kept(w, *k));
        let seeds: Vec<&[f64]> = seeds.map(|(_, f)| *f).collect();
        ((m as f64).ln(), variance(&seeds).ln())
    };
    let points: Vec<(f64, f64)> = widths.iter().enumerate().map(point).collect();
    let count = points.len() as f64;
    let x = points.iter().map(|p| p.0).sum::<f64>() / count;
    let y = points.iter().map(|p| p.1).sum::<f64>() / count;
    let xx: f64 = points.iter().map(|p| (p.0 - x) * (p.0 - x)).sum();
    let xy: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let slope = xy / xx;
    slope.is_finite().then_some((slope, y - slope * x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Draws, Stream};

    const WIDTHS: [usize; 7] = [64, 128, 256, 512, 1024, 2048, 4096];
    const SEEDS: usize = 8;
    const N: usize = 32;

    /// Predictions f* + m^(s/2) g of a trial, g a random combination of three modes, as the n predictions
    /// of one network are strongly correlated. Nested widths share half of their modes.
    fn synthetic(trial: u64, exponent: f64, nested: bool) -> Vec<Vec<Vec<f64>>> {
        let one = |w: usize, seed: usize| -> Vec<f64> {
            let mut draws = Draws::new(trial, Stream::Init, w as u32 + 1, seed as u64, 0);
            let mut shared = Draws::new(trial, Stream::Init, 0, seed as u64, 0);
            let mut modes = [0.0; 3];
            draws.fill_gaussian(&mut modes);
            if nested {
                let mut common = [0.0; 3];
                shared.fill_gaussian(&mut common);
                let mix = |(a, b): (&mut f64, f64)| *a = (*a + b) * 0.5_f64.sqrt();
                modes.iter_mut().zip(common).for_each(mix);
            }
            let scale = (WIDTHS[w] as f64).powf(exponent / 2.0);
            let f = |i: usize| {
                let phase = i as f64 / N as f64;
                let basis = [1.0, phase, (6.0 * phase).sin()];
                let g: f64 = modes.iter().zip(basis).map(|(a, b)| a * b).sum();
                phase.cos() + scale * g
            };
            (0..N).map(f).collect()
        };
        let seeds = |w| (0..SEEDS).map(|seed| one(w, seed)).collect();
        (0..WIDTHS.len()).map(seeds).collect()
    }

    fn fitted(f: &[Vec<Vec<f64>>], nested: bool) -> PowerLaw {
        let f: Vec<Vec<&[f64]>> = f
            .iter()
            .map(|seeds| seeds.iter().map(Vec::as_slice).collect())
            .collect();
        fit(&WIDTHS, &f, nested).unwrap()
    }

    #[test]
    fn the_variance_is_unbiased_and_averaged() {
        assert_eq!(variance(&[&[1.0, 0.0], &[3.0, 0.0]]), 1.0);
        assert!(variance(&[&[1.0]]).is_nan());
    }

    /// The fit recovers the exponent of an exact law, and its standard error matches the spread over
    /// trials, for independent and for nested widths.
    #[test]
    fn the_standard_error_is_honest() {
        const TRIALS: usize = 400;
        for (exponent, nested) in [(-1.0, false), (-1.0, true), (-0.5, false)] {
            let laws: Vec<PowerLaw> = (0..TRIALS)
                .map(|trial| fitted(&synthetic(trial as u64, exponent, nested), nested))
                .collect();
            let mean_of =
                |f: &dyn Fn(&PowerLaw) -> f64| laws.iter().map(f).sum::<f64>() / TRIALS as f64;
            let error = |law: &PowerLaw| law.standard_error.unwrap();
            let mean = mean_of(&|law| law.exponent);
            let spread = mean_of(&|law| (law.exponent - mean).powi(2)).sqrt();
            let said = mean_of(&|law| error(law).powi(2)).sqrt();
            assert!((mean - exponent).abs() <= 4.0 * spread / (TRIALS as f64).sqrt());
            assert!(
                (0.9..=1.4).contains(&(said / spread)),
                "{said} for {spread}"
            );
            let within =
                |law: &PowerLaw| f64::from((law.exponent - exponent).abs() <= 2.0 * error(law));
            let covered = mean_of(&within);
            // Student's t with 7 degrees of freedom has 91 % within 2; a higher share means a conservative
            // error.
            assert!(covered >= 0.88, "{covered}");
            // Sabotage: another exponent must mostly lie outside.
            let other = |law: &PowerLaw| {
                f64::from((law.exponent - exponent - 0.5).abs() <= 2.0 * error(law))
            };
            assert!(mean_of(&other) <= 0.1, "{}", mean_of(&other));
        }
    }

    /// The standard error of the log variance at one width matches the spread over trials too.
    #[test]
    fn the_error_of_a_variance_is_honest() {
        const TRIALS: usize = 400;
        let of = |trial: usize| {
            let f = synthetic(trial as u64, -1.0, false);
            let seeds: Vec<&[f64]> = f[0].iter().map(Vec::as_slice).collect();
            (variance(&seeds).ln(), log_error(&seeds).unwrap())
        };
        let trials: Vec<(f64, f64)> = (0..TRIALS).map(of).collect();
        let mean_of =
            |f: &dyn Fn(&(f64, f64)) -> f64| trials.iter().map(f).sum::<f64>() / TRIALS as f64;
        let mean = mean_of(&|t| t.0);
        let spread = mean_of(&|t| (t.0 - mean).powi(2)).sqrt();
        let said = mean_of(&|t| t.1 * t.1).sqrt();
        assert!(
            (0.9..=1.4).contains(&(said / spread)),
            "{said} for {spread}"
        );
        let (a, b) = ([0.0], [1.0]);
        assert_eq!(log_error(&[&a, &b]), None);
        assert_eq!(log_error(&[&a, &a, &a]), None);
    }

    #[test]
    fn no_line_where_there_is_none() {
        let same = [1.0, 2.0];
        let two: Vec<&[f64]> = vec![&same, &same];
        assert_eq!(fit(&[4, 8], &[two.clone(), two], false), None);
        let (a, b) = ([0.0], [1.0]);
        let seeds: Vec<&[f64]> = vec![&a, &b];
        assert_eq!(fit(&[4], std::slice::from_ref(&seeds), false), None);
        let law = fit(&[4, 8], &[seeds.clone(), seeds], false).unwrap();
        assert_eq!((law.exponent, law.standard_error), (0.0, None));
    }
}
