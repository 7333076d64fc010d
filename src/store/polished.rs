//! polished.npz: the infinite-width optimum of a run as a small network.

use std::path::{Path, PathBuf};

use super::filesystem::remove;
use super::{NpzWriter, write_atomically};
use crate::arrays::{NpzReader, values};
use crate::certify::{InputMatrix, Measure};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::particles::Particles;

fn path(dir: &Path) -> PathBuf {
    dir.join("polished.npz")
}

/// Writes the network with this measure and output scale α below the folder of a run: w (K, d), a (K) and
/// its predictions f (n) on the training set.
pub fn write_polished(dir: &Path, measure: &Measure, alpha: f64, data: &Dataset) -> Result<()> {
    let path = path(dir);
    let network = measure.to_network(alpha);
    let f = measure.predict(&InputMatrix::new(data));
    write_atomically(&path, |out| {
        let mut npz = NpzWriter::new(out, &path);
        let mut array = |name, shape: &[usize], values: &[f64]| {
            npz.array(name, shape, |push| values.iter().try_for_each(|&v| push(v)))
        };
        array("w", &[network.m(), network.d], &network.w)?;
        array("a", &[network.m()], &network.a)?;
        array("f", &[f.len()], &f)?;
        npz.finish()
    })
}

/// Removes the file of an earlier certificate.
pub fn remove_polished(dir: &Path) -> Result<()> {
    remove(&path(dir))
}

/// The particles (w, a) of the polished network below the folder of a run.
///
/// # Errors
/// The file is missing or damaged.
pub fn read_polished(dir: &Path) -> Result<Particles> {
    let path = path(dir);
    if !path.exists() {
        return Err(Error::input(
            path.display().to_string(),
            "is not there: the run was not polished",
            "widefield certify --polish makes it",
        ));
    }
    let mut npz = NpzReader::open(&path)?;
    let mut layer = |name| {
        npz.array(name, |npy| {
            let shape = npy.shape().to_vec();
            Ok((shape, values::<f64>(npy)?))
        })
    };
    let ((shape, w), (_, a)) = (layer("w")?, layer("a")?);
    // An optimum may have no neuron: then d is known only from the shape.
    match shape[..] {
        [m, d] if m == a.len() as u64 && d > 0 => Ok(Particles {
            d: d as usize,
            w,
            a,
        }),
        _ => Err(Error::input(
            path.display().to_string(),
            format!(
                "holds input weights of shape {shape:?} for {} neurons",
                a.len()
            ),
            "widefield certify --polish makes it again",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_without_neurons_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let data = Dataset {
            d: 3,
            x: vec![1.0, 2.0, 3.0],
            y: vec![1.0],
        };
        write_polished(dir.path(), &Measure::zero(3), 1.0, &data).unwrap();
        let network = read_polished(dir.path()).unwrap();
        assert_eq!((network.m(), network.d), (0, 3));
        let mut one = Measure::zero(3);
        one.push(&[0.0, 1.0, 0.0], -2.0);
        write_polished(dir.path(), &one, 1.0, &data).unwrap();
        let network = read_polished(dir.path()).unwrap();
        assert_eq!((network.m(), network.d), (1, 3));
        let f = Measure::of_network(&network, 1.0).predict(&InputMatrix::new(&data));
        assert!((f[0] + 4.0).abs() <= 1e-15, "{f:?}");
    }
}
