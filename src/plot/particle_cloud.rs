//! The particles of a run, read in a stream: the mass of each particle, the weights of some of them, and
//! the predictor if d ≤ 3.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use crate::arrays::{self, Array, NpzReader};
use crate::error::Result;

/// Number of particles whose weights are kept, as in a snapshot.
pub const SAMPLE: usize = 4096;
/// For wider networks the predictor is evaluated with binned particles.
const EXACT: usize = 20_000;
/// Bins along an edge of the square or cube onto which directions are projected, indexed by d.
const BINS: [f64; 4] = [1.0, 1.0, 8192.0, 96.0];

/// Particles of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct ParticleCloud {
    pub d: usize,
    /// a_j |w_j| (m).
    pub masses: Vec<f64>,
    /// Angle of each w_j in degrees, if d = 2.
    pub angles: Vec<f32>,
    /// Input weights (row-major) and output weights of the first particles.
    pub w: Vec<f64>,
    pub a: Vec<f64>,
    /// Predictions on the training set (n).
    pub f: Vec<f64>,
    /// For d ≤ 3: the terms a_j σ(w_j·x) of the network, some of them merged.
    pub terms: Vec<Term>,
    /// Whether there are fewer `terms` than particles.
    pub binned: bool,
}

/// Σ a_j σ(w_j·x) over particles of one bin, which are active for the same x: v·x where u·x > 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    pub u: [f64; 3],
    pub v: [f64; 3],
}

impl ParticleCloud {
    /// Reads particles.npz.
    pub fn read(path: &Path) -> Result<Self> {
        let mut npz = NpzReader::open(path)?;
        let mut cloud = ParticleCloud {
            d: 0,
            masses: npz.array("a", |npy| each(npy))?,
            angles: Vec::new(),
            w: Vec::new(),
            a: Vec::new(),
            f: npz.array("f", |npy| each(npy))?,
            terms: Vec::new(),
            binned: false,
        };
        npz.array("w", |npy| cloud.take(npy))?;
        Ok(cloud)
    }

    /// The particles of a snapshot, as a network by themselves.
    pub fn of_snapshot(snapshots: &SnapshotSeries, s: usize) -> Self {
        let mut cloud = ParticleCloud {
            d: snapshots.d,
            masses: (0..snapshots.m).map(|j| snapshots.a(s, j)).collect(),
            angles: Vec::new(),
            w: Vec::new(),
            a: Vec::new(),
            f: Vec::new(),
            terms: Vec::new(),
            binned: false,
        };
        let mut bins = HashMap::new();
        (0..snapshots.m).for_each(|j| cloud.push(j, snapshots.w(s, j), &mut bins));
        cloud
    }

    pub fn m(&self) -> usize {
        self.masses.len()
    }

    /// Number of particles whose weights are known.
    pub fn sampled(&self) -> usize {
        self.a.len()
    }

    pub fn row(&self, j: usize) -> &[f64] {
        &self.w[j * self.d..(j + 1) * self.d]
    }

    /// |a_j| |w_j|
    pub fn mass(&self, j: usize) -> f64 {
        self.masses[j].abs()
    }

    /// "4096 of 1000000 particles", if not all are kept.
    pub fn sample_note(&self) -> Option<String> {
        let (kept, m) = (self.sampled(), self.m());
        (kept < m).then(|| format!("{kept} of {} particles", thousands(m)))
    }

    /// (1/m) Σ a_j σ(w_j·x), without the output scale α.
    pub fn value(&self, x: &[f64]) -> f64 {
        let dot = |v: &[f64; 3]| v.iter().zip(x).map(|(v, x)| v * x).sum::<f64>();
        let active = self.terms.iter().filter(|term| dot(&term.u) > 0.0);
        active.map(|term| dot(&term.v)).sum::<f64>() / self.m() as f64
    }

    /// (1/m) Σ |a_j| |w_j|
    pub fn mean_mass(&self) -> f64 {
        (0..self.m()).map(|j| self.mass(j)).sum::<f64>() / self.m() as f64
    }

