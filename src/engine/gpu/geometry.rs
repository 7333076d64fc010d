//! The geometry of the particles on the device: one kernel, for any d, with its buffers. They are
//! made when first asked for, as no step needs them. Samples are looked through range by range, so
//! that no invocation loops too long over them.

use bytemuck::{Pod, Zeroable};

use super::Gpu;
use super::dispatch::Dispatch;
use super::layout::LANES;
use super::slots::{Buffers, Slot};
use super::stages::GEOMETRY;
use super::turns::geometry_samples;
use crate::engine::geometry::BalanceUnits;
use crate::engine::plan::{self, Row, Span};
use crate::engine::{Origins, PartialGeometry};
use crate::error::Result;

/// Particles whose start is sent at a time.
const STARTS: usize = 1 << 16;

/// [`BalanceUnits`] and [`crate::model::Run::informative`] on the device, with d for none.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct RunUnits {
    pub a: f32,
    pub w: f32,
    pub start: f32,
    pub informative: u32,
}

/// [`PartialGeometry`] on the device: of the particles of one workgroup.
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Partial {
    pub dead: f32,
    pub largest_a: f32,
    pub largest_w: f32,
    pub drift: f32,
    pub mass: f32,
    pub informative: f32,
}

/// geometry of some particles, over some samples.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct GeometryRow {
    pub run: u32,
    /// First particle in the shard, and their number.
    pub first: u32,
    pub count: u32,
    /// First sample of the run, their number, and where they begin in what is bound of X.
    pub sample: u32,
    pub samples: u32,
    pub x: u32,
    /// Where its result goes.
    pub out: u32,
    /// How many rows before it have looked through samples for the same particles.
    pub adds: u32,
}

impl GeometryRow {
    fn of((span, out): (&Span, u32)) -> Self {
        GeometryRow {
            run: span.run,
            first: span.first,
            count: span.count,
            out,
            ..Self::zeroed()
        }
    }
}

impl Row for GeometryRow {
    fn run(&self) -> usize {
        self.run as usize
    }
    fn adds(&self) -> u32 {
        self.adds
    }
    fn sample(&self) -> u32 {
        self.sample
    }
    fn place(&mut self, x: u32) {
        self.x = x;
    }
}

impl From<&Partial> for PartialGeometry {
    fn from(part: &Partial) -> Self {
        PartialGeometry {
            dead: f64::from(part.dead),
            largest_a: f64::from(part.largest_a),
            largest_w: f64::from(part.largest_w),
            drift: f64::from(part.drift),
            mass: f64::from(part.mass),
            informative: f64::from(part.informative),
        }
    }
}

/// The kernel, its tables and its buffers.
pub(super) struct GeometryStage {
    units: wgpu::Buffer,
    shards: Vec<Shard>,
    /// Whether the start of a run is known.
    started: Vec<bool>,
}

struct Shard {
    rows: Vec<GeometryRow>,
    /// a² − |w|² at the start, a word per particle.
    start: wgpu::Buffer,
    partials: wgpu::Buffer,
    /// One after another, over all samples.
    dispatches: Vec<Dispatch>,
}

impl GeometryStage {
    fn new(gpu: &Gpu) -> Result<Self> {
        let (device, runs) = (&gpu.device, gpu.batch.runs.len());
        let kernel = gpu.compiler().kernel(GEOMETRY)?;
        let written = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        let read = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let units = device.buffer("units", runs * size_of::<RunUnits>() / 4, written)?;
        let common = gpu.train.buffers.clone().with(Slot::Units, &units);
        let common = kernel.bind(device, &common)?;
        let inputs = &gpu.train.x;
        let most = geometry_samples(gpu.batch.d, gpu.turns).min(inputs.most());
        let spans = plan::spans(LANES, LANES, &gpu.storage);
        let shard = |(index, spans): (usize, Vec<Span>)| {
            let rows: Vec<_> = spans.iter().zip(0..).map(GeometryRow::of).collect();
            let words = gpu.storage.shards[index] * LANES;
            let start = device.buffer("start", words, written)?;
            let alive = device.buffer("alive", words, wgpu::BufferUsages::STORAGE)?;
            let words = rows.len() * size_of::<Partial>() / 4;
            let partials = device.buffer("partials", words, read)?;
            let own = Buffers::default()
                .with(Slot::Particles, &gpu.shards[index])
                .with(Slot::Start, &start)
                .with(Slot::Partials, &partials)
                .with(Slot::Alive, &alive);
            let over_samples: Vec<_> = rows.iter().flat_map(|row| gpu.parts(row, most)).collect();
            let passes = Dispatch::passes(device, &kernel, &common, &over_samples, inputs, &own);
            Ok(Shard {
                dispatches: passes?,
                rows,
                start,
                partials,
            })
        };
        Ok(GeometryStage {
            shards: spans
                .into_iter()
                .enumerate()
                .map(shard)
                .collect::<Result<_>>()?,
            units,
            started: vec![false; runs],
        })
    }
}

