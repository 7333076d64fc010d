//! Generators: pure functions of the data specification and the seed.

use rand::seq::SliceRandom;

use super::narrow::{merged, warn_of};
use super::{Dataset, Split};
use crate::error::{Error, Result};
use crate::experiment::{DataSpec, InputDistribution, Source};
use crate::memory;
use crate::model::StateFormat;
use crate::random::{Draws, Stream};

/// Refuses samples that do not fit in memory, before any is drawn.
pub fn fits(spec: &DataSpec) -> Result<()> {
    let size = |v: usize| v as u128;
    let (n, d) = (size(spec.n.unwrap_or(0)), size(spec.d.unwrap_or(0)));
    let samples = (n + size(spec.test)) * (d + 1) * 4;
    let (world, more) = match spec.source {
        Source::Clusters => (size(spec.k) * size(spec.k) * 4, " and data.k"),
        Source::Teacher | Source::Circle => (
            size(spec.teacher_width) * d.max(2) * 8,
            " and data.teacher_width",
        ),
        _ => (0, ""),
    };
    memory::require(
        "data.n, data.d",
        &format!(
            "{n} samples of dimension {d}, with data.test = {},",
            spec.test
        ),
        samples + world,
        &format!("lower data.n, data.d, data.test{more}"),
    )
}

/// Refuses targets beyond f32, which large noise gives, and warns of points that become equal in
/// f32.
pub fn check(spec: &DataSpec, split: &Split) -> Result<()> {
    let beyond = |set: &Dataset| set.y.iter().any(|y| !y.is_finite());
    if [Some(&split.train), split.test.as_ref()]
        .into_iter()
        .flatten()
        .any(beyond)
    {
        return Err(Error::input(
            "data.noise",
            format!("{:e} makes targets beyond single precision", spec.noise),
            "give less noise",
        ));
    }
    let points = spec.points.as_deref().unwrap_or_default();
    let exact: Vec<[f64; 2]> = points.iter().map(|point| [point[0], 1.0]).collect();
    let set = &split.train;
    if spec.source == Source::Interpolation
        && let Some(rows) = merged(exact.as_flattened(), &set.x, set.d, &set.y)
    {
        let remedy = "move the points nearer to 0, where single precision tells them apart";
        warn_of(rows, "data.points", &set.y, StateFormat::F32, remedy);
    }
    Ok(())
}

/// Samples of a generated source. Loading the experiment has filled in n, d and the points.
pub fn generate(spec: &DataSpec, seed: u64) -> Split {
    let (train, test) = match spec.source {
        Source::Xor => (xor(spec.d.unwrap_or_default()), None),
        Source::Interpolation => (
            interpolation(spec.points.as_deref().unwrap_or_default()),
            None,
        ),
        _ => {
            let n = spec.n.unwrap_or_default();
            let draw = |stream, count| match spec.source {
                Source::Clusters => clusters(spec, seed, stream, count),
                _ => taught(spec, seed, stream, count),
            };
            let test = (spec.test > 0).then(|| draw(Stream::TestData, spec.test));
            (draw(Stream::TrainData, n), test)
        }
    };
    Split {
        train,
        test,
        standardization: None,
        columns: Vec::new(),
    }
}

