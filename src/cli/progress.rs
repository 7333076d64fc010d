//! The progress line: one per experiment, on a terminal only.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::table::number;
use crate::flow::{Progress, Status};

/// Shows a line on stderr if that is a terminal, otherwise nothing.
pub struct ProgressLine {
    bar: ProgressBar,
}

impl ProgressLine {
    pub fn new(quiet: bool) -> Self {
        let bar = ProgressBar::new(1);
        if quiet || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = "{bar:24} {percent:>3} % {msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        ProgressLine { bar }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for ProgressLine {
    fn report(&mut self, now: &Status) {
        let left = now.steps.saturating_sub(now.step) as f64;
        let eta = if now.steps_per_second > 0.0 {
            let seconds = Duration::from_secs((left / now.steps_per_second) as u64);
            format!("{}", indicatif::HumanDuration(seconds))
        } else {
            "…".into()
        };
        let mut text = format!(
            "step {} of {}, {:.0} steps/s, {eta} left",
            now.step, now.steps, now.steps_per_second
        );
        if now.runs > 1 {
            text.push_str(&format!(", {} of {} runs moving", now.moving, now.runs));
        }
        text.push_str(&format!(", risk {}", number(now.risk)));
        if now.margin.is_some() {
            text.push_str(&format!(", margin_f1 {}", number(now.margin)));
        }
        self.bar.set_length(now.steps.max(1));
        self.bar.set_position(now.step);
        self.bar.set_message(text);
    }
}
