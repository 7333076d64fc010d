//! The text of an experiment and its overrides, as keys with values and locations.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Value};

use super::claims::{self, Claim};
use super::fields::NAMES;
use super::mistakes::{Location, Mistakes};
use super::origin::{Origin, Precedence, line_of};
use super::unknown::{keys_below, unknown};
use super::value::ValueError;
use crate::error::{Error, Result};

/// The keys that a file and its overrides give. Names are checked, values are not yet read.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// The name of the file in messages.
    pub label: String,
    pub entries: BTreeMap<&'static str, GivenValue>,
    /// `[grid]`, in the order of the file.
    pub grid_keys: Vec<GridKey>,
    /// `[expect]`, in the order of the file.
    pub claims: Vec<Claim>,
    pub mistakes: Mistakes,
    /// Sort position of messages without a line, after all lines; the messages of command-line
    /// arguments follow.
    end: usize,
    arguments: usize,
}

/// A key outside the grid, its value and location.
#[derive(Debug, Clone)]
pub(super) struct GivenValue {
    pub value: Value,
    pub location: Location,
}

/// A key of the grid with its values, at least one.
#[derive(Debug, Clone)]
pub(super) struct GridKey {
    pub key: &'static str,
    pub values: Vec<Value>,
    pub location: Location,
}

impl Document {
    /// Reads a file, with the overrides of its section `[quick]` if `quick`. Relative paths start
    /// at `folder`.
    pub fn parse(label: &str, text: &str, folder: &Path, quick: bool) -> Result<Self> {
        let mut document = Document {
            label: label.to_owned(),
            entries: BTreeMap::new(),
            grid_keys: Vec::new(),
            claims: Vec::new(),
            mistakes: Mistakes::default(),
            end: text.len(),
            arguments: 0,
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        let faults = errors.iter().map(|error| {
            let line = line_of(text, error.span().map_or(0, |span| span.start));
            let faulty_line = text.lines().nth(line - 1).unwrap_or_default().trim();
            let what = format!("is not valid TOML: {}", error.message());
            let remedy = format!("mend this line: {faulty_line}");
            Error::input(format!("{label}:{line}"), what, remedy)
        });
        Error::all(faults.collect())?;
        let source = Origin {
            label,
            text,
            folder,
            precedence: Precedence::File,
        };
        let (overrides, rest): (Vec<_>, Vec<_>) =
            (table.into_inner().into_iter()).partition(|(name, _)| name.get_ref() == "quick");
        document.section(&source, rest.into_iter().collect(), "", false);
        document.quick(&source, overrides, quick);
        Ok(document)
    }

    /// Applies the section `[quick]` if it is wanted; otherwise only checks its keys.
    fn quick<'a>(
        &mut self,
        file: &Origin,
        section: impl IntoIterator<Item = (Spanned<Cow<'a, str>>, Spanned<DeValue<'a>>)>,
        wanted: bool,
    ) {
        let origin = Origin {
            precedence: Precedence::Quick,
            ..*file
        };
        let mut found = false;
        for (name, value) in section {
            found = true;
            let DeValue::Table(table) = value.into_inner() else {
                let value_error = ValueError::new(
                    "is a section, but a single value was found",
                    "allowed in it: every key of the file, with the value of a quick run",
                );
                let location = file.location(name.span().start, "quick", false);
                self.mistakes.add(&location, value_error);
                continue;
            };
            if wanted {
                self.section(&origin, table, "", false);
            } else {
                let mut aside = self.clone();
                aside.section(&origin, table, "", false);
                self.mistakes.absorb(aside.mistakes);
            }
        }
        if wanted && !found {
            let value_error = ValueError::new(
                "has no quick form",
                "leave out --quick, or give the file a section [quick] of overrides",
            );
            let location = Location {
                text: self.label.clone(),
                order: self.end,
            };
            self.mistakes.add(&location, value_error);
        }
    }

    /// Applies one `--set KEY=VALUE`. A relative path in it starts at the current folder.
    pub fn set(&mut self, set: &str) {
        let location = self.argument(format!("--set {set}"));
        let text = match assignment(set) {
            Ok(text) => text,
            Err(value_error) => return self.mistakes.add(&location, value_error),
        };
        let table = match DeTable::parse(&text) {
            Ok(table) => table,
            Err(error) => {
                let what = format!("the key cannot be read: {}", error.message());
                return self
                    .mistakes
                    .add(&location, ValueError::new(what, SET_FORM));
            }
        };
        let source = Origin {
            label: &self.label.clone(),
            text: &text,
            folder: Path::new("."),
            precedence: Precedence::Set(&location),
        };
        self.section(&source, table.into_inner(), "", false);
    }

