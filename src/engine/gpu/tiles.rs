//! The shape of the kernels for large d, which are blocked matrix products.

use minijinja::{Value, context};
use serde::{Deserialize, Serialize};

use super::layout::LANES;
use super::stages::Stage;
use super::stages::tiled;
use crate::engine::plan::tiled::Cut;
use crate::model::StateFormat;

/// Sizes of the kernels tiled over d: of Z = W Xᵀ in predict, whose columns are samples, and of
/// G = (g 1[z > 0]) X in velocity, whose columns are coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tiles {
    /// Whether both factors pass through workgroup memory; else threads read them from storage.
    pub tiled_staged: bool,
    /// Particles of a workgroup, and of a thread.
    pub tiled_particles: usize,
    pub tiled_held: usize,
    /// predict: samples of a workgroup and of a thread, coordinates of a slice.
    pub tiled_predict_samples: usize,
    pub tiled_predict_held: usize,
    pub tiled_predict_slice: usize,
    /// predict: edge of the cooperative matrices that multiply particles and inputs in f16; 0 for
    /// none, and with f32.
    pub tiled_predict_matrix: usize,
    /// Threads of a subgroup, where their number is fixed: what shares a cooperative matrix.
    pub tiled_subgroup: usize,
    /// velocity: coordinates of a workgroup and of a thread, samples of a slice.
    pub tiled_update_coordinates: usize,
    pub tiled_update_held: usize,
    pub tiled_update_slice: usize,
}

/// Sizes of one of the two products.
pub(super) struct Product {
    pub columns: usize,
    held: usize,
    pub slice: usize,
}

impl Tiles {
    /// A GPU: 64 threads that hold 8 × 8 sums each, and 9 KiB of slices, so that some eight
    /// workgroups share a multiprocessor and hide each other's loads. Four coordinates per thread
    /// where eight would leave much of the last workgroup idle.
    pub fn hardware(d: usize) -> Self {
        let wasted = |columns: usize| d.next_multiple_of(columns) - d;
        let held = if wasted(64) > wasted(32) + d / 8 {
            4
        } else {
            8
        };
        Tiles {
            tiled_staged: true,
            tiled_particles: 64,
            tiled_held: 8,
            tiled_predict_samples: 64,
            tiled_predict_held: 8,
            tiled_predict_slice: 16,
            tiled_predict_matrix: 0,
            tiled_subgroup: 1,
            tiled_update_coordinates: 8 * held,
            tiled_update_held: held,
            tiled_update_slice: 16,
        }
    }

    /// A processor: a workgroup is one subgroup, whose lanes have particles of their own and
    /// broadcast what they read. Loads are slow, so many sums share one.
    pub fn software(subgroup_width: usize) -> Self {
        let across = subgroup_width.clamp(8, 32);
        Tiles {
            tiled_staged: false,
            tiled_particles: (8 * across).max(LANES),
            tiled_held: 8,
            tiled_predict_samples: 32,
            tiled_predict_held: 32,
            tiled_predict_slice: 4,
            tiled_predict_matrix: 0,
            tiled_subgroup: subgroup_width,
            tiled_update_coordinates: 32,
            tiled_update_held: 32,
            tiled_update_slice: 4,
        }
    }

    pub fn cut(&self) -> Cut {
        Cut {
            particles: self.tiled_particles,
            samples: self.tiled_predict_samples,
            coordinates: self.tiled_update_coordinates,
        }
    }

    /// Vectors of four coordinates that predict takes at a time.
    pub fn slice(&self) -> usize {
        self.tiled_predict_slice / 4
    }

    pub fn predict(&self) -> Product {
        Product {
            columns: self.tiled_predict_samples,
            held: self.tiled_predict_held,
            slice: self.tiled_predict_slice,
        }
    }

    pub fn update(&self) -> Product {
        Product {
            columns: self.tiled_update_coordinates,
            held: self.tiled_update_held,
            slice: self.tiled_update_slice,
        }
    }

