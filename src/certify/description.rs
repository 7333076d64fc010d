//! Certificates described in text.

use super::conflict::Conflict;
use super::run_certificate::{OptimumKind, RunCertificate, TrainedLayer};
use crate::digits::{digits, significant};

/// Significant digits of an optimum.
const FIGURES: usize = 9;

impl OptimumKind {
    /// Name of the optimum.
    pub fn description(self) -> &'static str {
        match self {
            OptimumKind::Margin => "largest margin_f1",
            OptimumKind::Penalised => "least penalised risk",
            OptimumKind::KernelMarginFeatures => "largest margin_f2 of its features",
            OptimumKind::KernelMarginLaw => "largest margin_f2 of infinitely many",
        }
    }
}

impl RunCertificate {
    /// How the dual bound is known.
    pub fn proof(&self) -> String {
        match self.certified {
            true => "certified".into(),
            false => format!("searched, {} probes", self.probes),
        }
    }

    /// A sentence on the optimum and the run's distance from it, then a line each on a proof that ended early, on a
    /// missing direction and on divergence.
    pub fn sentence(&self) -> String {
        let mut text = format!("run {}: the {}", self.run, self.kind.description());
        if let Some(conflict) = self.conflict {
            text.push_str(&format!(
                " is 0 ({}): {}",
                self.proof(),
                conflict.description()
            ));
        } else if !self.is_separable() {
            text.push_str(&format!(
                " is at most {} ({}): {INSEPARABLE}",
                digits(self.optimum_upper),
                self.proof()
            ));
        } else {
            let free = match self.only {
                Some(_) => " of networks whose layers are both free",
                None => "",
            };
            text.push_str(&format!(
                "{free} is {} … {} ({}); {}",
                significant(self.optimum_lower, FIGURES),
                significant(self.optimum_upper, FIGURES),
                self.proof(),
                self.distance("it")
            ));
            match self.only {
                Some(TrainedLayer::Output) => text.push_str("; it trains its output layer alone"),
                Some(TrainedLayer::Input) => text.push_str("; it trains its input layer alone"),
                None => {}
            }
        }
        if let Some(proved) = &self.proved {
            let bound = match self.kind {
                OptimumKind::Penalised => format!("at least {}", digits(proved.lower)),
                _ => format!("at most {}", digits(proved.upper)),
            };
            text.push_str(&format!(
                "\n  proved in {:.0} s: it is {bound}; the bound of the dual has a gap of {} left to close",
                proved.seconds,
                percent(proved.gap)
            ));
        }
        if let Some(missing) = &self.missing {
            let direction: Vec<String> = (missing.direction.iter())
                .map(|v| format!("{:.3}", unsigned_zero(*v, 3)))
                .collect();
            let near = match missing.degrees {
                degrees if degrees < 180.0 => format!("within {degrees:.0}° of"),
                _ => "at all, and needs one near".to_owned(),
            };
            text.push_str(&format!(
                "\n  it has no particle with a {} 0 {near} ({}), which carries {} of the optimum",
                if missing.sign > 0.0 { ">" } else { "<" },
                direction.join(", "),
                percent(missing.share)
            ));
        }
        if let Some(step) = self.diverged_at {
            text.push_str(&format!(
                "\n  it diverged at step {step}: this is of step {}, its last finite checkpoint",
                self.step
            ));
        }
        text
    }

    /// The run's distance from the optimum, named `optimum` in the text: as a share, or as a multiple where it is
    /// large.
    pub fn distance(&self, optimum: &str) -> String {
        let reached = self.reached.unwrap_or(match self.kind {
            OptimumKind::Penalised => self.upper,
            _ => self.lower,
        });
        match self.kind {
            OptimumKind::Penalised if self.relative_gap > 1.0 && self.optimum_lower > 0.0 => {
                format!(
                    "what the run reached is {} as large as {optimum}",
                    times(reached / self.optimum_lower)
                )
            }
            OptimumKind::Penalised if self.relative_gap > 1.0 => {
                format!("what the run reached is {}", digits(reached))
            }
            OptimumKind::KernelMarginLaw if reached > self.upper => format!(
                "the run reached {}, up to {} more: its features have a kernel of their own",
                digits(reached),
                percent(self.relative_gap)
            ),
            OptimumKind::Penalised => self.within(optimum),
            _ if reached <= 0.0 => "the run reached no margin above 0".into(),
            // The gap is larger than what the run reached.
            _ if self.upper > 2.0 * reached => {
                let multiple = times(self.upper / reached);
                format!("{optimum} is {multiple} as large as what the run reached")
            }
            _ => self.within(optimum),
        }
    }

    fn within(&self, optimum: &str) -> String {
        format!(
            "the run is within {} of {optimum}",
            percent(self.relative_gap)
        )
    }
}

impl Conflict {
    /// The samples, and why no network classifies them right.
    pub fn description(self) -> String {
        const COUNTED: &str = "of the training data (counted from 0)";
        match self {
            Conflict::Zero(i) => format!(
                "row {i} {COUNTED} is all zeros, where a network without bias is 0 whatever its weights"
            ),
            Conflict::Equal(i, j) => format!(
                "rows {i} and {j} {COUNTED} are equal and have different labels, so that no network \
                 classifies both right"
            ),
            Conflict::Ray(i, j) => format!(
                "row {j} {COUNTED} is a multiple of row {i} and has another label, so that no network \
                 without bias classifies both right"
            ),
        }
    }
}

