//! How the work of a batch is cut for one device and one shape of the kernels.

use super::Options;
use super::adapter::Kind;
use super::arcs;
use super::device::Device;
use super::inputs::DeviceInputs;
use super::layout::block_words;
use super::sample_set::sizes;
use super::shape::{D_HELD, Shape};
use crate::engine::plan::tiled::Room;
use crate::engine::plan::{self, Limits, Prediction, Size, Storage, Tiling};
use crate::engine::{Batch, Sample, ShortCuts, fits_memory, particles_of};
use crate::error::{Error, Result};
use crate::model::StateFormat;

pub(super) struct Work {
    pub tiling: Tiling,
    /// Where particles lie, and of those the ones that take no short cut.
    pub storage: Storage,
    pub direct: Storage,
    pub trained: Vec<Size>,
    /// The place of each run among those that take the short cut for d = 2.
    pub places: Vec<Option<u32>>,
    pub train: Prediction,
    pub test: Prediction,
    /// X of both kinds of samples, on the device.
    pub trained_on: DeviceInputs,
    pub tested_on: DeviceInputs,
    pub room: Room,
}

impl Work {
    /// Cuts the work, and sends X to the device.
    pub fn new(device: &Device, batch: &Batch, shape: &Shape, options: &Options) -> Result<Self> {
        let d = batch.d;
        let limits = Limits {
            binding: device.binding(),
        };
        let trained = sizes(batch, Sample::Train);
        let turns = turns(options);
        let mut tiling = shape.tiling(d, turns);
        let storage = plan::storage(&trained, d, &tiling, &limits, options.shard_bytes)?;
        let needed = bytes(batch, &storage);
        match device.facts.kind {
            Kind::Software => fits_memory(batch, needed.into())?,
            _ => device.facts.fits(&particles_of(batch), needed)?,
        }
        let bound = options.inputs_bytes.unwrap_or(limits.binding);
        let inputs = |sample| {
            let (binding, least) = (bound.min(limits.binding), tiling.predicted());
            DeviceInputs::new(device, batch, sample, shape.row_vectors(d), binding, least)
        };
        let (trained_on, tested_on) = (inputs(Sample::Train)?, inputs(Sample::Test)?);
        tiling.reach.samples = tiling.reach.samples.min(trained_on.most());
        let short_cuts = match shape.naive {
            true => ShortCuts::Never,
            false => options.short_cuts,
        };
        let places = arcs::places(device, short_cuts, batch, turns);
        let (direct, predicted) = arcs::directly(&places, &storage, &trained);
        let train = plan::prediction(&predicted, &trained, d, &tiling, &limits, &direct)?;
        let tested = sizes(batch, Sample::Test);
        let test = plan::prediction(&tested, &trained, d, &tiling, &limits, &storage)?;
        if shape.naive {
            check_ranges(&[&train, &test], turns)?;
        }
        let fair = plan::tiled::room(needed);
        Ok(Work {
            tiling,
            storage,
            direct,
            trained,
            places,
            train,
            test,
            trained_on,
            tested_on,
            room: Room {
                bits: options.kept_bytes.unwrap_or(fair).min(limits.binding),
                gradient_sums: fair.min(limits.binding),
            },
        })
    }

    /// Whether some run's samples are cut into ranges in residual.
    pub fn has_ranges(&self) -> bool {
        !(self.train.ranges.is_empty() && self.test.ranges.is_empty())
    }
}

/// The most turns of loops that an invocation makes.
pub(super) fn turns(options: &Options) -> usize {
    options.turns.unwrap_or(plan::TURNS_MOST)
}

/// An error where kernels of a shape do not compute a batch on a device.
pub(super) fn check_shape(device: &Device, batch: &Batch, shape: &Shape) -> Result<()> {
    let d = batch.d;
    if d > D_HELD && !shape.tiled && !shape.naive {
        return Err(Error::input(
            "--kernels",
            format!("tiled=false is for d up to {D_HELD}, and this experiment has d = {d}"),
            "leave out tiled, or --kernels",
        ));
    }
    if shape.naive && batch.state == StateFormat::F16 {
        return Err(Error::input(
            "--kernels",
            "the naive kernels compute on f32, and this experiment stores \"f16\"",
            "use precision.state = \"f32\", or leave out --kernels",
        ));
    }
    match shape.tiled {
        true => device.check_matrix(shape.tiles.matrix(batch.state), shape.tiles.tiled_subgroup),
        false => Ok(()),
    }
}

/// An error where a thread of the naive kernels would loop too long over the ranges of a run.
fn check_ranges(plans: &[&Prediction], turns: usize) -> Result<()> {
    let most = plan::ranges::most_of_one_thread(turns);
    let sums = plans.iter().flat_map(|plan| &plan.sums);
    match sums.map(|sums| sums.ranges).max() {
        Some(ranges) if ranges > most => Err(Error::input(
            "--kernels",
            format!(
                "naive: samples in {ranges} ranges are too many for one thread, {most} at most"
            ),
            "use fewer samples, or leave out --kernels",
        )),
        _ => Ok(()),
    }
}

/// What particles and data take.
fn bytes(batch: &Batch, storage: &Storage) -> u64 {
    let particles = storage.shards.iter().sum::<usize>() * block_words(batch.d);
    let samples: usize = batch.datasets.iter().map(|set| set.n()).sum();
    ((particles + samples * batch.d) * batch.state.bytes()) as u64
}