    /// The location of the next command-line argument.
    pub fn argument(&mut self, text: String) -> Location {
        self.arguments += 1;
        Location {
            text,
            order: self.end + self.arguments,
        }
    }

    /// The location that messages give for a key that is missing.
    pub fn missing(&self, key: &str) -> Location {
        Location {
            text: format!("{}: {key}", self.label),
            order: self.end,
        }
    }

    /// Adds a table whose keys continue `prefix`.
    fn section(&mut self, origin: &Origin, table: DeTable<'_>, prefix: &str, grid: bool) {
        for (name, value) in table {
            let start = name.span().start;
            let name = match prefix {
                "" => name.into_inner().into_owned(),
                _ => format!("{prefix}.{}", name.into_inner()),
            };
            let location = origin.location(start, &name, grid);
            if let Some(key) = NAMES.iter().find(|key| **key == name) {
                // TOML refuses repeated keys, but does not see that "network.width" and
                // network.width are the same.
                let twice = match grid {
                    true => self.grid_keys.iter().any(|grid_key| grid_key.key == *key),
                    false => self.entries.contains_key(key),
                };
                if twice && !origin.precedence.overrides() {
                    let value_error = ValueError::new("is given twice", "keep one of them");
                    self.mistakes.add(&location, value_error);
                    continue;
                }
                let taken = Value::deserialize(ValueDeserializer::from(value))
                    .map_err(|error| ValueError::new(error.message(), "check the number"))
                    .and_then(|value| self.take(origin, key, value, location.clone(), grid));
                if let Err(value_error) = taken {
                    self.mistakes.add(&location, value_error);
                    self.mistakes.mark_invalid(key);
                }
                continue;
            }
            if name == "expect" && !grid {
                claims::take(
                    &mut self.claims,
                    origin,
                    value,
                    &location,
                    &mut self.mistakes,
                );
                continue;
            }
            let is_grid = name == "grid" && !grid;
            if !is_grid && keys_below(&name).is_empty() {
                let (value_error, meant) = unknown(&name);
                self.mistakes.add(&location, value_error);
                meant.iter().for_each(|key| self.mistakes.mark_invalid(key));
                continue;
            }
            match value.into_inner() {
                DeValue::Table(table) if is_grid => self.section(origin, table, "", true),
                DeValue::Table(table) => self.section(origin, table, &name, grid),
                _ => {
                    let keys = if is_grid { &NAMES } else { &keys_below(&name) };
                    let what = "is a section, but a single value was found";
                    let remedy = format!("allowed in it: {}", keys.join(", "));
                    self.mistakes.add(&location, ValueError::new(what, remedy));
                    self.mistakes.mark_invalid(&name);
                }
            }
        }
    }

    fn take(
        &mut self,
        origin: &Origin,
        key: &'static str,
        mut value: Value,
        location: Location,
        grid: bool,
    ) -> std::result::Result<(), ValueError> {
        if !grid {
            origin.absolute(key, &mut value)?;
            if origin.precedence.overrides() {
                self.grid_keys.retain(|grid_key| grid_key.key != key);
            }
            self.entries.insert(key, GivenValue { value, location });
            return Ok(());
        }
        let mut values = match value {
            Value::Array(values) if !values.is_empty() => values,
            _ => {
                let allowed = "a list of one or more values, each of them one run";
                return Err(ValueError::found(&value, allowed));
            }
        };
        for value in &mut values {
            origin.absolute(key, value)?;
        }
        let grid_key = GridKey {
            key,
            values,
            location,
        };
        match self
            .grid_keys
            .iter_mut()
            .find(|grid_key| grid_key.key == key)
        {
            Some(old) => *old = grid_key,
            None => self.grid_keys.push(grid_key),
        }
        Ok(())
    }
}

const SET_FORM: &str = "write KEY=VALUE, as in --set network.width=64; VALUE is TOML or a bare word; --unset KEY takes a key out";

/// KEY=VALUE as a line of TOML. The key may be dotted and quoted, so the TOML parser splits it.
fn assignment(set: &str) -> std::result::Result<String, ValueError> {
    let value_error = |what: String| ValueError::new(what, SET_FORM);
    let (key, value) = set
        .split_once('=')
        .ok_or_else(|| value_error("has no `=`".into()))?;
    let value = value.trim();
    if value.is_empty() {
        return Err(value_error("has no value".into()));
    }
    let bare = !value.contains(['"', '\'', '[', ']', '{', '}', '\n']);
    match DeValue::parse(value) {
        Ok(_) => Ok(format!("{key} = {value}")),
        Err(_) if bare => Ok(format!("{key} = {}", Value::from(value))),
        Err(error) => Err(value_error(format!(
            "the value is not TOML: {}",
            error.message()
        ))),
    }
}
