//! Experiment files: data, network, training and output of a run.
//!
//! [`load`] turns a TOML file (or an embedded experiment, see [`presets()`]) and `--set` overrides
//! into a [`Grid`]: one validated [`Experiment`] per combination of the `[grid]` lists. A mistake
//! in a file is an [`Error::Input`] whose place is `file:line: section.key`; several mistakes are
//! reported together, in the order of their lines.
//!
//! A file passes through the modules as follows: `document` reads the text into keys with their
//! locations, `origin` resolves paths and locations, `value` and `forms` read one value into one
//! field, `claims` and `expect` read the checks, `fields` is the list of all keys, `given` holds
//! the keys that a user gave for one run, `check` and `check_data` hold the rules between keys,
//! `grid` makes the combinations and writes the resolved file.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};
use crate::model::Train;

mod check;
mod check_data;
mod claims;
mod data;
mod document;
mod expect;
mod fields;
mod forms;
mod given;
mod grid;
mod mistakes;
mod origin;
mod presets;
mod schedule;
#[cfg(test)]
mod tests;
mod training;
mod unknown;
mod unset;
mod value;

pub use data::{DataSpec, FileForm, InputDistribution, Source};
pub use expect::{ClaimCheck, Filter, Other, Over, QUANTITIES, number_of};
pub use grid::{Grid, GridRun};
pub use origin::{KEPT_DATA, is_kept_name, kept_name};
pub use presets::{Preset, presets};
pub use schedule::Schedule;
pub use training::{
    FlowSpec, InitKind, InitSpec, NetworkSpec, NormScaled, OutputSpec, PrecisionSpec, RiskSpec,
    Stop, Widths,
};
pub use value::NamedVariant;
pub(crate) use value::nearest;

/// A validated experiment of one run, without a grid.
///
/// The keys of a file have the names of the fields, in sections named like the fields here.
/// Required are `data.source`, `network.width`, `risk.loss`, `flow.steps` and `flow.step`; the
/// default of every other key is documented at its field.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Default: the name of the file without its extension.
    pub title: String,
    /// Seed of every random draw: data, and initial particles unless `init.seed` says otherwise.
    /// Default 1; 0 to 2⁶³ − 1, the range of a TOML integer.
    pub seed: u64,
    pub data: DataSpec,
    pub network: NetworkSpec,
    pub init: InitSpec,
    pub risk: RiskSpec,
    pub flow: FlowSpec,
    pub precision: PrecisionSpec,
    pub output: OutputSpec,
}

impl Experiment {
    /// Seed of the samples; `None` for data that is not drawn, which is the same for every seed.
    pub fn data_seed(&self) -> Option<u64> {
        let drawn = matches!(
            self.data.source,
            Source::Clusters | Source::Teacher | Source::Circle
        );
        drawn.then_some(self.seed)
    }

    /// The keys that apply to this experiment with their values, as an experiment file writes them.
    pub fn keys(&self) -> Vec<(&'static str, toml::Value)> {
        fields::write(self)
    }

    /// The files that the experiment reads.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let data = &self.data;
        let files = [
            &data.path,
            &data.targets_path,
            &data.test_path,
            &data.test_targets_path,
            &self.init.path,
        ];
        files.into_iter().flatten().map(|path| path.as_path())
    }

    /// Whether this run's steps are multiplied by max(1, √((1/m) Σ a²)).
    pub fn norm_scaled(&self) -> bool {
        match self.flow.norm_scaled {
            NormScaled::Never => false,
            NormScaled::Always => true,
            NormScaled::Output => self.network.train == Train::Output,
        }
    }
}

/// Full or quick form of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The values of the file.
    Full,
    /// The values of the file with the overrides of its section `[quick]`.
    Quick,
}

/// Loads an embedded experiment by name, or a file, and applies the `--set KEY=VALUE` overrides in
/// order.
///
/// An embedded experiment takes precedence over a file of the same name, so that a run folder
/// called `quick` does not hide it; `./quick` is the file.
///
/// # Errors
/// [`Error::Input`] for a file that cannot be read, and for a mistake in the file or in `sets`;
/// [`Error::Several`] for more than one mistake.
pub fn load(name_or_path: &str, sets: &[String]) -> Result<Grid> {
    load_form(name_or_path, Form::Full, sets)
}

/// [`load`] in the full or the quick form. The quick form applies the section `[quick]`, which
/// makes a run of a few seconds.
///
/// # Errors
/// Those of [`load`], and the quick form of a file that has no section `[quick]`.
pub fn load_form(name_or_path: &str, form: Form, sets: &[String]) -> Result<Grid> {
    load_changed(name_or_path, form, &Changes { unset: &[], sets })
}

/// Changes that a command line makes to an experiment.
#[derive(Debug, Clone, Copy)]
pub struct Changes<'a> {
    /// Keys, sections and claims to remove, before `sets` apply.
    pub unset: &'a [String],
    /// KEY=VALUE overrides, in order.
    pub sets: &'a [String],
}

/// [`load_form`], with keys removed as well.
///
/// # Errors
/// Those of [`load_form`], and a key to remove that the file does not give.
pub fn load_changed(name_or_path: &str, form: Form, changes: &Changes) -> Result<Grid> {
    let quick = form == Form::Quick;
    let mut document = match presets().iter().find(|preset| preset.name == name_or_path) {
        Some(preset) => {
            let label = format!("{} (embedded)", preset.name);
            document::Document::parse(&label, preset.text, Path::new("."), quick)?
        }
        None => {
            let path = Path::new(name_or_path);
            let text = fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
            let folder = path.parent().unwrap_or(Path::new("."));
            document::Document::parse(name_or_path, &text, folder, quick)?
        }
    };
    for key in changes.unset {
        document.unset(key);
    }
    for set in changes.sets {
        document.set(set);
    }
    let title = Path::new(name_or_path).file_stem().unwrap_or_default();
    grid::resolve(document, &title.to_string_lossy())
}

/// The error for a name that is neither an embedded experiment nor a readable file.
fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let name = path.display().to_string();
    if path.is_dir() {
        let remedy = format!(
            "name a file; a run folder's experiment is {}",
            path.join("experiment.toml").display()
        );
        return Error::input(name, "is a folder, not an experiment file", remedy);
    }
    match error.kind() {
        ErrorKind::NotFound => {
            let names: Vec<_> = presets().iter().map(|preset| preset.name).collect();
            let hint = match value::nearest(&name, &names) {
                Some(near) => format!("did you mean the embedded experiment {near}? "),
                None => String::new(),
            };
            let what = "is neither an experiment file nor an embedded experiment";
            let remedy = format!("{hint}embedded are: {}", names.join(", "));
            Error::input(name, what, remedy)
        }
        ErrorKind::InvalidData => Error::input(
            name,
            "is not a TOML file: it is not UTF-8 text",
            "save it as UTF-8",
        ),
        _ => Error::reading(path, error),
    }
}