/// k² clusters of radius Δ = 1/(3k − 1) with centres 3Δ apart fill [−1/2, 1/2]² (Chizat & Bach
/// 2020). Half of the clusters have the label +1 (one more for odd k²). A sample takes a cluster
/// uniformly, then radius and angle uniformly, and the label of its cluster. x = (1, the two
/// coordinates, d − 3 spurious coordinates uniform in [−1/2, 1/2]).
fn clusters(spec: &DataSpec, seed: u64, stream: Stream, n: usize) -> Dataset {
    let (k, d) = (spec.k, spec.d.unwrap_or_default());
    let delta = 1.0 / (3.0 * k as f64 - 1.0);
    let mut labels: Vec<f32> = (0..k * k)
        .map(|c| if c % 2 == 0 { 1.0 } else { -1.0 })
        .collect();
    labels.shuffle(&mut Draws::new(seed, Stream::World, 0, 0, 0));
    let (mut x, mut y) = (Vec::with_capacity(n * d), Vec::with_capacity(n));
    for i in 0..n {
        let mut draws = Draws::new(seed, stream, 0, i as u64, 0);
        let cluster = (draws.uniform() * (k * k) as f64) as usize;
        let (radius, angle) = (
            delta * draws.uniform(),
            std::f64::consts::TAU * draws.uniform(),
        );
        let centre = |c: usize| 3.0 * delta * (c as f64 - (k as f64 - 1.0) / 2.0);
        let (sin, cos) = angle.sin_cos();
        x.push(1.0);
        x.push((centre(cluster % k) + radius * cos) as f32);
        x.push((centre(cluster / k) + radius * sin) as f32);
        x.extend((3..d).map(|_| (draws.uniform() - 0.5) as f32));
        y.push(labels[cluster]);
    }
    Dataset { d, x, y }
}

/// Targets f*(x) = Σ_l s_l σ(u_l·x) of m0 neurons, with u_l uniform on the unit sphere and
/// alternating signs s_l. This is a sum, not a mean, so the size of the targets does not depend on
/// n or m. Inputs are uniform on the unit sphere (always for circle, d = 2) or Gaussian; only
/// training targets have noise.
fn taught(spec: &DataSpec, seed: u64, stream: Stream, n: usize) -> Dataset {
    let d = match spec.source {
        Source::Circle => 2,
        _ => spec.d.unwrap_or_default(),
    };
    let teacher: Vec<Vec<f64>> = (0..spec.teacher_width)
        .map(|l| {
            let mut u = vec![0.0; d];
            Draws::new(seed, Stream::World, 0, l as u64, 0).fill_sphere(&mut u);
            u
        })
        .collect();
    let noise = if stream == Stream::TrainData {
        spec.noise
    } else {
        0.0
    };
    let (mut x, mut y) = (Vec::with_capacity(n * d), Vec::with_capacity(n));
    let mut row = vec![0.0; d];
    for i in 0..n {
        let mut draws = Draws::new(seed, stream, 0, i as u64, 0);
        if spec.source == Source::Circle || spec.inputs == InputDistribution::Sphere {
            draws.fill_sphere(&mut row);
        } else {
            draws.fill_gaussian(&mut row);
        }
        let neurons = teacher.iter().enumerate().map(|(l, u)| {
            let z: f64 = u.iter().zip(&row).map(|(u, x)| u * x).sum();
            if l % 2 == 0 { z.max(0.0) } else { -z.max(0.0) }
        });
        let target: f64 = neurons.sum();
        x.extend(row.iter().map(|&v| v as f32));
        y.push((target + noise * draws.gaussian_pair()[0]) as f32);
    }
    Dataset { d, x, y }
}

/// x = (±1, ±1)/√2, padded with zeros to d, y = sign(x_1 x_2).
fn xor(d: usize) -> Dataset {
    let h = std::f32::consts::FRAC_1_SQRT_2;
    let (mut x, mut y) = (vec![0.0; 4 * d], Vec::new());
    let corners = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)];
    for (i, (s, t)) in corners.into_iter().enumerate() {
        x[i * d] = s * h;
        x[i * d + 1] = t * h;
        y.push(s * t);
    }
    Dataset { d, x, y }
}

