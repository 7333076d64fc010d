//! The combinations of a grid and the resolved experiment file.

use std::collections::BTreeSet;
use std::fmt::Write;

use toml::{Table, Value};
use toml_writer::ToTomlKey;

use super::check;
use super::document::{Document, GridKey};
use super::expect::ClaimCheck;
use super::given::GivenKeys;
use super::mistakes::Mistakes;
use super::value::ValueError;
use super::{Experiment, fields};
use crate::error::{Error, Result};

/// More runs than this are taken for a typing error in a list.
const MOST_RUNS: usize = 100_000;

/// A loaded experiment: all its runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// The resolved file: every key that has one value for all runs, with defaults and absolute
    /// paths, then the table `grid` with dotted keys and the table `expect` by claim.
    pub document: Table,
    /// The combinations of the grid's values, the first key varying slowest; one run without a
    /// grid.
    pub runs: Vec<GridRun>,
    /// `[expect]`: the checks of the trained runs.
    pub expect: Vec<ClaimCheck>,
}

/// One combination.
#[derive(Debug, Clone, PartialEq)]
pub struct GridRun {
    /// The keys of the grid, in the grid's order, with the values of this run. Empty without a
    /// grid.
    pub parameters: Table,
    pub experiment: Experiment,
}

impl Grid {
    /// Whether this key has several values in the grid.
    pub fn varies(&self, key: &str) -> bool {
        let grid = self.document.get("grid").and_then(Value::as_table);
        grid.is_some_and(|grid| grid.contains_key(key))
    }

    /// The resolved experiment file. [`super::load`] of it, from any folder, gives this grid again.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut sections = String::new();
        for (key, value) in &self.document {
            match value {
                Value::Table(claims) if key == "expect" => {
                    for (claim, check) in claims {
                        let claim = claim.to_toml_key();
                        line(&mut sections, format_args!("\n[expect.{claim}]"));
                        for (key, value) in check.as_table().into_iter().flatten() {
                            line(&mut sections, format_args!("{key} = {value}"));
                        }
                    }
                }
                Value::Table(section) => {
                    line(&mut sections, format_args!("\n[{key}]"));
                    for (key, value) in section {
                        let key = key.to_toml_key();
                        line(&mut sections, format_args!("{key} = {value}"));
                    }
                }
                _ => line(&mut text, format_args!("{key} = {value}")),
            }
        }
        text + &sections
    }
}

fn line(text: &mut String, content: std::fmt::Arguments) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{content}");
}

/// Reads every value of a document and checks every combination of its grid.
pub(super) fn resolve(mut document: Document, title: &str) -> Result<Grid> {
    let mut mistakes = std::mem::take(&mut document.mistakes);
    let document = &document;
    let mut base = fields::template();
    base.title = title.to_owned();
    for (key, entry) in &document.entries {
        if let Err(value_error) = fields::read(&mut base, key, &entry.value) {
            mistakes.add(&entry.location, value_error);
            mistakes.mark_invalid(key);
        }
    }
    let mut count = 1_usize;
    for grid_key in &document.grid_keys {
        count = count.saturating_mul(grid_key.values.len());
        if count > MOST_RUNS {
            let what = format!("makes the grid larger than {MOST_RUNS} runs");
            let value_error = ValueError::new(what, "shorten the lists of [grid]");
            mistakes.add(&grid_key.location, value_error);
            // No run of a grid that is too large is checked.
            count = 0;
            break;
        }
    }
    let runs = (0..count).map(|index| run(document, &base, index, &mut mistakes));
    let runs = runs.collect::<Vec<_>>();
    let claims = document.claims.iter();
    let expect = claims.filter_map(|claim| ClaimCheck::read(claim, &mut mistakes));
    let expect = expect.collect::<Vec<_>>();
    mistakes.into_error()?;
    let mut resolved = common(&document.grid_keys, &runs);
    for check in &expect {
        insert_below(&mut resolved, "expect", &check.claim, check.write().into());
    }
    let grid = Grid {
        document: resolved,
        runs,
        expect,
    };
    let written = grid.to_toml().parse::<Table>();
    match written.is_ok_and(|written| written == grid.document) {
        true => Ok(grid),
        // A run folder with this file could not be opened again.
        false => Err(Error::input(
            &document.label,
            "is not the same when it is written out and read again",
            "please report it, with this file",
        )),
    }
}

/// Run `index` of the grid. The digits of `index` are the positions in the axes; the last axis
/// varies fastest.
fn run(
    document: &Document,
    base: &Experiment,
    mut index: usize,
    mistakes: &mut Mistakes,
) -> GridRun {
    let mut swept = Vec::new();
    for grid_key in document.grid_keys.iter().rev() {
        swept.push((grid_key, &grid_key.values[index % grid_key.values.len()]));
        index /= grid_key.values.len();
    }
    swept.reverse();
    let mut experiment = base.clone();
    let mut invalid = BTreeSet::new();
    for (grid_key, value) in &swept {
        if let Err(value_error) = fields::read(&mut experiment, grid_key.key, value) {
            mistakes.add(&grid_key.location, value_error);
            invalid.insert(grid_key.key);
        }
    }
    fields::fill(&mut experiment.data);
    let mut given = GivenKeys {
        document,
        swept: &swept,
        mistakes,
        invalid,
    };
    check::check(&experiment, &mut given);
    // Values are stored as resolved files write them, so that 5 and 5.0 are the same parameter.
    let written = fields::write(&experiment);
    let parameter = |(grid_key, value): &(&GridKey, &Value)| {
        let same = written.iter().find(|(key, _)| *key == grid_key.key);
        let value = same.map_or_else(|| Value::clone(value), |(_, value)| value.clone());
        (grid_key.key.to_owned(), value)
    };
    let parameters = swept.iter().map(parameter).collect();
    GridRun {
        parameters,
        experiment,
    }
}

/// The resolved file of these runs. Defaults that differ between runs are left out: they depend on
/// keys of the grid and are derived from them again on loading.
fn common(grid_keys: &[GridKey], runs: &[GridRun]) -> Table {
    let mut keys = runs
        .first()
        .map_or(Vec::new(), |run| fields::write(&run.experiment));
    keys.retain(|(key, _)| grid_keys.iter().all(|grid_key| grid_key.key != *key));
    for run in runs.iter().skip(1) {
        let written = fields::write(&run.experiment);
        keys.retain(|entry| written.contains(entry));
    }
    let mut document = Table::new();
    for (key, value) in keys {
        insert(&mut document, key, value);
    }
    // Consecutive values of an axis are `stride` runs apart, the product of the lengths of the
    // later axes.
    let mut stride = runs.len();
    for grid_key in grid_keys {
        stride /= grid_key.values.len();
        let values = (0..grid_key.values.len())
            .filter_map(|i| runs[i * stride].parameters.get(grid_key.key));
        insert_below(
            &mut document,
            "grid",
            grid_key.key,
            values.cloned().collect::<Vec<_>>().into(),
        );
    }
    document
}

fn insert(document: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        Some((section, key)) => insert_below(document, section, key, value),
        None => {
            document.insert(key.to_owned(), value);
        }
    }
}

fn insert_below(document: &mut Table, section: &str, key: &str, value: Value) {
    let table = document
        .entry(section)
        .or_insert_with(|| Table::new().into());
    if let Value::Table(table) = table {
        table.insert(key.to_owned(), value);
    }
}
