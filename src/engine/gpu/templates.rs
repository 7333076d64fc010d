//! The WGSL files of `shaders/`: templates, and what they all know.

use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::layout::LANES;
use super::layout::{HEADER, SUBMIT_STEPS, train_code};
use super::slots::Slot;
use super::stages::Stage;
use crate::engine::step::rescale_above;
use crate::error::{Error, Result};
use crate::model::loss::Wgsl;
use crate::model::{Loss, StateFormat, Train};

macro_rules! wgsl {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../shaders/", $name)))
    };
}

const FILES: [(&str, &str); 44] = [
    wgsl!("kernels/geometry.wgsl"),
    wgsl!("kernels/gradients_given_arcs.wgsl"),
    wgsl!("kernels/measure_arcs.wgsl"),
    wgsl!("kernels/naive/predict.wgsl"),
    wgsl!("kernels/naive/residual.wgsl"),
    wgsl!("kernels/naive/update.wgsl"),
    wgsl!("kernels/naive/velocity.wgsl"),
    wgsl!("kernels/predict.wgsl"),
    wgsl!("kernels/predict_arcs.wgsl"),
    wgsl!("kernels/predict_tiled.wgsl"),
    wgsl!("kernels/reduce.wgsl"),
    wgsl!("kernels/residual.wgsl"),
    wgsl!("kernels/residual_range.wgsl"),
    wgsl!("kernels/update_output.wgsl"),
    wgsl!("kernels/velocity_update.wgsl"),
    wgsl!("kernels/velocity_update_arcs.wgsl"),
    wgsl!("kernels/velocity_update_tiled.wgsl"),
    wgsl!("lib/activation.wgsl"),
    wgsl!("lib/activation_bits.wgsl"),
    wgsl!("lib/arcs/circle.wgsl"),
    wgsl!("lib/arcs/fixed_point.wgsl"),
    wgsl!("lib/arcs/gradients.wgsl"),
    wgsl!("lib/arcs/locate.wgsl"),
    wgsl!("lib/arcs/magnitude.wgsl"),
    wgsl!("lib/arcs/orientation.wgsl"),
    wgsl!("lib/arcs/predictions.wgsl"),
    wgsl!("lib/arcs/sums.wgsl"),
    wgsl!("lib/arcs/word_pairs.wgsl"),
    wgsl!("lib/common.wgsl"),
    wgsl!("lib/cooperative_product.wgsl"),
    wgsl!("lib/f64_addition.wgsl"),
    wgsl!("lib/gradient.wgsl"),
    wgsl!("lib/gradient_product.wgsl"),
    wgsl!("lib/losses.wgsl"),
    wgsl!("lib/moments.wgsl"),
    wgsl!("lib/partial_sums.wgsl"),
    wgsl!("lib/product.wgsl"),
    wgsl!("lib/residual.wgsl"),
    wgsl!("lib/rows.wgsl"),
    wgsl!("lib/schedule.wgsl"),
    wgsl!("lib/step.wgsl"),
    wgsl!("lib/storage.wgsl"),
    wgsl!("lib/sums_of_tiles.wgsl"),
    wgsl!("lib/workgroup.wgsl"),
];

/// What all templates know.
pub(super) fn shared(d: usize, state: StateFormat) -> Value {
    let slot = Value::from_pairs(Slot::ALL.iter().map(|slot| (slot.name(), *slot as u32)));
    let losses: Vec<Value> = Loss::ALL.iter().map(of_loss).collect();
    let train = Value::from_pairs(
        [
            ("both", Train::Both),
            ("output", Train::Output),
            ("input", Train::Input),
        ]
        .map(|(name, train)| (name, train_code(train))),
    );
    context! {
        d, slot, losses, train,
        stored => state.name(),
        axes => ["x", "y", "z", "w"],
        lanes => LANES,
        steps_most => SUBMIT_STEPS,
        header => HEADER,
        // As exact decimals: both are written to be read back without rounding.
        rescale_above => format!("{:.1}", rescale_above(state)),
        huge => format!("{:.1}", f32::MAX),
    }
}

/// What the kernels make of a loss.
fn of_loss(loss: &Loss) -> Value {
    match loss.wgsl() {
        Wgsl::Each(body) => context! { code => loss.code(), name => loss.name(), body },
        Wgsl::All { mass, residual } => {
            context! { code => loss.code(), name => loss.name(), mass, residual }
        }
    }
}

/// Fills in the template of a stage.
pub(super) fn write(stage: Stage, context: Value) -> Result<String> {
    let failed = |error: minijinja::Error| {
        Error::engine(
            "gpu",
            format!("the {} kernel cannot be written: {error}", stage.name),
            "this is a fault of widefield: please report it",
        )
    };
    let environment = environment().map_err(failed)?;
    environment
        .get_template(stage.file)
        .and_then(|template| template.render(context! { entry => stage.name, ..context }))
        .map_err(failed)
}

/// All files of `shaders/`, by their names.
pub(super) fn environment() -> std::result::Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in FILES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// w/2, w/4, …, 1
pub(super) fn halves(w: usize) -> Vec<usize> {
    std::iter::successors(Some(w / 2), |half| Some(half / 2))
        .take_while(|half| *half > 0)
        .collect()
}
