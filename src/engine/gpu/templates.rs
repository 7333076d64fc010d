//! The WGSL files of `shaders/`: templates, and what they all know.

use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::layout::LANES;
use super::layout::{HEADER, TURNS, train_code};
use super::stages::Stage;
use crate::engine::step::rescale_above;
use crate::error::{Error, Result};
use crate::model::loss::Wgsl;
use crate::model::{Loss, StateFormat, Train};

/// The names of all bindings; a name's place is its binding number in every stage.
pub(super) const SLOTS: [&str; 26] = [
    "runs",
    "state",
    "schedule",
    "x",
    "y",
    "sums",
    "residual",
    "history",
    "accumulated",
    "rows",
    "particles",
    "velocity",
    "bits",
    "parts",
    "units",
    "start",
    "tallies",
    "arc_runs",
    "circle",
    "arc_sums",
    "arc_moments",
    "magnitudes",
    "forces",
    "positions",
    "pulls",
    "alive",
];

macro_rules! wgsl {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../shaders/", $name)))
    };
}

const FILES: [(&str, &str); 50] = [
    wgsl!("common.wgsl"),
    wgsl!("accumulate.wgsl"),
    wgsl!("idle.wgsl"),
    wgsl!("row.wgsl"),
    wgsl!("inputs.wgsl"),
    wgsl!("store.wgsl"),
    wgsl!("stored.wgsl"),
    wgsl!("losses.wgsl"),
    wgsl!("leave.wgsl"),
    wgsl!("pulls.wgsl"),
    wgsl!("pulled.wgsl"),
    wgsl!("residual_range.wgsl"),
    wgsl!("stages.wgsl"),
    wgsl!("step.wgsl"),
    wgsl!("predict.wgsl"),
    wgsl!("reduce.wgsl"),
    wgsl!("residual.wgsl"),
    wgsl!("velocity_update.wgsl"),
    wgsl!("planes.wgsl"),
    wgsl!("predict_moments.wgsl"),
    wgsl!("take.wgsl"),
    wgsl!("pull.wgsl"),
    wgsl!("update.wgsl"),
    wgsl!("tiled.wgsl"),
    wgsl!("moments.wgsl"),
    wgsl!("predict_tiled.wgsl"),
    wgsl!("predict_product.wgsl"),
    wgsl!("predict_matrix.wgsl"),
    wgsl!("predict_bits.wgsl"),
    wgsl!("velocity_update_tiled.wgsl"),
    wgsl!("velocity_product.wgsl"),
    wgsl!("update_output.wgsl"),
    wgsl!("geometry.wgsl"),
    wgsl!("motion.wgsl"),
    wgsl!("arc_run.wgsl"),
    wgsl!("circle.wgsl"),
    wgsl!("fixed.wgsl"),
    wgsl!("forces_arcs.wgsl"),
    wgsl!("forces_given_arcs.wgsl"),
    wgsl!("locate.wgsl"),
    wgsl!("magnitude.wgsl"),
    wgsl!("measure_arcs.wgsl"),
    wgsl!("predict_arcs.wgsl"),
    wgsl!("predictions_arcs.wgsl"),
    wgsl!("scans.wgsl"),
    wgsl!("sides.wgsl"),
    wgsl!("sums.wgsl"),
    wgsl!("sums_arcs.wgsl"),
    wgsl!("velocity_update_arcs.wgsl"),
    wgsl!("words.wgsl"),
];

/// What all templates know.
pub(super) fn shared(d: usize, state: StateFormat) -> Value {
    let slot = Value::from_pairs(SLOTS.iter().enumerate().map(|(i, name)| (*name, i)));
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
        turns => TURNS,
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
