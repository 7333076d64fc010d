//! The text of an experiment and its overrides, as keys with values and places.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Value};

use super::claims::{self, Claim};
use super::fields::NAMES;
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
}

/// A key outside the grid.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub value: Value,
    pub place: String,
}

/// A key of the grid: at least one value.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub key: &'static str,
    pub values: Vec<Value>,
    pub place: String,
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
            layer: Layer::File,
        };
        let (overrides, rest): (Vec<_>, Vec<_>) =
            (table.into_inner().into_iter()).partition(|(name, _)| name.get_ref() == "quick");
        document.section(&source, rest.into_iter().collect(), "", false)?;
        document.quick(&source, overrides, quick)?;
        Ok(document)
    }

    /// Takes in the section `[quick]`. Where it is not asked for, only its keys are looked at.
    fn quick<'a>(
        &mut self,
        file: &Origin,
        section: impl IntoIterator<Item = (Spanned<Cow<'a, str>>, Spanned<DeValue<'a>>)>,
        wanted: bool,
    ) -> Result<()> {
        let origin = Origin {
            layer: Layer::Quick,
            ..*file
        };
        let mut found = false;
        for (name, value) in section {
            found = true;
            let DeValue::Table(table) = value.into_inner() else {
                return Err(Error::input(
                    file.place(name.span().start, "quick", false),
                    "is a section, but a single value was found",
                    "allowed in it: every key of the file, with the value of a quick run",
                ));
            };
            match wanted {
                true => self.section(&origin, table, "", false)?,
                false => self.clone().section(&origin, table, "", false)?,
            }
        }
        match wanted && !found {
            true => Err(Error::input(
                self.label.clone(),
                "has no quick form",
                "leave out --quick, or give the file a section [quick] of overrides",
            )),
            false => Ok(()),
        }
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
            layer: Layer::Set(set),
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
                if twice && !origin.layer.overrides() {
                    return Err(Error::input(place, "is given twice", "keep one of them"));
                }
                let value = Value::deserialize(ValueDeserializer::from(value))
                    .map_err(|error| Error::input(&place, error.message(), "check the number"))?;
                self.take(origin, key, value, place, grid)?;
                continue;
            }
            if name == "expect" && !grid {
                claims::take(&mut self.claims, origin, value, &place)?;
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
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    label: &'a str,
    text: &'a str,
    folder: &'a Path,
    pub layer: Layer<'a>,
}

/// Layers of keys: each overrides those before it.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Layer<'a> {
    File,
    /// The section `[quick]` of the file.
    Quick,
    /// One `--set`.
    Set(&'a str),
}

impl Layer<'_> {
    pub fn overrides(self) -> bool {
        !matches!(self, Layer::File)
    }
}

impl Origin<'_> {
    pub fn place(&self, start: usize, name: &str, grid: bool) -> String {
        let name = match grid {
            true => grid_name(name),
            false => name.to_owned(),
        };
        let line = line_of(self.text, start);
        match self.layer {
            Layer::Set(set) => format!("--set {set}"),
            Layer::File => format!("{}:{line}: {name}", self.label),
            Layer::Quick => format!("{}:{line}: quick.{name}", self.label),
        }
    }

    /// The copy, beside this file, of a data file that is no longer there: a run folder may have been
    /// moved.
    fn kept(&self, path: &Path) -> Option<PathBuf> {
        let copy = self.folder.join(KEPT_DATA).join(kept_name(path));
        let moved = self.layer == Layer::File && !path.exists() && copy.exists();
        std::path::absolute(copy).ok().filter(|_| moved)
    }

    /// Makes the paths of a file absolute, so that a resolved file works from any folder.
    fn absolute(&self, key: &str, value: &mut Value) -> std::result::Result<(), Wrong> {
        let Some(path) = value.as_str().filter(|_| key.ends_with("path")) else {
            return Ok(());
        };
        let full = std::path::absolute(self.folder.join(path)).ok();
        let full = full.map(|full| self.kept(&full).unwrap_or(full));
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

/// Below a run folder: copies of its data files, see [`kept_name`].
pub const KEPT_DATA: &str = "data";

/// The name of the copy of a data file in a run folder: that of the file, told apart from others of
/// its name by a digest of the whole path.
pub fn kept_name(path: &Path) -> String {
    let digest = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{}-{name}", &digest[..8])
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
