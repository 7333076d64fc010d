//! The costs of the methods, in one table.
//!
//! The constants come from `widefield bench --engine cpu --case M,N,D`, which times the method that is
//! chosen beside the direct kernels: for arcs at d = 2, for cells at d = 3 and 4, with M and N on both
//! sides of where they meet. Those of a GPU are estimates, as no GPU has run the bench yet.

use super::{Method, RunProperties};

/// The kind of hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Machine {
    Processor,
    Gpu,
}

/// The costs of one machine.
#[derive(Clone, Copy)]
struct Costs {
    /// Cost of arcs per particle and per sample, in units of a particle-sample pair of the direct kernels.
    arcs: [f64; 2],
    /// Cost of cells, in nanoseconds of a core.
    cells: Option<CellsCosts>,
    /// When gram is faster than the direct kernels.
    gram: GramCosts,
}

#[derive(Clone, Copy)]
struct CellsCosts {
    /// Per particle without samples that cut its block, and per such sample in addition.
    particle: f64,
    cut: f64,
    /// Per particle-sample pair of the direct kernels.
    direct: f64,
    /// Required speed-up: the boxes of blocks grow as particles move.
    gain: f64,
}

/// A step costs n² multiply-adds in f64 on the processor, instead of about 3 n m d in f32 on the
/// engine.
#[derive(Clone, Copy)]
enum GramCosts {
    /// Faster for n ≤ m.
    Particles,
    /// It pays for small n, or where the engine has this many times more to do than the processor: a
    /// GPU takes some 50 µs for any step and does 10¹³ operations a second; the processor reads 2·10¹⁰
    /// bytes of the matrix.
    Latency { samples: usize, work: usize },
}

/// A pair costs the direct kernels 0.1 to 0.2 ns; a particle costs arcs about 10 ns, and a sample,
/// which one thread attends to, about 80 ns.
const PROCESSOR: Costs = Costs {
    arcs: [100.0, 500.0],
    cells: Some(CellsCosts {
        particle: 12.0,
        cut: 3.5,
        direct: 0.3,
        gain: 1.5,
    }),
    gram: GramCosts::Particles,
};

const GPU: Costs = Costs {
    arcs: [128.0, 4096.0],
    cells: None,
    gram: GramCosts::Latency {
        samples: 350,
        work: 1000,
    },
};

/// A Gram matrix may always take this many bytes, and beyond it a fifth of what the particles take.
const GRAM_BYTES: usize = 32 << 20;

impl Machine {
    /// Whether a method is expected to be faster than the direct kernels for a run for which it exists.
    pub fn pays(self, method: Method, run: &RunProperties) -> bool {
        let costs = match self {
            Machine::Processor => PROCESSOR,
            Machine::Gpu => GPU,
        };
        let (d, n, m) = (run.d, run.n as f64, run.m as f64);
        match method {
            Method::Direct => true,
            Method::Arcs => n * m > costs.arcs[0] * m + costs.arcs[1] * n,
            Method::Cells => costs.cells.zip(run.cut).is_some_and(|(cells, cut)| {
                cells.gain * (cells.particle + cells.cut * cut * n) < cells.direct * n
            }),
            Method::Gram => {
                let bytes = run.n * run.n * size_of::<f64>();
                let particles = run.m * (d + 1) * size_of::<f32>();
                bytes <= GRAM_BYTES.max(particles / 5)
                    && match costs.gram {
                        GramCosts::Particles => run.n <= run.m,
                        GramCosts::Latency { samples, work } => {
                            run.n <= samples || run.m * d > work * run.n
                        }
                    }
            }
        }
    }
}