    /// Edge of the cooperative matrices that kernels for this format use; 0 for none.
    pub fn matrix(&self, state: StateFormat) -> usize {
        match state {
            StateFormat::F16 => self.tiled_predict_matrix,
            StateFormat::F32 => 0,
        }
    }

    /// Threads of a workgroup.
    pub fn threads(&self, product: &Product) -> usize {
        self.tiled_particles / self.tiled_held * (product.columns / product.held)
    }

    /// Why kernels of these sizes would be wrong.
    pub fn flaw(&self, subgroup_width: usize) -> Option<&'static str> {
        let (predict, update) = (self.predict(), self.update());
        let held = [self.tiled_held, predict.held, update.held];
        if held.contains(&0) || predict.slice * update.slice == 0 {
            return Some("threads and slices hold something");
        }
        let divides = |whole: usize, part: usize| whole > 0 && whole.is_multiple_of(part);
        let across = self.tiled_particles / self.tiled_held;
        if !divides(self.tiled_particles, LANES)
            || !divides(self.tiled_particles, self.tiled_held)
            || !divides(self.tiled_held, 4)
        {
            return Some(
                "tiled_particles are whole blocks of 64, and tiled_held divides them by fours",
            );
        }
        if !divides(predict.columns, 32)
            || !divides(predict.columns, predict.held)
            || !divides(32, predict.columns / predict.held)
            || !divides(predict.slice, 4)
        {
            return Some(
                "samples of predict are words of 32 whose threads divide 32, and slices fours",
            );
        }
        if !divides(update.columns, update.held)
            || !divides(update.held, 4)
            || !divides(32, update.slice)
        {
            return Some("coordinates of velocity are fours, and its slices divide 32");
        }
        let edge = self.tiled_predict_matrix;
        if edge > 0 {
            let subgroups = self.threads(&predict) / self.tiled_subgroup.max(1);
            let whole = [self.tiled_particles, predict.columns, predict.slice];
            if ![8, 16].contains(&edge) || !self.tiled_staged {
                return Some("matrices have an edge of 8 or 16, and pass through workgroup memory");
            }
            if !whole.iter().all(|&size| divides(size, edge))
                || !divides(self.threads(&predict), self.tiled_subgroup)
                || !divides(predict.columns / edge, subgroups)
            {
                return Some(
                    "particles, samples and slices are whole matrices, shared out over whole subgroups",
                );
            }
        }
        if !self.tiled_staged && !divides(across, subgroup_width) {
            return Some("without staging, lanes that broadcast have particles of their own");
        }
        if [predict, update]
            .iter()
            .any(|product| self.threads(product) > 1024)
        {
            return Some("a workgroup has at most 1024 threads");
        }
        None
    }

    /// What the template of a stage needs to know of its product: a block of particles and columns.
    pub fn context(&self, stage: &Stage, subgroup_width: usize, state: StateFormat) -> Value {
        let is_predict = stage.file == tiled::PREDICT.file;
        let product = if is_predict {
            self.predict()
        } else {
            self.update()
        };
        let width = if self.tiled_staged { 1 } else { subgroup_width };
        context! {
            threads => self.threads(&product),
            particles => self.tiled_particles,
            // Of a thread: particles, vectors of four of them, and columns.
            held => self.tiled_held,
            fours => self.tiled_held / 4,
            columns => product.columns,
            columns_held => product.held,
            // Threads side by side over the particles, and over the columns.
            across => self.tiled_particles / self.tiled_held,
            down => product.columns / product.held,
            depth => product.slice,
            // Vectors from one sample of a slice to the next.
            pitch => product.slice / 4 + 1,
            // Samples that a thread reads itself.
            fetches => product.held.div_ceil(width),
            staged => self.tiled_staged,
            subgroup_width => width,
            edge => if is_predict { self.matrix(state) } else { 0 },
            matrix_threads => self.tiled_subgroup,
        }
    }
}
