//! polished.npz: the infinite-width optimum of a run as a small network.

use std::path::{Path, PathBuf};

use super::{NpzWriter, write_atomically};
use crate::arrays::{NpzReader, values};
use crate::certify::{Inputs, Measure};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::particles::Particles;

fn path(dir: &Path) -> PathBuf {
    dir.join("polished.npz")
}

/// Writes w (K, d), a (K) of a network with this measure and output scale α, and its predictions
/// f (n) on the training set, below the folder of a run.
pub fn write_polished(dir: &Path, measure: &Measure, alpha: f64, data: &Dataset) -> Result<()> {
    let path = path(dir);
    let network = measure.to_network(alpha);
    let f = measure.predict(&Inputs::new(data));
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

/// The particles (w, a) of the polished network below the folder of a run.
///
/// # Errors
/// There is none, or it is damaged.
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
    let mut layer = |name| npz.array(name, values::<f64>);
    let (w, a) = (layer("w")?, layer("a")?);
    match a.len() {
        m if m > 0 && w.len() % m == 0 => Ok(Particles {
            d: w.len() / m,
            w,
            a,
        }),
        m => Err(Error::input(
            path.display().to_string(),
            format!("holds {} input weights of {m} neurons", w.len()),
            "widefield certify --polish makes it again",
        )),
    }
}
