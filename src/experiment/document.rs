//! The text of an experiment and its overrides, as keys with values and places.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Value};

use super::claims::{self, Claim};
use super::fields::NAMES;
use super::mistakes::{Mistakes, Place};
use super::origin::{Layer, Origin, line_of};
use super::unknown::{keys_below, unknown};
use super::value::Wrong;
use crate::error::{Error, Result};

/// What a file and its overrides give. Keys are known, values are not yet read.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// The file, as messages name it.
    pub label: String,
    pub entries: BTreeMap<&'static str, Entry>,
    /// `[grid]`, in the order of the file.
    pub axes: Vec<Axis>,
    /// `[expect]`, in the order of the file.
    pub claims: Vec<Claim>,
    pub mistakes: Mistakes,
    /// The order of what no line holds, and after it that of arguments taken in so far.
    end: usize,
    arguments: usize,
}

/// A key outside the grid.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub value: Value,
    pub place: Place,
}

/// A key of the grid: at least one value.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub key: &'static str,
    pub values: Vec<Value>,
    pub place: Place,
}

impl Document {
    /// Reads a file, with the overrides of its section `[quick]` or without. Relative paths in it
    /// start at `folder`.
    pub fn parse(label: &str, text: &str, folder: &Path, quick: bool) -> Result<Self> {
        let mut document = Document {
            label: label.to_owned(),
            entries: BTreeMap::new(),
            axes: Vec::new(),
            claims: Vec::new(),
            mistakes: Mistakes::default(),
            end: text.len(),
            arguments: 0,
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        let faults = errors.iter().map(|error| {
            let line = line_of(text, error.span().map_or(0, |span| span.start));
            let wrong = text.lines().nth(line - 1).unwrap_or_default().trim();
            let what = format!("is not valid TOML: {}", error.message());
            let remedy = format!("mend this line: {wrong}");
            Error::input(format!("{label}:{line}"), what, remedy)
        });
        Error::all(faults.collect())?;
        let source = Origin {
            label,
            text,
            folder,
            layer: Layer::File,
        };
        let (overrides, rest): (Vec<_>, Vec<_>) =
            (table.into_inner().into_iter()).partition(|(name, _)| name.get_ref() == "quick");
        document.section(&source, rest.into_iter().collect(), "", false);
        document.quick(&source, overrides, quick);
        Ok(document)
    }

    /// Takes in the section `[quick]`. Where it is not asked for, only its keys are looked at.
    fn quick<'a>(
        &mut self,
        file: &Origin,
        section: impl IntoIterator<Item = (Spanned<Cow<'a, str>>, Spanned<DeValue<'a>>)>,
        wanted: bool,
    ) {
        let origin = Origin {
            layer: Layer::Quick,
            ..*file
        };
        let mut found = false;
        for (name, value) in section {
            found = true;
            let DeValue::Table(table) = value.into_inner() else {
                let wrong = Wrong::new(
                    "is a section, but a single value was found",
                    "allowed in it: every key of the file, with the value of a quick run",
                );
                let place = file.place(name.span().start, "quick", false);
                self.mistakes.add(&place, wrong);
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
            let wrong = Wrong::new(
                "has no quick form",
                "leave out --quick, or give the file a section [quick] of overrides",
            );
            let place = Place {
                text: self.label.clone(),
                order: self.end,
            };
            self.mistakes.add(&place, wrong);
        }
    }

    /// Applies one `--set KEY=VALUE`. Relative paths in it start at the current folder.
    pub fn set(&mut self, set: &str) {
        let place = self.argument(format!("--set {set}"));
        let text = match assignment(set) {
            Ok(text) => text,
            Err(wrong) => return self.mistakes.add(&place, wrong),
        };
        let table = match DeTable::parse(&text) {
            Ok(table) => table,
            Err(error) => {
                let what = format!("the key cannot be read: {}", error.message());
                return self.mistakes.add(&place, Wrong::new(what, SET_FORM));
            }
        };
        let source = Origin {
            label: &self.label.clone(),
            text: &text,
            folder: Path::new("."),
            layer: Layer::Set(&place),
        };
        self.section(&source, table.into_inner(), "", false);
    }

    /// The place of the next argument.
    pub fn argument(&mut self, text: String) -> Place {
        self.arguments += 1;
        Place {
            text,
            order: self.end + self.arguments,
        }
    }

    /// The place of a key that is not there.
    pub fn missing(&self, key: &str) -> Place {
        Place {
            text: format!("{}: {key}", self.label),
            order: self.end,
        }
    }

    /// Takes in a table whose keys continue `prefix`.
    fn section(&mut self, origin: &Origin, table: DeTable<'_>, prefix: &str, grid: bool) {
        for (name, value) in table {
            let start = name.span().start;
            let name = match prefix {
                "" => name.into_inner().into_owned(),
                _ => format!("{prefix}.{}", name.into_inner()),
            };
            let place = origin.place(start, &name, grid);
            if let Some(key) = NAMES.iter().find(|key| **key == name) {
                // TOML finds repetitions, but not "network.width" beside network.width.
                let twice = match grid {
                    true => self.axes.iter().any(|axis| axis.key == *key),
                    false => self.entries.contains_key(key),
                };
                if twice && !origin.layer.overrides() {
                    let wrong = Wrong::new("is given twice", "keep one of them");
                    self.mistakes.add(&place, wrong);
                    continue;
                }
                let taken = Value::deserialize(ValueDeserializer::from(value))
                    .map_err(|error| Wrong::new(error.message(), "check the number"))
                    .and_then(|value| self.take(origin, key, value, place.clone(), grid));
                if let Err(wrong) = taken {
                    self.mistakes.add(&place, wrong);
                    self.mistakes.spoil(key);
                }
                continue;
            }
            if name == "expect" && !grid {
                claims::take(&mut self.claims, origin, value, &place, &mut self.mistakes);
                continue;
            }
            let is_grid = name == "grid" && !grid;
            if !is_grid && keys_below(&name).is_empty() {
                let (wrong, meant) = unknown(&name);
                self.mistakes.add(&place, wrong);
                meant.iter().for_each(|key| self.mistakes.spoil(key));
                continue;
            }
            match value.into_inner() {
                DeValue::Table(table) if is_grid => self.section(origin, table, "", true),
                DeValue::Table(table) => self.section(origin, table, &name, grid),
                _ => {
                    let keys = if is_grid { &NAMES } else { &keys_below(&name) };
                    let what = "is a section, but a single value was found";
                    let remedy = format!("allowed in it: {}", keys.join(", "));
                    self.mistakes.add(&place, Wrong::new(what, remedy));
                    self.mistakes.spoil(&name);
                }
            }
        }
    }

    fn take(
        &mut self,
        origin: &Origin,
        key: &'static str,
        mut value: Value,
        place: Place,
        grid: bool,
    ) -> std::result::Result<(), Wrong> {
        if !grid {
            origin.absolute(key, &mut value)?;
            if origin.layer.overrides() {
                self.axes.retain(|axis| axis.key != key);
            }
            self.entries.insert(key, Entry { value, place });
            return Ok(());
        }
        let mut values = match value {
            Value::Array(values) if !values.is_empty() => values,
            _ => {
                let allowed = "a list of one or more values, each of them one run";
                return Err(Wrong::found(&value, allowed));
            }
        };
        for value in &mut values {
            origin.absolute(key, value)?;
        }
        let axis = Axis { key, values, place };
        match self.axes.iter_mut().find(|axis| axis.key == key) {
            Some(old) => *old = axis,
            None => self.axes.push(axis),
        }
        Ok(())
    }
}

const SET_FORM: &str = "write KEY=VALUE, as in --set network.width=64; VALUE is TOML or a bare word; --unset KEY takes a key out";

/// KEY=VALUE as a line of TOML. The key may be dotted and quoted: TOML's own reader takes it apart.
fn assignment(set: &str) -> std::result::Result<String, Wrong> {
    let wrong = |what: String| Wrong::new(what, SET_FORM);
    let (key, value) = set
        .split_once('=')
        .ok_or_else(|| wrong("has no `=`".into()))?;
    let value = value.trim();
    if value.is_empty() {
        return Err(wrong("has no value".into()));
    }
    let bare = !value.contains(['"', '\'', '[', ']', '{', '}', '\n']);
    match DeValue::parse(value) {
        Ok(_) => Ok(format!("{key} = {value}")),
        Err(_) if bare => Ok(format!("{key} = {}", Value::from(value))),
        Err(error) => Err(wrong(format!("the value is not TOML: {}", error.message()))),
    }
}
