//! The autotuner: which shape of the kernels is fastest for one d on one adapter and driver.
//!
//! It measures a few shapes on particles of its own, and remembers the fastest on disk. A shape
//! changes results by rounding only; runs record theirs, so that they can be repeated bit for bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::adapter::Kind;
use super::device::Device;
use super::shape::{D_HELD, Shape};
use super::{Gpu, Options};
use crate::data::Dataset;
use crate::engine::{Batch, Engine, ShortCuts, Steps};
use crate::error::Result;
use crate::model::Run;
use crate::model::{Loss, StateFormat};
use crate::particles::Particles;
use crate::random::{Draws, Stream};

/// Multiply-adds of a step from which a better shape is worth looking for.
const WORTH: f64 = 1e9;
/// A shape replaces another if it takes this share of its time or less.
const BETTER: f64 = 0.97;
/// Samples on which shapes are measured.
const N: usize = 256;
/// Particles that are drawn at a time.
const BLOCK: usize = 1 << 12;
/// A measurement lasts this long, and is made this many times; the shortest counts.
const LEAST: Duration = Duration::from_millis(5);
const REPETITIONS: usize = 3;

/// Whether a batch does enough for the tuner to pay, but for runs that take a short cut (`places`).
pub(super) fn is_worth(batch: &Batch, places: &[Option<u32>]) -> bool {
    let pairs = |run: &Run| run.held_count() as f64 * batch.datasets[run.train_set].n() as f64;
    let direct = batch.runs.iter().zip(places);
    let direct = direct.filter(|(_, place)| place.is_none());
    let pairs: f64 = direct.map(|(run, _)| pairs(run)).sum();
    3.0 * batch.d as f64 * pairs >= WORTH
}

/// The fastest shape that is known for this device and d; measured and remembered if none is.
pub(super) fn fastest(device: &Arc<Device>, d: usize, state: StateFormat) -> Result<Shape> {
    let plain = Shape::new(&device.facts, d, None);
    let memory = memory();
    let key = format!(
        "{}, d = {d}, {}, widefield {}",
        device.facts.describe(),
        state.name(),
        crate::VERSION
    );
    let known = memory.as_deref().map(recall).unwrap_or_default();
    if let Some(shape) = known.get(&key).and_then(|text| plain.with(text).ok()) {
        return Ok(shape);
    }
    tracing::info!(
        "choosing the kernels for d = {d} on {}: once",
        device.facts.name
    );
    let mut best = plain;
    let mut shortest = seconds(device, d, state, plain)?;
    for choices in alternatives(device.facts.kind, d, device.facts.subgroup_width()) {
        for choice in choices {
            let start = best;
            let Ok(shape) = start.with(&choice) else {
                continue;
            };
            // What the adapter refuses (registers, memory) is no choice.
            if shape != start
                && let Ok(time) = seconds(device, d, state, shape)
                && time < BETTER * shortest
            {
                (best, shortest) = (shape, time);
            }
        }
    }
    if let Some(path) = memory {
        remember(&path, key, best.to_text());
    }
    Ok(best)
}

/// Groups of choices, each made in the light of those before.
pub(super) fn alternatives(kind: Kind, d: usize, subgroup_width: usize) -> Vec<Vec<String>> {
    let update = |threads: &[usize], vectors: &[(usize, usize)]| {
        let each = threads.iter().flat_map(|t| {
            let of = vectors.iter();
            of.map(move |(w, v)| format!("update_threads={t},update_width={w},update_vectors={v}"))
        });
        each.collect::<Vec<_>>()
    };
    let predict = |threads: &[usize], samples: &[usize]| {
        let each = threads.iter().flat_map(|t| {
            let of = samples.iter();
            of.map(move |s| format!("predict_threads={t},predict_samples={s}"))
        });
        each.collect::<Vec<_>>()
    };
    if d > D_HELD {
        return tiled_alternatives(kind);
    }
    if kind == Kind::Software {
        let staging = [1, subgroup_width].map(|l| format!("lockstep={l}"));
        return vec![
            staging.to_vec(),
            predict(&[16, 32], &[4, 8]),
            update(&[32], &[(4, 1), (4, 2), (4, 4), (4, 8), (2, 2)]),
        ];
    }
    // What a thread holds is bounded by its registers, 255 of them at most.
    let holds = |s: &usize| *s == 1 || s * (d + 3) + 4 * (d + 1) <= 240;
    let samples: Vec<usize> = [1, 2, 4, 8, 16].into_iter().filter(holds).collect();
    let fits = |v: &(usize, usize)| v.0 * v.1 * (2 * d + 4) <= 240;
    let vectors = [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2)];
    let vectors: Vec<_> = vectors.into_iter().filter(fits).collect();
    let staging = ["update_stage=64", "predict_staged=true"].map(String::from);
    vec![
        predict(&[64, 128, 256], &samples),
        update(&[64, 128], &vectors),
        staging.to_vec(),
    ]
}

