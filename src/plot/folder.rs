//! The content of a run folder, as figures need it.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::axis::plain;
use super::figure::Figure;
use super::particle_cloud::thousands;
use crate::certify::run_certificate::RunCertificate;
use crate::compare::StoredComparison;
use crate::data::{self, Dataset};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Grid, load};
use crate::flow::read_certificates;
use crate::model::Train;
use crate::store::{RunFolder, Summary};

/// Keys over which values are averaged.
const SEEDS: [&str; 2] = ["seed", "init.seed"];

/// The content of a run folder.
pub struct Folder {
    pub place: RunFolder,
    pub grid: Grid,
    pub metrics: MetricsTable,
    /// From certificate.json, if there is one. Figures show only the bounds of the optimum, which hold at
    /// every step.
    pub certificates: Vec<RunCertificate>,
    /// From compare.json, if there is one and no run has gone on since: its values hold only at its steps.
    pub comparison: Option<StoredComparison>,
    /// Families of runs that differ only in their seeds.
    pub families: Vec<Family>,
    /// How many runs diverged.
    diverged: usize,
}

/// Runs that differ only in their seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The parameters, without seeds.
    pub parameters: Vec<(String, toml::Value)>,
    pub runs: Vec<usize>,
}

impl Folder {
    /// # Errors
    /// `dir` is no run folder, or a file in it is damaged.
    pub fn open(dir: &Path) -> Result<Self> {
        let place = RunFolder::open(dir)?;
        let grid = load(&place.experiment().display().to_string(), &[])?;
        let metrics = match place.metrics() {
            path if path.exists() => MetricsTable::read(&path)?,
            _ => MetricsTable::default(),
        };
        let certificates = read_certificates(&place.certificate())?;
        let families = families(&grid);
        let summary = match place.summary() {
            path if path.exists() => Some(Summary::read(&path)?),
            _ => None,
        };
        let comparison = StoredComparison::read(&place.comparison().with_extension("json"))?;
        let current = |of: &StoredComparison| {
            let summary = summary.as_ref();
            summary.is_some_and(|now| of.left_behind(0, now).is_empty())
        };
        let comparison = comparison.filter(current);
        let runs = summary.iter().flat_map(|summary| &summary.runs);
        let diverged = runs.filter(|run| run.diverged_at.is_some()).count();
        Ok(Folder {
            place,
            grid,
            metrics,
            certificates,
            comparison,
            families,
            diverged,
        })
    }

    /// A note on how many runs diverged, if any did: figures show them up to there.
    pub fn divergence(&self) -> Option<String> {
        match (self.diverged, self.grid.runs.len()) {
            (0, _) => None,
            (1, 1) => Some("the run diverged".into()),
            (diverged, all) => Some(format!("{diverged} of {all} runs diverged")),
        }
    }

    /// The first run of a family that has a particles file, and the path of the file.
    pub fn particles(&self, family: &Family) -> Option<(usize, PathBuf)> {
        let of = |&run: &usize| (run, self.place.run(run).join("particles.npz"));
        let mut each = family.runs.iter().map(of);
        each.find(|(_, path)| path.exists())
    }

    /// Adds a note on which runs a figure shows, if their families have runs with other seeds.
    pub fn one_seed(&self, runs: &[usize], figure: &mut Figure) {
        let several = |f: &&Family| f.runs.len() > 1 && f.runs.iter().any(|r| runs.contains(r));
        if self.families.iter().find(several).is_none() {
            return;
        }
        let listed: Vec<String> = runs.iter().map(usize::to_string).collect();
        figure.remark(match listed.as_slice() {
            [run] => format!("one seed: run {run}"),
            runs => format!("one seed of each: runs {}", runs.join(",\u{a0}")),
        });
    }

    /// Adds a note on which runs a figure shows, and that there are more combinations of parameters.
    pub fn some_of_all(&self, runs: &[usize], figure: &mut Figure) {
        let all = self.families.len();
        if (2..all).contains(&runs.len()) {
            figure.remark(format!(
                "{} of {all} combinations of parameters",
                runs.len()
            ));
        }
        self.one_seed(runs, figure);
    }

    /// Adds a note if the runs of a figure, given with their last steps, ended at different steps and one of
    /// them before its flow.steps.
    pub fn ends_apart(&self, ends: &[(usize, u64)], figure: &mut Figure) {
        let steps = || ends.iter().map(|(_, step)| *step);
        let (Some(first), Some(last)) = (steps().min(), steps().max()) else {
            return;
        };
        let short = |&(run, step): &(usize, u64)| {
            self.grid
                .runs
                .get(run)
                .is_some_and(|of| step < of.experiment.flow.steps)
        };
        if first < last && ends.iter().any(short) {
            let [first, last] = [first, last].map(|step| thousands(step as usize));
            figure.remark(format!("runs ended at different steps: {first} to {last}"));
        }
    }

    pub fn experiment(&self, run: usize) -> &Experiment {
        &self.grid.runs[run].experiment
    }

    /// The training set of a run, drawn or read again.
    pub fn data(&self, run: usize) -> Result<Dataset> {
        let of = self.experiment(run);
        let seed = of.data_seed().unwrap_or(0);
        Ok(data::load(&of.data, seed, of.risk.loss)?.train)
    }

    /// Whether two runs are trained on the same samples.
    pub fn share_data(&self, run: usize, other: usize) -> bool {
        let (a, b) = (self.experiment(run), self.experiment(other));
        let of = |e: &Experiment| (e.data_seed(), e.risk.loss.is_classification());
        a.data == b.data && of(a) == of(b)
    }
}

impl Family {
    /// The parameters as a label, such as `m = 64, both layers`.
    pub fn label(&self) -> String {
        self.label_without("")
    }