    fn take(&mut self, npy: Array) -> io::Result<()> {
        let (m, d) = match *npy.shape() {
            [m, d] if m as usize == self.m() && d > 0 => (m as usize, d as usize),
            _ => return Err(io::Error::other("w and a do not fit together")),
        };
        self.d = d;
        self.binned = d <= 3 && m > EXACT;
        let mut bins: HashMap<(i8, [i16; 2]), Term> = HashMap::new();
        let mut row = Vec::with_capacity(d);
        let mut j = 0;
        stream(npy, |value| {
            row.push(value);
            if row.len() < d {
                return;
            }
            self.push(j, &row, &mut bins);
            j += 1;
            row.clear();
        })?;
        let mut bundled: Vec<_> = bins.into_iter().collect();
        // A map has no fixed order, but the sums depend on the order.
        bundled.sort_by_key(|(bin, _)| *bin);
        self.terms.extend(bundled.into_iter().map(|(_, term)| term));
        Ok(())
    }

    /// Adds w_j; the mass of particle j still holds a_j, so that one number per particle is stored.
    fn push(&mut self, j: usize, w: &[f64], bins: &mut HashMap<(i8, [i16; 2]), Term>) {
        let a = self.masses[j];
        let norm = w.iter().map(|w| w * w).sum::<f64>().sqrt();
        self.masses[j] = a * norm;
        if j < SAMPLE {
            self.w.extend_from_slice(w);
            self.a.push(a);
        }
        if let [x, y] = w {
            self.angles.push(y.atan2(*x).to_degrees() as f32);
        }
        if w.len() > 3 || norm == 0.0 || a == 0.0 {
            return;
        }
        let padded = |s: f64| std::array::from_fn(|k| s * w.get(k).copied().unwrap_or(0.0));
        let term = Term {
            u: padded(a.abs()),
            v: padded(a),
        };
        if !self.binned {
            self.terms.push(term);
            return;
        }
        let entry = bins.entry(bin(w)).or_insert(Term {
            u: [0.0; 3],
            v: [0.0; 3],
        });
        for k in 0..3 {
            entry.u[k] += term.u[k];
            entry.v[k] += term.v[k];
        }
    }
}

/// Bin of a direction: the face of the square or cube that it hits, and the cell on that face.
fn bin(w: &[f64]) -> (i8, [i16; 2]) {
    let largest = (0..w.len()).max_by(|&k, &l| w[k].abs().total_cmp(&w[l].abs()));
    let k = largest.unwrap_or(0);
    let face = if w[k] < 0.0 {
        -1 - k as i8
    } else {
        1 + k as i8
    };
    let bins = BINS[w.len().min(3)];
    let mut place = [0_i16; 2];
    let others = (0..w.len()).filter(|&l| l != k);
    for (place, l) in place.iter_mut().zip(others) {
        *place = ((w[l] / w[k].abs() + 1.0) / 2.0 * bins)
            .floor()
            .min(bins - 1.0) as i16;
    }
    (face, place)
}

fn each(npy: Array) -> io::Result<Vec<f64>> {
    arrays::fits(npy.len(), size_of::<f64>())?;
    let mut values = Vec::with_capacity(npy.len() as usize);
    stream(npy, |value| values.push(value))?;
    Ok(values)
}

/// Passes on the values of an array of f32 or f64 one by one.
fn stream(npy: Array, mut put: impl FnMut(f64)) -> io::Result<()> {
    arrays::in_order(&npy)?;
    match npy.dtype().num_bytes() {
        Some(4) => npy
            .data::<f32>()
            .map_err(io::Error::other)?
            .try_for_each(|v| {
                put(f64::from(v?));
                Ok(())
            }),
        _ => npy
            .data::<f64>()
            .map_err(io::Error::other)?
            .try_for_each(|v| {
                put(v?);
                Ok(())
            }),
    }
}

/// A number with its digits grouped: 1 000 000.
pub fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for (k, c) in digits[first..].chars().enumerate() {
        if k % 3 == 0 && !text.is_empty() {
            text.push('\u{2009}');
        }
        text.push(c);
    }
    text
}

/// Largest number of values of snapshots kept in memory.
const VALUES: usize = 1 << 24;

/// The snapshots of a run: steps, and (w, a) of the first particles at each.
pub struct SnapshotSeries {
    pub steps: Vec<u64>,
    /// Number of particles kept from each snapshot.
    pub m: usize,
    pub d: usize,
    w: Vec<f64>,
    a: Vec<f64>,
}

