//! The likely cause of a divergence, and its remedy.

use crate::digits::short;
use crate::experiment::Experiment;

/// Inputs larger than this make usual steps too large, as the velocity grows with the square of the inputs.
const LARGE_INPUT: f64 = 1e4;

/// Advice for a run that diverged after `step` steps on inputs up to `largest`.
pub fn remedy(experiment: &Experiment, largest: f64, step: u64) -> String {
    let flow = &experiment.flow;
    let decay = experiment.risk.weight_decay;
    let first = flow.schedule.step(flow.step, 0, flow.steps);
    if largest > LARGE_INPUT {
        let standardize = match experiment.data.path {
            Some(_) => "set data.standardize = true, or rescale the inputs",
            None => "rescale the inputs",
        };
        return format!("{standardize}: they reach {}", short(largest));
    }
    if step == 0 {
        return "start from smaller weights (init.scale_w, init.scale_a): they or their squares \
                leave single precision"
            .into();
    }
    if first * decay >= 2.0 {
        return format!(
            "weight decay alone makes the weights grow: each step multiplies them by 1 − ηλ = {}; \
             keep flow.step below 2/λ = {}, such as --set flow.step={}",
            short(1.0 - first * decay),
            short(2.0 / decay),
            short(0.5 / decay)
        );
    }
    format!(
        "try a smaller step, such as --set flow.step={}",
        short(flow.step / 10.0)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::load;

    #[test]
    fn the_remedy_fits_the_cause() {
        let remedy_for = |sets: &[&str], largest, step| {
            let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
            remedy(
                &load("xor", &sets).unwrap().runs[0].experiment,
                largest,
                step,
            )
        };
        let steps = ["flow.step=0.3", "flow.schedule=\"constant\""];
        assert!(remedy_for(&steps, 1.0, 7).ends_with("flow.step=0.03"));
        assert!(remedy_for(&steps, 1.0, 0).contains("init.scale_w"));
        let large = remedy_for(&steps, 1e18, 0);
        assert!(
            large.contains("rescale the inputs: they reach 1e18"),
            "{large}"
        );
        let decay = [steps[0], steps[1], "risk.weight_decay=1e6"];
        let small = remedy_for(&decay, 1.0, 5);
        assert!(small.contains("1 − ηλ = -299999"), "{small}");
        assert!(small.ends_with("flow.step=5e-7"), "{small}");
    }
}