/// The same for the kernels tiled over d. A tile of predict is the particles of a workgroup.
fn tiled_alternatives(kind: Kind) -> Vec<Vec<String>> {
    let each = |choices: &[&str]| choices.iter().map(|c| (*c).to_owned()).collect();
    let pairs = |names: [&str; 2], sizes: &[(usize, usize)]| {
        let of = sizes.iter();
        of.map(|(all, held)| format!("{}={all},{}={held}", names[0], names[1]))
            .collect()
    };
    let predict = |sizes: &[_]| pairs(["tiled_predict_samples", "tiled_predict_held"], sizes);
    let update = |sizes: &[_]| pairs(["tiled_update_coordinates", "tiled_update_held"], sizes);
    if kind == Kind::Software {
        return vec![predict(&[(64, 64)]), update(&[(64, 64)])];
    }
    vec![
        each(&["tiled_particles=128,tile=128", "tiled_held=4"]),
        predict(&[(128, 8), (64, 4), (32, 4)]),
        update(&[(128, 8), (64, 4), (32, 4)]),
        each(&["tiled_predict_slice=8", "tiled_predict_slice=32"]),
        each(&["tiled_update_slice=8", "tiled_update_slice=32"]),
    ]
}

/// Seconds of a step with this shape, on enough particles to fill the adapter.
fn seconds(device: &Arc<Device>, d: usize, state: StateFormat, shape: Shape) -> Result<f64> {
    let (most, words) = match device.facts.kind {
        Kind::Software => (1 << 12, 1 << 18),
        _ => (1 << 18, 1 << 24),
    };
    let m = most.min(words / (d + 1));
    let mut x = vec![0.0; N * d];
    Draws::new(1, Stream::TrainData, 0, 0, 0).fill_gaussian(&mut x);
    let data = Dataset {
        d,
        x: x.iter().map(|&v| v as f32).collect(),
        y: (0..N).map(|i| [1.0, -1.0][i % 2]).collect(),
    };
    let batch = Batch {
        d,
        datasets: vec![Arc::new(data)],
        runs: vec![Run::simple(m, Loss::SOFTMIN)],
        state,
    };
    // The kernels that are chosen are the direct ones.
    let options = Options {
        short_cuts: ShortCuts::Never,
        ..Options::default()
    };
    let mut engine = Gpu::on(device.clone(), batch, shape, &options)?;
    for first in (0..m).step_by(BLOCK) {
        let mut block = Particles::zeros(BLOCK.min(m - first), d);
        Draws::new(2, Stream::Init, 0, 0, 0).fill_gaussian(&mut block.w);
        Draws::new(3, Stream::Init, 0, 0, 0).fill_gaussian(&mut block.a);
        engine.write(0, first, &block)?;
    }
    let mut take = |count: usize| -> Result<Duration> {
        let begun = Instant::now();
        engine.advance(&Steps {
            eta: vec![1e-6; count],
            evaluate: vec![false; count],
        })?;
        Ok(begun.elapsed())
    };
    take(1)?;
    let mut count = 1;
    let mut shortest = take(count)?;
    while shortest < LEAST {
        count *= 2;
        shortest = take(count)?;
    }
    for _ in 1..REPETITIONS {
        shortest = shortest.min(take(count)?);
    }
    Ok(shortest.as_secs_f64() / count as f64)
}

/// Where shapes are remembered: WIDEFIELD_CACHE, else below the user's cache folder.
fn memory() -> Option<PathBuf> {
    let folder = std::env::var_os("WIDEFIELD_CACHE").map(PathBuf::from);
    let folder = folder.or_else(|| dirs::cache_dir().map(|dir| dir.join("widefield")));
    folder.map(|folder| folder.join("kernels.json"))
}

/// What is remembered; nothing where the file is missing or damaged: it is made again.
fn recall(path: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read(path).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Remembers a shape. That it could not be written costs the next run some seconds, no more.
fn remember(path: &Path, key: String, shape: String) {
    let mut known = recall(path);
    known.insert(key, shape);
    let written = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &known)?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    if let Err(error) = written() {
        tracing::warn!("{} cannot be written: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/kernels.json");
        assert!(recall(&path).is_empty());
        remember(&path, "one".into(), "a=1".into());
        remember(&path, "two".into(), "a=2".into());
        assert_eq!(recall(&path)["one"], "a=1");
        std::fs::write(&path, "damaged").unwrap();
        assert!(recall(&path).is_empty());
    }

    #[test]
    fn every_alternative_is_a_shape() {
        for d in [1, 2, 15, 32, 64, 65, 785] {
            for kind in [Kind::Software, Kind::Discrete] {
                let groups = alternatives(kind, d, 8);
                assert!(groups.iter().all(|group| !group.is_empty()));
                let shape = match kind {
                    Kind::Software => Shape::software(d, 8),
                    _ => Shape::hardware(d),
                };
                for choice in groups.iter().flatten() {
                    shape.with(choice).unwrap();
                }
            }
        }
    }
}
