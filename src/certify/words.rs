//! Certificates in words.

use super::conflict::Conflict;
use super::standing::{Kind, Layer, Standing};
use crate::digits::{digits, significant};

/// Significant digits of an optimum in words.
const FIGURES: usize = 9;

impl Kind {
    /// Name of the optimum.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Margin => "largest margin_f1",
            Kind::Penalised => "least penalised risk",
            Kind::KernelMarginFeatures => "largest margin_f2 of its features",
            Kind::KernelMarginLaw => "largest margin_f2 of infinitely many",
        }
    }
}

impl Standing {
    /// On what the dual bound rests.
    pub fn proof(&self) -> String {
        match self.certified {
            true => "certified".into(),
            false => format!("searched, {} probes", self.probes),
        }
    }

    /// A sentence: the optimum, where the run is, and on lines of their own what it misses and whether
    /// it diverged.
    pub fn sentence(&self) -> String {
        let mut text = format!("run {}: the {}", self.run, self.kind.words());
        if let Some(conflict) = self.conflict {
            text.push_str(&format!(" is 0 ({}): {}", self.proof(), conflict.words()));
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
                Some(Layer::Output) => text.push_str("; it trains its output layer alone"),
                Some(Layer::Input) => text.push_str("; it trains its input layer alone"),
                None => {}
            }
        }
        if let Some(missing) = &self.missing {
            let direction: Vec<String> = (missing.direction.iter())
                .map(|v| format!("{:.3}", unsigned_zero(*v, 3)))
                .collect();
            text.push_str(&format!(
                "\n  it has no particle with a {} 0 within {:.0}° of ({}), which carries {} of the optimum",
                if missing.sign > 0.0 { ">" } else { "<" },
                missing.degrees,
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

    /// How far the run is from the optimum, which is called `optimum`: as a share of it, or as a multiple
    /// where that is large.
    pub fn distance(&self, optimum: &str) -> String {
        let reached = self.reached.unwrap_or(match self.kind {
            Kind::Penalised => self.upper,
            _ => self.lower,
        });
        match self.kind {
            Kind::Penalised if self.relative_gap > 1.0 && self.optimum_lower > 0.0 => format!(
                "what the run reached is {} as large as {optimum}",
                times(reached / self.optimum_lower)
            ),
            Kind::Penalised if self.relative_gap > 1.0 => {
                format!("what the run reached is {}", digits(reached))
            }
            Kind::KernelMarginLaw if reached > self.upper => format!(
                "the run reached {}, up to {} more: its features have a kernel of their own",
                digits(reached),
                percent(self.relative_gap)
            ),
            Kind::Penalised => self.within(optimum),
            _ if reached <= 0.0 => "the run reached no margin above 0".into(),
            // More than the whole of what the run reached is missing.
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
    /// Which samples, and why no network classifies them right.
    pub fn words(self) -> String {
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

/// What it means where no margin is above 0.
pub const INSEPARABLE: &str = "no network was found that classifies every sample right";

/// A share in per cent, or as a power of ten where it is small or large.
pub fn percent(share: f64) -> String {
    match share {
        0.0 => "0".into(),
        // Of an optimum of 0, nothing is a share.
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

/// A number as it is, but 0 where so many decimals would show it as −0.
fn unsigned_zero(value: f64, decimals: i32) -> f64 {
    match value.abs() < 0.5 * 10f64.powi(-decimals) {
        true => 0.0,
        false => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(kind: Kind, reached: f64, (lower, upper): (f64, f64)) -> Standing {
        let (low, high) = match kind {
            Kind::Penalised => (lower, reached),
            _ => (reached, upper),
        };
        Standing {
            run: 3,
            step: 10,
            kind,
            lower: low,
            upper: high,
            gap: high - low,
            relative_gap: (high - low) / upper,
            certified: true,
            probes: 0,
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
        let told = |kind, reached| standing(kind, reached, optimum).distance("it");
        assert_eq!(told(Kind::Margin, 0.19), "the run is within 5.0 % of it");
        assert_eq!(
            told(Kind::Margin, 0.02),
            "it is 10.0 times as large as what the run reached"
        );
        assert_eq!(told(Kind::Margin, 0.0), "the run reached no margin above 0");
        assert_eq!(told(Kind::Penalised, 0.3), "the run is within 50.0 % of it");
        assert_eq!(
            told(Kind::Penalised, 1.46),
            "what the run reached is 7.3 times as large as it"
        );
        assert_eq!(
            told(Kind::Penalised, 2e16),
            "what the run reached is 1.0e17 times as large as it"
        );
        let none = standing(Kind::Penalised, 0.25, (0.0, 0.0)).distance("it");
        assert_eq!(none, "what the run reached is 0.2500");
    }

    #[test]
    fn a_sentence_says_what_was_compared() {
        let mut one = standing(Kind::Penalised, 0.3, (0.2, 0.2));
        one.only = Some(Layer::Output);
        one.diverged_at = Some(12);
        let told = one.sentence();
        for wanted in [
            "least penalised risk of networks whose layers are both free is 0.2",
            "it trains its output layer alone",
            "diverged at step 12: this is of step 10",
        ] {
            assert!(told.contains(wanted), "{told}");
        }
        let mut none = standing(Kind::Margin, 0.0, (0.0, 0.0));
        none.conflict = Some(Conflict::Equal(4, 7));
        let told = none.sentence();
        assert!(told.contains("is 0 (certified): rows 4 and 7"), "{told}");
        none.conflict = None;
        assert!(none.sentence().contains("no network was found"));
    }

    #[test]
    fn shares_are_told_whatever_their_size() {
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