impl Gpu {
    /// Calls `with` on the kernel of geometry, made if there is none yet.
    fn geometry_stage<T>(
        &mut self,
        with: impl FnOnce(&Self, &mut GeometryStage) -> Result<T>,
    ) -> Result<T> {
        let mut stage = match self.geometry.take() {
            Some(stage) => stage,
            None => GeometryStage::new(self)?,
        };
        let value = with(self, &mut stage);
        self.geometry = Some(stage);
        value
    }

    /// Puts on the device what it does not know yet of where the runs began.
    pub(super) fn note_starts(&mut self, origins: &dyn Origins) -> Result<()> {
        self.geometry_stage(|gpu, stage| {
            let known = |run: usize| origins.balance(run, 0..0).is_some();
            let new: Vec<usize> = (0..stage.started.len())
                .filter(|&run| !stage.started[run] && known(run))
                .collect();
            for piece in gpu.storage.pieces.iter().filter(|p| new.contains(&p.run)) {
                let (start, end) = (piece.particles.start, piece.particles.end);
                for from in (start..end).step_by(STARTS) {
                    let range = from..end.min(from + STARTS);
                    let held = gpu.batch.runs[piece.run].held().start;
                    let range = held + range.start..held + range.end;
                    let balance = origins.balance(piece.run, range).unwrap_or_default();
                    let balance: Vec<f32> = balance.into_iter().map(|b| b as f32).collect();
                    let slot = piece.block * LANES + from - start;
                    let words = bytemuck::cast_slice(&balance);
                    let buffer = &stage.shards[piece.shard].start;
                    gpu.device.write(buffer, slot as u64 * 4, words)?;
                    gpu.device.flush()?;
                }
                stage.started[piece.run] = true;
            }
            Ok(())
        })
    }

    pub(super) fn geometry_of_runs(&mut self) -> Result<Vec<PartialGeometry>> {
        self.geometry_stage(|gpu, stage| {
            let runs = gpu.batch.runs.len();
            let units: Vec<RunUnits> = gpu.run_units();
            let bytes = bytemuck::cast_slice(&units);
            gpu.device.write(&stage.units, 0, bytes)?;
            let dispatches = stage.shards.iter().flat_map(|shard| &shard.dispatches);
            gpu.one_by_one("geometry", dispatches)?;
            let mut totals = vec![PartialGeometry::default(); runs];
            for shard in &stage.shards {
                gpu.add_partials(shard, &mut totals)?;
            }
            Ok(totals)
        })
    }

    /// This row cut into rows of at most `most` samples, which are done one after another.
    fn parts(&self, row: &GeometryRow, most: usize) -> impl Iterator<Item = GeometryRow> + use<> {
        let (row, n) = (*row, self.train.runs[row.run as usize].n as usize);
        let starts = (0..n.max(1)).step_by(most);
        starts.enumerate().map(move |(adds, start)| GeometryRow {
            sample: start as u32,
            samples: most.min(n - start) as u32,
            adds: adds as u32,
            ..row
        })
    }

    fn run_units(&self) -> Vec<RunUnits> {
        let runs = self.batch.runs.iter().zip(&self.clocks);
        runs.map(|(run, clock)| {
            let units = BalanceUnits::new(run, clock.exponent);
            let k = run.informative.unwrap_or(self.batch.d);
            RunUnits {
                a: units.a as f32,
                w: units.w as f32,
                start: units.start as f32,
                informative: k.min(self.batch.d) as u32,
            }
        })
        .collect()
    }

    /// Adds what the workgroups of a shard found, in their order.
    fn add_partials(&self, shard: &Shard, totals: &mut [PartialGeometry]) -> Result<()> {
        let size = size_of::<Partial>();
        let piece = self.readback.size() as usize / size;
        for (index, rows) in shard.rows.chunks(piece.max(1)).enumerate() {
            let at = (index * piece * size) as u64;
            let bytes = (rows.len() * size) as u64;
            self.fetch(&shard.partials, at, bytes, |parts: &[Partial]| {
                for (row, part) in rows.iter().zip(parts) {
                    totals[row.run as usize].add(&part.into());
                }
            })?;
        }
        Ok(())
    }
}