/// Inputs (x, 1) and targets y.
fn interpolation(points: &[[f64; 2]]) -> Dataset {
    Dataset {
        d: 2,
        x: points.iter().flat_map(|p| [p[0] as f32, 1.0]).collect(),
        y: points.iter().map(|p| p[1] as f32).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::NamedVariant;

    fn spec(source: Source) -> DataSpec {
        let text = format!(
            "[data]\nsource = {:?}\n[network]\nwidth = 1\n[risk]\nloss = \"square\"\n[flow]\nsteps = 1\nstep = 1.0\n",
            source.name()
        );
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let grid = crate::experiment::load(file.path().to_str().unwrap(), &[]).unwrap();
        grid.runs[0].experiment.data.clone()
    }

    #[test]
    fn clusters_are_where_they_should_be() {
        for k in [2, 3, 4] {
            let spec = DataSpec {
                k,
                n: Some(4000),
                d: Some(6),
                ..spec(Source::Clusters)
            };
            let data = generate(&spec, 3).train;
            let delta = 1.0 / (3.0 * k as f64 - 1.0);
            let mut label_of = vec![None; k * k];
            for i in 0..data.n() {
                let row: Vec<f64> = data.row(i).iter().map(|&v| f64::from(v)).collect();
                assert_eq!(row[0], 1.0);
                assert!(row[1..].iter().all(|v| v.abs() <= 0.5 + 1e-6), "{row:?}");
                let nearest =
                    |v: f64| ((v / (3.0 * delta) + (k as f64 - 1.0) / 2.0).round()) as usize;
                let (c, r) = (nearest(row[1]), nearest(row[2]));
                let centre = |c: usize| 3.0 * delta * (c as f64 - (k as f64 - 1.0) / 2.0);
                let off = (row[1] - centre(c)).hypot(row[2] - centre(r));
                assert!(off <= delta * (1.0 + 1e-6), "{off} {delta}");
                let label = label_of[r * k + c].get_or_insert(data.y[i]);
                assert_eq!(*label, data.y[i], "a cluster has one label");
            }
            let plus = label_of.iter().filter(|l| **l == Some(1.0)).count();
            assert_eq!(plus, (k * k).div_ceil(2));
        }
    }

    /// The radius is uniform, not the area: the mean radius is Δ/2.
    #[test]
    fn the_radius_is_uniform() {
        let spec = DataSpec {
            k: 1,
            n: Some(20_000),
            d: Some(3),
            ..spec(Source::Clusters)
        };
        let data = generate(&spec, 1).train;
        let radius = |i: usize| f64::from(data.row(i)[1]).hypot(f64::from(data.row(i)[2]));
        let mean = (0..data.n()).map(radius).sum::<f64>() / data.n() as f64;
        // Δ = 1/2; the bound is five standard errors of the mean of a uniform variable on [0, 1/2].
        assert!((mean - 0.25).abs() <= 5.0 * 0.5 / (12.0 * data.n() as f64).sqrt());
    }

    #[test]
    fn a_smaller_set_begins_a_larger_one() {
        for source in [Source::Clusters, Source::Teacher, Source::Circle] {
            let sized = |n, test| {
                let spec = DataSpec {
                    n: Some(n),
                    test,
                    ..spec(source)
                };
                generate(&spec, 7)
            };
            let (small, large) = (sized(5, 3), sized(9, 4));
            let d = small.train.d;
            assert_eq!(small.train.x, large.train.x[..5 * d]);
            assert_eq!(small.train.y, large.train.y[..5]);
            let test = small.test.unwrap();
            assert_eq!(test.x, large.test.unwrap().x[..3 * d]);
            assert_ne!(test.x[..d], small.train.x[..d]);
        }
    }

    #[test]
    fn noise_is_on_training_targets_only() {
        let with = |noise| {
            let spec = DataSpec {
                noise,
                test: 5,
                ..spec(Source::Teacher)
            };
            generate(&spec, 2)
        };
        let (clean, noisy) = (with(0.0), with(1.0));
        assert_eq!(clean.train.x, noisy.train.x);
        assert_ne!(clean.train.y, noisy.train.y);
        assert_eq!(clean.test, noisy.test);
    }

    #[test]
    fn fixed_points() {
        let data = xor(3);
        assert_eq!(data.n(), 4);
        for i in 0..4 {
            let row = data.row(i);
            assert_eq!((row[0] * row[1]).signum(), data.y[i]);
            assert_eq!(row[2], 0.0);
        }
        let data = generate(&spec(Source::Interpolation), 1).train;
        assert_eq!(data.row(1), [-0.0625, 1.0]);
        assert_eq!(data.y, [-1.0, 0.5, -0.5, 1.0]);
    }
}