/// The text for data on which no margin is above 0.
pub const INSEPARABLE: &str = "no network was found that classifies every sample right";

/// A share in per cent, or as a power of ten where it is small or large.
pub fn percent(share: f64) -> String {
    match share {
        0.0 => "0".into(),
        // A gap from an optimum of 0.
        s if s.is_nan() || s >= f64::MAX => "no share".into(),
        s if s >= 100.0 => times(s),
        s if s >= 1e-3 => format!("{:.1} %", 100.0 * s),
        s => format!("{s:.1e}"),
    }
}

/// A multiple: `7.3 times`.
fn times(multiple: f64) -> String {
    match multiple {
        m if !m.is_finite() => "more times than can be told".into(),
        m if m >= 1e4 => format!("{m:.1e} times"),
        m => format!("{m:.1} times"),
    }
}

/// The number, but 0 where it would be printed as −0 with this many decimals.
fn unsigned_zero(value: f64, decimals: i32) -> f64 {
    match value.abs() < 0.5 * 10f64.powi(-decimals) {
        true => 0.0,
        false => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::PartialProof;

    fn certificate(kind: OptimumKind, reached: f64, (lower, upper): (f64, f64)) -> RunCertificate {
        let (low, high) = match kind {
            OptimumKind::Penalised => (lower, reached),
            _ => (reached, upper),
        };
        RunCertificate {
            run: 3,
            step: 10,
            kind,
            lower: low,
            upper: high,
            gap: high - low,
            relative_gap: (high - low) / upper,
            certified: true,
            probes: 0,
            proved: None,
            worst_direction: Vec::new(),
            optimum_lower: lower,
            optimum_upper: upper,
            missing: None,
            reached: Some(reached),
            only: None,
            conflict: None,
            diverged_at: None,
        }
    }

    #[test]
    fn a_distance_is_a_share_or_a_multiple() {
        let optimum = (0.2, 0.2);
        let told = |kind, reached| certificate(kind, reached, optimum).distance("it");
        assert_eq!(
            told(OptimumKind::Margin, 0.19),
            "the run is within 5.0 % of it"
        );
        assert_eq!(
            told(OptimumKind::Margin, 0.02),
            "it is 10.0 times as large as what the run reached"
        );
        assert_eq!(
            told(OptimumKind::Margin, 0.0),
            "the run reached no margin above 0"
        );
        assert_eq!(
            told(OptimumKind::Penalised, 0.3),
            "the run is within 50.0 % of it"
        );
        assert_eq!(
            told(OptimumKind::Penalised, 1.46),
            "what the run reached is 7.3 times as large as it"
        );
        assert_eq!(
            told(OptimumKind::Penalised, 2e16),
            "what the run reached is 1.0e17 times as large as it"
        );
        let none = certificate(OptimumKind::Penalised, 0.25, (0.0, 0.0)).distance("it");
        assert_eq!(none, "what the run reached is 0.2500");
    }

    #[test]
    fn a_sentence_says_what_was_compared() {
        let mut one = certificate(OptimumKind::Penalised, 0.3, (0.2, 0.2));
        one.only = Some(TrainedLayer::Output);
        one.diverged_at = Some(12);
        let told = one.sentence();
        for wanted in [
            "least penalised risk of networks whose layers are both free is 0.2",
            "it trains its output layer alone",
            "diverged at step 12: this is of step 10",
        ] {
            assert!(told.contains(wanted), "{told}");
        }
        one.proved = Some(PartialProof {
            lower: 0.15,
            upper: 0.3,
            gap: 0.25,
            seconds: 60.2,
            cones: 1000,
        });
        let wanted =
            "proved in 60 s: it is at least 0.1500; the bound of the dual has a gap of 25.0 % left";
        assert!(one.sentence().contains(wanted), "{}", one.sentence());
        one.kind = OptimumKind::Margin;
        assert!(one.sentence().contains("it is at most 0.3000;"));
        let mut none = certificate(OptimumKind::Margin, 0.0, (0.0, 0.0));
        none.conflict = Some(Conflict::Equal(4, 7));
        let told = none.sentence();
        assert!(told.contains("is 0 (certified): rows 4 and 7"), "{told}");
        none.conflict = None;
        assert!(none.sentence().contains("no network was found"));
    }

    #[test]
    fn shares_of_any_size_are_described() {
        let told = [0.0, 1e-5, 0.5, 7.3, 1.8e17, f64::NAN, f64::MAX].map(percent);
        let wanted = [
            "0",
            "1.0e-5",
            "50.0 %",
            "730.0 %",
            "1.8e17 times",
            "no share",
            "no share",
        ];
        assert_eq!(told, wanted);
        assert_eq!(unsigned_zero(-1e-17, 3), 0.0);
        assert_eq!(unsigned_zero(-0.0006, 3), -0.0006);
    }
}
