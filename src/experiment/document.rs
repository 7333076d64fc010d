//! The text of an experiment and its overrides, as keys with values and places.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Value;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::fields::NAMES;
use super::value::{Wrong, nearest};
use crate::error::{Error, Result};

/// What a file and its overrides give. Keys are known, values are not yet read.
#[derive(Debug)]
pub(super) struct Document {
    /// The file, as messages name it.
    pub label: String,
    pub entries: BTreeMap<&'static str, Entry>,
    /// `[grid]`, in the order of the file.
    pub axes: Vec<Axis>,
}

/// A key outside the grid.
#[derive(Debug)]
pub(super) struct Entry {
    pub value: Value,
    pub place: String,
}

/// A key of the grid: at least one value.
#[derive(Debug)]
pub(super) struct Axis {
    pub key: &'static str,
    pub values: Vec<Value>,
    pub place: String,
}

impl Document {
    /// Reads a file. Relative paths in it start at `folder`.
    pub fn parse(label: &str, text: &str, folder: &Path) -> Result<Self> {
        let mut document = Document {
            label: label.to_owned(),
            entries: BTreeMap::new(),
            axes: Vec::new(),
        };
        let table = DeTable::parse(text).map_err(|error| {
            let line = line_of(text, error.span().map_or(0, |span| span.start));
            let wrong = text.lines().nth(line - 1).unwrap_or_default().trim();
            let what = format!("is not valid TOML: {}", error.message());
            Error::input(
                format!("{label}:{line}"),
                what,
                format!("mend this line: {wrong}"),
            )
        })?;
        let source = Origin {
            label,
            text,
            folder,
            set: None,
        };
        document.section(&source, table.into_inner(), "", false)?;
        Ok(document)
    }

    /// Applies one `--set KEY=VALUE`. Relative paths in it start at the current folder.
    pub fn set(&mut self, set: &str) -> Result<()> {
        let place = format!("--set {set}");
        let form = "write KEY=VALUE, as in --set network.width=64; VALUE is TOML or a bare word";
        let wrong = |what: String| Error::input(place.clone(), what, form);
        let (key, value) = set
            .split_once('=')
            .ok_or_else(|| wrong("has no `=`".into()))?;
        let value = value.trim();
        let bare = !value.is_empty() && !value.contains(['"', '\'', '[', ']', '{', '}', '\n']);
        let value = match DeValue::parse(value) {
            Ok(_) => value.to_owned(),
            Err(_) if bare => Value::from(value).to_string(),
            Err(error) => return Err(wrong(format!("the value is not TOML: {}", error.message()))),
        };
        // The key may be dotted and quoted: TOML's own reader takes it apart.
        let text = format!("{key} = {value}");
        let table = DeTable::parse(&text)
            .map_err(|error| wrong(format!("the key cannot be read: {}", error.message())))?;
        let source = Origin {
            label: &self.label.clone(),
            text: &text,
            folder: Path::new("."),
            set: Some(set),
        };
        self.section(&source, table.into_inner(), "", false)
    }

    /// Takes in a table whose keys continue `prefix`.
    fn section(
        &mut self,
        origin: &Origin,
        table: DeTable<'_>,
        prefix: &str,
        grid: bool,
    ) -> Result<()> {
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
                if twice && origin.set.is_none() {
                    return Err(Error::input(place, "is given twice", "keep one of them"));
                }
                let value = Value::deserialize(ValueDeserializer::from(value))
                    .map_err(|error| Error::input(&place, error.message(), "check the number"))?;
                self.take(origin, key, value, place, grid)?;
                continue;
            }
            let is_grid = name == "grid" && !grid;
            if !is_grid && keys_below(&name).is_empty() {
                return Err(unknown(&name, place));
            }
            match value.into_inner() {
                DeValue::Table(table) if is_grid => self.section(origin, table, "", true)?,
                DeValue::Table(table) => self.section(origin, table, &name, grid)?,
                _ => {
                    let keys = if is_grid { &NAMES } else { &keys_below(&name) };
                    let what = "is a section, but a single value was found";
                    let remedy = format!("allowed in it: {}", keys.join(", "));
                    return Err(Error::input(place, what, remedy));
                }
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        origin: &Origin,
        key: &'static str,
        mut value: Value,
        place: String,
        grid: bool,
    ) -> Result<()> {
        if !grid {
            origin
                .absolute(key, &mut value)
                .map_err(|wrong| wrong.at(&place))?;
            if origin.set.is_some() {
                self.axes.retain(|axis| axis.key != key);
            }
            self.entries.insert(key, Entry { value, place });
            return Ok(());
        }
        let mut values = match value {
            Value::Array(values) if !values.is_empty() => values,
            _ => {
                let allowed = "a list of one or more values, each of them one run";
                return Err(Wrong::found(&value, allowed).at(&place));
            }
        };
        for value in &mut values {
            origin
                .absolute(key, value)
                .map_err(|wrong| wrong.at(&place))?;
        }
        let axis = Axis { key, values, place };
        match self.axes.iter_mut().find(|axis| axis.key == key) {
            Some(old) => *old = axis,
            None => self.axes.push(axis),
        }
        Ok(())
    }
}