impl SnapshotSeries {
    /// Reads snapshots.npz; `None` if the file is missing or has no snapshots.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let mut npz = NpzReader::open(path)?;
        let steps = npz.array("step", arrays::values::<i64>)?;
        let (mut shape, mut kept) = ([0; 3], 0);
        let w = npz.array("w", |npy| {
            if let [s, m, d] = *npy.shape() {
                shape = [s, m, d].map(|size| size as usize);
            }
            let [s, m, d] = shape;
            kept = (VALUES / (s * d).max(1)).min(m);
            first(npy, m * d, kept * d)
        })?;
        let [s, m, d] = shape;
        let a = npz.array("a", |npy| first(npy, m, kept))?;
        let fits = s > 0 && steps.len() == s && w.len() == s * kept * d && a.len() == s * kept;
        Ok((fits && kept > 0).then(|| SnapshotSeries {
            steps: steps.into_iter().map(|s| s as u64).collect(),
            m: kept,
            d,
            w,
            a,
        }))
    }

    /// Input weights of particle j at snapshot s.
    pub fn w(&self, s: usize, j: usize) -> &[f64] {
        let at = (s * self.m + j) * self.d;
        &self.w[at..at + self.d]
    }

    pub fn a(&self, s: usize, j: usize) -> f64 {
        self.a[s * self.m + j]
    }

    pub fn len(&self) -> usize {
        self.steps.len()
    }
}

/// The first `kept` of every `length` values.
fn first(npy: Array, length: usize, kept: usize) -> io::Result<Vec<f64>> {
    let (mut values, mut k) = (Vec::new(), 0);
    stream(npy, |value| {
        if k % length.max(1) < kept {
            values.push(value);
        }
        k += 1;
    })?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Draws, Stream};

    fn cloud(d: usize, binned: bool, m: usize) -> ParticleCloud {
        let mut values = vec![0.0; m * (d + 1)];
        Draws::new(1, Stream::World, 0, 0, 0).fill_gaussian(&mut values);
        let snapshots = SnapshotSeries {
            steps: vec![0],
            m,
            d,
            w: values[m..].to_vec(),
            a: values[..m].to_vec(),
        };
        let mut cloud = ParticleCloud::of_snapshot(&snapshots, 0);
        if binned {
            let mut bins = HashMap::new();
            (cloud.binned, cloud.terms) = (true, Vec::new());
            cloud.masses.copy_from_slice(&snapshots.a);
            (0..m).for_each(|j| cloud.push(j, snapshots.w(0, j), &mut bins));
            cloud.terms.extend(bins.into_values());
        }
        cloud
    }

    /// A particle for which its bin decides wrongly whether it is active is within the bin's diameter ε of
    /// the kink: its error is at most ε|a||w||x|, and this concerns a share of about ε of the particles.
    #[test]
    fn bundled_particles_make_the_same_function() {
        let m = 4000;
        for d in [2, 3] {
            let (exact, binned) = (cloud(d, false, m), cloud(d, true, m));
            assert!(binned.terms.len() < m);
            let diameter = 2.0 * (d as f64 - 1.0).sqrt() / BINS[d];
            let allowed = diameter * (4.0 * diameter + 0.002) * exact.mean_mass();
            let inputs = |turn: f64| (0..20).map(move |k| f64::from(k) * 0.3 + turn);
            let error = |turn: f64| {
                let each = inputs(0.0).zip(inputs(turn)).map(|(t, u)| {
                    let x = [t.cos(), t.sin(), 0.0];
                    let turned = [u.cos(), u.sin(), 0.0];
                    (binned.value(&turned[..d]) - exact.value(&x[..d])).abs()
                });
                each.fold(0.0, f64::max)
            };
            assert!(error(0.0) <= allowed, "d = {d}: {} > {allowed}", error(0.0));
            // Sabotage: the check must detect evaluation at other inputs.
            assert!(error(0.7) > allowed, "d = {d}: the check sees nothing");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        let each = [7, 1234, 1_000_000].map(thousands);
        assert_eq!(each, ["7", "1\u{2009}234", "1\u{2009}000\u{2009}000"]);
    }
}