    /// The label without one of the keys.
    pub fn label_without(&self, key: &str) -> String {
        let others = self.parameters.iter().filter(|(k, _)| k != key);
        let each = others.map(|(key, value)| key_value(key, value));
        each.collect::<Vec<_>>().join(", ")
    }

    /// A key with its value, as a label; empty if the family does not have it.
    pub fn key_value(&self, key: &str) -> String {
        let found = self.value(key);
        found.map_or(String::new(), |value| key_value(key, value))
    }

    pub fn value(&self, key: &str) -> Option<&toml::Value> {
        let found = self.parameters.iter().find(|(k, _)| k == key);
        found.map(|(_, value)| value)
    }

    /// The value of a key, if it is a number.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.value(key).and_then(number)
    }
}

/// `m = 64`; for a text value the value alone.
fn key_value(key: &str, value: &toml::Value) -> String {
    match (key, value) {
        ("network.train", toml::Value::String(text)) if text == "both" => "both layers".into(),
        ("network.train", toml::Value::String(text)) => format!("{text} layer"),
        (_, toml::Value::String(text)) => text.clone(),
        (_, value) => {
            let value = number(value).map_or_else(|| value.to_string(), plain);
            format!("{} = {value}", letter(key))
        }
    }
}

/// The symbol of a key in docs/model.md, or the last part of its name.
pub fn letter(key: &str) -> &str {
    match key {
        "network.width" => "m",
        "data.n" => "n",
        "data.d" => "d",
        "data.k" => "k",
        "data.teacher_width" => "m₀",
        "network.scaling" => "α",
        "risk.weight_decay" => "λ",
        "flow.step" => "η",
        _ => key.rsplit('.').next().unwrap_or(key),
    }
}

/// The name of a key for an axis.
pub fn words(key: &str) -> String {
    match key {
        "network.width" => "width m".into(),
        "data.n" => "number of samples n".into(),
        "data.d" => "input dimension d".into(),
        "data.teacher_width" => "width of the teacher m₀".into(),
        "network.scaling" => "output scale α".into(),
        "risk.weight_decay" => "weight decay λ".into(),
        "flow.step" => "step size η".into(),
        "init.scale_a" => "initial scale of a".into(),
        "init.scale_w" => "initial scale of w".into(),
        _ => letter(key).replace('_', " "),
    }
}

fn number(value: &toml::Value) -> Option<f64> {
    match value {
        toml::Value::Integer(v) => Some(*v as f64),
        toml::Value::Float(v) => Some(*v),
        toml::Value::Table(table) => table.get("alpha").and_then(number),
        _ => None,
    }
}

fn families(grid: &Grid) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for (k, run) in grid.runs.iter().enumerate() {
        let kept = run
            .parameters
            .iter()
            .filter(|(key, _)| !SEEDS.contains(&key.as_str()));
        let parameters: Vec<_> = kept
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        match families.iter_mut().find(|f| f.parameters == parameters) {
            Some(family) => family.runs.push(k),
            None => families.push(Family {
                parameters,
                runs: vec![k],
            }),
        }
    }
    families
}

/// metrics.csv by columns, whichever it has. NaN where a value is not defined.
#[derive(Debug, Default)]
pub struct MetricsTable {
    columns: HashMap<String, Vec<f64>>,
    /// Rows of each run.
    rows: HashMap<usize, Range<usize>>,
}

impl MetricsTable {
    fn read(path: &Path) -> Result<Self> {
        let bad = |e: csv::Error| {
            Error::input(
                path.display().to_string(),
                format!("is damaged: {e}"),
                "run `widefield resume` on the folder to write it again",
            )
        };
        let mut reader = csv::Reader::from_path(path).map_err(bad)?;
        let names: Vec<String> = reader
            .headers()
            .map_err(bad)?
            .iter()
            .map(str::to_owned)
            .collect();
        let mut columns = vec![Vec::new(); names.len()];
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(bad)? {
            for (column, field) in columns.iter_mut().zip(&record) {
                column.push(field.parse().unwrap_or(f64::NAN));
            }
        }
        let columns: HashMap<_, _> = names.into_iter().zip(columns).collect();
        let mut rows: HashMap<usize, Range<usize>> = HashMap::new();
        for (row, run) in columns.get("run").into_iter().flatten().enumerate() {
            let of = rows.entry(*run as usize).or_insert(row..row);
            of.end = row + 1;
        }
        Ok(MetricsTable { columns, rows })
    }

    /// Number of rows of all runs together.
    pub fn len(&self) -> usize {
        self.columns.get("run").map_or(0, Vec::len)
    }

    /// A column of one run; `None` where the file has no such column or run.
    pub fn column(&self, run: usize, name: &str) -> Option<&[f64]> {
        let rows = self.rows.get(&run)?.clone();
        self.columns.get(name)?.get(rows)
    }

    /// The value of a column that has the same value in all rows.
    pub fn constant(&self, name: &str) -> Option<f64> {
        let column = self.columns.get(name)?;
        let mut values = column.iter().copied().filter(|v| v.is_finite());
        let first = values.next()?;
        values.all(|v| v == first).then_some(first)
    }

    /// Whether a column has a finite value in any run.
    pub fn has(&self, name: &str) -> bool {
        let column = self.columns.get(name);
        column.is_some_and(|column| column.iter().any(|v| v.is_finite()))
    }
}

/// Whether a column is meaningful for a family: margin_f2 for training with fixed features, the other
/// margins for all other training.
pub fn applies(folder: &Folder, family: &Family, column: &str) -> bool {
    let output = |&run: &usize| folder.experiment(run).network.train == Train::Output;
    match column {
        "margin_f2" => family.runs.iter().all(output),
        "margin_f1" | "margin_param" => !family.runs.iter().all(output),
        _ => true,
    }
}
