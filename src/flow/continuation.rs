//! Whether a run can be continued from a checkpoint, and warnings if it would not continue bit for bit.

use super::DatasetCache;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Schedule};
use crate::store::Checkpoint;

/// Refuses a checkpoint of another experiment or of other data.
///
/// # Errors
/// Lists every difference.
pub fn check_continuation(
    checkpoint: &Checkpoint,
    experiment: &Experiment,
    datasets: &mut DatasetCache,
) -> Result<()> {
    let place = checkpoint.path().display().to_string();
    let Some(was) = &checkpoint.label.identity else {
        tracing::warn!(
            "{place} does not say of which experiment and data it is: an older version wrote it"
        );
        return Ok(());
    };
    let differences = was.differences(&datasets.identity(experiment)?);
    if !differences.is_empty() {
        return Err(Error::input(
            place,
            format!("is of another run: now {}", differences.join("; ")),
            "give the folder its own experiment.toml and data back, or start anew with `widefield run`",
        ));
    }
    let steps = experiment.flow.steps;
    if let (Schedule::Cosine, Some(before)) = (experiment.flow.schedule, was.steps())
        && before != steps
    {
        tracing::warn!(
            "the cosine schedule now falls to 0 over {steps} steps: the first {} were taken on one \
             over {before}, so that this is not the run of {steps} steps from the start",
            checkpoint.clock.step
        );
    }
    Ok(())
}

/// Warns if the next steps will not be bit for bit those that the run would have taken.
pub fn warn_of_changes(checkpoint: &Checkpoint, engine: &dyn Engine) {
    let label = &checkpoint.label;
    let now = (engine.name(), hardware(&engine.adapter()).to_owned());
    let was = (label.engine.as_str(), hardware(&label.adapter).to_owned());
    let before = format!("the {} engine on {}", was.0, was.1);
    if now != was {
        tracing::warn!(
            "goes on with the {} engine on {}, where {before} began: not bit for bit the same run",
            now.0,
            now.1
        );
    } else if label.kernels != engine.kernels() {
        tracing::warn!(
            "goes on with other kernels than {before} had: not bit for bit the same run"
        );
    } else if label.version != crate::VERSION {
        tracing::warn!(
            "goes on with version {} where {} began: bits may differ",
            crate::VERSION,
            label.version
        );
    }
}

/// The part of an adapter's description that concerns the arithmetic: the number of threads, after a comma,
/// changes no bit.
fn hardware(adapter: &str) -> &str {
    match adapter.rsplit_once(", ") {
        Some((hardware, threads)) if threads.ends_with(" threads") => hardware,
        _ => adapter,
    }
}

#[cfg(test)]
mod tests {
    use super::hardware;

    #[test]
    fn threads_change_no_bit() {
        assert_eq!(
            hardware("AVX2 instructions, 2 threads"),
            "AVX2 instructions"
        );
        assert_eq!(
            hardware("llvmpipe (LLVM 15, 256 bits)"),
            "llvmpipe (LLVM 15, 256 bits)"
        );
    }
}
