//! Messages on how runs ended: by flow.stop or not, and with dead neurons only.

use crate::digits::counted;
use crate::experiment::{Experiment, Grid, Stop};
use crate::store::{RunSummary, Summary};

/// Criteria of flow.stop that no run can meet, one message each, to be shown before the run.
pub fn never_met(grid: &Grid) -> Vec<String> {
    let mut lines = Vec::new();
    for run in &grid.runs {
        let Some((stop, why)) = hopeless(&run.experiment) else {
            continue;
        };
        let line = format!("flow.stop = {stop} is never met: {why}");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn hopeless(experiment: &Experiment) -> Option<(String, String)> {
    let stop = experiment.flow.stop?;
    Some((stop.to_string(), stop.never(experiment.risk.loss)?))
}

/// One message each on runs that did or did not meet flow.stop, and on neurons that no sample activates.
pub fn describe(grid: &Grid, summary: &Summary) -> Vec<String> {
    let ended = summary.runs.iter().filter(|run| run.diverged_at.is_none());
    let ended = ended.filter_map(|run| Some((run, &grid.runs.get(run.run)?.experiment)));
    let ended: Vec<(&RunSummary, &Experiment)> = ended.collect();
    stopped(&ended).into_iter().chain(dead(&ended)).collect()
}

fn stopped(ended: &[(&RunSummary, &Experiment)]) -> Vec<String> {
    let watched = ended
        .iter()
        .filter(|(_, experiment)| experiment.flow.stop.is_some());
    let watched: Vec<_> = watched.collect();
    let of = counted(watched.len() as u64, "run");
    let mut lines = Vec::new();
    let met = watched.iter().filter(|(run, _)| run.stopped_by.is_some());
    let met: Vec<_> = met.collect();
    if let Some((run, experiment)) = met.first() {
        let at = match run.steps {
            0 => "before its first step".into(),
            steps => format!("at step {steps}"),
        };
        let stop = experiment.flow.stop.map(|stop| stop.to_string());
        lines.push(format!(
            "flow.stop ended {} of {of}; run {} met {} {at}",
            met.len(),
            run.run,
            stop.unwrap_or_default()
        ));
    }
    // An interrupted run may still meet the criterion when resumed.
    let unmet = watched
        .iter()
        .filter(|(run, e)| run.stopped_by.is_none() && run.steps >= e.flow.steps);
    let unmet: Vec<_> = unmet.collect();
    if let Some((run, experiment)) = unmet.first() {
        let stop = experiment.flow.stop.map(|stop| stop.to_string());
        let cause = match (hopeless(experiment), experiment.flow.stop) {
            (Some((_, why)), _) => why,
            (None, Some(Stop::Seconds(_))) => "it took less time".into(),
            (None, _) => "none of its states did".into(),
        };
        lines.push(format!(
            "{} of {of} took all steps; run {} did not meet flow.stop = {}: {cause}",
            unmet.len(),
            run.run,
            stop.unwrap_or_default()
        ));
    }
    lines
}

fn dead(ended: &[(&RunSummary, &Experiment)]) -> Option<String> {
    let dead: Vec<_> = ended
        .iter()
        .filter(|(run, _)| run.last.dead == Some(1.0))
        .collect();
    let (first, _) = dead.first()?;
    Some(format!(
        "every neuron is dead in {} of {}, the first of them run {}: no sample activates any, so the network is 0 and learns no more; \
         try another seed, a wider network, a larger init.scale_w against the step, or a smaller flow.step",
        dead.len(),
        counted(ended.len() as u64, "run"),
        first.run
    ))
}
