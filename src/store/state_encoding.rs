//! Converts particles of an engine to the values in a file, in true units.

use std::ops::Range;
use std::path::Path;

use super::{NpzWriter, Writes};
use crate::engine::{Engine, Precision, Sample};
use crate::error::Result;
use crate::model::Train;
use crate::model::ldexp;
use crate::particles::Particles;

/// Particles that are moved at a time: the host never holds more of a network.
pub const BLOCK: usize = 1 << 14;

/// Number format and power of two of a state in a file. True values if they fit: f32 for engines in f32,
/// f64 if norms are too large for f32; beyond 10³⁰⁸ the file has stored values and the missing power of
/// two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StateEncoding {
    pub precision: Precision,
    /// Exponent of the engine's stored values.
    pub exponent: i32,
    /// Exponent of the power of two that the file's values lack; 0 unless they would overflow f64.
    pub lacking: i32,
    pub train: Train,
}

impl StateEncoding {
    /// The format in which a run's state is exact.
    pub fn of(engine: &dyn Engine, run: usize) -> Self {
        let exponent = engine.clock(run).exponent;
        // Engines keep stored values near 1 and far below 2^64.
        let lacking = if exponent > 1023 - 64 { exponent } else { 0 };
        let fits = engine.precision() == Precision::F32 && (exponent <= 127 - 64 || lacking != 0);
        StateEncoding {
            precision: if fits { Precision::F32 } else { Precision::F64 },
            exponent,
            lacking,
            train: engine.batch().runs[run].train,
        }
    }

    /// Converts stored values to the file's values; `direction` −1 converts back. Exact.
    pub fn scale(&self, mut block: Particles, direction: i32) -> Particles {
        let power = direction * (self.exponent - self.lacking);
        if power != 0 {
            if self.train != Train::Input {
                block.a.iter_mut().for_each(|a| *a = ldexp(*a, power));
            }
            if self.train != Train::Output {
                block.w.iter_mut().for_each(|w| *w = ldexp(*w, power));
            }
        }
        block
    }

    /// Reads a block of particles as values of the file.
    pub fn read(
        &self,
        engine: &mut dyn Engine,
        run: usize,
        range: Range<usize>,
    ) -> Result<Particles> {
        Ok(self.scale(engine.read(run, range)?, 1))
    }
}

/// Splits 0..m into blocks.
pub fn blocks(m: usize) -> impl Iterator<Item = Range<usize>> {
    (0..m).step_by(BLOCK).map(move |j| j..m.min(j + BLOCK))
}

/// Writes particles.npz: w (m, d), a (m), predictions f (n) on the training set, and `exponent`, the power
/// of two that w and a lack (0 unless norms exceed 10³⁰⁸).
pub fn write_particles(
    path: &Path,
    engine: &mut dyn Engine,
    run: usize,
    writes: &mut Writes,
) -> Result<()> {
    let state = StateEncoding::of(engine, run);
    let now = engine.predict(Sample::Train)?.swap_remove(run);
    let (m, d) = (engine.batch().runs[run].m, engine.batch().d);
    writes.file(path, |out| {
        let mut npz = NpzWriter::new(out, path);
        write_layers(&mut npz, &state, m, d, &mut |range| {
            state.read(engine, run, range)
        })?;
        npz.array("f", &[now.f.len()], |push| {
            let p = now.prediction_exponent;
            now.f.iter().try_for_each(|&f| push(ldexp(f, p)))
        })?;
        npz.array("exponent", &[], |push| push(i64::from(state.lacking)))?;
        npz.finish()
    })
}

/// Writes the arrays w and a, block by block.
fn write_layers(
    npz: &mut NpzWriter,
    state: &StateEncoding,
    m: usize,
    d: usize,
    read: &mut dyn FnMut(Range<usize>) -> Result<Particles>,
) -> Result<()> {
    for (name, shape) in [("w", vec![m, d]), ("a", vec![m])] {
        let mut each = |push: &mut dyn FnMut(f64) -> Result<()>| {
            for range in blocks(m) {
                let block = read(range)?;
                let values = if name == "w" { block.w } else { block.a };
                values.into_iter().try_for_each(&mut *push)?;
            }
            Ok(())
        };
        match state.precision {
            Precision::F32 => npz.array(name, &shape, |push| each(&mut |v| push(v as f32)))?,
            Precision::F64 => npz.array(name, &shape, |push| each(&mut |v| push(v)))?,
        }
    }
    Ok(())
}
