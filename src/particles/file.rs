//! Initial particles from a file.

use std::path::Path;

use super::Particles;
use crate::data;
use crate::error::{Error, Result};

/// Reads initial particles: an .npz with w (m, d), a (m) and, as particles.npz has it, `exponent`,
/// the power of two that both lack; rounded to f32.
///
/// # Errors
/// As [`data::load`]; another width or dimension than the experiment's; weights that f32 cannot hold.
pub fn read(path: &Path, m: usize, d: usize) -> Result<Particles> {
    let data::file::StoredParticles { w, a, exponent } = data::file::particles(path)?;
    if (w.columns, w.rows(), a.len()) != (d, m, m) {
        return Err(Error::input(
            path.display().to_string(),
            format!("holds w ({}, {}) and a ({})", w.rows(), w.columns, a.len()),
            format!(
                "the experiment needs w ({m}, {d}) and a ({m}): set network.width, or give another file"
            ),
        ));
    }
    Ok(Particles {
        d,
        w: data::narrow::weights(path, "input weight", &w.values, d, exponent)?,
        a: data::narrow::weights(path, "output weight", &a, 1, exponent)?,
    })
}
