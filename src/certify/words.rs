//! Certificates in words.

use super::standing::{Kind, Standing};
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

    /// A sentence: the optimum, where the run is, and on a line of its own what it misses.
    pub fn sentence(&self) -> String {
        let optimum = self.kind.words();
        if !self.is_separable() {
            return format!(
                "run {}: the {optimum} is at most {} ({}): {INSEPARABLE}",
                self.run,
                digits(self.optimum_upper),
                self.proof()
            );
        }
        let mut text = format!(
            "run {}: the {optimum} is {} … {} ({}); the run is within {} of it",
            self.run,
            significant(self.optimum_lower, FIGURES),
            significant(self.optimum_upper, FIGURES),
            self.proof(),
            percent(self.relative_gap)
        );
        if let Some(missing) = &self.missing {
            let direction: Vec<String> = (missing.direction.iter())
                .map(|v| format!("{v:.3}"))
                .collect();
            text.push_str(&format!(
                "\n  it has no particle with a {} 0 within {:.0}° of ({}), which carries {} of the optimum",
                if missing.sign > 0.0 { ">" } else { "<" },
                missing.degrees,
                direction.join(", "),
                percent(missing.share)
            ));
        }
        text
    }
}

/// What it means where no margin is above 0.
pub const INSEPARABLE: &str = "no network was found that classifies every sample right, and there is \
                               none where equal samples have different labels";

/// A share in per cent, or as a power of ten where it is small.
pub fn percent(share: f64) -> String {
    match share {
        0.0 => "0".into(),
        s if s >= 1e-3 => format!("{:.1} %", 100.0 * s),
        s => format!("{s:.1e}"),
    }
}