/// Where keys come from.
struct Origin<'a> {
    label: &'a str,
    text: &'a str,
    folder: &'a Path,
    set: Option<&'a str>,
}

impl Origin<'_> {
    fn place(&self, start: usize, name: &str, grid: bool) -> String {
        match self.set {
            Some(set) => format!("--set {set}"),
            None => {
                let line = line_of(self.text, start);
                let name = if grid {
                    grid_name(name)
                } else {
                    name.to_owned()
                };
                format!("{}:{line}: {name}", self.label)
            }
        }
    }

    /// Makes the paths of a file absolute, so that a resolved file works from any folder.
    fn absolute(&self, key: &str, value: &mut Value) -> std::result::Result<(), Wrong> {
        let Some(path) = value.as_str().filter(|_| key.ends_with("path")) else {
            return Ok(());
        };
        let full = std::path::absolute(self.folder.join(path)).ok();
        let text = full
            .as_deref()
            .filter(|_| !path.is_empty())
            .and_then(Path::to_str);
        *value = match text {
            Some(text) => text.into(),
            None => {
                return Err(Wrong::found(
                    value,
                    "a file's path, in folders of UTF-8 names",
                ));
            }
        };
        Ok(())
    }
}

/// A key of the grid as messages and resolved files write it.
pub(super) fn grid_name(key: &str) -> String {
    match key.contains('.') {
        true => format!("grid.\"{key}\""),
        false => format!("grid.{key}"),
    }
}

fn line_of(text: &str, byte: usize) -> usize {
    1 + text
        .bytes()
        .take(byte)
        .filter(|byte| *byte == b'\n')
        .count()
}

/// The keys of a section.
fn keys_below(section: &str) -> Vec<&'static str> {
    let below = |key: &&&str| {
        key.strip_prefix(section)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    NAMES.iter().filter(below).copied().collect()
}

/// The error of an unknown key, with the key that may be meant: a small typing error away in the
/// same section, or of the same or nearly the same name in another.
fn unknown(name: &str, place: String) -> Error {
    let (section, last) = name.rsplit_once('.').unwrap_or(("", name));
    let all: Vec<_> = NAMES.iter().map(|key| last_part(key)).collect();
    let (siblings, allowed) = match section {
        "" => {
            let mut roots: Vec<_> = NAMES.iter().map(|key| first_part(key)).collect();
            roots.dedup();
            roots.push("grid");
            let allowed = format!("allowed here: {}", roots.join(", "));
            (roots, allowed)
        }
        _ => {
            let keys = keys_below(section).into_iter().map(last_part);
            let keys: Vec<_> = keys.collect();
            let allowed = format!("allowed in [{section}]: {}", keys.join(", "));
            (keys, allowed)
        }
    };
    let full = |part: &str| NAMES.iter().find(|key| last_part(key) == part);
    let sibling = nearest(last, &siblings).map(|near| match section {
        "" => near.to_owned(),
        _ => format!("{section}.{near}"),
    });
    let elsewhere = || {
        nearest(last, &all)
            .and_then(full)
            .map(|key| key.to_string())
    };
    let remedy = match sibling.or_else(elsewhere) {
        Some(near) => format!("did you mean {near}? {allowed}"),
        None => allowed,
    };
    Error::input(place, "is not a key of an experiment", remedy)
}

fn first_part(key: &'static str) -> &'static str {
    key.split_once('.').map_or(key, |(section, _)| section)
}

fn last_part(key: &'static str) -> &'static str {
    key.split_once('.').map_or(key, |(_, last)| last)
}
